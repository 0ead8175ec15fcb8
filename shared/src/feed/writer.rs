//! What a relay asks of the place where the feed is kept. Each write is one step that happens wholly or not at all.

use super::log::{FeedLog, LogError, LogItem};
use super::table::TableId;
use super::term::{Epoch, ItemId, Term};

/// Items to add to a stream, and on which conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// Whose reign it must be.
    pub term: Term,
    /// The stream.
    pub epoch: Epoch,
    /// What must be in force while this is written.
    pub pointer: PointerRule,
    /// The stream's last item must be this one; `None`: the stream must not be there.
    pub expected_last: Option<ItemId>,
    /// What is added, in order.
    pub items: Vec<LogItem>,
    /// From where on the stream is kept, if it is to be trimmed.
    pub keep_from: Option<ItemId>,
    /// The table that the stream needs: it stays for a long time from now on.
    pub table: Option<TableId>,
    /// A table that it does not need any more: it stays for as long as whoever reads it may take.
    pub replaced_table: Option<TableId>,
}

/// How a write stands to the epoch in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointerRule {
    /// The stream is the one in force, and stays it.
    InForce,
    /// The stream is being written, and no reader knows of it. It goes away by itself unless it comes into force.
    Unseen,
    /// From this write on the stream is in force, and the one before, if this names it, is gone.
    BringIntoForce {
        /// The epoch that was in force.
        instead_of: Option<Epoch>,
    },
}

/// What came of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is done.
    Written,
    /// Another term has been claimed, or none is known.
    TermEnded,
    /// Another epoch is in force, or none.
    NotInForce,
    /// The stream does not end where it was expected to.
    Elsewhere(Option<ItemId>),
}

/// Where the feed is kept, for whoever holds the lease.
///
/// An error leaves open whether the write was done: the answer may have been lost.
pub trait FeedWriter: FeedLog {
    /// The term that was claimed last.
    fn term(&mut self) -> impl Future<Output = Result<Option<Term>, LogError>> + Send;

    /// Claims a term, if its number is above the claimed one's. Whether it is ours now.
    fn claim(&mut self, term: Term) -> impl Future<Output = Result<bool, LogError>> + Send;

    /// Writes, if everything is as expected.
    fn append(&mut self, append: Append) -> impl Future<Output = Result<Appended, LogError>> + Send;

    /// Says that labels were changed, and that whoever reigns may not know it: for the time being, and for this term.
    fn doubt_labels(&mut self, term: Term) -> impl Future<Output = Result<(), LogError>> + Send;

    /// Whether somebody said so in this term.
    fn are_labels_doubted(&mut self, term: Term) -> impl Future<Output = Result<bool, LogError>> + Send;

    /// Writes a chunk of a table that nobody reads yet. It goes away by itself unless a stream needs it soon. `false`: another
    /// term has been claimed, or none is known.
    fn put_chunk(
        &mut self,
        term: Term,
        table: TableId,
        index: u32,
        bytes: &[u8],
    ) -> impl Future<Output = Result<bool, LogError>> + Send;
}
