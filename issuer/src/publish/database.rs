//! What the relay asks of the database: the real one, or the model of it that the simulation has.

use std::sync::Arc;
use std::time::Duration;

use shared::cli::describe;
use shared::feed::term::Term;
use shared::id::FilmId;
use shared::limits;
use shared::revocation::Revocation;
use tokio_util::sync::CancellationToken;

use super::RelayStatus;
use crate::store::feed::{self, Batch, LabelPage, LabelsTaken, LeaseView};
use crate::store::{KeptConnection, OutboxListener, Store, StoreError};

/// No answer of the database is waited for longer: past it the lease has lapsed, and others are at work.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Bringing back what a database has lost is unhurried.
const RESTORE_TIMEOUT: Duration = Duration::from_mins(5);

/// The database does not answer. Whether it did what it was asked is unknown.
#[derive(Debug, thiserror::Error)]
#[error("the database is away: {0}")]
pub struct DatabaseAway(pub String);

/// The next batch, and what is said with the question.
#[derive(Clone, Copy, Debug)]
pub struct BatchRequest {
    /// Whose lease it must be.
    pub term: Term,
    /// The last entry that is in the stream.
    pub published: u64,
    /// Facts that never expire and have a number up to this get a new one.
    pub republish_below: Option<u64>,
    /// For how long the lease is renewed, and with which word on what is published.
    pub renewal: Option<(Duration, u64)>,
}

/// The outbox and the lease. Every call ends within a bounded time.
pub trait RelayDatabase: Send + Sync + 'static {
    /// See [`feed::look`].
    fn look(&self) -> impl Future<Output = Result<LeaseView, DatabaseAway>> + Send;

    /// See [`feed::acquire`].
    fn acquire(
        &self,
        seen: LeaseView,
        lapsed_only: bool,
        term: Term,
        duration: Duration,
    ) -> impl Future<Output = Result<bool, DatabaseAway>> + Send;

    /// See [`feed::renew`].
    fn renew(
        &self,
        term: Term,
        duration: Duration,
        published: u64,
    ) -> impl Future<Output = Result<bool, DatabaseAway>> + Send;

    /// See [`feed::release`].
    fn release(&self, term: Term) -> impl Future<Output = Result<(), DatabaseAway>> + Send;

    /// See [`feed::take_batch`]; what it gives is committed.
    fn take_batch(
        &self,
        request: BatchRequest,
    ) -> impl Future<Output = Result<Option<Batch>, DatabaseAway>> + Send;

    /// See [`feed::take_labels`]; what it gives is committed.
    fn take_labels(
        &self,
        term: Term,
        published: u64,
        told: u64,
    ) -> impl Future<Output = Result<LabelsTaken, DatabaseAway>> + Send;

    /// See [`feed::label_page`].
    fn label_page(
        &self,
        after: Option<FilmId>,
    ) -> impl Future<Output = Result<LabelPage, DatabaseAway>> + Send;

    /// See [`feed::live_after`].
    fn live_after(
        &self,
        after: u64,
    ) -> impl Future<Output = Result<Vec<(u64, Revocation)>, DatabaseAway>> + Send;

    /// See [`feed::restore`].
    fn restore(
        &self,
        term: Term,
        facts: Vec<Revocation>,
        at_least_seq: u64,
    ) -> impl Future<Output = Result<bool, DatabaseAway>> + Send;
}

/// The real one.
#[derive(Debug)]
pub struct StoreDatabase {
    store: Store,
    /// For what has to go on however many requests wait for a connection: batches, since between a logout's answer and its
    /// refusal at the edge every round trip counts, and a new epoch, without which nobody is admitted anywhere.
    kept: KeptConnection,
}

impl StoreDatabase {
    /// The outbox and the lease of this database.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            kept: KeptConnection::default(),
        }
    }
}

