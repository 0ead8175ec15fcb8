//! A verifier to ask, and somebody who asks it byte by byte.

pub(crate) mod call;
mod client;
mod key_server;
mod labels;
mod relay;
mod served;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prometheus_client::registry::Registry;
use shared::admin::Admin;
use shared::cli::Shutdown;
use shared::config::{ListenAddress, OneOrMany};
use shared::feed::channel::{ChannelPublisher, channel};
use shared::id::TokenId;
use shared::label::LabelChange;
use shared::revocation::{Fact, Revocation};
use shared::serve::BoundAddress;
use shared::testkit::{ManualClock, TestKey, TokenForge};
use shared::time::{Clock, UnixMillis};
use tempfile::TempDir;
use tokio::sync::watch;
use verifier::app::{Parts, Verifier};
use verifier::http::Endpoint;
use verifier::http::admin::ExplainingAdmin;
use verifier::keys::WatchedKeys;
use verifier::policy::PolicyStore;
use verifier::settings::Settings;

pub(crate) use client::{Answer, Client, Request};
pub(crate) use key_server::{Canned, KeyServer};
use labels::{FeedWithLabels, LabelTeller};
pub(crate) use labels::{film, film_id, label};
pub(crate) use relay::Relay;
pub(crate) use served::{Served, logged, program};

/// The endpoints that are asked in headers.
pub(crate) const HTTP: [Endpoint; 3] = [Endpoint::AuthRequest, Endpoint::ForwardAuth, Endpoint::ExtAuthz];

/// When the clocks of the tests begin.
pub(crate) const START: UnixMillis = UnixMillis(1_795_376_000_000);

/// A verifier that runs, with its sources in the test's hand.
pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) jwks: watch::Sender<Bytes>,
    pub(crate) publisher: ChannelPublisher,
    pub(crate) rules: PathBuf,
    pub(crate) registry: Registry,
    labels: LabelTeller,
    address: BoundAddress,
    folder: TempDir,
    shutdown: Shutdown,
    verifier: Verifier,
}

impl World {
    /// A verifier with these rules and settings, which has neither keys nor revocations yet.
    pub(crate) async fn bare(rules: &str, adjust: impl FnOnce(&mut Settings)) -> Self {
        Self::start(rules, adjust, false).await
    }

    /// A verifier with these rules and settings, which fetches its keys over HTTP and has a fresh replica.
    pub(crate) async fn fetching(rules: &str, adjust: impl FnOnce(&mut Settings)) -> Self {
        let mut world = Self::start(rules, adjust, true).await;
        world.heartbeat().await;
        world
    }

    async fn start(rules: &str, adjust: impl FnOnce(&mut Settings), is_fetching: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rules.toml");
        std::fs::write(&path, rules).unwrap();
        let mut settings = Settings {
            listen: OneOrMany(vec![ListenAddress::tcp("127.0.0.1", 0)]),
            rules: Some(path.clone()),
            ..Settings::default()
        };
        adjust(&mut settings);
        let clock = Arc::new(ManualClock::at(START));
        let (jwks, watched) = watch::channel(Bytes::new());
        let (publisher, feed) = channel();
        let (labels, feed) = FeedWithLabels::beside(feed);
        let shutdown = Shutdown::default();
        let parts = Parts {
            key_source: if is_fetching {
                None
            } else {
                Some(Box::new(WatchedKeys::new(watched)))
            },
            feed: Some(Box::new(feed)),
            built_in_rules: None,
            clock: Some(clock.clone()),
        };
        let verifier = Verifier::start(&settings, parts, &shutdown).await.unwrap();
        let mut registry = Registry::default();
        verifier.register(&mut registry);
        Self {
            clock,
            jwks,
            publisher,
            rules: path,
            registry,
            labels,
            address: verifier.addresses()[0].clone(),
            folder,
            shutdown,
            verifier,
        }
    }

