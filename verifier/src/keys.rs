//! The replica of the issuer's keys.
//!
//! It is fetched on a schedule and, at most once per cooldown, because of a `kid` that is not known; the request that
//! brought it never waits. Whatever is wrong with an answer, keys that were good stay in force.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use bytes::Bytes;
use shared::crypto::random;
use shared::keys::{KeySet, KeySetError};
use shared::time::{BootTime, Clock};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub mod feed;
pub mod http;
mod ring;
pub mod source;

pub use ring::{HeldKey, KeyRing};
pub use source::{FetchError, KeySource, WatchedKeys};

/// The first wait after a failed fetch; it doubles up to the cooldown.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// When to fetch.
#[derive(Clone, Copy, Debug)]
pub struct KeySchedule {
    /// Time between fetches while all is well.
    pub refresh: Duration,
    /// The least time between fetches caused by unknown `kid`s, and the longest between retries.
    pub cooldown: Duration,
}

/// What became of a fetch, as the metrics count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchResult {
    /// A set that was taken.
    Ok,
    /// No answer.
    Unreachable,
    /// Another answer than 200.
    Status,
    /// Too large, no JWK Set, or none for us.
    Invalid,
}

impl FetchResult {
    /// Every result, in the order of [`KeyReplica::fetches`].
    pub const ALL: [Self; 4] = [Self::Ok, Self::Unreachable, Self::Status, Self::Invalid];

    /// The word for it in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unreachable => "unreachable",
            Self::Status => "status",
            Self::Invalid => "invalid",
        }
    }
}

/// Why a fetched set was not taken.
#[derive(Debug, thiserror::Error)]
enum RefreshError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Set(#[from] KeySetError),
}

impl RefreshError {
    const fn result(&self) -> FetchResult {
        match self {
            Self::Fetch(FetchError::Unreachable(_) | FetchError::NothingYet) => FetchResult::Unreachable,
            Self::Fetch(FetchError::Status { .. }) => FetchResult::Status,
            Self::Fetch(FetchError::TooLarge(_) | FetchError::Metadata(_)) | Self::Set(_) => {
                FetchResult::Invalid
            }
        }
    }
}

/// The keys in force. Readers take no lock.
#[derive(Debug)]
pub struct KeyReplica {
    ring: ArcSwap<KeyRing>,
    /// The set in force as it was fetched, for the snapshot; empty before the first.
    jwks: ArcSwap<Bytes>,
    generations: watch::Sender<u64>,
    schedule: KeySchedule,
    clock: Arc<dyn Clock>,
    unknown: Notify,
    /// Somebody who may be believed says that there are other keys.
    wanted: Notify,
    /// Before this boot time, in milliseconds, no unknown `kid` causes a fetch.
    cooled_at_ms: AtomicU64,
    /// Boot time of the last good fetch, in milliseconds; 0 before the first.
    fetched_at_ms: AtomicU64,
    fetches: [AtomicU64; FetchResult::ALL.len()],
}

impl KeyReplica {
    /// A replica without keys.
    pub fn new(schedule: KeySchedule, clock: Arc<dyn Clock>) -> Self {
        Self {
            ring: ArcSwap::from_pointee(KeyRing::default()),
            jwks: ArcSwap::default(),
            generations: watch::Sender::new(0),
            schedule,
            clock,
            unknown: Notify::new(),
            wanted: Notify::new(),
            cooled_at_ms: AtomicU64::new(0),
            fetched_at_ms: AtomicU64::new(0),
            fetches: Default::default(),
        }
    }

    /// The keys in force now.
    pub fn current(&self) -> Guard<Arc<KeyRing>> {
        self.ring.load()
    }

    /// Says that a token named a key that is not here. Costs nothing during the cooldown, and never waits.
    pub fn report_unknown(&self, now: BootTime) {
        if millis(now) >= self.cooled_at_ms.load(Ordering::Relaxed) {
            self.unknown.notify_one();
        }
    }

    /// Has the keys fetched now, whatever the schedule says: for what the issuer has told us, and nobody else.
    pub fn refetch(&self) {
        self.wanted.notify_one();
    }

    /// How long ago keys were last fetched, whether or not they had changed; `None` before the first time.
    pub fn age(&self) -> Option<Duration> {
        let fetched_at = self.fetched_at_ms.load(Ordering::Relaxed);
        let age_ms = millis(self.clock.boot()).saturating_sub(fetched_at);
        (fetched_at != 0).then(|| Duration::from_millis(age_ms))
    }

    /// The generation in force, to be watched: it changes when a key comes or goes.
    pub fn generations(&self) -> watch::Receiver<u64> {
        self.generations.subscribe()
    }

    /// Returns when there are keys.
    pub async fn loaded(&self) {
        // The sender is our own, so it is never gone.
        let _ = self
            .generations
            .subscribe()
            .wait_for(|generation| *generation > 0)
            .await;
    }

