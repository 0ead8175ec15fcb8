//! The reader of a feed that is kept as a stream.
//!
//! It loads from the floor of the newest good heartbeat, checks the chain, then follows. Entries are told at once; a
//! heartbeat is told when the chain up to it is proved. What does not fit is told as a [`Gap`], and it loads again.

mod labels;
mod load;
mod position;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;

use self::labels::Labels;
use self::position::{Position, Taken};
use super::heartbeat::{InvalidHeartbeat, Statement};
use super::key::FeedKeys;
use super::log::{FeedLog, LogBody, LogError, LogItem};
use super::term::{Epoch, ItemId};
use super::{FeedEnded, FeedEvent, Gap, Heartbeat, NextEvent, RevocationFeed};
use crate::limits;
use crate::time::{BootTime, Clock};

/// Events under way: past it the reader waits, so that loading never outruns memory.
const EVENTS_MAX: usize = 16;

/// How often the reader looks whether the epoch is still in force and the stream still there.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The first wait after a failure, doubled with each further one up to [`RETRY_AFTER_MAX`].
const RETRY_AFTER: Duration = Duration::from_millis(50);

const RETRY_AFTER_MAX: Duration = Duration::from_secs(1);

/// A wall clock that moved by more than this against the boot clock, from one look to the next, was set.
const CLOCK_STEP: Duration = Duration::from_secs(1);

/// The feed keys as they are known, and a way to say that they will not do.
#[derive(Clone, Debug)]
pub struct FeedKeysView {
    /// The keys; none before the first fetch.
    pub keys: watch::Receiver<FeedKeys>,
    /// Told when a heartbeat is signed by none of them.
    pub wanted: Arc<Notify>,
}

/// What a reader starts with.
#[derive(Debug)]
pub struct ReaderStart {
    /// The feed keys.
    pub keys: FeedKeysView,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Order of the newest heartbeat that was proved before, from a snapshot: none that is older will count.
    pub newest_seen: Option<(u64, u64)>,
    /// Up to which entry of which epoch everything about labels is known, from a snapshot.
    pub labels_at: Option<(Epoch, u64)>,
    /// What spreads retries, so that readers that fail together do not come back together.
    pub jitter_seed: u64,
}

/// The feed that is read from a log, by a task of its own.
#[derive(Debug)]
pub struct StreamFeed {
    events: mpsc::Receiver<FeedEvent>,
    task: tokio::task::JoinHandle<()>,
}

impl StreamFeed {
    /// Starts to read.
    pub fn start<L: FeedLog>(log: L, start: ReaderStart) -> Self {
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        let reader = Reader {
            log,
            keys: start.keys,
            offset: wall_minus_boot(start.clock.as_ref()),
            clock: start.clock,
            newest_seen: start.newest_seen,
            labels: Labels::resumed(start.labels_at),
            events: sender,
            jitter: start.jitter_seed | 1,
            away: None,
        };
        Self {
            events,
            task: tokio::spawn(reader.run()),
        }
    }
}

impl RevocationFeed for StreamFeed {
    fn next(&mut self) -> NextEvent<'_> {
        Box::pin(async { self.events.recv().await.ok_or(FeedEnded) })
    }
}

impl Drop for StreamFeed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What keeps the reader from reading on.
#[derive(Debug)]
enum Interruption {
    /// Nobody listens any more.
    Unheard,
    Gap(Gap),
    /// Nothing is wrong with what was read, but there is no more for now.
    Away(String),
}

impl From<LogError> for Interruption {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Away(_) => Self::Away(error.to_string()),
            LogError::Unreadable(what) => {
                tracing::warn!(what, "the feed's log holds what nobody of ours wrote");
                Self::Gap(Gap::Foreign)
            }
        }
    }
}

struct Reader<L> {
    log: L,
    keys: FeedKeysView,
    clock: Arc<dyn Clock>,
    /// Wall clock less boot clock, in milliseconds, at the last look.
    offset: i64,
    /// Order of the newest heartbeat that was proved: none at or below it counts again.
    newest_seen: Option<(u64, u64)>,
    labels: Labels,
    events: mpsc::Sender<FeedEvent>,
    jitter: u64,
    /// What was last said about being away.
    away: Option<Arc<str>>,
}

