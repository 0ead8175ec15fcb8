//! The issuer's programs, run as an operator runs them: what they say, and how they end.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on ends there"
)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

mod backup;
mod clients;
mod film_labels;
mod keys;
mod serving;
mod user;

/// What must never be seen in an output.
const SECRETS: [&str; 2] = ["hunter2-of-the-database", "tumble down the burrow"];

/// A folder to run in, with nothing of the environment but what a test says.
struct Place {
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

struct Ran {
    status: i32,
    out: String,
    err: String,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            variables: Vec::new(),
        }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    fn file(&self, name: &str, text: &str) -> &Self {
        std::fs::write(self.folder.path().join(name), text).unwrap();
        self
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_issuer"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "")
    }

    fn run_with(&self, arguments: &[&str], input: &str) -> Ran {
        let mut child = self.command(arguments).spawn().unwrap();
        // It may end without reading.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        ended(child.wait_with_output().unwrap())
    }
}

fn ended(output: Output) -> Ran {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let ran = Ran {
        status: output.status.code().unwrap(),
        out: text(output.stdout),
        err: text(output.stderr),
    };
    for secret in SECRETS {
        assert!(
            !ran.out.contains(secret) && !ran.err.contains(secret),
            "a secret is shown: {}{}",
            ran.out,
            ran.err
        );
    }
    ran
}

impl Ran {
    #[track_caller]
    fn done(&self, says: &str) {
        assert_eq!(self.status, 0, "{}{}", self.out, self.err);
        assert!(self.out.contains(says), "{}", self.out);
    }

    #[track_caller]
    fn complains(&self, status: i32, says: &[&str]) {
        assert_eq!(self.status, status, "{}{}", self.out, self.err);
        assert_eq!(self.out, "");
        for words in says {
            assert!(self.err.contains(words), "{words:?} is not in: {}", self.err);
        }
    }
}

#[test]
fn good_settings_are_good() {
    let place = Place::new().with("ISSUER__REDIS__DISABLED", "true");
    place.run(&["check-config"]).done("The settings are good.");
    place.file(
        "good.toml",
        "audience = 'games'\ntokens.access_ttl = '5m'\nlimits.login_per_ip = 'off'",
    );
    for arguments in [
        ["check-config", "--config", "good.toml"],
        ["--config", "good.toml", "check-config"],
    ] {
        place.run(&arguments).done("The settings are good.");
    }
    assert!(!place.path().join("data").exists(), "a check makes nothing");
}

#[test]
fn broken_settings_are_told_by_key_and_cure() {
    for (toml, says) in [
        ("audiance = 'x'", ["1:1", "audiance", "did you mean `audience`"]),
        ("keys.bits = 'many'", ["1:13", "keys.bits", "expected"]),
        ("\nkeys.bits = 1024", ["2:13", "keys.bits", "2048, 3072 or 4096"]),
        ("x = [", ["1:", "not TOML", "expected `]`"]),
        (
            "[tokens]\naccess_ttl = '15 parsecs'",
            ["2:14", "tokens.access_ttl", "expected"],
        ),
        (
            "tokens.access_ttl = '0s'",
            ["1:", "tokens.access_ttl", "expected"],
        ),
        (
            "password.failure_floor = '11s'",
            ["1:", "password.failure_floor", "0s to 10s"],
        ),
        ("listen = 'nowhere'", ["1:10", "listen", "`127.0.0.1:8080`"]),
        (
            "trusted_proxies = 'everyone'",
            ["1:19", "trusted_proxies", "`10.0.0.0/8`"],
        ),
        (
            "limits.login_per_ip = 'never'",
            ["1:23", "limits.login_per_ip", "expected"],
        ),
        (
            "database.url = 'mysql://u:hunter2-of-the-database@h/x'",
            ["1:16", "database.url", "`postgres://…`"],
        ),
        (
            "database.url = 'postgres://u:hunter2-of-the-database@h/x'",
            ["keys.encryption_key_file", "32 bytes", "base64"],
        ),
        ("database.url = 7", ["1:16", "database.url", "expected"]),
        (
            "cookies.refresh_name = '__Host-x'",
            ["1:24", "cookies.refresh_name", "expected"],
        ),
        ("roles.reserved = ['Staff']", ["1:", "roles.reserved", "Staff"]),
    ] {
        let place = Place::new();
        place.file("broken.toml", toml);
        for command in ["check-config", "serve", "migrate"] {
            let ran = place.run(&[command, "--config", "broken.toml"]);
            ran.complains(2, &says);
            assert!(ran.err.starts_with("error: "), "{}", ran.err);
        }
        assert!(!place.path().join("data").exists(), "nothing is begun");
    }
    let place = Place::new();
    place
        .run(&["check-config", "--config", "none.toml"])
        .complains(2, &["none.toml", "No such file"]);
}

