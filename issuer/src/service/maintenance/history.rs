//! The login history: partitions for the months to come, and what is older than it is kept.

use shared::limits;
use shared::time::UnixMillis;

use crate::service::{Service, ServiceError};
use crate::store::login_history::{
    self,
    months::{self, Made},
};

impl Service {
    /// Makes the partitions that will be needed.
    ///
    /// # Errors
    ///
    /// That the database is away.
    pub(super) async fn make_months(&self, now: UnixMillis) -> Result<(), ServiceError> {
        for begin in months::from(now, limits::HISTORY_MONTHS_AHEAD) {
            let mut work = self.store.write().await?;
            let made = months::make(&mut work, begin).await?;
            work.commit().await?;
            match made {
                Made::There => {}
                Made::Now => {
                    tracing::info!(month = %begin, "the login history has a partition for another month");
                }
                Made::Left => tracing::warn!(
                    month = %begin,
                    "the default partition of the login history is too full for another month to have its own"
                ),
                Made::Busy => {
                    tracing::debug!(month = %begin, "the login history is busy: its partition is made later");
                    // Logins waited behind this one; they are not to wait for the next too.
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Forgets attempts before `before`: partitions whole, the rest a part at a time.
    ///
    /// # Errors
    ///
    /// That the database is away.
    pub(super) async fn forget_attempts(&self, before: UnixMillis) -> Result<(), ServiceError> {
        loop {
            let mut work = self.store.write().await?;
            let dropped = months::drop_oldest(&mut work, before).await?;
            work.commit().await?;
            match dropped {
                Some(partition) => tracing::info!(partition, "dropped a month of the login history"),
                None => break,
            }
        }
        let mut forgotten = 0;
        for _ in 0..limits::HISTORY_DELETIONS_MAX {
            let mut work = self.store.write().await?;
            let attempts =
                login_history::delete_before(&mut work, before, limits::HISTORY_DELETED_AT_ONCE).await?;
            work.commit().await?;
            forgotten += attempts;
            if attempts < u64::from(limits::HISTORY_DELETED_AT_ONCE) {
                break;
            }
        }
        if forgotten > 0 {
            tracing::debug!(attempts = forgotten, "forgot what is over");
        }
        Ok(())
    }
}
