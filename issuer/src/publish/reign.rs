//! What the holder of the lease does: gives numbers, publishes, says how far it has come, trims.

use std::collections::VecDeque;
use std::time::Duration;

use shared::feed::chain::Chain;
use shared::feed::entry;
use shared::feed::heartbeat::Statement;
use shared::feed::key::FeedSigningKey;
use shared::feed::log::{LogBody, LogError, LogItem};
use shared::feed::term::{Epoch, ItemId, Term};
use shared::feed::writer::{Append, Appended, FeedWriter, PointerRule};
use shared::revocation::Revocation;
use shared::time::{BootTime, Clock, UnixMillis};

use super::audit::Audit;
use super::database::{BatchRequest, DatabaseAway, RelayDatabase};
use super::relay::RelaySettings;
use super::status::RelayStatus;
use super::takeover::{LEASE, confirm_from_stream};
use crate::store::feed::Batch;

/// The lease is renewed when it was not for this long.
const RENEW_EVERY: Duration = Duration::from_millis(800);

/// Who has not been answered by the log for this long does not renew the lease: others may reach it.
const RENEW_WITHIN: Duration = Duration::from_secs(2);

/// A database that was away is tried again after this time; heartbeats go on meanwhile.
const DATABASE_RETRY: Duration = Duration::from_secs(1);

/// Without the database, heartbeats speak of what was so this long ago. Whoever knows better has so long to object: an
/// issuer that committed just before, by claiming a term; one that still reaches the database, by taking over when the
/// lease has lapsed. Both look every second or so, and may wait for an answer that does not come.
const OBJECTION: Duration = Duration::from_secs(6);

/// How often the stream is trimmed, if there is anything to trim.
const TRIM_EVERY: Duration = Duration::from_secs(10);

/// A fact that never expires is published again this often, so that it does not keep everything behind it.
const REPUBLISH_EVERY: Duration = Duration::from_hours(1);

/// Heartbeats that are remembered as places to trim to: more than an hour of them, and half of them when it is more.
const CHECKPOINTS_MAX: usize = 4096;

/// Why a round failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum RoundError {
    #[error("the lease, or the term in the log, is another issuer's")]
    Deposed,
    /// What is in the log is not what we wrote: a new epoch is needed.
    #[error("the log is not as it was left: {0}")]
    Broken(&'static str),
    /// The database knows of fewer numbers than the stream has.
    #[error("the database has been set back")]
    SetBack,
    #[error(transparent)]
    Log(LogError),
    #[error(transparent)]
    Database(#[from] DatabaseAway),
}

impl From<LogError> for RoundError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Away(_) => Self::Log(error),
            LogError::Unreadable(_) => Self::Broken("it holds what cannot be read"),
        }
    }
}

/// What a round left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Round {
    /// There is more to publish.
    Again,
    /// Nothing, for now.
    Rest,
}

/// What a reign works with.
#[derive(Debug)]
pub(super) struct Tools<'a, D, W> {
    pub(super) database: &'a D,
    pub(super) writer: &'a mut W,
    pub(super) key: &'a FeedSigningKey,
    pub(super) clock: &'a dyn Clock,
    pub(super) status: &'a RelayStatus,
    pub(super) settings: RelaySettings,
}

/// How far a stream has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// No reader knows of it: it is still without a heartbeat.
    Unseen {
        /// The epoch that it will take the place of.
        instead_of: Option<Epoch>,
    },
    InForce,
}

/// A write whose outcome is not known yet, and what is so when it is done.
#[derive(Clone, Debug)]
struct Write {
    append: Append,
    chain: Chain,
    floor: Chain,
    counter: u64,
    has_heartbeat: bool,
}

