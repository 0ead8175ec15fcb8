#!/usr/bin/env bash
# Makes the secrets of compose.yaml, once, in the folder `secrets` beside it. `rm -r secrets` and the volumes, to begin anew.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
if [[ -e secrets ]]; then
    echo 'The secrets are there already.'
    exit 0
fi
# The folder keeps others of this machine out; the files are for the containers' users to read.
making=$(mktemp -d secrets.XXXXXX)
trap 'rm -rf "$making"' EXIT
for name in postgres owner issuer redis_issuer redis_verifier; do
    openssl rand -hex 24 >"$making/$name.password"
done
openssl rand -base64 32 >"$making/encryption.key"
echo "postgres://usher_owner:$(<"$making/owner.password")@postgres/usher" >"$making/owner.url"
echo "postgres://usher_issuer:$(<"$making/issuer.password")@postgres/usher" >"$making/issuer.url"
sha256() { tr -d '\n' <"$making/$1.password" | sha256sum | cut -d ' ' -f 1; }
sed -e "s/\${USHER_ISSUER_PASSWORD_SHA256}/$(sha256 redis_issuer)/" \
    -e "s/\${USHER_VERIFIER_PASSWORD_SHA256}/$(sha256 redis_verifier)/" ../redis/users.acl >"$making/users.acl"
chmod 444 "$making"/*
mv --no-target-directory "$making" secrets
trap - EXIT
echo 'The secrets are in the folder secrets.'
