//! What a reader asks of the place where the feed is kept: Redis, or the model of it that the simulation has.

use std::time::Duration;

use super::table::TableId;
use super::term::{Epoch, ItemId};

/// An item of the stream, as foreign as everything that comes from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogItem {
    /// Its place.
    pub id: ItemId,
    /// What it says.
    pub body: LogBody,
}

/// What an item says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogBody {
    /// An entry: a revocation, in the form of [`super::entry`].
    Entry(Vec<u8>),
    /// A signed heartbeat, in the form of [`super::heartbeat`].
    Heartbeat(Vec<u8>),
    /// Neither: somebody else wrote it.
    Foreign,
}

/// The log does not answer, or not as it should.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// It cannot be reached, does not answer in time, or refuses.
    #[error("the feed's log is away: {0}")]
    Away(String),
    /// It answers with what it should not hold.
    #[error("the feed's log holds what it should not: {0}")]
    Unreadable(String),
}

/// Where the feed is kept. After an error the next call tries again, over a new connection if need be.
///
/// Every call ends within a bounded time: a connection that is half open is an error soon.
pub trait FeedLog: Send + 'static {
    /// The epoch that is in force.
    fn pointer(&mut self) -> impl Future<Output = Result<Option<Epoch>, LogError>> + Send;

    /// At most `count` items of an epoch's stream at or before a place (`None`: from the end), newest first.
    fn newest(
        &mut self,
        epoch: Epoch,
        from: Option<ItemId>,
        count: usize,
    ) -> impl Future<Output = Result<Vec<LogItem>, LogError>> + Send;

    /// At most `count` items at or behind a place, in order.
    fn range(
        &mut self,
        epoch: Epoch,
        from: ItemId,
        count: usize,
    ) -> impl Future<Output = Result<Vec<LogItem>, LogError>> + Send;

    /// Items behind a place, in order, at most `count`; waits for the first at most about `wait`.
    fn follow(
        &mut self,
        epoch: Epoch,
        after: ItemId,
        count: usize,
        wait: Duration,
    ) -> impl Future<Output = Result<Vec<LogItem>, LogError>> + Send;

    /// A chunk of a table; the first is 0. `None`: it is not there.
    fn chunk(
        &mut self,
        table: TableId,
        index: u32,
    ) -> impl Future<Output = Result<Option<Vec<u8>>, LogError>> + Send;
}
