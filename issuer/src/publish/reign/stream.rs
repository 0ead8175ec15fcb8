//! The stream as its holder knows it: where it ends, what is under way to it, and where it may be trimmed.

use std::collections::VecDeque;
use std::time::Duration;

use shared::feed::chain::Chain;
use shared::feed::heartbeat::{LabelsStatement, Statement};
use shared::feed::key::FeedSigningKey;
use shared::feed::log::{LogBody, LogError, LogItem};
use shared::feed::table::TableId;
use shared::feed::term::{Epoch, ItemId, Term};
use shared::feed::writer::{Append, Appended, FeedWriter, PointerRule};
use shared::time::{BootTime, UnixMillis};

use super::RoundError;
use super::audit::Audit;

/// How often the stream is trimmed, if there is anything to trim.
const TRIM_EVERY: Duration = Duration::from_secs(10);

/// Heartbeats that are remembered as places to trim to: more than an hour of them, and half of them when it is more.
const CHECKPOINTS_MAX: usize = 4096;

/// How far a stream has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// No reader knows of it: it is still without a heartbeat.
    Unseen {
        /// The epoch that it will take the place of.
        instead_of: Option<Epoch>,
    },
    InForce,
}

/// A write whose outcome is not known yet, and what is so when it is done.
#[derive(Clone, Debug)]
struct Write {
    append: Append,
    chain: Chain,
    floor: Chain,
    counter: u64,
    has_heartbeat: bool,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) entries: usize,
    pub(super) has_heartbeat: bool,
}

/// Where a stream is trimmed to: the heartbeat that it begins with then, and what that speaks of.
pub(super) type Cut = (ItemId, Chain);

/// What a heartbeat says beside how far the stream has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Says {
    pub(super) time: UnixMillis,
    pub(super) labels: Option<LabelsStatement>,
}

/// What is to be written.
#[derive(Clone, Debug, Default)]
pub(super) struct Addition {
    /// Entries, with their numbers.
    pub(super) entries: Vec<(u64, Vec<u8>)>,
    /// A heartbeat behind them.
    pub(super) heartbeat: Option<Says>,
    pub(super) trim: Option<Cut>,
    /// A table that is not needed any more when this is written.
    pub(super) replaced_table: Option<TableId>,
}

/// A stream that we write.
#[derive(Debug)]
pub(super) struct Stream {
    term: Term,
    epoch: Epoch,
    stage: Stage,
    last: Option<ItemId>,
    chain: Chain,
    floor: Chain,
    counter: u64,
    pending: Option<Write>,
    checkpoints: VecDeque<Cut>,
    trimmed_at: BootTime,
    audit: Audit,
}

impl Stream {
    /// A stream that is in force and ends with this heartbeat.
    pub(super) fn resumed(term: Term, id: ItemId, tail: &Statement, now: BootTime) -> Self {
        Self {
            term,
            epoch: tail.epoch,
            stage: Stage::InForce,
            last: Some(id),
            chain: tail.last,
            floor: tail.floor,
            counter: 0,
            pending: None,
            checkpoints: VecDeque::from([(id, tail.last)]),
            trimmed_at: now,
            audit: Audit::from(tail.floor),
        }
    }

    /// A stream that is still to be written.
    pub(super) fn begun(term: Term, instead_of: Option<Epoch>, now: BootTime) -> Self {
        Self {
            term,
            epoch: term,
            stage: Stage::Unseen { instead_of },
            last: None,
            chain: Chain::START,
            floor: Chain::START,
            counter: 0,
            pending: None,
            checkpoints: VecDeque::new(),
            trimmed_at: now,
            audit: Audit::from(Chain::START),
        }
    }

    pub(super) fn term(&self) -> Term {
        self.term
    }

    /// Number of the last entry.
    pub(super) fn seq(&self) -> u64 {
        self.chain.seq
    }

    /// Whether readers know of it.
    pub(super) fn is_in_force(&self) -> bool {
        self.stage == Stage::InForce
    }

    /// Whether what is there is what we wrote, as far as a page of it tells.
    pub(super) async fn is_whole<W: FeedWriter>(&mut self, writer: &mut W) -> Result<bool, LogError> {
        self.audit.step(writer, self.epoch, self.last, self.chain).await
    }

