//! The snapshot at the start, and while the verifier runs.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use shared::feed::Heartbeat;
use shared::feed::heartbeat::Statement;
use shared::feed::key::FeedKeys;
use shared::feed::term::Epoch;
use shared::label::LabelTable;
use shared::time::{BootTime, Clock};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::keys::feed::FeedKeyReplica;
use crate::pipeline::Pipeline;
use crate::settings::Settings;
use crate::snapshot::{ReadSnapshot, Snapshot, SnapshotError};

/// The least time between two snapshots.
const WRITE_EVERY: Duration = Duration::from_secs(5);

/// Writing takes at most one part in so many of the time.
const WRITE_SHARE: u32 = 20;

/// What the reader of the feed goes on with.
#[derive(Default)]
pub(super) struct Restored {
    pub(super) feed_keys: FeedKeys,
    pub(super) newest_seen: Option<(u64, u64)>,
    pub(super) labels_at: Option<(Epoch, u64)>,
}

/// Puts the snapshot into force, if there is one that can be used.
pub(super) async fn restore(settings: &Settings, pipeline: &Arc<Pipeline>) -> Restored {
    let Some(path) = settings.snapshot.clone() else {
        return Restored::default();
    };
    let (issuer, pipeline, shown) = (settings.issuer.clone(), Arc::clone(pipeline), path.clone());
    let restoring = tokio::task::spawn_blocking(move || {
        let read = Snapshot::read(&path, &issuer)?;
        Ok(put_into_force(read, &pipeline))
    });
    let error: Box<dyn std::error::Error + Send + Sync> = match restoring.await {
        Ok(Ok(restored)) => return restored,
        Ok(Err(SnapshotError::Io(error))) if error.kind() == io::ErrorKind::NotFound => {
            tracing::info!(path = %shown.display(), "there is no snapshot yet");
            return Restored::default();
        }
        Ok(Err(error)) => error.into(),
        Err(error) => error.into(),
    };
    tracing::warn!(
        path = %shown.display(),
        error = error.as_ref() as &dyn std::error::Error,
        "the snapshot cannot be used; starting as without"
    );
    Restored::default()
}

fn put_into_force(read: ReadSnapshot, pipeline: &Pipeline) -> Restored {
    let ReadSnapshot {
        snapshot,
        statement,
        revocations,
        labels,
    } = read;
    if let Err(error) = pipeline.keys.take(snapshot.jwks.clone()) {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the snapshot has no usable keys"
        );
    }
    let has_labels = labels.is_some();
    let heartbeat = heartbeat(&snapshot, &statement, has_labels, pipeline.clock.as_ref());
    let films = labels.as_ref().map(LabelTable::films);
    if let Some(labels) = labels {
        pipeline.revocations.labels().restore(labels);
    }
    pipeline
        .revocations
        .restore(&revocations, &heartbeat, pipeline.clock.as_ref());
    tracing::info!(
        revocations = revocations.len(),
        films,
        time = %statement.time,
        "the snapshot is in force"
    );
    Restored {
        feed_keys: snapshot.feed_keys,
        newest_seen: Some(statement.order()),
        labels_at: heartbeat.labels.map(|_| (statement.epoch, statement.last.seq)),
    }
}

/// The snapshot's heartbeat, as if it had been read when it was written: its age goes on by both clocks.
fn heartbeat(snapshot: &Snapshot, statement: &Statement, has_labels: bool, clock: &dyn Clock) -> Heartbeat {
    let age = clock.now().since(statement.time);
    Heartbeat {
        epoch: statement.epoch.number,
        term: statement.term.number,
        counter: statement.counter,
        seq: statement.last.seq,
        time: statement.time,
        labels: statement.labels.filter(|_| has_labels).map(|labels| labels.time),
        read_at: Some(BootTime(clock.boot().0.saturating_sub(age))),
        signed: Some(snapshot.heartbeat.as_slice().into()),
    }
}

/// Writes the snapshot anew at heartbeats.
pub(super) struct SnapshotKeeper {
    path: PathBuf,
    issuer: String,
    feed_keys: Arc<FeedKeyReplica>,
}

impl SnapshotKeeper {
    /// `None` if the settings name no file.
    pub(super) fn of(settings: &Settings, feed_keys: &Arc<FeedKeyReplica>) -> Option<Self> {
        let path = settings.snapshot.clone()?;
        Some(Self {
            path,
            issuer: settings.issuer.clone(),
            feed_keys: Arc::clone(feed_keys),
        })
    }

    /// Writes, not too often, until `stop`.
    pub(super) async fn keep(self, pipeline: Arc<Pipeline>, stop: CancellationToken) {
        let keeper = Arc::new(self);
        let mut heartbeats = pipeline.revocations.heartbeats();
        let mut due = Instant::now();
        loop {
            let heard = async {
                tokio::time::sleep_until(due).await;
                heartbeats.changed().await
            };
            tokio::select! {
                () = stop.cancelled() => return,
                Ok(()) = heard => {}
                else => return,
            }
            let began = Instant::now();
            let (keeper, pipeline) = (Arc::clone(&keeper), Arc::clone(&pipeline));
            let written = tokio::task::spawn_blocking(move || keeper.write(&pipeline)).await;
            due = began + began.elapsed().saturating_mul(WRITE_SHARE).max(WRITE_EVERY);
            let error: Box<dyn std::error::Error + Send + Sync> = match written {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => error.into(),
                Err(error) => error.into(),
            };
            tracing::warn!(
                error = error.as_ref() as &dyn std::error::Error,
                "the snapshot was not written"
            );
        }
    }

    fn write(&self, pipeline: &Pipeline) -> Result<(), SnapshotError> {
        // The heartbeat before the facts and the labels: those behind it do no harm, one before it that is missing would.
        let Some(heard) = pipeline.revocations.proved() else {
            return Ok(());
        };
        let Some(heartbeat) = heard.signed else {
            return Ok(());
        };
        let jwks = pipeline.keys.jwks();
        if jwks.is_empty() {
            return Ok(());
        }
        let feed_keys = self.feed_keys.current();
        // Its key may have been withdrawn since; then there will be another heartbeat soon.
        Statement::verify(&heartbeat, &feed_keys)?;
        let snapshot = Snapshot {
            issuer: self.issuer.clone(),
            jwks,
            feed_keys,
            heartbeat: heartbeat.to_vec(),
        };
        // The signed heartbeat speaks of labels that may not have come here yet.
        let labels = heard.labels.map(|_| pipeline.revocations.labels().table());
        snapshot.write(&self.path, labels.as_deref(), |take| {
            pipeline.revocations.set().for_each(take);
        })
    }
}

#[cfg(test)]
mod tests;
