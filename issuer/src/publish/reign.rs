//! What the holder of the lease does: gives numbers, publishes, says how far it has come, trims.

mod audit;
mod labels;
mod stream;

use std::time::Duration;

use shared::feed::entry;
use shared::feed::heartbeat::Statement;
use shared::feed::key::FeedSigningKey;
use shared::feed::log::LogError;
use shared::feed::term::{Epoch, ItemId, Term};
use shared::feed::writer::FeedWriter;
use shared::revocation::Revocation;
use shared::time::{BootTime, Clock, UnixMillis};

use self::labels::Labels;
use self::stream::{Addition, Says, Stream};
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

/// A fact that never expires is published again this often, so that it does not keep everything behind it.
const REPUBLISH_EVERY: Duration = Duration::from_hours(1);

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

/// One issuer's time as the holder of the lease.
#[derive(Debug)]
pub(super) struct Reign {
    stream: Stream,
    labels: Labels,
    /// The newest time of which a heartbeat may speak without asking the database.
    time: UnixMillis,
    heartbeat_at: Option<BootTime>,
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
        let labels = Labels::resumed(tail, now);
        Self::over(Stream::resumed(term, id, tail, now), labels, tail.time, now)
    }

    /// A reign over a stream that is still to be written.
    pub(super) fn begun(term: Term, instead_of: Option<Epoch>, now: BootTime) -> Self {
        let labels = Labels::begun(now);
        Self::over(Stream::begun(term, instead_of, now), labels, UnixMillis(0), now)
    }

    fn over(stream: Stream, labels: Labels, time: UnixMillis, now: BootTime) -> Self {
        Self {
            republished: (now, stream.seq()),
            stream,
            labels,
            time,
            heartbeat_at: None,
            renewed_at: None,
            log_answered_at: now,
            database_seen: None,
            database_due: now,
        }
    }

    pub(super) fn term(&self) -> Term {
        self.stream.term()
    }

    /// Number of the last entry in the stream.
    pub(super) fn published(&self) -> u64 {
        self.stream.seq()
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
            term: self.term(),
            published: self.published(),
            republish_below: republishes.then_some(self.republished.1),
            renewal: renews.then_some((LEASE, self.published())),
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
            self.republished = (began, self.published());
        }
        if batch.last_seq < self.published() {
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
        if self.labels.saw(&batch) {
            tools.status.confirm_labels(began);
        }
        if !is_idle || is_due {
            let stream = &mut self.stream;
            let trims = batch.is_complete && stream.is_in_force();
            let trim = if trims {
                stream.trim(self.labels.lowest_needed(batch.lowest_live), began)
            } else {
                None
            };
            let has_heartbeat = batch.is_complete || stream.is_in_force();
            let entries = encoded(&batch.entries);
            let heartbeat = has_heartbeat.then(|| self.says());
            self.stream.prepare(
                tools.key,
                Addition {
                    entries,
                    heartbeat,
                    trim,
                    ..Addition::default()
                },
            );
            self.flush(tools).await?;
        }
        if !batch.is_complete {
            return Ok(Round::Again);
        }
        self.database_seen = Some((batch.now, began));
        tools.status.confirm(began);
        if self.labels_round(tools, &batch, is_idle).await? == Round::Again {
            return Ok(Round::Again);
        }
        if is_idle {
            let is_whole = self.stream.is_whole(tools.writer).await?;
            if !is_whole {
                return Err(RoundError::Broken("entries were altered, added or removed"));
            }
        }
        Ok(Round::Rest)
    }

    /// What the next heartbeat says.
    fn says(&self) -> Says {
        Says {
            time: self.time,
            labels: self.labels.statement(),
        }
    }

    /// Writes facts into a stream that nobody knows of yet.
    pub(super) async fn append_unseen<D: RelayDatabase, W: FeedWriter>(
        &mut self,
        tools: &mut Tools<'_, D, W>,
        entries: &[(u64, Revocation)],
    ) -> Result<(), RoundError> {
        let addition = Addition {
            entries: encoded(entries),
            ..Addition::default()
        };
        self.stream.prepare(tools.key, addition);
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
            self.labels_without_database(tools, self.time).await?;
            let addition = Addition {
                heartbeat: Some(self.says()),
                ..Addition::default()
            };
            self.stream.prepare(tools.key, addition);
            self.flush(tools).await?;
            tools
                .status
                .update(|figures| figures.heartbeats_without_database += 1);
        }
        Ok(Round::Rest)
    }

    /// Brings the write under way to an end.
    async fn flush<D: RelayDatabase, W: FeedWriter>(
        &mut self,
        tools: &mut Tools<'_, D, W>,
    ) -> Result<(), RoundError> {
        let Some(written) = self.stream.flush(tools.writer).await? else {
            return Ok(());
        };
        let now = tools.clock.boot();
        self.log_answered_at = now;
        if written.has_heartbeat {
            self.heartbeat_at = Some(now);
        }
        tools.status.update(|figures| {
            figures.seq = self.stream.seq();
            figures.entries += u64::try_from(written.entries).unwrap_or(0);
            if written.has_heartbeat {
                figures.heartbeats += 1;
                figures.heartbeat_at = Some(now);
            }
        });
        Ok(())
    }
}

fn encoded(entries: &[(u64, Revocation)]) -> Vec<(u64, Vec<u8>)> {
    let encode = |(seq, revocation): &(u64, Revocation)| (*seq, entry::encode(revocation));
    entries.iter().map(encode).collect()
}