#[test]
fn the_environment_overrides_and_is_checked() {
    let place = || Place::new().with("ISSUER__REDIS__DISABLED", "true");
    let set = |name, value| place().with(name, value).run(&["check-config"]);
    set("ISSUER__AUDIENCE", "games").done("good");
    set("ISSUER__NOPE", "1").complains(2, &["environment variable ISSUER__NOPE", "unknown key"]);
    set("ISSUER__KEYS__BITS", "1024").complains(2, &["ISSUER__KEYS__BITS", "2048, 3072 or 4096"]);
    set("ISSUER__LISTEN", "x").complains(2, &["ISSUER__LISTEN", "listen", "expected"]);
    set("ISSUER__DATABASE__URL", "mysql://u:hunter2-of-the-database@h/x")
        .complains(2, &["ISSUER__DATABASE__URL", "database.url", "`sqlite:PATH`"]);
    set("ISSUERS__NOPE", "1").done("good");
    let place = place().with("ISSUER__KEYS__BITS", "3072");
    place.file("low.toml", "keys.bits = 1024");
    place.run(&["check-config", "--config", "low.toml"]).done("good");
}

#[test]
fn misuse_ends_with_2_and_help_with_0() {
    let place = Place::new();
    place.run(&[]).complains(2, &["Usage: issuer"]);
    place
        .run(&["dance"])
        .complains(2, &["unrecognized subcommand 'dance'"]);
    place
        .run(&["serve", "--port", "1"])
        .complains(2, &["unexpected argument '--port'"]);
    place.run(&["superuser", "create"]).complains(2, &["--login"]);
    // A password is never an argument.
    let told = place.run(&["superuser", "create", "--login", "root", "--password", "x"]);
    assert_eq!(told.status, 2);
    place.run(&["--help"]).done("check-config");
    place
        .run(&["superuser", "create", "--help"])
        .done("--password-stdin");
    place
        .run(&["--version"])
        .done(&format!("issuer {}", env!("CARGO_PKG_VERSION")));
    for shell in ["bash", "zsh", "fish"] {
        place.run(&["completions", shell]).done("check-config");
    }
    place.run(&["completions", "cmd"]).complains(2, &["cmd"]);
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn the_document_is_printed() {
    let place = Place::new();
    let ran = place.run(&["openapi"]);
    ran.done("/api/v1/user/login");
    let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    assert!(!place.path().join("data").exists());
}

#[test]
fn the_schema_is_brought_up_to_date() {
    let place = Place::new();
    place.run(&["migrate"]).done("up to date");
    assert!(place.path().join("data/usher.db").exists());
    place.run(&["migrate"]).done("up to date");
    let away = Place::new()
        .with(
            "ISSUER__DATABASE__URL",
            "postgres://u:hunter2-of-the-database@127.0.0.1:1/x",
        )
        .with("ISSUER__KEYS__ENCRYPTION_KEY_FILE", "none.key");
    let ran = away.run(&["migrate"]);
    ran.complains(1, &["error: the database cannot be used"]);
}

#[test]
fn a_superuser_is_made() {
    let place = Place::new();
    let create = ["superuser", "create", "--login", "root", "--password-stdin"];
    place
        .run_with(&create, "short\n")
        .complains(1, &["password", "at least 8 characters"]);
    place
        .run_with(&create, "")
        .complains(1, &["no password on standard input"]);
    place
        .run_with(&create, "password\n")
        .complains(1, &["password", "common"]);
    let spaced = ["superuser", "create", "--login", "a b", "--password-stdin"];
    place
        .run_with(&spaced, "tumble down the burrow\n")
        .complains(1, &["login"]);
    let unasked = place.run(&["superuser", "create", "--login", "root"]);
    unasked.complains(1, &["use --password-stdin"]);
    place
        .run_with(&create, "tumble down the burrow\n")
        .done("Created the superuser \"root\"");
    place
        .run_with(&create, "tumble down the burrow\r\n")
        .done("\"root\" is a superuser now");
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(place.path().join("data/usher.key"))
            .unwrap()
            .permissions(),
    );
    assert_eq!(mode & 0o077, 0, "the key is for its owner alone");
}

#[test]
fn serving_without_a_feed_must_be_said() {
    let place = Place::new();
    for command in ["serve", "check-config"] {
        place
            .run(&[command])
            .complains(2, &["redis.url: missing", "redis.disabled = true"]);
    }
    let place = Place::new().with("ISSUER__REDIS__DISABLED", "false");
    place
        .run(&["serve"])
        .complains(2, &["redis.url: missing", "redis.disabled = true"]);
    assert_eq!(
        std::fs::read_dir(place.path()).unwrap().count(),
        0,
        "nothing is begun"
    );
}