    /// A verifier with these rules and settings, with key 0 and a fresh replica.
    pub(crate) async fn with(rules: &str, adjust: impl FnOnce(&mut Settings)) -> Self {
        let mut world = Self::bare(rules, adjust).await;
        world.set_keys(&[0]);
        world.heartbeat().await;
        world.tell_labels(Vec::new()).await;
        world.verifier.ready().await;
        world
    }

    /// A verifier with these rules, with key 0 and a fresh replica.
    pub(crate) async fn ready(rules: &str) -> Self {
        Self::with(rules, |_| {}).await
    }

    /// Publishes these keys; they come into force a moment later.
    pub(crate) fn set_keys(&self, numbers: &[usize]) {
        let keys: Vec<TestKey> = numbers.iter().copied().map(TestKey::number).collect();
        self.jwks
            .send_replace(TestKey::jwks(&keys.iter().collect::<Vec<_>>()).into());
    }

    /// Revokes, and returns when it is in force.
    pub(crate) async fn revoke(&mut self, fact: Fact) {
        self.publisher
            .publish(Revocation { fact, expires: None })
            .await
            .unwrap();
        self.publisher.applied().await.unwrap();
    }

    /// Sends a heartbeat of now, which says nothing of labels, and returns when it was heard.
    pub(crate) async fn heartbeat(&mut self) {
        self.labels.hear(self.clock.now(), None);
        // Whatever is applied behind it was heard behind it.
        self.revoke(Fact::Token {
            token: TokenId::new(START),
        })
        .await;
    }

    /// Tells these changes of labels with a heartbeat of now that vouches for them, and returns when it was heard.
    pub(crate) async fn tell_labels(&mut self, changes: Vec<LabelChange>) {
        self.labels.tell(changes);
        self.labels.hear(self.clock.now(), Some(self.clock.now()));
        self.revoke(Fact::Token {
            token: TokenId::new(START),
        })
        .await;
    }

    /// A forge of good tokens of now.
    pub(crate) fn forge(&self) -> TokenForge {
        TokenForge::new(&TestKey::number(0), self.clock.now())
    }

    /// An admin service that explains this verifier.
    pub(crate) fn explaining(&self, admin: Admin) -> ExplainingAdmin {
        self.verifier.explaining(admin)
    }

    /// The rules in force.
    pub(crate) fn rules_in_force(&self) -> &PolicyStore {
        self.verifier.rules()
    }

    /// How many decisions were counted.
    pub(crate) fn decisions(&self) -> usize {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text.lines()
            .filter(|line| line.starts_with("verifier_decisions_total{"))
            .map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap())
            .sum()
    }

    /// What the verifier's clock says.
    pub(crate) fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    /// A new connection.
    pub(crate) async fn connect(&self) -> Client {
        Client::connect(&self.address).await
    }

    /// Asks once, on a connection of its own.
    pub(crate) async fn ask(&self, request: &Request) -> Answer {
        self.connect().await.ask(request).await
    }

    /// The value of a metric's sample, named with its labels.
    pub(crate) fn metric(&self, sample: &str) -> Option<f64> {
        Some(self.sample(sample)?.parse().unwrap())
    }

    fn sample(&self, sample: &str) -> Option<String> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text.lines()
            .find_map(|line| Some(line.strip_prefix(sample)?.strip_prefix(' ')?.to_owned()))
    }

    /// Where things can be put that go with the world.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// What keeps it from being ready.
    pub(crate) fn failed_checks(&self) -> Vec<&'static str> {
        let checks = self.verifier.checks()();
        checks
            .into_iter()
            .filter(|check| check.outcome.is_err())
            .map(|check| check.name)
            .collect()
    }

    pub(crate) async fn is_ready(&self) {
        self.verifier.ready().await;
    }

    pub(crate) fn address(&self) -> &BoundAddress {
        &self.address
    }

    /// Stops the verifier, and returns when it has.
    pub(crate) async fn stop(self) {
        self.shutdown.stop.cancel();
        self.verifier.wait().await.unwrap();
    }
}

/// Waits for a condition that something else brings about, for as long as `within`.
pub(crate) async fn until(within: Duration, mut condition: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !condition().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(within, wait)
        .await
        .expect("it has not come about in time");
}
