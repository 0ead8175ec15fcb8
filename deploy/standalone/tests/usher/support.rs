//! A real `usher`, as its user starts it.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Once, mpsc};
use std::time::Duration;

use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};

/// What the last line of the greeting has.
const LAST_LINE: &str = "/user/logout";

/// A running `usher`, killed when dropped.
pub(crate) struct Usher {
    child: Child,
    /// Everything that it printed while it started.
    pub(crate) greeting: Vec<String>,
    pub(crate) issuer: String,
    pub(crate) verifier: String,
    pub(crate) client: Client,
}

/// The program with cheap password hashes and free ports, so that tests can run side by side.
pub(crate) fn command(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_usher"));
    command
        .args([
            "--issuer-listen",
            "127.0.0.1:0",
            "--verifier-listen",
            "127.0.0.1:0",
        ])
        .args([
            "--admin-listen",
            "127.0.0.1:0",
            "--log-level",
            "warn",
            "--data-dir",
        ])
        .arg(data_dir)
        .env("ISSUER__PASSWORD__MEMORY_KIB", "64")
        .env("ISSUER__PASSWORD__ITERATIONS", "1")
        .env("ISSUER__LIMITS__LOGIN_PER_IP", "off")
        .env("ISSUER__LIMITS__LOGIN_PER_ACCOUNT", "off")
        .env("ISSUER__LIMITS__REGISTER_PER_IP", "off")
        .env("USHER_SUPERUSER_LOGIN", "root-of-tests")
        .env("USHER_SUPERUSER_PASSWORD", "quite a long password")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

impl Usher {
    /// Starts `usher` and waits for its greeting.
    pub(crate) fn start(data_dir: &Path) -> Self {
        Self::start_with(&mut command(data_dir))
    }

    /// Starts a command of [`command`] and waits for its greeting.
    pub(crate) fn start_with(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut greeting = Vec::new();
        while !greeting
            .last()
            .is_some_and(|line: &String| line.contains(LAST_LINE))
        {
            let line = lines.next().expect("usher ended before its greeting").unwrap();
            greeting.push(line);
        }
        let address = |name: &str| {
            let line = greeting
                .iter()
                .find(|line| line.trim_start().starts_with(name))
                .unwrap();
            line.split_whitespace().nth(1).unwrap().to_owned()
        };
        let (issuer, verifier) = (address("issuer"), address("verifier"));
        Self {
            child,
            greeting,
            issuer,
            verifier,
            client: client(),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it without a word, as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(mut self) -> ExitStatus {
        let told = Command::new("kill").arg(self.id().to_string()).status().unwrap();
        assert!(told.success());
        self.child.wait().unwrap()
    }

    /// A request to the issuer.
    pub(crate) fn api(&self, method: &str, path: &str, token: Option<&str>) -> RequestBuilder {
        let request = self
            .client
            .request(method.parse().unwrap(), format!("{}{path}", self.issuer));
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Signs somebody up.
    pub(crate) async fn register(&self, login: &str) -> Person {
        let body = json!({"login": login, "password": PASSWORD});
        let answer = self
            .api("POST", "/api/v1/user", None)
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        Person::of(&answer.json().await.unwrap())
    }

    /// Signs the superuser of the first start in.
    pub(crate) async fn superuser(&self) -> Person {
        self.login("root-of-tests", "quite a long password").await
    }

    pub(crate) async fn login(&self, login: &str, password: &str) -> Person {
        let body = json!({"login": login, "password": password});
        let answer = self
            .api("POST", "/api/v1/user/login", None)
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        Person::of(&answer.json().await.unwrap())
    }

    /// Exchanges a refresh token, and gives the answer's status and the new pair.
    pub(crate) async fn refresh(&self, person: &Person) -> Result<Person, StatusCode> {
        let body = json!({"refresh_token": person.refresh_token});
        let answer = self
            .api("POST", "/api/v1/token/refresh", None)
            .json(&body)
            .send()
            .await
            .unwrap();
        match answer.status() {
            StatusCode::OK => Ok(Person::of(&answer.json().await.unwrap())),
            other => Err(other),
        }
    }

    /// Does something that answers without a body.
    pub(crate) async fn act(&self, method: &str, path: &str, token: &str) {
        let answer = self.api(method, path, Some(token)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NO_CONTENT, "{method} {path}");
    }

    /// What the verifier says of a request with this token: status and reason.
    pub(crate) async fn verdict(&self, path: &str, token: Option<&str>) -> (u16, String) {
        let mut request = self
            .client
            .get(format!("{}/authz/ext-authz{path}", self.verifier));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.text().await.unwrap();
        let reason = serde_json::from_str::<Value>(&body).ok();
        let reason = reason.and_then(|problem| problem["reason"].as_str().map(str::to_owned));
        (status, reason.unwrap_or_default())
    }
}

impl Drop for Usher {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A password that the policy takes.
pub(crate) const PASSWORD: &str = "follow the white rabbit";

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
}

impl Person {
    fn of(pair: &Value) -> Self {
        let text = |name: &str| pair[name].as_str().unwrap().to_owned();
        Self {
            id: text("user_id"),
            access_token: text("access_token"),
            refresh_token: text("refresh_token"),
        }
    }
}

/// A client without TLS in use, which wants a provider for it all the same.
fn client() -> Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    Client::builder().no_proxy().build().unwrap()
}

/// A command that is expected to end by itself is killed if it has not within this time.
const ENDS_WITHIN: Duration = Duration::from_secs(30);

/// Runs a command that is expected to end by itself: its status (`None` if it had to be killed), and what it said on
/// both outputs.
pub(crate) fn ended(command: &mut Command) -> (Option<i32>, String) {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let (done, watched) = mpsc::channel();
    let watchdog = std::thread::spawn(move || {
        if watched.recv_timeout(ENDS_WITHIN).is_err() {
            child.kill().unwrap();
        }
        child.wait().unwrap().code()
    });
    let mut said = String::new();
    stdout.read_to_string(&mut said).unwrap();
    stderr.read_to_string(&mut said).unwrap();
    // Killed for its time, it no longer listens.
    let _ = done.send(());
    (watchdog.join().unwrap(), said)
}
