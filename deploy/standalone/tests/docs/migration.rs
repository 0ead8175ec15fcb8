//! Moving in from elsewhere: the commands of the page over a small copy of what is there, and then a login.

use std::process::Command;

use crate::page::block;
use crate::run::Desk;
use crate::session::Standing;

const PAGE: &str = "issuer/migration.md";

/// What the hashes below are of.
const PASSWORD: &str = "correct horse battery staple";

const SERVER: &str = "USHER_TEST_POSTGRES_URL";

/// A realm of Keycloak as `kc.sh export` writes it, with what is not ours left out.
const REALM: &str = include_str!("migration/keycloak.json");

const DJANGO: &str = include_str!("migration/django.sql");

const OWN: &str = include_str!("migration/own.sql");

/// Whether a program is installed; CI has to have it.
fn has(program: &str, test: &str) -> bool {
    let is_there = Command::new(program)
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success());
    assert!(
        is_there || std::env::var_os("CI").is_none(),
        "{test}: CI must have {program}"
    );
    if !is_there {
        eprintln!("SKIPPED: {test}; to run it install {program}");
    }
    is_there
}

/// Runs the page's block, which writes `users.jsonl` and imports it, and has everybody sign in.
fn move_in(desk: &Desk, begins: &str, url: &str, logins: &[&str]) {
    let standing = Standing::start();
    let database = standing.data_dir().join("usher.db");
    let output = desk
        .shell(&block(PAGE, begins).text)
        .env("OLD", url)
        .env("ISSUER__DATABASE__URL", format!("sqlite:{}", database.display()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    for login in logins {
        let (status, body) = standing.post("/api/v1/user/login", login, PASSWORD);
        assert_eq!(status, "200", "{login}: {body}");
        let (status, body) = standing.post("/api/v1/user/login", login, "incorrect horse");
        assert_eq!(status, "401", "{login}: {body}");
    }
    let (status, body) = standing.post("/api/v1/user/login", "gone", PASSWORD);
    assert_eq!(status, "403", "{body}");
}

/// A database on the server, which goes at the end.
#[derive(Debug)]
struct Old {
    server: String,
    name: String,
}

impl Old {
    fn start(desk: &Desk, name: &str, tables: &str) -> Option<Self> {
        let Ok(server) = std::env::var(SERVER) else {
            assert!(
                std::env::var_os("CI").is_none(),
                "CI must have a PostgreSQL server; set {SERVER}"
            );
            eprintln!("SKIPPED: {name}; to run it set {SERVER}=postgres://user@host:port/postgres");
            return None;
        };
        if !has("psql", name) {
            return None;
        }
        let name = format!("usher_docs_{name}_{}", std::process::id());
        say(&server, &format!("CREATE DATABASE {name}"));
        let old = Self { server, name };
        let file = desk.write("tables.sql", tables);
        let output = psql(&old.url()).arg("--file").arg(file).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        Some(old)
    }

    fn url(&self) -> String {
        let (server, _) = self.server.rsplit_once('/').unwrap();
        format!("{server}/{}", self.name)
    }
}

impl Drop for Old {
    fn drop(&mut self) {
        say(
            &self.server,
            &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name),
        );
    }
}

fn psql(url: &str) -> Command {
    let mut psql = Command::new("psql");
    psql.args([
        "--quiet",
        "--no-psqlrc",
        "--set",
        "ON_ERROR_STOP=1",
        "--dbname",
        url,
    ]);
    psql
}

fn say(url: &str, statement: &str) {
    let output = psql(url).args(["--command", statement]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn people_of_keycloak_sign_in() {
    if has("jq", "people_of_keycloak_sign_in") {
        let desk = Desk::new();
        desk.write("realm.json", REALM);
        move_in(&desk, "# Keycloak", "", &["neo", "trinity", "tank"]);
    }
}

#[test]
fn people_of_django_sign_in() {
    let desk = Desk::new();
    if let Some(old) = Old::start(&desk, "django", DJANGO) {
        move_in(&desk, "# Django", &old.url(), &["neo", "trinity"]);
    }
}

#[test]
fn people_of_a_service_of_ones_own_sign_in() {
    let desk = Desk::new();
    if let Some(old) = Old::start(&desk, "own", OWN) {
        move_in(
            &desk,
            "# A table",
            &old.url(),
            &["neo@example.org", "trinity@example.org"],
        );
    }
}
