//! What is known of the relay, for the metrics, and what requests tell it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use shared::time::{BootTime, Clock};
use tokio::sync::Notify;

/// What requests, the relay and the metrics share.
#[derive(Debug)]
pub struct RelayStatus {
    clock: Arc<dyn Clock>,
    wake: Notify,
    /// Boot time in ms of the last commit in this process that revoked something; 0: none.
    committed_ms: AtomicU64,
    /// Everything that this process committed before this boot time in ms is known to be published.
    confirmed_ms: AtomicU64,
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
            committed_ms: AtomicU64::new(0),
            confirmed_ms: AtomicU64::new(0),
            figures: Mutex::new(RelaySnapshot::default()),
        })
    }

    /// Something that revokes has been committed in this process.
    pub fn note_commit(&self) {
        self.committed_ms.fetch_max(self.now_ms(), Ordering::SeqCst);
        self.wake();
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
        self.confirmed_ms.fetch_max(millis(at), Ordering::SeqCst);
    }

    /// Whether something was committed here of which nobody knows whether it is published.
    pub(super) fn has_unconfirmed(&self) -> bool {
        let committed = self.committed_ms.load(Ordering::SeqCst);
        committed != 0 && committed >= self.confirmed_ms.load(Ordering::SeqCst)
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

    fn now_ms(&self) -> u64 {
        millis(self.clock.boot()).max(1)
    }
}

fn millis(at: BootTime) -> u64 {
    u64::try_from(at.0.as_millis()).unwrap_or(u64::MAX)
}
