//! What is done by the clock: saying which lifetime is in use, and forgetting what is over.

mod history;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Service, ServiceError};
use crate::store::{outbox, session};

/// How often.
const EVERY: Duration = Duration::from_mins(1);

/// Ended sessions are kept a while longer, so that a late refresh token is told from an unknown one in the logs.
const SESSIONS_KEPT: Duration = Duration::from_hours(24);

impl Service {
    /// Says in the database that tokens are signed with our lifetime. Before the first is signed, and again while
    /// they are.
    ///
    /// # Errors
    ///
    /// That the database is away.
    pub async fn record_lifetime(&self) -> Result<(), ServiceError> {
        let lifetime_s = i64::try_from(self.policy.access_ttl.as_secs()).unwrap_or(i64::MAX);
        let mut work = self.store.write().await?;
        outbox::record_lifetime(&mut work, lifetime_s).await?;
        Ok(work.commit().await?)
    }

    /// Runs the rounds until told to stop.
    pub async fn maintain(&self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.maintenance_round().await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "maintenance was put off"
                );
            }
        }
    }

    /// One round.
    ///
    /// # Errors
    ///
    /// That the database is away.
    pub async fn maintenance_round(&self) -> Result<(), ServiceError> {
        self.record_lifetime().await?;
        let mut work = self.store.write().await?;
        let now = work.now().await?;
        let revocations = outbox::delete_expired(&mut work).await?;
        let sessions = session::delete_expired(&mut work, now.minus(SESSIONS_KEPT)).await?;
        work.commit().await?;
        if revocations + sessions > 0 {
            tracing::debug!(revocations, sessions, "forgot what is over");
        }
        self.make_months(now).await?;
        match self.policy.history_retention {
            Some(retention) => self.forget_attempts(now.minus(retention)).await,
            None => Ok(()),
        }
    }
}
