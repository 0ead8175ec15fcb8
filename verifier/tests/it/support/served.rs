//! The program itself, to be asked.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use shared::serve::BoundAddress;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use verifier::http::Endpoint;

use super::{Client, Request};

/// The program, without anything from the environment.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_verifier"));
    command.env_clear().kill_on_drop(true).stdin(Stdio::null());
    command
}

/// The program, serving.
pub(crate) struct Served {
    pub(crate) child: Child,
    pub(crate) log: Lines<BufReader<ChildStderr>>,
    pub(crate) public: BoundAddress,
    admin: BoundAddress,
}

impl Served {
    /// With these rules in a file of the folder, one thread, and these variables.
    pub(crate) async fn start(folder: &Path, rules_text: &str, variables: &[(&str, &str)]) -> Self {
        Self::start_with(folder, rules_text, variables, "127.0.0.1:0").await
    }

    /// The same, with the admin listener there.
    pub(crate) async fn start_with(
        folder: &Path,
        rules_text: &str,
        variables: &[(&str, &str)],
        admin_listen: &str,
    ) -> Self {
        let rules = folder.join("rules.toml");
        std::fs::write(&rules, rules_text).unwrap();
        let mut child = program()
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--admin-listen",
                admin_listen,
                "--rules",
            ])
            .arg(rules)
            .env("VERIFIER__THREADS", "1")
            .envs(variables.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let public = address_in(&logged(&mut log, "the verifier listens").await);
        let admin = address_in(&logged(&mut log, "health and metrics are here").await);
        Self {
            child,
            log,
            public,
            admin,
        }
    }

    pub(crate) async fn admin(&self, path: &str) -> (u16, String) {
        let answer = Client::connect(&self.admin)
            .await
            .ask(&Request::raw("GET", path))
            .await;
        (answer.status, String::from_utf8(answer.body).unwrap())
    }

    pub(crate) fn admin_address(&self) -> &BoundAddress {
        &self.admin
    }

    /// Whether the page of metrics has this line.
    pub(crate) async fn has_metric(&self, line: &str) -> bool {
        self.admin("/metrics").await.1.lines().any(|found| found == line)
    }

    /// What it says to the holder of a token, or to nobody, who asks for a path: status and reason.
    pub(crate) async fn verdict(&self, path: &str, token: Option<&str>) -> (u16, String) {
        let mut request = Request::about(Endpoint::AuthRequest, "GET", path);
        if let Some(token) = token {
            request = request.bearer(token);
        }
        Client::connect(&self.public).await.ask(&request).await.verdict()
    }

    /// Stops it, and returns when it has ended well.
    pub(crate) async fn stop(mut self) {
        self.signal(rustix::process::Signal::TERM);
        assert!(self.child.wait().await.unwrap().success());
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.child.id().unwrap().try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }
}

/// The next log line with this message.
pub(crate) async fn logged(log: &mut Lines<BufReader<ChildStderr>>, message: &str) -> Value {
    let wait = async {
        loop {
            let line = log.next_line().await.unwrap().expect("the log goes on");
            let event: Value = serde_json::from_str(&line).expect("JSON lines where there is no terminal");
            if event["message"] == message {
                return event;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait)
        .await
        .expect("it is logged in time")
}

fn address_in(event: &Value) -> BoundAddress {
    let address = event["address"].as_str().unwrap();
    match address.strip_prefix("unix:") {
        Some(path) => BoundAddress::Unix(path.into()),
        None => BoundAddress::Tcp(address.parse::<SocketAddr>().unwrap()),
    }
}
