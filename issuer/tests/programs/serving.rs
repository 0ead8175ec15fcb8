//! `serve`: how it begins and ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command};

use crate::{Place, Ran, ended};

/// An issuer that serves, and the lines that it logs.
pub(crate) struct Serving {
    child: Child,
    log: BufReader<std::process::ChildStderr>,
    seen: String,
}

impl Serving {
    pub(crate) fn start(place: &Place) -> Self {
        let mut child = place.command(&["serve", "--log-format", "json"]).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Self {
            child,
            log,
            seen: String::new(),
        }
    }

    /// Reads the log up to a message, and gives the line.
    pub(crate) fn until(&mut self, message: &str) -> serde_json::Value {
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

    pub(crate) fn signal(&self, name: &str) {
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
    pub(crate) fn end(mut self) -> Ran {
        self.log.read_to_string(&mut self.seen).unwrap();
        let mut output = self.child.wait_with_output().unwrap();
        output.stderr = self.seen.into_bytes();
        ended(output)
    }
}

pub(crate) fn serving_place() -> Place {
    Place::new()
        .with("ISSUER__REDIS__DISABLED", "true")
        .with("ISSUER__LISTEN", "127.0.0.1:0")
        .with("ISSUER__ADMIN_LISTEN", "127.0.0.1:0")
        .with("ISSUER__PASSWORD__MEMORY_KIB", "8")
}

pub(crate) fn ask(address: &str, request: &str) -> String {
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
        let said = serving.until("audit");
        assert_eq!(said["action"], "user.register");
        assert_eq!(said["actor"], said["subject"]);
        assert_eq!(
            (&said["target"], &said["ip"]),
            (&"audit".into(), &"127.0.0.1".into())
        );
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

/// The value of a metric without labels.
fn metric(admin: &str, name: &str) -> u64 {
    let page = ask(
        admin,
        "GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    );
    let value = page
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap().parse().unwrap()
}

#[test]
fn a_term_waits_for_the_password_that_is_hashed() {
    // Slow enough to be seen at it.
    let place = serving_place()
        .with("ISSUER__PASSWORD__MEMORY_KIB", "262144")
        .with("ISSUER__PASSWORD__ITERATIONS", "4")
        .with("ISSUER__SHUTDOWN_GRACE", "1m");
    let mut serving = Serving::start(&place);
    let mut address = |message| serving.until(message)["address"].as_str().unwrap().to_owned();
    let (public, admin) = (
        address("the issuer listens"),
        address("health and metrics listen"),
    );
    let running = "issuer_password_hashes_running";
    let body = r#"{"login":"neo","password":"tumble down the burrow"}"#;
    let request = format!(
        "POST /api/v1/user HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let registered = std::thread::spawn(move || ask(&public, &request));
    while metric(&admin, running) == 0 {
        assert!(!registered.is_finished(), "it was hashed before anybody saw it");
    }
    serving.signal("TERM");
    serving.until("stopping");
    assert!(!registered.is_finished(), "it was hashed before the signal");
    let answer = registered.join().unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let ran = serving.end();
    assert_eq!(ran.status, 0, "{}", ran.err);
    assert_eq!(place.run(&["user", "export"]).out.lines().count(), 1);
}

#[test]
fn a_schema_is_left_alone_where_it_is_to_be() {
    let place = serving_place().with("ISSUER__DATABASE__MIGRATE", "false");
    for arguments in [
        ["serve", "--log-level=error"],
        ["keys", "list"],
        ["keys", "rotate"],
    ] {
        place
            .run(&arguments)
            .complains(1, &["database.migrate is false: run `issuer migrate`"]);
    }
    place.run(&["migrate"]).done("The schema is up to date.");
    place.run(&["keys", "list"]).done("kid");
    let mut serving = Serving::start(&place);
    serving.until("the issuer listens");
    serving.signal("TERM");
    assert_eq!(serving.end().status, 0);
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