/// The holder's knowledge of the stream that it writes.
#[derive(Debug)]
pub(super) struct Reign {
    term: Term,
    epoch: Epoch,
    stage: Stage,
    last: Option<ItemId>,
    chain: Chain,
    floor: Chain,
    counter: u64,
    /// The newest time of which a heartbeat may speak without asking the database.
    time: UnixMillis,
    pending: Option<Write>,
    checkpoints: VecDeque<(ItemId, Chain)>,
    audit: Audit,
    heartbeat_at: Option<BootTime>,
    trimmed_at: BootTime,
    /// When facts that never expire were published again, and how far the stream had come.
    republished: (BootTime, u64),
    /// `None`: not yet. The first round does, since the lease of whoever writes an epoch lasts long.
    renewed_at: Option<BootTime>,
    log_answered_at: BootTime,
    /// The database's time when everything was published, and the boot time of that.
    database_seen: Option<(UnixMillis, BootTime)>,
    database_due: BootTime,
}

impl Reign {
    /// A reign over a stream that is in force and ends with this heartbeat.
    pub(super) fn resumed(term: Term, id: ItemId, tail: &Statement, now: BootTime) -> Self {
        let mut reign = Self::begun(term, None, now);
        reign.epoch = tail.epoch;
        reign.stage = Stage::InForce;
        reign.last = Some(id);
        reign.chain = tail.last;
        reign.floor = tail.floor;
        reign.time = tail.time;
        reign.checkpoints.push_back((id, tail.last));
        reign.audit = Audit::from(tail.floor);
        reign.republished.1 = tail.last.seq;
        reign
    }

    /// A reign over a stream that is still to be written.
    pub(super) fn begun(term: Term, instead_of: Option<Epoch>, now: BootTime) -> Self {
        Self {
            term,
            epoch: term,
            stage: Stage::Unseen { instead_of },
            last: None,
            chain: Chain::START,
            floor: Chain::START,
            counter: 0,
            time: UnixMillis(0),
            pending: None,
            checkpoints: VecDeque::new(),
            audit: Audit::from(Chain::START),
            heartbeat_at: None,
            trimmed_at: now,
            republished: (now, 0),
            renewed_at: None,
            log_answered_at: now,
            database_seen: None,
            database_due: now,
        }
    }

    pub(super) fn term(&self) -> Term {
        self.term
    }

    /// Number of the last entry in the stream.
    pub(super) fn published(&self) -> u64 {
        self.chain.seq
    }

    /// Publishes what is committed, or says that nothing is to be published, if that is due.
    pub(super) async fn round<D: RelayDatabase, W: FeedWriter>(
        &mut self,
        tools: &mut Tools<'_, D, W>,
    ) -> Result<Round, RoundError> {
        self.flush(tools).await?;
        let began = tools.clock.boot();
        if began < self.database_due {
            return self.without_database(tools, None).await;
        }
        let is_answered = began.since(self.log_answered_at) <= RENEW_WITHIN;
        let is_due = self.renewed_at.is_none_or(|at| began.since(at) >= RENEW_EVERY);
        let renews = is_answered && is_due;
        let republishes = began.since(self.republished.0) >= REPUBLISH_EVERY;
        let request = BatchRequest {
            term: self.term,
            published: self.chain.seq,
            republish_below: republishes.then_some(self.republished.1),
            renewal: renews.then_some((LEASE, self.chain.seq)),
        };
        let batch = match tools.database.take_batch(request).await {
            Ok(Some(batch)) => batch,
            Ok(None) => return Err(RoundError::Deposed),
            Err(away) => {
                self.database_due = BootTime(tools.clock.boot().0 + DATABASE_RETRY);
                return self.without_database(tools, Some(away)).await;
            }
        };
        if renews {
            self.renewed_at = Some(began);
        }
        if republishes {
            self.republished = (began, self.chain.seq);
        }
        if batch.last_seq < self.chain.seq {
            return Err(RoundError::SetBack);
        }
        self.publish(tools, batch, began).await
    }

