//! A model of what Redis holds for the feed, step for step as the scripts do it, for tests and the simulation.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use crate::feed::log::{FeedLog, LogBody, LogError, LogItem};
use crate::feed::table::TableId;
use crate::feed::term::{Epoch, ItemId, Term};
use crate::feed::writer::{Append, Appended, FeedWriter, PointerRule};

/// The keys.
#[derive(Clone, Debug, Default)]
pub struct FeedModel {
    /// The epoch in force.
    pub pointer: Option<Epoch>,
    /// The claimed term.
    pub term: Option<Term>,
    /// The term that is doubted.
    pub doubted: Option<Term>,
    /// The streams.
    pub streams: Vec<(Epoch, BTreeMap<ItemId, LogBody>)>,
    /// The tables' chunks.
    pub tables: BTreeMap<([u8; 16], u32), Vec<u8>>,
}

impl FeedModel {
    /// An epoch's stream.
    pub fn stream(&self, epoch: Epoch) -> Option<&BTreeMap<ItemId, LogBody>> {
        self.streams
            .iter()
            .find(|(named, _)| *named == epoch)
            .map(|(_, stream)| stream)
    }

    /// An epoch's stream, to be tampered with.
    pub fn stream_mut(&mut self, epoch: Epoch) -> &mut BTreeMap<ItemId, LogBody> {
        let at = self.streams.iter().position(|(named, _)| *named == epoch);
        let at = at.unwrap_or_else(|| {
            self.streams.push((epoch, BTreeMap::new()));
            self.streams.len() - 1
        });
        &mut self.streams[at].1
    }

    /// The stream in force, to be tampered with.
    ///
    /// # Panics
    ///
    /// If none is.
    pub fn in_force(&mut self) -> &mut BTreeMap<ItemId, LogBody> {
        let epoch = self.pointer.unwrap();
        self.stream_mut(epoch)
    }

    /// See [`FeedLog::newest`].
    pub fn newest(&self, epoch: Epoch, from: Option<ItemId>, count: usize) -> Vec<LogItem> {
        let end = from.unwrap_or(ItemId {
            seq: u64::MAX,
            k: u64::MAX,
        });
        let items = self.stream(epoch).into_iter().flat_map(|s| s.range(..=end).rev());
        items.take(count).map(item).collect()
    }

    /// See [`FeedLog::range`].
    pub fn range(&self, epoch: Epoch, from: ItemId, count: usize) -> Vec<LogItem> {
        let items = self.stream(epoch).into_iter().flat_map(|s| s.range(from..));
        items.take(count).map(item).collect()
    }

    /// See [`FeedWriter::claim`].
    pub fn claim(&mut self, term: Term) -> bool {
        let is_higher = self.term.is_none_or(|claimed| claimed.number < term.number);
        if is_higher {
            self.term = Some(term);
        }
        is_higher || self.term == Some(term)
    }

    /// See [`FeedLog::chunk`].
    pub fn chunk(&self, table: TableId, index: u32) -> Option<Vec<u8>> {
        self.tables.get(&(table.0, index)).cloned()
    }

    /// See [`FeedWriter::put_chunk`].
    pub fn put_chunk(&mut self, term: Term, table: TableId, index: u32, bytes: &[u8]) -> bool {
        let is_ours = self.term == Some(term);
        if is_ours {
            self.tables.insert((table.0, index), bytes.to_vec());
        }
        is_ours
    }

