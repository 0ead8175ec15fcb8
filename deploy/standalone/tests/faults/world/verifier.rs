//! A verifier, with a wire of its own to Redis.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use reqwest::Client;
use rustix::process::Signal;
use serde_json::Value;
use shared::testkit::ChaosProxy;

use super::MAX_STALENESS;
use super::process::{LOOK_EVERY, Process, START_TIMEOUT, program};
use super::usage::Usage;

/// A path that asks for a token, and one that does not.
pub(crate) const SIGNED_IN: &str = "/me";
pub(crate) const OPEN: &str = "/open";

/// A place for the program `verifier`.
#[derive(Debug)]
pub(crate) struct Verifier {
    pub(crate) name: &'static str,
    pub(crate) to_redis: ChaosProxy,
    folder: PathBuf,
    issuer: String,
    max_staleness: Mutex<Duration>,
    /// Where it has to listen, if that matters.
    place: Mutex<Option<SocketAddr>>,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    process: Process,
    public: SocketAddr,
    admin: SocketAddr,
}

/// What it says of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// 200.
    Admitted,
    /// 401 with this reason.
    Refused(String),
    /// 503 with this reason.
    Undecided(String),
    /// Something that no client should see.
    Odd(u16, String),
    /// No answer.
    Away,
}

impl Verifier {
    pub(super) fn new(name: &'static str, folder: &Path, front: SocketAddr, redis: SocketAddr) -> Self {
        Self {
            name,
            to_redis: ChaosProxy::start(redis),
            folder: folder.to_owned(),
            issuer: format!("http://{front}"),
            max_staleness: Mutex::new(MAX_STALENESS),
            place: Mutex::new(None),
            running: Mutex::new(None),
        }
    }

    /// From the next start on.
    pub(crate) fn set_max_staleness(&self, max_staleness: Duration) {
        *self.max_staleness.lock().unwrap() = max_staleness;
    }

    /// From the next start on it listens where it does now.
    pub(crate) fn stay(&self) -> SocketAddr {
        let running = self.running.lock().unwrap();
        let place = running.as_ref().unwrap().public;
        *self.place.lock().unwrap() = Some(place);
        place
    }

    /// From the next start on it listens anywhere.
    pub(crate) fn wander(&self) {
        *self.place.lock().unwrap() = None;
    }

    /// What it has of memory and files.
    pub(crate) fn usage(&self) -> Usage {
        Usage::of(&self.running.lock().unwrap().as_ref().unwrap().process)
    }

    pub(crate) fn is_running(&self) -> bool {
        let mut running = self.running.lock().unwrap();
        running
            .as_mut()
            .is_some_and(|running| running.process.is_running())
    }

    /// Starts it, and returns when it listens.
    pub(crate) fn start(&self) {
        let mut process = Process::start(self.name, &mut self.command(), &self.folder);
        let public = process.address("the verifier listens");
        let admin = process.address("health and metrics are here");
        *self.running.lock().unwrap() = Some(Running {
            process,
            public,
            admin,
        });
    }

    /// Ends it by a signal: SIGKILL as a crash would, SIGTERM as an operator would.
    pub(crate) fn end(&self, signal: Signal) {
        let running = self.running.lock().unwrap().take();
        running.unwrap().process.end(signal);
    }

    /// Returns when it says that it is ready.
    pub(super) async fn ready(&self, client: &Client) {
        let mut waited = Duration::ZERO;
        while self
            .admin(client, "/readyz")
            .await
            .is_none_or(|(status, _)| status != 200)
        {
            assert!(waited < START_TIMEOUT, "{} is not ready", self.name);
            tokio::time::sleep(LOOK_EVERY).await;
            waited += LOOK_EVERY;
        }
    }

    /// The file of its last keys and revocations.
    pub(crate) fn snapshot(&self) -> PathBuf {
        self.folder.join(format!("{}.snapshot", self.name))
    }

    /// Its metrics.
    pub(crate) async fn metrics(&self, client: &Client) -> String {
        self.admin(client, "/metrics").await.unwrap().1
    }

    /// Asks about a request.
    pub(crate) async fn ask(&self, client: &Client, path: &str, token: Option<&str>) -> Verdict {
        let Some(address) = self
            .running
            .lock()
            .unwrap()
            .as_ref()
            .map(|running| running.public)
        else {
            return Verdict::Away;
        };
        let mut request = client.get(format!("http://{address}/authz/ext-authz{path}"));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let Ok(answer) = request.send().await else {
            return Verdict::Away;
        };
        let status = answer.status().as_u16();
        let Ok(body) = answer.text().await else {
            return Verdict::Away;
        };
        let problem: Value = serde_json::from_str(&body).unwrap_or_default();
        let reason = problem["reason"].as_str().unwrap_or_default().to_owned();
        match status {
            200 => Verdict::Admitted,
            401 => Verdict::Refused(reason),
            503 => Verdict::Undecided(reason),
            _ => Verdict::Odd(status, body),
        }
    }

    async fn admin(&self, client: &Client, path: &str) -> Option<(u16, String)> {
        let admin = self.running.lock().unwrap().as_ref()?.admin;
        let answer = client.get(format!("http://{admin}{path}")).send().await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    fn command(&self) -> Command {
        let max_staleness = format!("{}s", self.max_staleness.lock().unwrap().as_secs());
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let place = self.place.lock().unwrap().unwrap_or(anywhere);
        let mut command = Command::new(program("verifier"));
        command
            .args(["serve", "--log-format", "json", "--log-level", "info"])
            .current_dir(&self.folder)
            .env_clear()
            .env("VERIFIER__LISTEN", place.to_string())
            .env("VERIFIER__ADMIN_LISTEN", "127.0.0.1:0")
            .env("VERIFIER__ISSUER", &self.issuer)
            .env(
                "VERIFIER__REDIS__URL",
                format!("redis://{}", self.to_redis.address()),
            )
            .env("VERIFIER__RULES", "rules.toml")
            .env("VERIFIER__MAX_STALENESS", max_staleness)
            .env("VERIFIER__JWKS_COOLDOWN", "1s")
            .env("VERIFIER__JWKS_REFRESH", "1s")
            .env("VERIFIER__SNAPSHOT", self.snapshot())
            .env("VERIFIER__THREADS", "1");
        command
    }
}