    async fn publish<D: RelayDatabase, W: FeedWriter>(
        &mut self,
        tools: &mut Tools<'_, D, W>,
        batch: Batch,
        began: BootTime,
    ) -> Result<Round, RoundError> {
        let is_idle = batch.entries.is_empty() && batch.is_complete;
        let is_due = self
            .heartbeat_at
            .is_none_or(|at| began.since(at) >= tools.settings.heartbeat);
        if batch.is_complete {
            self.time = batch.now;
        }
        if !is_idle || is_due {
            let trims = batch.is_complete && self.stage == Stage::InForce;
            let keep_from = if trims {
                self.trim(batch.lowest_live, began)
            } else {
                None
            };
            let has_heartbeat = batch.is_complete || self.stage == Stage::InForce;
            let write = self.write_of(
                tools.key,
                &batch.entries,
                has_heartbeat.then_some(self.time),
                keep_from,
            );
            self.pending = Some(write);
            self.flush(tools).await?;
        }
        if !batch.is_complete {
            return Ok(Round::Again);
        }
        self.database_seen = Some((batch.now, began));
        tools.status.confirm(began);
        if is_idle {
            let is_whole = self
                .audit
                .step(tools.writer, self.epoch, self.last, self.chain)
                .await?;
            if !is_whole {
                return Err(RoundError::Broken("entries were altered, added or removed"));
            }
        }
        Ok(Round::Rest)
    }

    /// Writes facts into a stream that nobody knows of yet.
    pub(super) async fn append_unseen<D: RelayDatabase, W: FeedWriter>(
        &mut self,
        tools: &mut Tools<'_, D, W>,
        entries: &[(u64, Revocation)],
    ) -> Result<(), RoundError> {
        self.pending = Some(self.write_of(tools.key, entries, None, None));
        self.flush(tools).await
    }

    /// Goes on saying that all is well while the database is away: without it nothing can be revoked. Not if something was
    /// committed here just before that is not in the stream.
    async fn without_database<D: RelayDatabase, W: FeedWriter>(
        &mut self,
        tools: &mut Tools<'_, D, W>,
        away: Option<DatabaseAway>,
    ) -> Result<Round, RoundError> {
        let now = tools.clock.boot();
        let away = || away.unwrap_or_else(|| DatabaseAway("it was, a moment ago".to_owned()));
        let Some((time, read_at)) = self.database_seen else {
            return Err(away().into());
        };
        let elapsed = now.since(read_at);
        let is_over = elapsed > tools.settings.without_database;
        if is_over || !confirm_from_stream(tools.writer, tools.status).await? {
            return Err(away().into());
        }
        if self
            .heartbeat_at
            .is_none_or(|at| now.since(at) >= tools.settings.heartbeat)
        {
            self.time = time.plus(elapsed.saturating_sub(OBJECTION));
            self.pending = Some(self.write_of(tools.key, &[], Some(self.time), None));
            self.flush(tools).await?;
            tools
                .status
                .update(|figures| figures.heartbeats_without_database += 1);
        }
        Ok(Round::Rest)
    }

    /// The write of these entries and, if a time is given, of a heartbeat behind them.
    fn write_of(
        &self,
        key: &FeedSigningKey,
        entries: &[(u64, Revocation)],
        time: Option<UnixMillis>,
        trim: Option<(ItemId, Chain)>,
    ) -> Write {
        let mut chain = self.chain;
        let mut items = Vec::with_capacity(entries.len() + 1);
        for (seq, revocation) in entries {
            let bytes = entry::encode(revocation);
            chain = chain.with(*seq, &bytes);
            items.push(LogItem {
                id: ItemId::entry(*seq),
                body: LogBody::Entry(bytes),
            });
        }
        let floor = trim.map_or(self.floor, |(_, floor)| floor);
        let counter = self.counter + 1;
        if let Some(time) = time {
            let before = match self.last {
                Some(last) if last.seq == chain.seq => last,
                _ => ItemId::entry(chain.seq),
            };
            let statement = Statement {
                epoch: self.epoch,
                term: self.term,
                counter,
                last: chain,
                floor,
                time,
            };
            items.push(LogItem {
                id: before.next_heartbeat(),
                body: LogBody::Heartbeat(statement.sign(key)),
            });
        }
        let pointer = match (self.stage, time) {
            (Stage::InForce, _) => PointerRule::InForce,
            (Stage::Unseen { .. }, None) => PointerRule::Unseen,
            (Stage::Unseen { instead_of }, Some(_)) => PointerRule::BringIntoForce { instead_of },
        };
        Write {
            append: Append {
                term: self.term,
                epoch: self.epoch,
                pointer,
                expected_last: self.last,
                items,
                keep_from: trim.map(|(id, _)| id),
            },
            chain,
            floor,
            counter,
            has_heartbeat: time.is_some(),
        }
    }

