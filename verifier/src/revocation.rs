//! The replica of the revocations, and how far it can be trusted.
//!
//! Entries apply at once, since a refusal too early is safe. Heartbeats say how far the feed has come; a decision that
//! admits somebody needs one that is young enough.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use shared::feed::{FeedEvent, Heartbeat, RevocationFeed};
use shared::revocation::RevocationSet;
use shared::time::{BootTime, Clock, UnixMillis};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How often facts that can refuse nothing any more are dropped.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// How far the replica can be trusted at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// There is no feed: tokens are believed until they expire.
    Off,
    /// No heartbeat yet that counts.
    Loading,
    /// Everything that was committed this long ago is here.
    Fresh {
        /// The replica's age.
        age: Duration,
    },
    /// The same, but longer ago than allowed.
    Stale {
        /// The replica's age.
        age: Duration,
    },
}

impl Freshness {
    /// Whether somebody may be admitted by what is known.
    pub const fn is_trusted(self) -> bool {
        matches!(self, Self::Off | Self::Fresh { .. })
    }

    /// The word for it in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Loading => "loading",
            Self::Fresh { .. } => "fresh",
            Self::Stale { .. } => "stale",
        }
    }
}

/// How old a replica may be.
#[derive(Clone, Copy, Debug)]
pub struct StalenessBounds {
    /// The greatest age with which it is fresh.
    pub max_staleness: Duration,
    /// How far a heartbeat's time may lie ahead of our clock.
    pub leeway: Duration,
}

/// The revocations known here. Readers take no lock.
#[derive(Debug)]
pub struct RevocationReplica {
    set: RevocationSet,
    is_off: bool,
    bounds: StalenessBounds,
    /// The newest heartbeat that counted, with the boot time at which it was read.
    heard: ArcSwapOption<(Heartbeat, BootTime)>,
    heartbeats_ignored: AtomicU64,
    /// Whether there was a heartbeat that counted, or none is to be waited for.
    is_loaded: watch::Sender<bool>,
}

/// What a decision needs to know, as of one moment.
#[derive(Clone, Copy, Debug)]
pub struct RevocationView<'a> {
    /// The facts.
    pub set: &'a RevocationSet,
    /// How far they can be trusted.
    pub freshness: Freshness,
    /// The time by which a token expires: our clock may be behind what the feed has seen.
    pub now: UnixMillis,
}

impl RevocationReplica {
    /// A replica that has to load.
    pub fn new(bounds: StalenessBounds) -> Self {
        Self {
            set: RevocationSet::default(),
            is_off: false,
            bounds,
            heard: ArcSwapOption::empty(),
            heartbeats_ignored: AtomicU64::new(0),
            is_loaded: watch::Sender::new(false),
        }
    }

    /// A replica of nothing, for tokens of issuers that have no feed.
    pub fn off(bounds: StalenessBounds) -> Self {
        Self {
            is_off: true,
            is_loaded: watch::Sender::new(true),
            ..Self::new(bounds)
        }
    }

    /// The replica as of `now` and `boot`, which the caller read once.
    pub fn view(&self, now: UnixMillis, boot: BootTime) -> RevocationView<'_> {
        // Before the set is looked into: what a heartbeat promises was applied before the heartbeat was noted.
        let heard = self.heard.load();
        let (freshness, now) = match heard.as_deref() {
            _ if self.is_off => (Freshness::Off, now),
            None => (Freshness::Loading, now),
            Some((heartbeat, read_at)) => (
                self.freshness(heartbeat.time, *read_at, now, boot),
                now.max(heartbeat.time),
            ),
        };
        RevocationView {
            set: &self.set,
            freshness,
            now,
        }
    }

    fn freshness(&self, time: UnixMillis, read_at: BootTime, now: UnixMillis, boot: BootTime) -> Freshness {
        let age = boot.since(read_at).max(now.since(time));
        if self.is_ahead(time, now) {
            // Our clock has been set back, or theirs forward: by one of them the age is wrong.
            return Freshness::Loading;
        }
        if age <= self.bounds.max_staleness {
            Freshness::Fresh { age }
        } else {
            Freshness::Stale { age }
        }
    }

    fn is_ahead(&self, time: UnixMillis, now: UnixMillis) -> bool {
        time > now.plus(self.bounds.leeway)
    }

    /// Whether a heartbeat has counted yet: whether it was ever more than loading.
    pub fn is_loaded(&self) -> bool {
        *self.is_loaded.borrow()
    }

    /// Returns when a heartbeat has counted, at once if that is so already.
    pub async fn loaded(&self) {
        // The sender is our own, so it is never gone.
        let _ = self.is_loaded.subscribe().wait_for(|is_loaded| *is_loaded).await;
    }

    /// The facts, for the metrics.
    pub fn set(&self) -> &RevocationSet {
        &self.set
    }

    /// Heartbeats that did not count because their time lay too far ahead.
    pub fn heartbeats_ignored(&self) -> u64 {
        self.heartbeats_ignored.load(Ordering::Relaxed)
    }

    /// Takes in what the feed tells, until it ends or `shutdown`.
    pub async fn follow(
        self: Arc<Self>,
        mut feed: Box<dyn RevocationFeed>,
        clock: Arc<dyn Clock>,
        shutdown: CancellationToken,
    ) {
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = sweep.tick() => self.sweep(clock.now()),
                event = feed.next() => match event {
                    Ok(event) => self.take_in(&event, clock.as_ref()),
                    Err(error) => {
                        // In one process this is the issuer's end, and so the beginning of ours.
                        tracing::info!(%error, "the revocations known here grow old from now on");
                        return;
                    }
                },
            }
        }
    }

    fn take_in(&self, event: &FeedEvent, clock: &dyn Clock) {
        match event {
            FeedEvent::Entries { revocations, .. } => {
                for revocation in revocations {
                    self.set.apply(revocation);
                }
            }
            FeedEvent::Lost(_) | FeedEvent::Away(_) => {}
            FeedEvent::Heartbeat(heartbeat) if self.is_ahead(heartbeat.time, clock.now()) => {
                self.heartbeats_ignored.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(time = %heartbeat.time, "a heartbeat from the future does not count; do the clocks agree?");
            }
            FeedEvent::Heartbeat(heartbeat) => {
                self.heard.store(Some(Arc::new((
                    heartbeat.clone(),
                    heartbeat.read_at.unwrap_or_else(|| clock.boot()),
                ))));
                self.is_loaded
                    .send_if_modified(|is_loaded| !std::mem::replace(is_loaded, true));
            }
        }
    }

    /// Drops what both clocks have passed.
    fn sweep(&self, now: UnixMillis) {
        if let Some(heard) = self.heard.load().as_deref() {
            self.set.sweep(now.min(heard.0.time));
        }
    }
}

#[cfg(test)]
mod tests;
