//! An issuer, with wires of its own to what it needs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use reqwest::Client;
use rustix::process::Signal;
use shared::testkit::ChaosProxy;

use super::metric;
use super::process::{LOOK_EVERY, Process, START_TIMEOUT, program};
use super::usage::Usage;

/// A place for the program `issuer`.
#[derive(Debug)]
pub(crate) struct Issuer {
    pub(crate) name: &'static str,
    pub(crate) to_postgres: ChaosProxy,
    pub(crate) to_redis: ChaosProxy,
    folder: PathBuf,
    public_url: String,
    access_ttl: Mutex<&'static str>,
    /// Where it has to listen, if that matters.
    place: Mutex<Option<Place>>,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    process: Process,
    public: SocketAddr,
    admin: SocketAddr,
}

/// Where an issuer listens from start to start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// How long it serves on when it is told to stop, as the settings say it.
    shutdown_delay: &'static str,
}

impl Issuer {
    pub(super) fn new(
        name: &'static str,
        folder: &Path,
        front: SocketAddr,
        postgres: SocketAddr,
        redis: SocketAddr,
    ) -> Self {
        Self {
            name,
            to_postgres: ChaosProxy::start(postgres),
            to_redis: ChaosProxy::start(redis),
            folder: folder.to_owned(),
            public_url: format!("http://{front}"),
            access_ttl: Mutex::new(super::ACCESS_TTL),
            place: Mutex::new(None),
            running: Mutex::new(None),
        }
    }

    /// From the next start on.
    pub(crate) fn set_access_ttl(&self, access_ttl: &'static str) {
        *self.access_ttl.lock().unwrap() = access_ttl;
    }

    /// From the next start on it listens where it does now, and when it is told to stop it says so for this long before.
    pub(crate) fn stay(&self, shutdown_delay: &'static str) -> Place {
        let running = self.running.lock().unwrap();
        let running = running.as_ref().unwrap();
        let place = Place {
            public: running.public,
            admin: running.admin,
            shutdown_delay,
        };
        *self.place.lock().unwrap() = Some(place);
        place
    }

    /// From the next start on it listens anywhere, and stops when it is told to.
    pub(crate) fn wander(&self) {
        *self.place.lock().unwrap() = None;
    }

    /// Where it listens, if it runs.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.running
            .lock()
            .unwrap()
            .as_ref()
            .map(|running| running.public)
    }

    pub(crate) fn is_running(&self) -> bool {
        let mut running = self.running.lock().unwrap();
        running
            .as_mut()
            .is_some_and(|running| running.process.is_running())
    }

    /// What it has of memory and files.
    pub(crate) fn usage(&self) -> Usage {
        Usage::of(&self.running.lock().unwrap().as_ref().unwrap().process)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.running
            .lock()
            .unwrap()
            .as_ref()
            .unwrap()
            .process
            .signal(signal);
    }

    /// Ends it by a signal: SIGKILL as a crash would, SIGTERM as an operator would.
    pub(crate) fn end(&self, signal: Signal) {
        let running = self.running.lock().unwrap().take();
        running.unwrap().process.end(signal);
    }

    /// The process alone: see [`super::World::start_issuer`].
    pub(super) fn start(&self) {
        let mut process = Process::start(self.name, &mut self.command(&["serve"]), &self.folder);
        let public = process.address("the issuer listens");
        let admin = process.address("health and metrics listen");
        *self.running.lock().unwrap() = Some(Running {
            process,
            public,
            admin,
        });
    }

    /// Returns when it says that it is ready.
    pub(crate) async fn ready(&self, client: &Client) {
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

    /// Whether it says that it publishes revocations.
    pub(crate) async fn holds_lease(&self, client: &Client) -> bool {
        let page = self.admin(client, "/metrics").await;
        page.is_some_and(|(_, page)| metric(&page, "issuer_relay_holder") == Some(1.0))
    }

    async fn admin(&self, client: &Client, path: &str) -> Option<(u16, String)> {
        let admin = self.running.lock().unwrap().as_ref()?.admin;
        let answer = client.get(format!("http://{admin}{path}")).send().await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    /// Runs another of its commands, as an operator would: what it prints.
    pub(crate) fn operate(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}{complained}");
        said
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("issuer"));
        command
            .args(["--log-format", "json", "--log-level", "info,audit=warn"])
            .args(arguments)
            .current_dir(&self.folder)
            .env_clear()
            .env("ISSUER__PUBLIC_URL", &self.public_url)
            .env("ISSUER__DATABASE__URL", self.database_url())
            .env("ISSUER__DATABASE__MAX_CONNECTIONS", "8")
            .env(
                "ISSUER__REDIS__URL",
                format!("redis://{}", self.to_redis.address()),
            )
            .env("ISSUER__KEYS__ENCRYPTION_KEY_FILE", "key")
            .env("ISSUER__KEYS__PUBLISH_AHEAD", "3s")
            .env("ISSUER__PASSWORD__MEMORY_KIB", "64")
            .env("ISSUER__PASSWORD__ITERATIONS", "1")
            .env("ISSUER__LIMITS__LOGIN_PER_IP", "off")
            .env("ISSUER__LIMITS__LOGIN_PER_ACCOUNT", "off")
            .env("ISSUER__LIMITS__REGISTER_PER_IP", "off")
            .env("ISSUER__RELAY__HEARTBEAT", "200ms")
            .env("ISSUER__TOKENS__ACCESS_TTL", *self.access_ttl.lock().unwrap())
            .env("ISSUER__SHUTDOWN_GRACE", "5s");
        let place = *self.place.lock().unwrap();
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let place = place.unwrap_or(Place {
            public: anywhere,
            admin: anywhere,
            shutdown_delay: "0s",
        });
        command
            .env("ISSUER__LISTEN", place.public.to_string())
            .env("ISSUER__ADMIN_LISTEN", place.admin.to_string())
            .env("ISSUER__SHUTDOWN_DELAY", place.shutdown_delay);
        command
    }

    fn database_url(&self) -> String {
        format!(
            "postgres://postgres@{}/postgres?sslmode=disable",
            self.to_postgres.address()
        )
    }
}
