//! Libraries that services verify tokens with, and an OAuth client, against a real `usher`.
//!
//! Python is `USHER_TEST_PYTHON`, or the one on the PATH; Node.js likewise `USHER_TEST_NODE`, its packages where `NODE_PATH`
//! says.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use shared::encoding::base64url;

use crate::keys::{kid, operate};
use crate::services::{Machine, create_client};
use crate::support::Usher;

/// What the `aud` claim is if the settings say nothing.
const AUDIENCE: &str = "movies";

/// A program, and what it says when it has every library that the tests use.
struct Interpreter {
    program: String,
    has_all: &'static [&'static str],
    install: &'static str,
}

fn python() -> Interpreter {
    Interpreter {
        program: std::env::var("USHER_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned()),
        has_all: &["-c", "import authlib, cryptography, jwt, requests"],
        install: "set USHER_TEST_PYTHON to one with PyJWT[crypto], Authlib and requests",
    }
}

fn node() -> Interpreter {
    Interpreter {
        program: std::env::var("USHER_TEST_NODE").unwrap_or_else(|_| "node".to_owned()),
        has_all: &[
            "-e",
            "['jose', 'jwks-rsa', 'jsonwebtoken'].forEach((name) => require.resolve(name))",
        ],
        install: "set USHER_TEST_NODE to one of today, and NODE_PATH to a folder with jose, jwks-rsa and jsonwebtoken",
    }
}

impl Interpreter {
    /// Itself, if it is there with all that is needed. Where it is not, says so aloud; in CI it must be.
    fn or_skip(self) -> Option<Self> {
        let tried = Command::new(&self.program).args(self.has_all).output();
        if tried.is_ok_and(|ran| ran.status.success()) {
            return Some(self);
        }
        let Self { program, install, .. } = self;
        assert!(
            std::env::var_os("CI").is_none(),
            "CI must have {program} with the libraries: {install}"
        );
        eprintln!("SKIPPED: no {program} with the libraries to test; {install}");
        None
    }

    /// Runs a script of this folder.
    fn run(&self, script: &str, arguments: &[&str]) -> Script {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/usher/clients");
        let mut child = Command::new(&self.program)
            .arg(folder.join(script))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Script {
            to: child.stdin.take().unwrap(),
            from: BufReader::new(child.stdout.take().unwrap()).lines(),
            child,
            name: script.to_owned(),
        }
    }
}

/// A running script, which answers each line with one of JSON.
struct Script {
    child: Child,
    to: ChildStdin,
    from: Lines<BufReader<ChildStdout>>,
    name: String,
}

impl Script {
    fn tell(&mut self, line: &str) {
        writeln!(self.to, "{line}").unwrap();
    }

    fn ask(&mut self, line: &str) -> Value {
        self.tell(line);
        let said = self.from.next();
        let said = said.unwrap_or_else(|| panic!("{} ended", self.name)).unwrap();
        serde_json::from_str(&said).unwrap()
    }

    #[track_caller]
    fn takes(&mut self, token: &str, subject: &str) -> Value {
        let said = self.ask(token);
        assert_eq!(said["sub"], subject, "{}: {said}", self.name);
        said
    }

    #[track_caller]
    fn refuses(&mut self, token: &str) {
        let said = self.ask(token);
        assert!(said["error"].is_string(), "{}: {said}", self.name);
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns when the issuer publishes so many keys.
async fn published(usher: &Usher, count: usize) {
    loop {
        let answer = usher
            .api("GET", "/.well-known/jwks.json", None)
            .send()
            .await
            .unwrap();
        let set: Value = answer.json().await.unwrap();
        if set["keys"].as_array().unwrap().len() == count {
            return;
        }
    }
}

/// The same token that says of itself that nobody signed it, and one whose signature is another's.
fn broken(token: &str) -> [String; 2] {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (_, payload) = signed.split_once('.').unwrap();
    let header = json!({"alg": "none", "typ": "at+jwt", "kid": kid(token)}).to_string();
    let turned: String = signature.chars().rev().collect();
    [
        format!("{}.{payload}.", base64url(header.as_bytes())),
        format!("{signed}.{turned}"),
    ]
}

/// Tokens of people and services, before, while and after the key that signs is another.
async fn verifies_over_a_rotation(interpreter: Interpreter, script: &str) {
    let Some(interpreter) = interpreter.or_skip() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let usher = Usher::start(folder.path());
    let start = || interpreter.run(script, &[&usher.issuer, AUDIENCE]);
    let neo = usher.register("neo").await;
    // Published before it signs: whoever fetches the keys from now on needs no more for the next tokens.
    operate(folder.path(), &["keys", "rotate"]);
    published(&usher, 2).await;
    let mut judge = start();
    let said = judge.takes(&neo.access_token, &neo.id);
    assert_eq!(
        (&said["client_id"], &said["roles"]),
        (&json!("web"), &json!(["user"]))
    );
    for token in broken(&neo.access_token) {
        judge.refuses(&token);
    }

    operate(folder.path(), &["keys", "rotate", "--now"]);
    let next = usher.refresh(&neo).await.unwrap();
    assert_ne!(kid(&next.access_token), kid(&neo.access_token));
    judge.takes(&next.access_token, &neo.id);
    judge.takes(&neo.access_token, &neo.id);
    let machine = create_client(folder.path(), "film-etl", &["role_editor"]);
    let token = usher.client_token(&machine).await;
    let said = judge.ask(&token);
    assert_eq!(
        (&said["client_id"], &said["roles"]),
        (&json!("film-etl"), &json!(["role_editor"]))
    );
    assert!(said["sid"].is_string() && said["sid"] == said["jti"], "{said}");

    // Whoever starts afterwards takes both, until the old key is withdrawn.
    let mut late = start();
    late.takes(&next.access_token, &neo.id);
    late.takes(&neo.access_token, &neo.id);
    operate(folder.path(), &["keys", "revoke", &kid(&neo.access_token)]);
    published(&usher, 1).await;
    let mut later = start();
    later.refuses(&neo.access_token);
    later.takes(&next.access_token, &neo.id);
}

#[tokio::test]
async fn pyjwt_verifies_tokens_over_a_rotation() {
    verifies_over_a_rotation(python(), "pyjwt.py").await;
}

#[tokio::test]
async fn authlib_verifies_tokens_over_a_rotation() {
    verifies_over_a_rotation(python(), "authlib_judge.py").await;
}

#[tokio::test]
async fn jose_verifies_tokens_over_a_rotation() {
    verifies_over_a_rotation(node(), "jose.mjs").await;
}

#[tokio::test]
async fn jwks_rsa_verifies_tokens_over_a_rotation() {
    verifies_over_a_rotation(node(), "jwks_rsa.mjs").await;
}

#[tokio::test]
async fn authlib_is_a_client() {
    let Some(python) = python().or_skip() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let usher = Usher::start(folder.path());
    let neo = usher.register("neo").await;
    for method in ["client_secret_basic", "client_secret_post"] {
        let machine = create_client(folder.path(), &method.replace('_', "-"), &["user"]);
        let Machine { name, secret } = &machine;
        let start = |secret: &str| {
            let mut script = python.run("authlib_client.py", &[&usher.issuer, name, method]);
            script.tell(secret);
            script
        };
        assert_eq!(start("wrong").ask("fetch")["error"], "invalid_client", "{method}");
        let mut client = start(secret);
        let tokens = client.ask("fetch");
        assert_eq!(tokens["token_type"], "Bearer", "{method}: {tokens}");
        let token = tokens["access_token"].as_str().unwrap();
        let mut introspect = |token: &str| client.ask(&format!("introspect {token}"));
        let own = introspect(token);
        assert_eq!(
            (&own["active"], &own["client_id"]),
            (&json!(true), &json!(name)),
            "{own}"
        );
        let persons = introspect(&neo.access_token);
        assert_eq!(
            (&persons["active"], &persons["username"]),
            (&json!(true), &json!("neo")),
            "{persons}"
        );
        assert_eq!(introspect("nonsense"), json!({"active": false}));
        assert_eq!(client.ask(&format!("revoke {token}")), json!({"status": 200}));
        assert_eq!(
            client.ask(&format!("introspect {token}")),
            json!({"active": false})
        );
    }
}