    /// See [`FeedWriter::append`].
    pub fn append(&mut self, append: Append) -> Appended {
        if self.term != Some(append.term) {
            return Appended::TermEnded;
        }
        if append.pointer == PointerRule::InForce && self.pointer != Some(append.epoch) {
            return Appended::NotInForce;
        }
        let last = self
            .stream(append.epoch)
            .and_then(|stream| stream.last_key_value().map(|(id, _)| *id));
        if last != append.expected_last {
            return Appended::Elsewhere(last);
        }
        let stream = self.stream_mut(append.epoch);
        for LogItem { id, body } in append.items {
            assert!(
                stream.last_key_value().is_none_or(|(last, _)| *last < id),
                "Redis refuses ids that do not grow"
            );
            stream.insert(id, body);
        }
        if let Some(from) = append.keep_from {
            stream.retain(|id, _| *id >= from);
        }
        if let PointerRule::BringIntoForce { instead_of } = append.pointer {
            self.pointer = Some(append.epoch);
            self.streams
                .retain(|(epoch, _)| Some(*epoch) != instead_of || *epoch == append.epoch);
        }
        if let Some(TableId(replaced)) = append.replaced_table {
            // At once: nobody may rely on its staying.
            self.tables.retain(|(table, _), _| *table != replaced);
        }
        Appended::Written
    }
}

fn item((id, body): (&ItemId, &LogBody)) -> LogItem {
    LogItem {
        id: *id,
        body: body.clone(),
    }
}

/// A log over a model that is shared, and answers at once.
#[derive(Clone, Debug, Default)]
pub struct ModelLog {
    model: Arc<Mutex<FeedModel>>,
    changed: Arc<Notify>,
}

impl ModelLog {
    /// Looks into the model, or changes it behind everybody's back.
    ///
    /// # Panics
    ///
    /// If another thread panicked in here.
    pub fn with<T>(&self, look: impl FnOnce(&mut FeedModel) -> T) -> T {
        let result = look(&mut self.model.lock().unwrap());
        self.changed.notify_waiters();
        result
    }
}

impl FeedLog for ModelLog {
    async fn pointer(&mut self) -> Result<Option<Epoch>, LogError> {
        Ok(self.model.lock().unwrap().pointer)
    }

    async fn newest(
        &mut self,
        epoch: Epoch,
        from: Option<ItemId>,
        count: usize,
    ) -> Result<Vec<LogItem>, LogError> {
        Ok(self.model.lock().unwrap().newest(epoch, from, count))
    }

    async fn range(&mut self, epoch: Epoch, from: ItemId, count: usize) -> Result<Vec<LogItem>, LogError> {
        Ok(self.model.lock().unwrap().range(epoch, from, count))
    }

    async fn follow(
        &mut self,
        epoch: Epoch,
        after: ItemId,
        count: usize,
        wait: Duration,
    ) -> Result<Vec<LogItem>, LogError> {
        let until = tokio::time::Instant::now() + wait;
        loop {
            let changed = self.changed.notified();
            let items = self
                .model
                .lock()
                .unwrap()
                .range(epoch, after.next_heartbeat(), count);
            if !items.is_empty() {
                return Ok(items);
            }
            if tokio::time::timeout_at(until, changed).await.is_err() {
                return Ok(Vec::new());
            }
        }
    }

    async fn chunk(&mut self, table: TableId, index: u32) -> Result<Option<Vec<u8>>, LogError> {
        Ok(self.model.lock().unwrap().chunk(table, index))
    }
}

impl FeedWriter for ModelLog {
    async fn term(&mut self) -> Result<Option<Term>, LogError> {
        Ok(self.with(|model| model.term))
    }

    async fn claim(&mut self, term: Term) -> Result<bool, LogError> {
        Ok(self.with(|model| model.claim(term)))
    }

    async fn append(&mut self, append: Append) -> Result<Appended, LogError> {
        Ok(self.with(|model| model.append(append)))
    }

    async fn doubt_labels(&mut self, term: Term) -> Result<(), LogError> {
        self.with(|model| model.doubted = Some(term));
        Ok(())
    }

    async fn are_labels_doubted(&mut self, term: Term) -> Result<bool, LogError> {
        Ok(self.with(|model| model.doubted == Some(term)))
    }

    async fn put_chunk(
        &mut self,
        term: Term,
        table: TableId,
        index: u32,
        bytes: &[u8],
    ) -> Result<bool, LogError> {
        Ok(self.with(|model| model.put_chunk(term, table, index, bytes)))
    }
}
