//! The relay to a reader in this process.

use std::time::Duration;

use shared::feed::FeedEnded;
use shared::feed::channel::ChannelPublisher;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::Publisher;
use crate::store::{Store, StoreError, outbox};

/// Requests that may wait for the relay at once. Past it they queue at the channel's door.
const WAITING_MAX: usize = 1024;

/// Why a round of the relay failed.
#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Feed(#[from] FeedEnded),
}

/// Brings the outbox to a reader in this process, in the order of its numbers.
///
/// For SQLite alone: with one writer, a higher number is a later commit, so that none can come in behind.
#[derive(Debug)]
pub struct InProcessRelay {
    store: Store,
    feed: ChannelPublisher,
    requests: mpsc::Receiver<oneshot::Sender<()>>,
    heartbeat: Duration,
    published: i64,
}

impl InProcessRelay {
    /// A relay that writes a heartbeat at least this often, and the way to it.
    pub fn new(store: Store, feed: ChannelPublisher, heartbeat: Duration) -> (Self, Publisher) {
        let (sender, requests) = mpsc::channel(WAITING_MAX);
        let relay = Self {
            store,
            feed,
            requests,
            heartbeat,
            published: 0,
        };
        (relay, Publisher::InProcess(sender))
    }

    /// Runs until told to stop or the reader is gone. The first round brings every live revocation.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(self.heartbeat);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut waiting = Vec::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
                received = self.requests.recv_many(&mut waiting, WAITING_MAX) => {
                    if received == 0 {
                        return;
                    }
                }
            }
            // A reader that hangs must not keep us from stopping.
            let Some(outcome) = stop.run_until_cancelled(self.round()).await else {
                return;
            };
            match outcome {
                // Whoever waits no longer has gone away; that is its right.
                Ok(()) => waiting.drain(..).for_each(|done| _ = done.send(())),
                Err(RelayError::Feed(ended)) => {
                    tracing::error!(error = %ended, "the relay stops");
                    return;
                }
                // Who waits goes on waiting: the next tick tries again.
                Err(RelayError::Store(error)) => {
                    waiting.retain(|done: &oneshot::Sender<()>| !done.is_closed());
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the outbox cannot be read"
                    );
                }
            }
        }
    }

    /// Publishes all that is committed, waits until it is applied, and says so.
    async fn round(&mut self) -> Result<(), RelayError> {
        loop {
            let mut work = self.store.read().await?;
            // Read before the query: everything committed before this time is in its answer.
            let time = work.now().await?;
            let entries = outbox::live_after(&mut work, self.published).await?;
            drop(work);
            if entries.is_empty() {
                self.feed.applied().await?;
                self.feed.heartbeat(time).await?;
                return Ok(());
            }
            for entry in entries {
                self.feed.publish(entry.revocation).await?;
                self.published = entry.id;
            }
        }
    }
}
