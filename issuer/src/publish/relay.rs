//! The relay to the feed that every verifier reads: waits for the lease, and writes while it has it.

use std::sync::Arc;
use std::time::Duration;

use shared::feed::key::FeedSigningKey;
use shared::feed::term::Term;
use shared::feed::writer::FeedWriter;
use shared::time::{BootTime, Clock};
use tokio_util::sync::CancellationToken;

use super::database::RelayDatabase;
use super::reign::{Reign, Round, RoundError, Tools};
use super::status::RelayStatus;

/// How often whoever waits looks whether the lease is free, and the holder whether something is unpublished.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The first wait after a failed round, doubled with each further one up to [`LOOK_EVERY`].
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// How the relay works.
#[derive(Clone, Copy, Debug)]
pub struct RelaySettings {
    /// How often verifiers hear that all is well.
    pub heartbeat: Duration,
    /// For how long they hear it while the database is away.
    pub without_database: Duration,
    /// The table of labels is written anew when the changes behind it have as many bytes as half of it, and at least this many.
    pub label_changes_bytes: u64,
}

/// Brings the outbox of a database to a log, as one of any number of issuers.
#[derive(Debug)]
pub struct Relay<D, W> {
    pub(super) database: D,
    pub(super) writer: W,
    pub(super) key: Arc<FeedSigningKey>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) status: Arc<RelayStatus>,
    settings: RelaySettings,
    jitter: u64,
    failures: u32,
    /// The term that we took last. If the lease still has it, it is ours, whatever has happened.
    pub(super) last_term: Option<Term>,
    /// The term that the lease had at the last look, and since which boot time we know of it.
    pub(super) reigns_since: Option<(Term, BootTime)>,
    /// What we found in the log cannot be gone on with.
    pub(super) must_begin_epoch: bool,
    pub(super) has_stopped_holder: bool,
}

impl<D: RelayDatabase, W: FeedWriter> Relay<D, W> {
    /// A relay that has begun nothing. `jitter_seed` spreads the retries of issuers that fail together.
    pub fn new(
        database: D,
        writer: W,
        key: Arc<FeedSigningKey>,
        status: Arc<RelayStatus>,
        clock: Arc<dyn Clock>,
        settings: RelaySettings,
        jitter_seed: u64,
    ) -> Self {
        Self {
            database,
            writer,
            key,
            clock,
            status,
            settings,
            jitter: jitter_seed | 1,
            failures: 0,
            last_term: None,
            reigns_since: None,
            must_begin_epoch: false,
            has_stopped_holder: false,
        }
    }

    pub(super) fn tools(&mut self) -> Tools<'_, D, W> {
        Tools {
            database: &self.database,
            writer: &mut self.writer,
            key: &self.key,
            clock: self.clock.as_ref(),
            status: &self.status,
            settings: self.settings,
        }
    }

    /// Runs until told to stop; then publishes what is committed and gives the lease back.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut reign = None;
        while !stop.is_cancelled() {
            let wait = match reign.take() {
                Some(holding) => self.reign_on(holding, &mut reign).await,
                None => self.stand_by(&mut reign).await,
            };
            self.status.update(|figures| figures.is_holder = reign.is_some());
            let Some(wait) = wait else { continue };
            // A failure is not waited out any sooner for what others commit.
            let is_ready = reign.is_some() && self.failures == 0;
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = self.status.woken(), if is_ready => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        if let Some(mut holding) = reign {
            let last = holding.round(&mut self.tools()).await;
            let released = self.database.release(holding.term()).await;
            if let (Err(error), _) = (last, released) {
                tracing::info!(%error, "what is unpublished is left to the next issuer");
            }
        }
    }

    /// A round, and how long to wait after it.
    async fn reign_on(&mut self, mut holding: Reign, reign: &mut Option<Reign>) -> Option<Duration> {
        match holding.round(&mut self.tools()).await {
            Ok(round) => {
                self.failures = 0;
                *reign = Some(holding);
                match round {
                    Round::Again => None,
                    Round::Rest => Some(self.settings.heartbeat.min(LOOK_EVERY)),
                }
            }
            Err(error) => {
                self.note(&error);
                match error {
                    // What is under way is tried again: the lease may still be ours when they are back.
                    RoundError::Log(_) | RoundError::Database(_) => *reign = Some(holding),
                    RoundError::Broken(_) => self.must_begin_epoch = true,
                    RoundError::Deposed | RoundError::SetBack => {}
                }
                Some(self.backed_off())
            }
        }
    }

    /// A look at the lease, and how long to wait after it.
    async fn stand_by(&mut self, reign: &mut Option<Reign>) -> Option<Duration> {
        match self.try_take().await {
            Ok(None) => {
                self.failures = 0;
                self.has_stopped_holder = false;
                Some(self.spread(LOOK_EVERY))
            }
            Ok(Some(begun)) => {
                self.failures = 0;
                self.has_stopped_holder = false;
                *reign = Some(begun);
                None
            }
            Err(error) => {
                self.note(&error);
                if matches!(error, RoundError::Broken(_)) {
                    self.must_begin_epoch = true;
                }
                Some(self.backed_off())
            }
        }
    }

    fn note(&mut self, error: &RoundError) {
        self.status.update(|figures| figures.failures += 1);
        // Once, and again while it lasts, but not at every try.
        if self.failures.is_multiple_of(30) {
            tracing::warn!(%error, "publishing revocations is interrupted");
        }
    }

    fn backed_off(&mut self) -> Duration {
        let wait = RETRY_AFTER
            .saturating_mul(2_u32.saturating_pow(self.failures))
            .min(LOOK_EVERY);
        self.failures = self.failures.saturating_add(1);
        self.spread(wait)
    }

    /// From three quarters to five quarters of a time.
    fn spread(&mut self, wait: Duration) -> Duration {
        self.jitter ^= self.jitter << 13;
        self.jitter ^= self.jitter >> 7;
        self.jitter ^= self.jitter << 17;
        let share = u32::try_from(self.jitter % 512).unwrap_or(0);
        wait * 3 / 4 + wait / 1024 * share
    }
}