impl<L: FeedLog> Reader<L> {
    async fn run(mut self) {
        let mut position = None;
        let mut failures = 0_u32;
        loop {
            let seen = self.newest_seen;
            let told = match self.read_on(&mut position).await {
                Interruption::Unheard => return,
                Interruption::Gap(gap) => {
                    position = None;
                    tracing::warn!(
                        cause = gap.as_str(),
                        "the revocation feed does not fit together; loading it again"
                    );
                    self.tell(FeedEvent::Lost(gap)).await
                }
                Interruption::Away(why) => self.tell_away(&why).await,
            };
            if told.is_err() {
                return;
            }
            failures = if self.newest_seen == seen {
                failures.saturating_add(1)
            } else {
                0
            };
            self.wait_after(failures).await;
        }
    }

    /// Reads until something is in the way.
    async fn read_on(&mut self, position: &mut Option<Position>) -> Interruption {
        // Whatever the interruption was, the log behind it may be another: a place that is kept is looked at first.
        let mut looked: Option<Instant> = None;
        loop {
            let until_look = looked.and_then(|at| LOOK_EVERY.checked_sub(at.elapsed()));
            let step = match (position.as_mut(), until_look) {
                (None, _) => {
                    looked = Some(Instant::now());
                    self.load().await.map(|loaded| *position = Some(loaded))
                }
                // A table is read bit by bit, so that no revocation waits for it.
                (Some(at), Some(wait)) if !wait.is_zero() && self.labels.is_loading() => {
                    match self.load_chunk().await {
                        Ok(()) => self.follow(at, Duration::ZERO).await,
                        interrupted => interrupted,
                    }
                }
                (Some(at), Some(wait)) if !wait.is_zero() => self.follow(at, wait).await,
                (Some(at), _) => {
                    looked = Some(Instant::now());
                    match self.look_around(at).await {
                        Ok(true) => Ok(()),
                        Ok(false) => self.load().await.map(|loaded| *at = loaded),
                        Err(error) => Err(error),
                    }
                }
            };
            if let Err(interruption) = step {
                return interruption;
            }
        }
    }

    async fn epoch_in_force(&mut self) -> Result<Epoch, Interruption> {
        let pointer = self.log.pointer().await?;
        pointer.ok_or_else(|| Interruption::Away("no issuer has begun a feed there yet".to_owned()))
    }

    /// Takes in what comes next.
    async fn follow(&mut self, at: &mut Position, wait: Duration) -> Result<(), Interruption> {
        let items = self
            .log
            .follow(at.epoch, at.last, limits::FEED_PAGE, wait)
            .await?;
        let read_at = self.clock.boot();
        self.take(at, &items, read_at).await
    }

    async fn take(
        &mut self,
        at: &mut Position,
        items: &[LogItem],
        read_at: BootTime,
    ) -> Result<(), Interruption> {
        for part in items.chunk_by(|a, _| !matches!(a.body, LogBody::Heartbeat(_))) {
            let (entries, heartbeat) = match part.split_last() {
                Some((last, entries)) if matches!(last.body, LogBody::Heartbeat(_)) => (entries, Some(last)),
                _ => (part, None),
            };
            let taken = at.take_entries(entries).map_err(Interruption::Gap)?;
            self.tell_entries(at.chain.seq, taken).await?;
            if let Some(LogItem {
                id,
                body: LogBody::Heartbeat(signed),
            }) = heartbeat
            {
                let statement = self.judge(at, *id, signed).map_err(Interruption::Gap)?;
                at.last = *id;
                self.tell_heartbeat(&statement, signed, read_at).await?;
            }
        }
        Ok(())
    }

    /// What a heartbeat says, if it is the next one to be believed.
    fn judge(&self, at: &Position, id: ItemId, signed: &[u8]) -> Result<Statement, Gap> {
        let statement = self.verify(signed).map_err(|_| Gap::BadHeartbeat)?;
        if statement.epoch != at.epoch || !stands_at(&statement, id) {
            return Err(Gap::BadHeartbeat);
        }
        if self.newest_seen.is_some_and(|seen| statement.order() <= seen) {
            return Err(Gap::Replayed);
        }
        if statement.last != at.chain {
            return Err(Gap::Chain);
        }
        Ok(statement)
    }