    /// Fetches so far, by result as [`FetchResult::ALL`] has them.
    pub fn fetches(&self) -> [(FetchResult, u64); FetchResult::ALL.len()] {
        std::array::from_fn(|at| {
            let result = FetchResult::ALL.get(at).copied().unwrap_or(FetchResult::Ok);
            (
                result,
                self.fetches
                    .get(at)
                    .map_or(0, |count| count.load(Ordering::Relaxed)),
            )
        })
    }

    /// Keeps the keys up to date until `shutdown`. One fetch is under way at a time.
    pub async fn follow(self: Arc<Self>, mut source: Box<dyn KeySource>, shutdown: CancellationToken) {
        let mut failures = 0;
        let mut is_unknown = false;
        let mut due = Instant::now();
        loop {
            if is_unknown {
                // Before the fetch, so that what is reported meanwhile causes no other; and again behind it.
                self.begin_cooldown();
            }
            let is_refreshed = tokio::select! {
                () = shutdown.cancelled() => return,
                is_refreshed = self.refresh(source.as_mut()) => is_refreshed,
            };
            if is_unknown {
                self.begin_cooldown();
            }
            // A failure that a `kid` from outside has caused leaves the schedule as it was: strangers must not make us
            // knock more often.
            if is_refreshed || !is_unknown {
                failures = if is_refreshed { 0 } else { failures + 1 };
                due = Instant::now() + next_fetch_after(self.schedule, failures);
            }
            is_unknown = tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep_until(due) => false,
                () = source.changed() => false,
                () = self.wanted.notified() => false,
                () = self.unknown_reported() => true,
            };
        }
    }

    async fn refresh(&self, source: &mut dyn KeySource) -> bool {
        let fetched = source.fetch().await.map_err(RefreshError::from);
        let result = match fetched.and_then(|jwks| Ok(self.take(jwks)?)) {
            Ok(()) => {
                self.fetched_at_ms
                    .store(millis(self.clock.boot()).max(1), Ordering::Relaxed);
                FetchResult::Ok
            }
            Err(error) => {
                let keys = self.current().len();
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    keys,
                    "the keys could not be fetched; those at hand stay in force"
                );
                error.result()
            }
        };
        for (counted, count) in FetchResult::ALL.iter().zip(&self.fetches) {
            if *counted == result {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
        result == FetchResult::Ok
    }

    /// Brings a set into force: one that was fetched, or a snapshot's.
    ///
    /// # Errors
    ///
    /// [`KeySetError`] if it has no key for us; those at hand stay.
    pub fn take(&self, jwks: Bytes) -> Result<(), KeySetError> {
        let current = self.ring.load_full();
        let set = KeySet::from_jwks(&jwks, current.generation() + 1)?;
        self.jwks.store(Arc::new(jwks));
        if let Some(ring) = current.replaced_by(set) {
            self.bring_into_force(&current, ring);
        }
        Ok(())
    }

    /// The set in force, as it was fetched; empty before the first.
    pub fn jwks(&self) -> Bytes {
        Bytes::clone(&self.jwks.load())
    }

    fn bring_into_force(&self, current: &KeyRing, ring: KeyRing) {
        let generation = ring.generation();
        for kid in ring.kids().filter(|kid| current.get(kid).is_none()) {
            tracing::info!(kid, generation, "a key came into force");
        }
        for kid in current.kids().filter(|kid| ring.get(kid).is_none()) {
            tracing::info!(kid, generation, "a key was withdrawn");
        }
        self.ring.store(Arc::new(ring));
        self.generations.send_replace(generation);
    }

    fn begin_cooldown(&self) {
        let cooled_at = BootTime(self.clock.boot().0.saturating_add(self.schedule.cooldown));
        self.cooled_at_ms.store(millis(cooled_at), Ordering::Relaxed);
    }

    async fn unknown_reported(&self) {
        loop {
            self.unknown.notified().await;
            if millis(self.clock.boot()) >= self.cooled_at_ms.load(Ordering::Relaxed) {
                return;
            }
        }
    }
}

/// When to fetch again behind so many failures in a row.
fn next_fetch_after(schedule: KeySchedule, failures: u32) -> Duration {
    let KeySchedule { refresh, cooldown } = schedule;
    let Some(doublings) = failures.checked_sub(1) else {
        // A tenth earlier at most, so that verifiers started together drift apart.
        let [chance] = random::bytes::<1>();
        return refresh.saturating_sub(refresh / 2560 * u32::from(chance));
    };
    let backed_off = RETRY_AFTER.saturating_mul(2_u32.saturating_pow(doublings));
    backed_off.min(cooldown).min(refresh)
}

fn millis(time: BootTime) -> u64 {
    u64::try_from(time.0.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
