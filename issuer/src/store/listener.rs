//! Hears of new rows in the outbox as soon as they are committed.

use std::fmt;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};

use super::{ACQUIRE_TIMEOUT, StoreError};

/// What `outbox::record` notifies.
const CHANNEL: &str = "usher_outbox";

/// Wakes whoever publishes the outbox. A hint: what is there is always asked of the database.
pub struct OutboxListener {
    options: PgConnectOptions,
    listener: Option<PgListener>,
}

impl OutboxListener {
    pub(super) fn new(options: PgConnectOptions) -> Self {
        Self {
            options,
            listener: None,
        }
    }

    /// Returns when there may be something new: when rows were committed, and whenever it has connected, the first
    /// time or again, since what was committed before was not heard of. Several commits may be one return.
    ///
    /// Safe to drop before it is ready.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the database cannot be reached. The next call tries again, at once: the caller paces itself.
    pub async fn recv(&mut self) -> Result<(), StoreError> {
        if let Some(listener) = &mut self.listener {
            if let Ok(Some(_)) = listener.try_recv().await {
                while listener.next_buffered().is_some() {}
                return Ok(());
            }
            // Remembered before anything is awaited: whoever drops this future is still told, the next time.
            self.listener = None;
        }
        // Its own, and of one: a connection that listens is lost to everybody else, and a pool that closes a
        // connection for its age would close the ears with it.
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_lazy_with(self.options.clone());
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        self.listener = Some(listener);
        Ok(())
    }
}

impl fmt::Debug for OutboxListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboxListener")
            .field("connected", &self.listener.is_some())
            .finish_non_exhaustive()
    }
}
