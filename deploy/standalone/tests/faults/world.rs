//! What the faults happen to: two issuers and three verifiers with everything that they need, and wires that can be cut.

mod issuer;
mod pool;
pub(crate) mod postgres;
pub(crate) mod process;
mod usage;
mod verifier;

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use reqwest::Client;
use rustix::process::Signal;
use shared::encoding::base64;
use shared::testkit::{ChaosProxy, RedisServer};
use tempfile::TempDir;

pub(crate) use issuer::{Issuer, Place};
pub(crate) use pool::{is_possible, lend, runtime};
use postgres::Postgres;
pub(crate) use usage::Usage;
pub(crate) use verifier::{OPEN, SIGNED_IN, Verdict, Verifier};

pub(crate) const VERIFIERS: usize = 3;

/// What the verifiers are told.
pub(crate) const MAX_STALENESS: Duration = Duration::from_secs(5);

/// What the issuers are told, if nothing else.
pub(crate) const ACCESS_TTL: &str = "1h";

/// Nothing on one machine takes longer, unless it is at fault or asked to wait.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// Everything that runs. All of it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) verifiers: [Verifier; VERIFIERS],
    pub(crate) issuers: [Issuer; 2],
    /// Between verifiers and issuers: leads to the first issuer that takes a connection.
    pub(crate) front: ChaosProxy,
    postgres: Mutex<Postgres>,
    redis: Mutex<RedisServer>,
    pub(crate) client: Client,
    pub(crate) folder: TempDir,
}

impl World {
    /// Starts everything, and waits until it is ready. Call it on the runtime, outside its workers.
    pub(crate) async fn start(template: &TempDir) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), base64(&[7; 32])).unwrap();
        std::fs::write(
            folder.path().join("rules.toml"),
            "default = \"allow\"\n[[rule]]\npath = \"/me\"\nauthenticated = true\n",
        )
        .unwrap();
        let postgres = Postgres::start_new(template);
        let redis = RedisServer::start_or_skip("faults", "").unwrap();
        let to_redis = SocketAddr::from(([127, 0, 0, 1], redis.port()));
        let front = ChaosProxy::start(to_redis);
        front.lead_to(&[]);
        let issuer = |name: &'static str| {
            Issuer::new(name, folder.path(), front.address(), postgres.address(), to_redis)
        };
        let issuers = [issuer("issuer-a"), issuer("issuer-b")];
        let verifiers = ["verifier-1", "verifier-2", "verifier-3"]
            .map(|name| Verifier::new(name, folder.path(), front.address(), to_redis));
        let world = Self {
            verifiers,
            issuers,
            front,
            postgres: Mutex::new(postgres),
            redis: Mutex::new(redis),
            client: client(),
            folder,
        };
        for issuer in &world.issuers {
            world.start_issuer(issuer);
            issuer.ready(&world.client).await;
        }
        for verifier in &world.verifiers {
            verifier.start();
        }
        for verifier in &world.verifiers {
            verifier.ready(&world.client).await;
        }
        world
    }

    /// Redis itself, past every wire.
    pub(crate) fn redis(&self) -> MutexGuard<'_, RedisServer> {
        self.redis.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// PostgreSQL itself, past every wire. Restarted, it is elsewhere: use [`World::with_postgres`].
    pub(crate) fn postgres(&self) -> MutexGuard<'_, Postgres> {
        self.postgres.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something to PostgreSQL, and leads the issuers to where it is then.
    pub(crate) fn with_postgres(&self, change: impl FnOnce(&mut Postgres)) {
        let mut postgres = self.postgres();
        change(&mut postgres);
        for issuer in &self.issuers {
            issuer.to_postgres.lead_to(&[postgres.address()]);
        }
    }

    /// Every wire to Redis.
    pub(crate) fn wires_to_redis(&self) -> impl Iterator<Item = &ChaosProxy> {
        let of_issuers = self.issuers.iter().map(|issuer| &issuer.to_redis);
        of_issuers.chain(self.verifiers.iter().map(|verifier| &verifier.to_redis))
    }

    /// Leads everybody to another Redis.
    pub(crate) fn move_redis(&self, other: RedisServer) {
        let address = SocketAddr::from(([127, 0, 0, 1], other.port()));
        for wire in self.wires_to_redis() {
            wire.lead_to(&[address]);
            wire.cut();
        }
        *self.redis() = other;
    }

    /// Starts an issuer that does not run.
    pub(crate) fn start_issuer(&self, issuer: &Issuer) {
        issuer.start();
        let addresses: Vec<_> = self.issuers.iter().filter_map(Issuer::address).collect();
        self.front.lead_to(&addresses);
    }

    /// The issuer that holds the lease, and the other one. Waits until one alone says so: who was deposed may not know yet.
    pub(crate) async fn holder(&self) -> (&Issuer, &Issuer) {
        let [a, b] = &self.issuers;
        loop {
            match (
                a.holds_lease(&self.client).await,
                b.holds_lease(&self.client).await,
            ) {
                (true, false) => return (a, b),
                (false, true) => return (b, a),
                _ => tokio::time::sleep(process::LOOK_EVERY).await,
            }
        }
    }

    /// Shows what every program said last.
    pub(crate) fn show_logs(&self) {
        process::show_logs(self.folder.path());
    }

    /// Ends every fault that wires, signals and starts can end: what does not run is started, what is stopped goes on.
    pub(crate) fn heal(&self) {
        {
            let mut redis = self.redis();
            if redis.is_running() {
                redis.resume();
            } else {
                redis.restart();
            }
        }
        if !self.postgres().is_running() {
            self.with_postgres(Postgres::start);
        }
        self.front.pass();
        self.wires_to_redis().for_each(ChaosProxy::pass);
        for issuer in &self.issuers {
            issuer.to_postgres.pass();
            if issuer.is_running() {
                issuer.signal(Signal::CONT);
            } else {
                self.start_issuer(issuer);
            }
        }
        for verifier in &self.verifiers {
            if !verifier.is_running() {
                verifier.start();
            }
        }
    }
}

/// A client without TLS in use, which wants a provider for it all the same.
fn client() -> Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    Client::builder()
        .no_proxy()
        .timeout(ANSWER_TIMEOUT)
        .build()
        .unwrap()
}

/// The value of a metric with these labels, as its line begins.
pub(crate) fn metric(page: &str, name: &str) -> Option<f64> {
    let line = page
        .lines()
        .find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')))?;
    line.rsplit_once(' ')?.1.parse().ok()
}
