//! The replica of the revocations, and how far it can be trusted.
//!
//! Entries apply at once, since a refusal too early is safe. Heartbeats say how far the feed has come; a decision that
//! admits somebody needs one that is young enough, with no gap behind it.

mod counts;
mod freshness;
mod labels;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use shared::feed::{FeedEvent, Gap, Heartbeat, RevocationFeed};
use shared::revocation::{Fact, Revocation, RevocationSet};
use shared::time::{BootTime, Clock, UnixMillis};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::counts::FeedCounts;
pub use self::freshness::{Freshness, StalenessBounds};
pub use self::labels::{KnownLabels, LabelReplica, LabelView};

/// How often facts that can refuse nothing any more are dropped.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// The revocations known here, and what comes with them. Readers take no lock.
#[derive(Debug)]
pub struct RevocationReplica {
    set: RevocationSet,
    labels: LabelReplica,
    is_off: bool,
    bounds: StalenessBounds,
    /// The newest heartbeat that counted, and what became of it.
    heard: ArcSwapOption<Heard>,
    /// Why no heartbeat has counted since: a gap, or that the feed is away.
    trouble: ArcSwapOption<String>,
    counts: FeedCounts,
    /// How many heartbeats have counted: 0 while it has never been more than loading.
    counted: watch::Sender<u64>,
    /// How many signing keys are known to be revoked.
    keys_revoked: watch::Sender<usize>,
}

