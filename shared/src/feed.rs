//! How a reader hears of revocations, wherever they come from.

pub mod channel;

use std::pin::Pin;

use crate::revocation::Revocation;
use crate::time::UnixMillis;

/// What a feed tells its reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedEvent {
    /// A revocation: it applies at once, since a refusal too early is safe.
    Entry {
        /// Its place in the feed; the first is 1.
        seq: u64,
        /// What is refused.
        revocation: Revocation,
    },
    /// A statement of how far the feed has come.
    Heartbeat(Heartbeat),
}

/// "Every revocation committed before `time` is at or before `seq`."
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// The last entry at that time.
    pub seq: u64,
    /// The database's time, read before the outbox was found empty.
    pub time: UnixMillis,
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
