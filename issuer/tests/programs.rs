//! The issuer's programs, run as an operator runs them: what they say, and how they end.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

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
            .complains(2, &["redis.disabled", "expected true"]);
    }
    let place = Place::new().with("ISSUER__REDIS__DISABLED", "false");
    place
        .run(&["serve"])
        .complains(2, &["redis.disabled", "expected true"]);
    assert_eq!(
        std::fs::read_dir(place.path()).unwrap().count(),
        0,
        "nothing is begun"
    );
}

/// An issuer that serves, and the lines that it logs.
struct Serving {
    child: Child,
    log: BufReader<std::process::ChildStderr>,
    seen: String,
}

impl Serving {
    fn start(place: &Place) -> Self {
        let mut child = place.command(&["serve", "--log-format", "json"]).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Self {
            child,
            log,
            seen: String::new(),
        }
    }

    /// Reads the log up to a message, and gives the line.
    fn until(&mut self, message: &str) -> serde_json::Value {
        loop {
            let mut line = String::new();
            let bytes = self.log.read_line(&mut line).unwrap();
            assert!(bytes > 0, "it ended before it said {message:?}: {}", self.seen);
            self.seen.push_str(&line);
            let said: serde_json::Value = serde_json::from_str(&line).unwrap();
            if said["message"] == message {
                return said;
            }
        }
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for the end: the status, and everything that was said.
    fn end(mut self) -> Ran {
        self.log.read_to_string(&mut self.seen).unwrap();
        let mut output = self.child.wait_with_output().unwrap();
        output.stderr = self.seen.into_bytes();
        ended(output)
    }
}

fn serving_place() -> Place {
    Place::new()
        .with("ISSUER__REDIS__DISABLED", "true")
        .with("ISSUER__LISTEN", "127.0.0.1:0")
        .with("ISSUER__ADMIN_LISTEN", "127.0.0.1:0")
        .with("ISSUER__PASSWORD__MEMORY_KIB", "8")
}

fn ask(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_term_drains_and_ends_well() {
    for signal in ["TERM", "INT"] {
        let place = serving_place();
        let mut serving = Serving::start(&place);
        let public = serving.until("the issuer listens")["address"]
            .as_str()
            .unwrap()
            .to_owned();
        let admin = serving.until("health and metrics listen")["address"]
            .as_str()
            .unwrap()
            .to_owned();
        for (address, path, status) in [
            (&admin, "/healthz", "200"),
            (&admin, "/readyz", "200"),
            (&admin, "/metrics", "200"),
            (&public, "/healthz", "404"),
            (&public, "/.well-known/jwks.json", "200"),
        ] {
            let answer = ask(
                address,
                &format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"),
            );
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{path}: {answer}"
            );
        }
        // Under way when the signal comes: the rest of the body follows it.
        let body = r#"{"login":"neo","password":"tumble down the burrow"}"#;
        let mut stream = TcpStream::connect(&public).unwrap();
        let head = format!(
            "POST /api/v1/user HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut go_on = [0; 25];
        stream.read_exact(&mut go_on).unwrap();
        assert!(go_on.starts_with(b"HTTP/1.1 100"));
        serving.signal(signal);
        serving.until("stopping");
        stream.write_all(body.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
        let ran = serving.end();
        assert_eq!((ran.status, ran.out.as_str()), (0, ""), "{}", ran.err);
        assert!(TcpStream::connect(&public).is_err());
        // What was answered is there after the next start, and the keys are the same ones.
        let create = ["superuser", "create", "--login", "neo", "--password-stdin"];
        place
            .run_with(&create, "tumble down the burrow\n")
            .done("is a superuser now");
    }
}

#[test]
fn a_port_that_is_taken_is_said() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let place = Place::new()
        .with("ISSUER__REDIS__DISABLED", "true")
        .with("ISSUER__LISTEN", &address)
        .with("ISSUER__ADMIN_LISTEN", "127.0.0.1:0");
    let ran = place.run(&["serve", "--log-level", "error"]);
    ran.complains(1, &["cannot listen", &address]);
}
