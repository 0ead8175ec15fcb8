//! What is known of the relay, for the metrics, and what requests tell it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shared::revocation::Fact;
use shared::time::{BootTime, Clock};
use tokio::sync::Notify;

use crate::store::CommitObserver;

/// Facts that are remembered until they are known to be published: what is committed in a second, and in a Redis outage.
const UNCONFIRMED_MAX: usize = 100_000;

/// What was committed in this process, and is not known to be published.
#[derive(Debug, Default)]
struct Unconfirmed {
    /// With the boot time of the commit.
    facts: HashMap<Fact, BootTime>,
    /// When the last was committed for which there was no room.
    beyond: Option<BootTime>,
    /// When labels were changed last.
    labels: Option<BootTime>,
}

/// What requests, the relay and the metrics share.
#[derive(Debug)]
pub struct RelayStatus {
    clock: Arc<dyn Clock>,
    wake: Notify,
    unconfirmed: Mutex<Unconfirmed>,
    figures: Mutex<RelaySnapshot>,
}

/// The relay's figures at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelaySnapshot {
    /// Whether this process writes the feed.
    pub is_holder: bool,
    /// Number of the term that this process had last.
    pub term: u64,
    /// Number of the epoch that it wrote last.
    pub epoch: u64,
    /// The last entry that it published.
    pub seq: u64,
    /// Entries that it published.
    pub entries: u64,
    /// Heartbeats that it wrote.
    pub heartbeats: u64,
    /// Heartbeats among them that were written without the database.
    pub heartbeats_without_database: u64,
    /// Terms that it took.
    pub terms_taken: u64,
    /// Epochs that it began.
    pub epochs_begun: u64,
    /// Rounds that failed.
    pub failures: u64,
    /// How long the row that has waited longest had waited, when it was last looked at.
    pub unpublished_for: Duration,
    /// Boot time of its last heartbeat.
    pub heartbeat_at: Option<BootTime>,
}

impl RelayStatus {
    /// Nothing has happened yet.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            wake: Notify::new(),
            unconfirmed: Mutex::default(),
            figures: Mutex::new(RelaySnapshot::default()),
        })
    }

    /// There may be something to publish.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Returns when there may be something to publish.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Everything that was committed here before `at` is published.
    pub(super) fn confirm(&self, at: BootTime) {
        let mut unconfirmed = self.unconfirmed();
        unconfirmed.facts.retain(|_, committed_at| *committed_at >= at);
        unconfirmed.beyond = unconfirmed.beyond.filter(|committed_at| *committed_at >= at);
    }

    /// These facts are in the stream.
    pub(super) fn confirm_facts<'a>(&self, facts: impl IntoIterator<Item = &'a Fact>) {
        let mut unconfirmed = self.unconfirmed();
        for fact in facts {
            unconfirmed.facts.remove(fact);
        }
    }

    /// Whether something was committed here of which nobody knows whether it is published.
    pub(super) fn has_unconfirmed(&self) -> bool {
        let unconfirmed = self.unconfirmed();
        !unconfirmed.facts.is_empty() || unconfirmed.beyond.is_some()
    }

    /// Every change of labels that was committed here before `at` is told.
    pub(super) fn confirm_labels(&self, at: BootTime) {
        let mut unconfirmed = self.unconfirmed();
        unconfirmed.labels = unconfirmed.labels.filter(|changed_at| *changed_at >= at);
    }

    /// Whether labels were changed here, and nobody knows whether that is told.
    pub(super) fn has_unconfirmed_labels(&self) -> bool {
        self.unconfirmed().labels.is_some()
    }

    fn unconfirmed(&self) -> MutexGuard<'_, Unconfirmed> {
        self.unconfirmed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the figures.
    pub(super) fn update(&self, change: impl FnOnce(&mut RelaySnapshot)) {
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut figures);
    }

    /// The figures.
    pub fn snapshot(&self) -> RelaySnapshot {
        *self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CommitObserver for RelayStatus {
    fn committed(&self, facts: Vec<Fact>) {
        let now = self.clock.boot();
        let mut unconfirmed = self.unconfirmed();
        for fact in facts {
            if unconfirmed.facts.len() < UNCONFIRMED_MAX {
                unconfirmed.facts.insert(fact, now);
            } else {
                unconfirmed.beyond = Some(now);
            }
        }
        drop(unconfirmed);
        self.wake();
    }

    fn labels_committed(&self) {
        self.unconfirmed().labels = Some(self.clock.boot());
        self.wake();
    }
}
