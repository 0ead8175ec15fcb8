//! What a reader knows about labels: whether its listener has been told everything, and what is still to be told.

use super::{Interruption, Reader};
use crate::feed::heartbeat::{Statement, TableRef};
use crate::feed::log::FeedLog;
use crate::feed::table::TableDigest;
use crate::feed::term::Epoch;
use crate::feed::{FeedEvent, Gap, LabelUpdate};
use crate::label::LabelChange;
use crate::label::wire;
use crate::limits;
use crate::time::UnixMillis;

/// Changes of labels on their way from the log to the listener.
///
/// Unlike a revocation, a change is told only when a heartbeat proves it: one that somebody forged could open a film.
#[derive(Debug, Default)]
pub(super) struct Labels {
    /// Every change up to this entry has been told or is kept in `proved`, but for what the table has.
    complete_to: Option<(Epoch, u64)>,
    /// Whether the listener has everything but `proved`.
    has_table: bool,
    loading: Option<Loading>,
    proved: Vec<LabelChange>,
    unproved: Vec<LabelChange>,
}

/// A table of which some chunks have been told.
#[derive(Debug)]
struct Loading {
    table: TableRef,
    digest: TableDigest,
}

impl Labels {
    /// The listener has been told everything up to this entry before.
    pub(super) fn resumed(at: Option<(Epoch, u64)>) -> Self {
        Self {
            complete_to: at,
            has_table: at.is_some(),
            ..Self::default()
        }
    }

    /// The entries from this place of an epoch on are read now. Unless they go on where the ones before ended, a table is needed.
    pub(super) fn read_from(&mut self, epoch: Epoch, floor: u64) {
        self.unproved.clear();
        let goes_on = self
            .complete_to
            .is_some_and(|(known, seq)| known == epoch && seq >= floor);
        if !goes_on {
            *self = Self::default();
        }
    }

    /// Keeps what an entry says until it is proved.
    pub(super) fn keep(&mut self, seq: u64, changes: Vec<LabelChange>) -> Result<(), Gap> {
        if self.complete_to.is_none_or(|(_, known)| seq > known) {
            self.unproved.extend(changes);
        }
        if self.unproved.len() + self.proved.len() > limits::LABEL_CHANGES_HELD_MAX {
            return Err(Gap::Foreign);
        }
        Ok(())
    }

    /// A heartbeat proves what was read up to it.
    fn prove(&mut self, statement: &Statement) {
        self.proved.append(&mut self.unproved);
        self.complete_to = Some((statement.epoch, statement.last.seq));
    }

    /// The table to begin with, if one is needed and there is one.
    fn begin(&mut self, statement: &Statement) -> bool {
        let needed = statement
            .labels
            .filter(|_| !self.has_table && self.loading.is_none());
        if let Some(labels) = needed {
            self.loading = Some(Loading {
                table: labels.table,
                digest: TableDigest::default(),
            });
        }
        needed.is_some()
    }

    /// Whether there is more of a table to be read.
    pub(super) fn is_loading(&self) -> bool {
        self.loading.is_some()
    }
}

impl<L: FeedLog> Reader<L> {
    /// Tells what a heartbeat proves. The time up to which everything about labels is told then.
    pub(super) async fn tell_labels(
        &mut self,
        statement: &Statement,
    ) -> Result<Option<UnixMillis>, Interruption> {
        self.labels.prove(statement);
        if self.labels.begin(statement) {
            self.tell(FeedEvent::Labels(LabelUpdate::TableBegins)).await?;
        }
        if !self.labels.has_table {
            return Ok(None);
        }
        self.tell_proved().await?;
        Ok(statement.labels.map(|labels| labels.time))
    }

    async fn tell_proved(&mut self) -> Result<(), Interruption> {
        let changes = std::mem::take(&mut self.labels.proved);
        if changes.is_empty() {
            return Ok(());
        }
        self.tell(FeedEvent::Labels(LabelUpdate::Changes(changes))).await
    }

    /// Reads a chunk of the table that is being loaded. A table that is not whole is given up: the next heartbeat names one.
    pub(super) async fn load_chunk(&mut self) -> Result<(), Interruption> {
        let Some(mut loading) = self.labels.loading.take() else {
            return Ok(());
        };
        let (table, index) = (loading.table, loading.digest.chunks());
        if index < table.chunks {
            let answer = self.log.chunk(table.id, index).await;
            let Some((chunk, changes)) = answer.as_ref().ok().and_then(Option::as_deref).and_then(read)
            else {
                let chunk = answer.inspect_err(|_| self.labels.loading = Some(loading))?;
                give_up(if chunk.is_some() {
                    "a part of it cannot be read"
                } else {
                    "a part of it is missing"
                });
                return Ok(());
            };
            loading.digest.update(chunk);
            self.labels.loading = Some(loading);
            return self
                .tell(FeedEvent::Labels(LabelUpdate::TablePart(changes)))
                .await;
        }
        if loading.digest.finish() != table.digest {
            give_up("it is not the one that the heartbeat speaks of");
            return Ok(());
        }
        self.labels.has_table = true;
        self.tell(FeedEvent::Labels(LabelUpdate::TableEnds)).await?;
        self.tell_proved().await
    }
}

fn give_up(why: &str) {
    tracing::warn!(why, "the table of labels cannot be loaded; trying again");
}

fn read(chunk: &[u8]) -> Option<(&[u8], Vec<LabelChange>)> {
    if chunk.len() > limits::LABEL_CHUNK_BYTES_MAX {
        return None;
    }
    let changes: Result<Vec<LabelChange>, _> = wire::read_chunk(chunk).collect();
    changes.ok().map(|changes| (chunk, changes))
}
