//! The relay to a reader in this process.

use std::time::Duration;

use shared::feed::channel::ChannelPublisher;
use shared::feed::{FeedEnded, LabelUpdate};
use shared::limits;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::Publisher;
use crate::store::{Store, StoreError, feed, outbox};

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
    /// Number of the last change of labels that the reader has been told; `None`: it has no table yet.
    labels_told: Option<u64>,
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
            labels_told: None,
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
            let has_told_labels = self.tell_labels().await?;
            if entries.is_empty() && !has_told_labels {
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

    /// Tells what has changed about labels, or everything. Whether there was anything.
    async fn tell_labels(&mut self) -> Result<bool, RelayError> {
        let Some(told) = self.labels_told else {
            self.labels_told = Some(self.tell_table().await?);
            return Ok(true);
        };
        let mut work = self.store.read().await?;
        let changed = feed::label_changes(&mut work, told, limits::LABEL_BATCH).await?;
        drop(work);
        self.labels_told = Some(changed.change);
        if changed.changes.is_empty() {
            return Ok(false);
        }
        self.feed
            .publish_labels(LabelUpdate::Changes(changed.changes))
            .await?;
        Ok(true)
    }

    /// Tells everything. Number of the last change that is sure to be in it.
    async fn tell_table(&mut self) -> Result<u64, RelayError> {
        self.feed.publish_labels(LabelUpdate::TableBegins).await?;
        let (mut told, mut after) = (None, None);
        loop {
            let mut work = self.store.read().await?;
            let page = feed::label_page(&mut work, after, limits::LABEL_BATCH).await?;
            drop(work);
            let told = *told.get_or_insert(page.change);
            self.feed
                .publish_labels(LabelUpdate::TablePart(page.changes))
                .await?;
            after = page.last;
            if after.is_none() {
                self.feed.publish_labels(LabelUpdate::TableEnds).await?;
                return Ok(told);
            }
        }
    }
}
