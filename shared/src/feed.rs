//! How a reader hears of revocations, wherever they come from.
//!
//! [`channel`] is the feed within one process. Between processes it is a stream: [`log`] says what is asked of the place
//! where it is kept, [`reader`] turns what is found there into events, and believes nothing that the chain and a signed
//! heartbeat do not prove.

pub mod chain;
pub mod channel;
pub mod entry;
pub mod heartbeat;
pub mod key;
pub mod log;
pub mod reader;
pub mod redis_log;
pub mod table;
pub mod term;
#[cfg(feature = "signing")]
pub mod writer;

use std::pin::Pin;
use std::sync::Arc;

use crate::label::LabelChange;
use crate::revocation::Revocation;
use crate::time::{BootTime, UnixMillis};

/// What a feed tells its reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedEvent {
    /// Revocations: they apply at once, since a refusal too early is safe.
    Entries {
        /// The place of the last of them in the feed; the first entry's is 1.
        seq: u64,
        /// What is refused.
        revocations: Vec<Revocation>,
    },
    /// What is known about labels changes. Unlike entries, it is told only when it is proved: a label that somebody took
    /// away unproven would open films.
    Labels(LabelUpdate),
    /// A statement of how far the feed has come, with everything before it told.
    Heartbeat(Heartbeat),
    /// Something does not fit together: what is known stays, but is not to be trusted until the next heartbeat.
    Lost(Gap),
    /// The feed cannot be reached; it says why, for people.
    Away(Arc<str>),
}

/// What becomes of the knowledge about labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelUpdate {
    /// Changes of it, in their order.
    Changes(Vec<LabelChange>),
    /// A table begins. Until it ends, what was known before goes on to count, and changes that come are changes of that.
    TableBegins,
    /// A part of the table that has begun. It proves nothing before the table ends.
    TablePart(Vec<LabelChange>),
    /// The table that has begun is whole and proved, and takes the place of everything known before.
    TableEnds,
}

/// "Every revocation committed before `time` is at or before `seq`."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Number of the stream that it is about.
    pub epoch: u64,
    /// Number of the term in which it was written.
    pub term: u64,
    /// Grows with each heartbeat of a term.
    pub counter: u64,
    /// The last entry at that time.
    pub seq: u64,
    /// The database's time, read before the outbox was found empty.
    pub time: UnixMillis,
    /// Every change of labels committed before this has been told; `None`: not everything about labels is told yet.
    pub labels: Option<UnixMillis>,
    /// When it was read; `None`: it comes from this process, just now.
    pub read_at: Option<BootTime>,
    /// As it was signed, for a snapshot.
    pub signed: Option<Arc<[u8]>>,
}

/// What did not fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gap {
    /// The entries are not those that a heartbeat speaks of: one was lost, added, altered or trimmed too early.
    Chain,
    /// The stream ends before the place that was read already.
    RolledBack,
    /// The stream is gone, or does not reach to its newest heartbeat.
    Missing,
    /// A heartbeat, or the epoch in force, is older than one that was seen already.
    Replayed,
    /// An item that nobody of ours wrote.
    Foreign,
    /// A heartbeat that no feed key signed, or that is about another stream.
    BadHeartbeat,
    /// No good heartbeat where one must be.
    Unproven,
    /// Our own wall clock was set.
    ClockStep,
}

impl Gap {
    /// Every one, for metrics.
    pub const ALL: [Self; 8] = [
        Self::Chain,
        Self::RolledBack,
        Self::Missing,
        Self::Replayed,
        Self::Foreign,
        Self::BadHeartbeat,
        Self::Unproven,
        Self::ClockStep,
    ];

    /// The word for it in metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::RolledBack => "rolled_back",
            Self::Missing => "missing",
            Self::Replayed => "replayed",
            Self::Foreign => "foreign",
            Self::BadHeartbeat => "bad_heartbeat",
            Self::Unproven => "unproven",
            Self::ClockStep => "clock_step",
        }
    }
}

/// The feed has ended, and will say no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the revocation feed has ended")]
pub struct FeedEnded;

/// A future that a feed gives out.
pub type NextEvent<'a> = Pin<Box<dyn Future<Output = Result<FeedEvent, FeedEnded>> + Send + 'a>>;

/// A source of revocations, in order.
pub trait RevocationFeed: Send + 'static {
    /// The next event. To ask for it says that the one before has been applied: a publisher may be waiting for that.
    ///
    /// Safe to drop before it is ready: nothing is lost then.
    fn next(&mut self) -> NextEvent<'_>;
}