async fn within<T>(
    timeout: Duration,
    answer: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, DatabaseAway> {
    match tokio::time::timeout(timeout, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(DatabaseAway(describe(&error))),
        Err(_) => Err(DatabaseAway(format!("no answer within {timeout:?}"))),
    }
}

impl RelayDatabase for StoreDatabase {
    async fn look(&self) -> Result<LeaseView, DatabaseAway> {
        within(ANSWER_TIMEOUT, async {
            feed::look(&mut self.store.read().await?).await
        })
        .await
    }

    async fn acquire(
        &self,
        seen: LeaseView,
        lapsed_only: bool,
        term: Term,
        duration: Duration,
    ) -> Result<bool, DatabaseAway> {
        within(ANSWER_TIMEOUT, async {
            let mut work = self.store.write().await?;
            let is_ours = feed::acquire(&mut work, &seen, lapsed_only, term, duration).await?;
            work.commit().await?;
            Ok(is_ours)
        })
        .await
    }

    async fn renew(&self, term: Term, duration: Duration, published: u64) -> Result<bool, DatabaseAway> {
        within(ANSWER_TIMEOUT, async {
            let mut work = self.store.write_at_once(&self.kept).await?;
            let is_ours = feed::renew(&mut work, term, duration, published).await?;
            work.commit_keeping(&self.kept).await?;
            Ok(is_ours)
        })
        .await
    }

    async fn release(&self, term: Term) -> Result<(), DatabaseAway> {
        within(ANSWER_TIMEOUT, async {
            let mut work = self.store.write().await?;
            feed::release(&mut work, term).await?;
            work.commit().await
        })
        .await
    }

    async fn take_batch(&self, request: BatchRequest) -> Result<Option<Batch>, DatabaseAway> {
        within(ANSWER_TIMEOUT, async {
            let mut work = self.store.write_at_once(&self.kept).await?;
            let batch = feed::take_batch(
                &mut work,
                request.term,
                request.published,
                limits::FEED_BATCH,
                request.republish_below,
                request.renewal,
            )
            .await?;
            work.commit_keeping(&self.kept).await?;
            Ok(batch)
        })
        .await
    }

    async fn take_labels(&self, term: Term, published: u64, told: u64) -> Result<LabelsTaken, DatabaseAway> {
        within(ANSWER_TIMEOUT, async {
            let mut work = self.store.write().await?;
            let taken = feed::take_labels(&mut work, term, published, told, limits::LABEL_BATCH).await?;
            work.commit().await?;
            Ok(taken)
        })
        .await
    }

    async fn label_page(&self, after: Option<FilmId>) -> Result<LabelPage, DatabaseAway> {
        within(ANSWER_TIMEOUT, async {
            feed::label_page(&mut self.store.read().await?, after, limits::LABEL_BATCH).await
        })
        .await
    }

    async fn live_after(&self, after: u64) -> Result<Vec<(u64, Revocation)>, DatabaseAway> {
        within(ANSWER_TIMEOUT, async {
            let mut work = self.store.write_at_once(&self.kept).await?;
            let facts = feed::live_after(&mut work, after, limits::EPOCH_PAGE).await?;
            work.commit_keeping(&self.kept).await?;
            Ok(facts)
        })
        .await
    }

    async fn restore(
        &self,
        term: Term,
        facts: Vec<Revocation>,
        at_least_seq: u64,
    ) -> Result<bool, DatabaseAway> {
        within(RESTORE_TIMEOUT, async {
            let mut work = self.store.write().await?;
            let is_ours = feed::restore(&mut work, term, &facts, at_least_seq).await?;
            work.commit().await?;
            Ok(is_ours)
        })
        .await
    }
}

/// Wakes the relay whenever another issuer, or a command, has committed something that revokes, until told to stop.
pub async fn wake_at_commits(
    mut listener: OutboxListener,
    status: Arc<RelayStatus>,
    stop: CancellationToken,
) {
    /// The relay looks by itself as often as this; nothing is lost meanwhile.
    const RETRY_AFTER: Duration = Duration::from_secs(1);
    let listening = async {
        loop {
            match listener.recv().await {
                Ok(()) => status.wake(),
                Err(error) => {
                    tracing::debug!(
                        error = &error as &dyn std::error::Error,
                        "commits are not heard of; they are looked for every second"
                    );
                    tokio::time::sleep(RETRY_AFTER).await;
                }
            }
        }
    };
    stop.run_until_cancelled(listening).await;
}