    /// Makes ready to write; [`Stream::flush`] does it.
    pub(super) fn prepare(&mut self, key: &FeedSigningKey, addition: Addition) {
        let Addition {
            entries,
            heartbeat,
            trim,
            replaced_table,
        } = addition;
        let mut chain = self.chain;
        let mut items = Vec::with_capacity(entries.len() + 1);
        for (seq, bytes) in entries {
            chain = chain.with(seq, &bytes);
            items.push(LogItem {
                id: ItemId::entry(seq),
                body: LogBody::Entry(bytes),
            });
        }
        let floor = trim.map_or(self.floor, |(_, floor)| floor);
        let counter = self.counter + 1;
        if let Some(Says { time, labels }) = heartbeat {
            let before = match self.last {
                Some(last) if last.seq == chain.seq => last,
                _ => ItemId::entry(chain.seq),
            };
            let statement = Statement {
                epoch: self.epoch,
                term: self.term,
                counter,
                last: chain,
                floor,
                time,
                labels,
            };
            items.push(LogItem {
                id: before.next_heartbeat(),
                body: LogBody::Heartbeat(statement.sign(key)),
            });
        }
        let pointer = match (self.stage, heartbeat) {
            (Stage::InForce, _) => PointerRule::InForce,
            (Stage::Unseen { .. }, None) => PointerRule::Unseen,
            (Stage::Unseen { instead_of }, Some(_)) => PointerRule::BringIntoForce { instead_of },
        };
        self.pending = Some(Write {
            append: Append {
                term: self.term,
                epoch: self.epoch,
                pointer,
                expected_last: self.last,
                items,
                keep_from: trim.map(|(id, _)| id),
                table: heartbeat
                    .and_then(|says| says.labels)
                    .map(|labels| labels.table.id),
                replaced_table,
            },
            chain,
            floor,
            counter,
            has_heartbeat: heartbeat.is_some(),
        });
    }

    /// Brings the write under way to an end. If its answer was lost, the same is asked again: what is there already, and
    /// identical, counts as written.
    pub(super) async fn flush<W: FeedWriter>(
        &mut self,
        writer: &mut W,
    ) -> Result<Option<Written>, RoundError> {
        let Some(write) = &self.pending else {
            return Ok(None);
        };
        match writer.append(write.append.clone()).await? {
            Appended::Written => {}
            Appended::TermEnded => return Err(RoundError::Deposed),
            Appended::NotInForce => return Err(RoundError::Broken("another epoch is in force, or none")),
            Appended::Elsewhere(_) => {
                let Some(first) = write.append.items.first() else {
                    return Err(RoundError::Broken("the stream ends elsewhere"));
                };
                let more = write.append.items.len() + 1;
                let there = writer.range(self.epoch, first.id, more).await?;
                if there != write.append.items {
                    return Err(RoundError::Broken("the stream ends elsewhere"));
                }
            }
        }
        Ok(self.pending.take().map(|write| self.adopt(&write)))
    }

    /// What was under way is there.
    fn adopt(&mut self, write: &Write) -> Written {
        self.last = write.append.items.last().map(|item| item.id).or(self.last);
        (self.chain, self.floor) = (write.chain, write.floor);
        if write.has_heartbeat {
            self.stage = Stage::InForce;
            self.counter = write.counter;
            self.remember_checkpoint();
        }
        self.audit.trimmed_to(self.floor);
        Written {
            entries: write.append.items.len() - usize::from(write.has_heartbeat),
            has_heartbeat: write.has_heartbeat,
        }
    }

    fn remember_checkpoint(&mut self) {
        if let Some(last) = self.last {
            self.checkpoints.push_back((last, self.chain));
        }
        if self.checkpoints.len() > CHECKPOINTS_MAX {
            let mut keep = false;
            self.checkpoints.retain(|_| {
                keep = !keep;
                keep
            });
        }
    }

    /// The newest heartbeat before every live entry, if it is time to trim: it becomes the first item of the stream.
    pub(super) fn trim(&mut self, lowest_live: Option<u64>, now: BootTime) -> Option<Cut> {
        if now.since(self.trimmed_at) < TRIM_EVERY {
            return None;
        }
        self.trimmed_at = now;
        let dead = |chain: &Chain| lowest_live.is_none_or(|lowest| chain.seq < lowest);
        let count = self
            .checkpoints
            .iter()
            .take_while(|(_, chain)| dead(chain))
            .count();
        // All before the last of them are gone from the stream.
        self.checkpoints.drain(..count.saturating_sub(1));
        if count == 0 {
            return None;
        }
        self.checkpoints.front().copied()
    }
}

#[cfg(test)]
mod tests;