    /// Brings the write under way to an end. If its answer was lost, the same is asked again: what is there already, and
    /// identical, counts as written.
    async fn flush<D: RelayDatabase, W: FeedWriter>(
        &mut self,
        tools: &mut Tools<'_, D, W>,
    ) -> Result<(), RoundError> {
        let Some(write) = &self.pending else {
            return Ok(());
        };
        match tools.writer.append(write.append.clone()).await? {
            Appended::Written => {}
            Appended::TermEnded => return Err(RoundError::Deposed),
            Appended::NotInForce => return Err(RoundError::Broken("another epoch is in force, or none")),
            Appended::Elsewhere(_) => {
                let Some(first) = write.append.items.first() else {
                    return Err(RoundError::Broken("the stream ends elsewhere"));
                };
                let more = write.append.items.len() + 1;
                let there = tools.writer.range(self.epoch, first.id, more).await?;
                if there != write.append.items {
                    return Err(RoundError::Broken("the stream ends elsewhere"));
                }
            }
        }
        let now = tools.clock.boot();
        self.log_answered_at = now;
        let Some(write) = self.pending.take() else {
            return Ok(());
        };
        let entries = write.append.items.len() - usize::from(write.has_heartbeat);
        self.last = write.append.items.last().map(|item| item.id).or(self.last);
        (self.chain, self.floor) = (write.chain, write.floor);
        if write.has_heartbeat {
            self.stage = Stage::InForce;
            self.counter = write.counter;
            self.heartbeat_at = Some(now);
            self.remember_checkpoint();
        }
        self.audit.trimmed_to(self.floor);
        tools.status.update(|figures| {
            figures.seq = self.chain.seq;
            figures.entries += u64::try_from(entries).unwrap_or(0);
            if write.has_heartbeat {
                figures.heartbeats += 1;
                figures.heartbeat_at = Some(now);
            }
        });
        Ok(())
    }

    fn remember_checkpoint(&mut self) {
        if let Some(last) = self.last {
            self.checkpoints.push_back((last, self.chain));
        }
        if self.checkpoints.len() > CHECKPOINTS_MAX {
            let mut keep = false;
            self.checkpoints.retain(|_| {
                keep = !keep;
                keep
            });
        }
    }

    /// The newest heartbeat before every live entry, if it is time to trim: it becomes the first item of the stream.
    fn trim(&mut self, lowest_live: Option<u64>, now: BootTime) -> Option<(ItemId, Chain)> {
        if now.since(self.trimmed_at) < TRIM_EVERY {
            return None;
        }
        self.trimmed_at = now;
        let dead = |chain: &Chain| lowest_live.is_none_or(|lowest| chain.seq < lowest);
        let count = self
            .checkpoints
            .iter()
            .take_while(|(_, chain)| dead(chain))
            .count();
        // All before the last of them are gone from the stream.
        self.checkpoints.drain(..count.saturating_sub(1));
        if count == 0 {
            return None;
        }
        self.checkpoints.front().copied()
    }
}