/// A heartbeat that counted.
#[derive(Clone, Debug)]
struct Heard {
    heartbeat: Heartbeat,
    read_at: BootTime,
    /// The latest time of any heartbeat: a database that was set back does not make tokens live longer.
    latest: UnixMillis,
    /// Whether nothing has been found amiss since.
    is_whole: bool,
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
            labels: LabelReplica::new(bounds),
            is_off: false,
            bounds,
            heard: ArcSwapOption::empty(),
            trouble: ArcSwapOption::empty(),
            counts: FeedCounts::default(),
            counted: watch::Sender::new(0),
            keys_revoked: watch::Sender::new(0),
        }
    }

    /// Past this age it is not trusted.
    pub const fn max_staleness(&self) -> Duration {
        self.bounds.max_staleness
    }

    /// A replica of nothing, for tokens of issuers that have no feed.
    pub fn off(bounds: StalenessBounds) -> Self {
        Self {
            is_off: true,
            labels: LabelReplica::off(bounds),
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
            Some(heard) if !heard.is_whole => (Freshness::Loading, now.max(heard.latest)),
            Some(heard) => (
                self.bounds.judge(heard.heartbeat.time, heard.read_at, now, boot),
                now.max(heard.latest),
            ),
        };
        RevocationView {
            set: &self.set,
            freshness,
            now,
        }
    }

    /// Whether a heartbeat has counted yet, or none is to be waited for: whether it was ever more than loading.
    pub fn is_loaded(&self) -> bool {
        self.is_off || *self.counted.borrow() > 0
    }

    /// Returns when a heartbeat has counted, at once if that is so already.
    pub async fn loaded(&self) {
        if !self.is_off {
            // The sender is our own, so it is never gone.
            let _ = self.heartbeats().wait_for(|counted| *counted > 0).await;
        }
    }

    /// How many heartbeats have counted, to be watched.
    pub fn heartbeats(&self) -> watch::Receiver<u64> {
        self.counted.subscribe()
    }

    /// How many signing keys are known to be revoked, to be watched.
    pub fn keys_revoked(&self) -> watch::Receiver<usize> {
        self.keys_revoked.subscribe()
    }

    /// The newest heartbeat that counted, if nothing has been found amiss since.
    pub fn proved(&self) -> Option<Heartbeat> {
        let heard = self.heard.load();
        heard
            .as_deref()
            .filter(|heard| heard.is_whole)
            .map(|heard| heard.heartbeat.clone())
    }

    /// Why no heartbeat has counted since the last one did, for people.
    pub fn trouble(&self) -> Option<Arc<String>> {
        self.trouble.load_full()
    }

    /// The facts, for the metrics and the snapshot.
    pub fn set(&self) -> &RevocationSet {
        &self.set
    }

    /// The film labels, of which the same feed tells.
    pub const fn labels(&self) -> &LabelReplica {
        &self.labels
    }

    /// The newest heartbeat that counted, whatever came behind it.
    pub fn newest_heartbeat(&self) -> Option<Heartbeat> {
        self.heard.load().as_deref().map(|heard| heard.heartbeat.clone())
    }

    /// Heartbeats that did not count because their time lay too far ahead.
    pub fn heartbeats_ignored(&self) -> u64 {
        self.counts.heartbeats_ignored()
    }

    /// Heartbeats that counted.
    pub fn heartbeats_counted(&self) -> u64 {
        self.counts.heartbeats()
    }

    /// How often something did not fit together, by cause.
    pub fn gaps(&self) -> [(&'static str, u64); Gap::ALL.len()] {
        self.counts.gaps_by_cause()
    }

    /// Entries that were taken in, by kind. One that was read again counts again.
    pub fn entries(&self) -> [(&'static str, u64); 5] {
        self.counts.entries_by_kind()
    }

    /// Takes in what a snapshot has: the facts, and its heartbeat, which is judged by the same rules as one from the feed.
    pub fn restore(&self, revocations: &[Revocation], heartbeat: &Heartbeat, clock: &dyn Clock) {
        self.set.apply_all(revocations);
        self.hear(heartbeat, clock);
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
                        self.trouble.store(Some(Arc::new(error.to_string())));
                        return;
                    }
                },
            }
        }
    }

    pub(crate) fn take_in(&self, event: &FeedEvent, clock: &dyn Clock) {
        match event {
            FeedEvent::Entries { revocations, .. } => {
                self.set.apply_all(revocations);
                for revocation in revocations {
                    self.counts.entry(revocation);
                }
                if revocations
                    .iter()
                    .any(|revocation| matches!(revocation.fact, Fact::Key { .. }))
                {
                    self.note_keys();
                }
            }
            FeedEvent::Labels(update) => self.labels.take_in(update),
            FeedEvent::Heartbeat(heartbeat) => self.hear(heartbeat, clock),
            FeedEvent::Lost(gap) => {
                self.counts.gap(*gap);
                self.labels.lose();
                if let Some(heard) = self.heard.load_full() {
                    self.heard.store(Some(Arc::new(Heard {
                        is_whole: false,
                        ..Heard::clone(&heard)
                    })));
                }
                let trouble = format!("the feed did not fit together ({})", gap.as_str());
                self.trouble.store(Some(Arc::new(trouble)));
            }
            FeedEvent::Away(why) => self.trouble.store(Some(Arc::new(format!("away: {why}")))),
        }
    }

    /// Says so if more keys are revoked than before: what is read again is nothing new.
    fn note_keys(&self) {
        let counts = self.set.counts();
        let known = counts
            .iter()
            .find_map(|(kind, count)| (*kind == "key").then_some(*count));
        self.keys_revoked.send_if_modified(|count| {
            let before = std::mem::replace(count, known.unwrap_or(0));
            before < *count
        });
    }

    fn hear(&self, heartbeat: &Heartbeat, clock: &dyn Clock) {
        if self.bounds.is_ahead(heartbeat.time, clock.now()) {
            self.counts.heartbeat_ignored();
            tracing::warn!(time = %heartbeat.time, "a heartbeat from the future does not count; do the clocks agree?");
            let trouble = "its heartbeats come from the future; do the clocks agree?";
            self.trouble.store(Some(Arc::new(trouble.to_owned())));
            return;
        }
        let before = self.heard.load();
        if before.as_deref().is_none_or(|before| !before.is_whole) {
            tracing::info!(
                epoch = heartbeat.epoch,
                seq = heartbeat.seq,
                time = %heartbeat.time,
                "the revocations are loaded"
            );
        }
        let read_at = heartbeat.read_at.unwrap_or_else(|| clock.boot());
        self.labels.hear(heartbeat.labels, read_at);
        self.heard.store(Some(Arc::new(Heard {
            heartbeat: heartbeat.clone(),
            read_at,
            latest: before
                .as_deref()
                .map_or(heartbeat.time, |before| before.latest.max(heartbeat.time)),
            is_whole: true,
        })));
        self.trouble.store(None);
        self.counts.heartbeat();
        self.counted.send_modify(|counted| *counted += 1);
    }

    /// Drops what both clocks have passed.
    fn sweep(&self, now: UnixMillis) {
        if let Some(heard) = self.heard.load().as_deref() {
            self.set.sweep(now.min(heard.heartbeat.time));
        }
    }
}

#[cfg(test)]
mod tests;
