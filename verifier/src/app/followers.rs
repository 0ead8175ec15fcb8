//! What runs beside the listeners.

use std::sync::Arc;
use std::time::Duration;

use shared::feed::RevocationFeed;
use shared::serve::{RELOAD_EVERY, Tls};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::snapshot::SnapshotKeeper;
use crate::keys::KeySource;
use crate::keys::feed::FeedKeyReplica;
use crate::pipeline::Pipeline;

/// How often tokens that have expired are dropped from the cache.
const SWEEP_CACHE_EVERY: Duration = Duration::from_mins(1);

/// Whatever follows a source until it is told to end.
#[derive(Debug, Default)]
pub(super) struct Followers {
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// What is followed.
pub(super) struct Followed {
    pub(super) key_source: Box<dyn KeySource>,
    pub(super) feed: Option<Box<dyn RevocationFeed>>,
    pub(super) feed_keys: Option<Arc<FeedKeyReplica>>,
    pub(super) snapshot: Option<SnapshotKeeper>,
    pub(super) tls: Option<Arc<Tls>>,
}

impl Followers {
    /// Starts them.
    pub(super) fn follow(&self, pipeline: &Arc<Pipeline>, followed: Followed) {
        let stop = || self.stop.clone();
        self.tasks
            .spawn(Arc::clone(&pipeline.keys).follow(followed.key_source, stop()));
        self.tasks.spawn(Arc::clone(&pipeline.policy).follow(stop()));
        if let Some(shadow) = &pipeline.shadow {
            self.tasks.spawn(Arc::clone(&shadow.rules).follow(stop()));
        }
        if let Some(keys) = followed.feed_keys {
            self.tasks.spawn(keys.follow(stop()));
        }
        if let Some(snapshot) = followed.snapshot {
            self.tasks.spawn(snapshot.keep(Arc::clone(pipeline), stop()));
        }
        if let Some(feed) = followed.feed {
            let clock = Arc::clone(&pipeline.clock);
            self.tasks
                .spawn(Arc::clone(&pipeline.revocations).follow(feed, clock, stop()));
        }
        if let Some(tls) = followed.tls {
            self.tasks.spawn(tls.watch(RELOAD_EVERY, stop()));
        }
        self.tasks
            .spawn(replace_revoked_keys(Arc::clone(pipeline), stop()));
        self.tasks.spawn(sweep_cache(Arc::clone(pipeline), stop()));
    }

    /// Stops them, and returns when they have ended.
    pub(super) async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Fetches the keys as soon as one of them is revoked: another one signs from then on, and its tokens are on their way.
async fn replace_revoked_keys(pipeline: Arc<Pipeline>, stop: CancellationToken) {
    let mut revoked = pipeline.revocations.keys_revoked();
    while let Some(Ok(())) = stop.run_until_cancelled(revoked.changed()).await {
        pipeline.keys.refetch();
    }
}

/// Drops from the cache what a withdrawn key proved, as soon as it is withdrawn, and what has expired. (Neither would
/// be believed anyway: this gives the memory back.)
async fn sweep_cache(pipeline: Arc<Pipeline>, stop: CancellationToken) {
    let mut generations = pipeline.keys.generations();
    let mut every = tokio::time::interval(SWEEP_CACHE_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Ok(()) = generations.changed() => {}
            _ = every.tick() => {}
        }
        let pipeline = Arc::clone(&pipeline);
        let swept = tokio::task::spawn_blocking(move || pipeline.sweep_cache()).await;
        if let Err(error) = swept {
            tracing::error!(%error, "the cache was not swept");
        }
    }
}
