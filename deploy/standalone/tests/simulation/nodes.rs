//! Issuers and verifiers: the real relay and the real reader.

use std::sync::Arc;
use std::time::Duration;

use issuer::publish::{Relay, RelaySettings, RelayStatus};
use shared::feed::key::FeedSigningKey;
use shared::feed::reader::{FeedKeysView, ReaderStart, StreamFeed};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use verifier::revocation::{RevocationReplica, StalenessBounds};

use crate::database::SimDatabase;
use crate::log::SimLog;
use crate::world::{Node, World};

/// Past it a verifier refuses to decide.
pub(crate) const MAX_STALENESS: Duration = Duration::from_secs(10);

pub(crate) const LEEWAY: Duration = Duration::from_secs(5);

/// An issuer that runs, or was killed.
pub(crate) struct SimIssuer {
    world: World,
    index: usize,
    key: Arc<FeedSigningKey>,
    pub(crate) status: Arc<RelayStatus>,
    task: Option<JoinHandle<()>>,
}

impl SimIssuer {
    pub(crate) fn new(world: &World, index: usize, key: Arc<FeedSigningKey>) -> Self {
        let status = RelayStatus::new(world.clock(Node::Issuer(index)));
        let mut issuer = Self {
            world: world.clone(),
            index,
            key,
            status,
            task: None,
        };
        issuer.start();
        issuer
    }

    pub(crate) fn start(&mut self) {
        let clock = self.world.clock(Node::Issuer(self.index));
        // Nothing is remembered from before.
        self.status = RelayStatus::new(Arc::clone(&clock));
        let relay = Relay::new(
            SimDatabase {
                world: self.world.clone(),
                issuer: self.index,
            },
            SimLog {
                world: self.world.clone(),
                node: Node::Issuer(self.index),
            },
            Arc::clone(&self.key),
            Arc::clone(&self.status),
            clock,
            RelaySettings {
                heartbeat: Duration::from_secs(1),
                without_database: Duration::from_mins(5),
                // Few, so that tables are written anew within a run.
                label_changes_bytes: 1000,
            },
            self.world.state().dice.next(),
        );
        self.task = Some(tokio::spawn(relay.run(CancellationToken::new())));
    }

    /// Ends it between any two steps.
    pub(crate) fn kill(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.task.is_some()
    }
}

/// A verifier that follows the feed.
pub(crate) struct SimVerifier {
    world: World,
    pub(crate) index: usize,
    keys: watch::Sender<shared::feed::key::FeedKeys>,
    pub(crate) replica: Arc<RevocationReplica>,
    stop: CancellationToken,
}

impl SimVerifier {
    pub(crate) fn new(world: &World, index: usize, key: &FeedSigningKey) -> Self {
        let mut verifier = Self {
            world: world.clone(),
            index,
            keys: watch::Sender::new(key.public()),
            replica: Arc::new(RevocationReplica::off(bounds())),
            stop: CancellationToken::new(),
        };
        verifier.restart();
        verifier
    }

    /// Kills it, and starts another that knows nothing.
    pub(crate) fn restart(&mut self) {
        self.stop.cancel();
        self.stop = CancellationToken::new();
        self.replica = Arc::new(RevocationReplica::new(bounds()));
        let clock = self.world.clock(Node::Verifier(self.index));
        let log = SimLog {
            world: self.world.clone(),
            node: Node::Verifier(self.index),
        };
        let start = ReaderStart {
            keys: FeedKeysView {
                keys: self.keys.subscribe(),
                wanted: Arc::new(Notify::new()),
            },
            clock: Arc::clone(&clock),
            newest_seen: None,
            labels_at: None,
            jitter_seed: self.world.state().dice.next(),
        };
        let feed = Box::new(StreamFeed::start(log, start));
        tokio::spawn(Arc::clone(&self.replica).follow(feed, clock, self.stop.clone()));
    }
}

fn bounds() -> StalenessBounds {
    StalenessBounds {
        max_staleness: MAX_STALENESS,
        leeway: LEEWAY,
    }
}