    fn verify(&self, signed: &[u8]) -> Result<Statement, InvalidHeartbeat> {
        Statement::verify(signed, &self.keys.keys.borrow()).inspect_err(|error| {
            if *error == InvalidHeartbeat::BadSignature {
                self.keys.wanted.notify_one();
            }
        })
    }

    /// Whether the epoch that is read is still in force, and the stream as long as it was.
    async fn look_around(&mut self, at: &Position) -> Result<bool, Interruption> {
        let offset = wall_minus_boot(self.clock.as_ref());
        let moved = offset.abs_diff(std::mem::replace(&mut self.offset, offset));
        if u128::from(moved) > CLOCK_STEP.as_millis() {
            return Err(Interruption::Gap(Gap::ClockStep));
        }
        // The stream before the pointer: an epoch that gives way to another in between has not lost its stream.
        let newest = self.log.newest(at.epoch, None, 1).await?;
        let epoch = self.epoch_in_force().await?;
        if epoch != at.epoch {
            return if epoch.number < at.epoch.number {
                Err(Interruption::Gap(Gap::Replayed))
            } else {
                Ok(false)
            };
        }
        match newest.first() {
            None => Err(Interruption::Gap(Gap::Missing)),
            Some(newest) if newest.id < at.last => Err(Interruption::Gap(Gap::RolledBack)),
            Some(_) => Ok(true),
        }
    }

    async fn tell_entries(&mut self, seq: u64, taken: Taken) -> Result<(), Interruption> {
        for (seq, changes) in taken.labels {
            self.labels.keep(seq, changes).map_err(Interruption::Gap)?;
        }
        let revocations = taken.revocations;
        if revocations.is_empty() {
            return Ok(());
        }
        self.tell(FeedEvent::Entries { seq, revocations }).await
    }

    async fn tell_heartbeat(
        &mut self,
        statement: &Statement,
        signed: &[u8],
        read_at: BootTime,
    ) -> Result<(), Interruption> {
        let labels = self.tell_labels(statement).await?;
        self.newest_seen = Some(statement.order());
        self.away = None;
        let heartbeat = Heartbeat {
            epoch: statement.epoch.number,
            term: statement.term.number,
            counter: statement.counter,
            seq: statement.last.seq,
            time: statement.time,
            labels,
            read_at: Some(read_at),
            signed: Some(signed.into()),
        };
        self.tell(FeedEvent::Heartbeat(heartbeat)).await
    }

    /// Says once why nothing comes.
    async fn tell_away(&mut self, why: &str) -> Result<(), Interruption> {
        if self.away.as_deref() == Some(why) {
            return Ok(());
        }
        tracing::warn!(why, "the revocation feed cannot be read");
        let why: Arc<str> = why.into();
        self.away = Some(Arc::clone(&why));
        self.tell(FeedEvent::Away(why)).await
    }

    async fn tell(&mut self, event: FeedEvent) -> Result<(), Interruption> {
        self.events.send(event).await.map_err(|_| Interruption::Unheard)
    }

    /// Waits longer with each failure, and not as long as others do. New keys end the wait.
    async fn wait_after(&mut self, failures: u32) {
        let wait = RETRY_AFTER
            .saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)))
            .min(RETRY_AFTER_MAX);
        self.jitter ^= self.jitter << 13;
        self.jitter ^= self.jitter >> 7;
        self.jitter ^= self.jitter << 17;
        let share = u32::try_from(self.jitter % 256).unwrap_or(0);
        let wait = wait / 2 + wait / 512 * share;
        tokio::select! {
            biased;
            Ok(()) = self.keys.keys.changed() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Whether a heartbeat is where it says that it is: behind the last entry it speaks of, and not in an entry's place.
const fn stands_at(statement: &Statement, id: ItemId) -> bool {
    statement.last.seq == id.seq && id.k != 0
}

fn wall_minus_boot(clock: &dyn Clock) -> i64 {
    let boot = i64::try_from(clock.boot().0.as_millis()).unwrap_or(i64::MAX);
    clock.now().0.saturating_sub(boot)
}

#[cfg(test)]
mod tests;
