#!/usr/bin/env bash
# The movie demo: usher, the movie service and nginx, until Ctrl-C. README.md beside this file tells what to try.
set -euo pipefail

usage() {
    cat <<'END'
Usage: deploy/demo/start.sh [--data-dir DIR]

Starts usher, the movie service and nginx on this machine, and stops them on Ctrl-C. Without --data-dir the users that
register are forgotten at the end.

Ports, from the environment: DEMO_PORT (8000, nginx), DEMO_ISSUER_PORT (8080), DEMO_VERIFIER_PORT (8081),
DEMO_MOVIES_PORT (8082), DEMO_ADMIN_PORT (9080).
END
}

data=''
while (($# > 0)); do
    case $1 in
        --data-dir) data=${2:?'--data-dir needs a folder'} && shift 2 ;;
        -h | --help) usage && exit 0 ;;
        *) usage >&2 && exit 2 ;;
    esac
done

# Debian has nginx where only root looks.
PATH=$PATH:/usr/sbin:/usr/local/sbin
if ! command -v nginx >/dev/null; then
    cat >&2 <<'END'
The demo needs nginx, which is not installed here. To install it:
  Debian, Ubuntu   sudo apt-get install nginx
  Fedora           sudo dnf install nginx
  Alpine           sudo apk add nginx
  macOS            brew install nginx
END
    exit 1
fi

[[ -z $data ]] || { mkdir -p "$data" && data=$(cd "$data" && pwd); }
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
nginx_address=127.0.0.1:${DEMO_PORT:-8000}
issuer=127.0.0.1:${DEMO_ISSUER_PORT:-8080}
verifier=127.0.0.1:${DEMO_VERIFIER_PORT:-8081}
movies=127.0.0.1:${DEMO_MOVIES_PORT:-8082}
admin=127.0.0.1:${DEMO_ADMIN_PORT:-9080}

command -v curl >/dev/null || { echo 'The demo needs curl, which is not installed here.' >&2 && exit 1; }

cargo build --release --bin usher --bin movies --bin film-etl
programs=$(cargo metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release

run=$(mktemp -d)
started=()
stop() {
    trap - EXIT INT TERM
    local pid
    for pid in "${started[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$run"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Waits until somebody listens, for as long as the process lives that should.
await() {
    local name=$1 address=$2 pid=$3
    until (exec 3<>"/dev/tcp/${address%:*}/${address##*:}") 2>/dev/null; do
        kill -0 "$pid" 2>/dev/null || { echo "$name did not start." >&2 && exit 1; }
        sleep 0.1
    done
}

"$programs/usher" --data-dir "${data:-$run/data}" --issuer-listen "$issuer" --verifier-listen "$verifier" \
    --admin-listen "$admin" --rules deploy/standalone/rules.toml --log-level warn >"$run/usher.out" &
usher_pid=$!
started+=("$usher_pid")
"$programs/movies" --listen "$movies" --films deploy/demo/films.json >"$run/movies.out" &
movies_pid=$!
started+=("$movies_pid")
films=${data:-$run}/films.db
mkdir -p "${films%/*}"
[[ -e $films ]] || "$programs/film-etl" make-database "$films"

sed -e "s|\${USHER_LISTEN}|$nginx_address|g" -e "s|\${USHER_ISSUER}|$issuer|g" \
    -e "s|\${USHER_VERIFIER}|$verifier|g" -e "s|\${USHER_SERVICE}|$movies|g" \
    deploy/nginx/nginx.conf >"$run/nginx.conf"
nginx -p "$run" -c "$run/nginx.conf" -e stderr -g 'daemon off;' &
nginx_pid=$!
started+=("$nginx_pid")

await movies "$movies" "$movies_pid"
await nginx "$nginx_address" "$nginx_pid"
# It says this once it is ready.
until grep -q '/docs/' "$run/usher.out"; do
    kill -0 "$usher_pid" 2>/dev/null || { echo 'usher did not start.' >&2 && exit 1; }
    sleep 0.1
done

# At the first start: a role, a label that asks for it, and the films that carry the label.
label_films() {
    local login=${USHER_SUPERUSER_LOGIN:-admin} password token
    password=${USHER_SUPERUSER_PASSWORD:-$(sed -n 's/^  password  \([^ ]*\) .*/\1/p' "$run/usher.out")}
    password=${password//\\/\\\\}
    token=$(curl -sSf "http://$issuer/api/v1/user/login" -H 'Content-Type: application/json' -d @- \
        <<<"{\"login\":\"$login\",\"password\":\"${password//\"/\\\"}\"}" |
        sed 's/.*"access_token":"\([^"]*\)".*/\1/')
    (umask 077 && echo "Authorization: Bearer $token" >"$run/authorization")
    ask_issuer() {
        curl -sSf -X "$1" "http://$issuer/api/v1/$2" -H @"$run/authorization" -H "Content-Type: application/$3" \
            --data-binary "$4" -o "$run/answer"
    }
    ask_issuer POST role json '{"name":"subscriber"}'
    ask_issuer PUT label/subscribers json '{"roles":["subscriber"],"anonymous":false}'
    ask_issuer POST film/label x-ndjson @deploy/demo/labels.jsonl
    ask_issuer POST user/logout json ''
    rm "$run/authorization"
}
if grep -q 'There was no superuser' "$run/usher.out"; then
    label_films
fi

site=http://$nginx_address
cat <<END

The movie demo runs on $site  (nginx $nginx_pid, usher $usher_pid, movies $movies_pid; Ctrl-C stops all of it)

  every film          curl -s  $site/api/v1/films
  an open one         curl -si $site/api/v1/films/0f3b9a52-6f0e-4c1e-9a55-2d7b1c8e4a10
  for subscribers     curl -si $site/api/v1/films/7c9e6679-7425-40de-944b-e07fc1f90ae7
  the rules           deploy/standalone/rules.toml  (edit it, and it is in force within two seconds)
  the films' database $films  (and $programs/film-etl, see README.md)
  what nginx did      tail -f $run/access.log
  the issuer's API    http://$issuer/docs/
END
if grep -q 'There was no superuser' "$run/usher.out"; then
    echo
    sed -n '/There was no superuser/,/^$/p' "$run/usher.out"
fi
echo 'deploy/demo/README.md goes on from here: register, subscribe, log out.'

# Until one of the three ends, or Ctrl-C.
wait -n "${started[@]}" || true
echo 'One of the three ended, so the others are stopped too.' >&2
exit 1
