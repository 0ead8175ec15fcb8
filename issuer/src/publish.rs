//! The outbox relay: brings committed revocations to the feed, and says when they are in force.

use std::time::Duration;

use shared::feed::FeedEnded;
use shared::feed::channel::ChannelPublisher;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::store::{Store, StoreError, outbox};

/// Requests that may wait for the relay at once. Past it they queue at the channel's door.
const WAITING_MAX: usize = 1024;

/// A request waits this long for its revocation to be in force before it is told to try again.
const IN_FORCE_TIMEOUT: Duration = Duration::from_secs(5);

/// The feed could not be told in time. The revocation is committed, and will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the revocation is committed but not yet in force")]
pub struct NotInForce;

/// The way to the relay.
#[derive(Clone, Debug)]
pub enum Publisher {
    /// There is no feed: revocations are kept in the outbox, and no verifier hears of them.
    Disabled,
    /// The relay to a reader in this process.
    InProcess(mpsc::Sender<oneshot::Sender<()>>),
}

impl Publisher {
    /// Returns when every revocation committed before the call is in force at the reader.
    ///
    /// # Errors
    ///
    /// [`NotInForce`] if that takes too long.
    pub async fn in_force(&self) -> Result<(), NotInForce> {
        let Self::InProcess(relay) = self else {
            return Ok(());
        };
        let (done, answered) = oneshot::channel();
        let asked = async {
            relay.send(done).await.map_err(|_| NotInForce)?;
            answered.await.map_err(|_| NotInForce)
        };
        tokio::time::timeout(IN_FORCE_TIMEOUT, asked)
            .await
            .map_err(|_| NotInForce)?
    }
}

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
