//! What a connection is doing, and how long it may go on with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

use super::ServeOptions;
use super::frames::Block;

/// The first bytes of an HTTP/2 connection (RFC 9113 section 3.4). No HTTP/1 method begins so.
const H2_PREFACE_START: &[u8] = b"PRI ";

/// Bytes of a request have come, and nobody has looked at the clock since: as a rule the request is whole before anybody does.
const JUST_NOW: u64 = u64::MAX;

/// The state of one connection, written where its bytes and its requests pass, read where its time is measured.
///
/// Times are in milliseconds since the connection began, plus one; zero is "never". All of it is advice for the
/// deadlines, so relaxed order is enough.
#[derive(Debug)]
pub(super) struct Activity {
    began: Instant,
    /// Requests whose answer has not been handed over whole.
    in_flight: AtomicU32,
    /// The last time that the last of them was done.
    quiet_since: AtomicU64,
    /// The first byte of a request that has not come whole.
    header_since: AtomicU64,
    /// The header block of HTTP/2 that has not come whole began. Requests of other blocks may be in flight meanwhile.
    block_since: AtomicU64,
    /// The peer has been taking nothing since.
    write_blocked_since: AtomicU64,
    h2: AtomicBool,
    /// The last request had a body, which may not have been read.
    body: AtomicBool,
    /// The server lets connections end: one for all of its connections.
    leaving: Arc<AtomicBool>,
}

/// What to do about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing before then.
    WaitUntil(Instant),
    /// The header block did not come in time.
    HeaderTimeout,
    /// No request came for the idle time.
    Idle,
    /// The peer takes nothing of its answer.
    Stalled,
}

impl Activity {
    pub(super) fn new(h2: bool, leaving: Arc<AtomicBool>) -> Self {
        Self {
            began: Instant::now(),
            in_flight: AtomicU32::new(0),
            quiet_since: AtomicU64::new(0),
            header_since: AtomicU64::new(0),
            block_since: AtomicU64::new(0),
            write_blocked_since: AtomicU64::new(0),
            h2: AtomicBool::new(h2),
            body: AtomicBool::new(false),
            leaving,
        }
    }

    /// Bytes have come; whether they are of HTTP/2, and belong to [`Self::block`].
    pub(super) fn received(&self, bytes: &[u8]) -> bool {
        if self.h2.load(Relaxed) {
            return true;
        }
        if self.in_flight.load(Relaxed) > 0 || self.header_since.load(Relaxed) > 0 {
            return false;
        }
        if self.quiet_since.load(Relaxed) == 0 && bytes.starts_with(H2_PREFACE_START) {
            self.h2.store(true, Relaxed);
            return true;
        }
        self.header_since.store(JUST_NOW, Relaxed);
        false
    }

    /// What the bytes of HTTP/2 that have come leave of a header block.
    pub(super) fn block(&self, block: Block) {
        match block {
            Block::Whole if self.block_since.load(Relaxed) > 0 => self.block_since.store(0, Relaxed),
            Block::Whole | Block::Begun => {}
            Block::New => self.block_since.store(self.stamp(), Relaxed),
        }
    }

    /// No more bytes are there for now.
    pub(super) fn read_pending(&self) {
        if self.header_since.load(Relaxed) == JUST_NOW {
            self.header_since.store(self.stamp(), Relaxed);
        }
    }

    /// Bytes were to be sent, and the transport took them or did not.
    pub(super) fn write_polled(&self, taken: bool) {
        let blocked = self.write_blocked_since.load(Relaxed) > 0;
        match (taken, blocked) {
            (true, true) => self.write_blocked_since.store(0, Relaxed),
            (false, false) => self.write_blocked_since.store(self.stamp(), Relaxed),
            (true, false) | (false, true) => {}
        }
    }

    /// A request's header block is complete. The guard is held until its answer has been handed over.
    pub(super) fn request(self: &Arc<Self>, has_body: bool) -> InFlight {
        self.in_flight.fetch_add(1, Relaxed);
        self.header_since.store(0, Relaxed);
        self.body.store(has_body, Relaxed);
        InFlight(Arc::clone(self))
    }

    /// Whether a request may be on its way: the first one, or one that has begun to come. Who closes now could lose it.
    pub(super) fn expects_request(&self) -> bool {
        let is_new = self.quiet_since.load(Relaxed) == 0;
        self.in_flight.load(Relaxed) == 0 && (is_new || self.header_since.load(Relaxed) > 0)
    }

    /// Whether there may be bytes that nobody has read: of a body, or of a request that was refused.
    pub(super) fn may_have_unread_bytes(&self) -> bool {
        self.header_since.load(Relaxed) > 0 || self.body.load(Relaxed)
    }

    /// Judges the connection as it is now. A deadline can come nearer while it is waited for, but never nearer than
    /// the shortest timeout, so that is the longest wait.
    pub(super) fn judge(&self, options: &ServeOptions, now: Instant) -> Verdict {
        let longest_wait = options
            .header_read_timeout
            .min(options.write_stall_timeout)
            .min(options.idle_timeout);
        self.read_pending();
        let mut next = now + longest_wait;
        let mut passed = |since: u64, timeout: Duration| {
            let deadline = self.began + Duration::from_millis(since.saturating_sub(1)) + timeout;
            next = next.min(deadline.max(now));
            deadline <= now
        };
        let blocked_since = self.write_blocked_since.load(Relaxed);
        if blocked_since > 0 && passed(blocked_since, options.write_stall_timeout) {
            return Verdict::Stalled;
        }
        let block_since = self.block_since.load(Relaxed);
        if block_since > 0 && passed(block_since, options.header_read_timeout) {
            return Verdict::HeaderTimeout;
        }
        if self.in_flight.load(Relaxed) == 0 {
            let header_since = self.header_since.load(Relaxed);
            let quiet_since = self.quiet_since.load(Relaxed);
            let first = quiet_since == 0 && !self.h2.load(Relaxed);
            if header_since > 0 || first {
                if passed(if first { 0 } else { header_since }, options.header_read_timeout) {
                    return Verdict::HeaderTimeout;
                }
            } else if passed(quiet_since, options.idle_timeout) {
                return Verdict::Idle;
            }
        }
        Verdict::WaitUntil(next)
    }

    fn stamp(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Activity>);

impl InFlight {
    /// Whether its answer says that the connection ends with it. HTTP/2 has GOAWAY for that.
    pub(super) fn is_last(&self) -> bool {
        self.0.leaving.load(Relaxed) && !self.0.h2.load(Relaxed)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let activity = &self.0;
        // Written first: whoever sees no request in flight must see since when.
        activity.quiet_since.store(activity.stamp(), Relaxed);
        activity.in_flight.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn options() -> ServeOptions {
        ServeOptions {
            header_read_timeout: 10 * SECOND,
            idle_timeout: 75 * SECOND,
            write_stall_timeout: 30 * SECOND,
            ..ServeOptions::default()
        }
    }

    /// Seconds after which the connection is ended, and why, as the loop that asks would find it.
    async fn fate(activity: &Activity) -> (u64, Verdict) {
        let began = Instant::now();
        loop {
            match activity.judge(&options(), Instant::now()) {
                Verdict::WaitUntil(at) => tokio::time::sleep_until(at).await,
                verdict => return (began.elapsed().as_secs(), verdict),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_must_send_a_header_block() {
        let activity = Activity::new(false, Arc::default());
        assert_eq!(fate(&activity).await, (10, Verdict::HeaderTimeout));
        // The first byte does not buy time.
        let activity = Activity::new(false, Arc::default());
        tokio::time::advance(6 * SECOND).await;
        activity.received(b"G");
        assert_eq!(fate(&activity).await, (4, Verdict::HeaderTimeout));
    }

    #[tokio::test(start_paused = true)]
    async fn between_requests_a_connection_may_idle_and_then_must_hurry() {
        let activity = Arc::new(Activity::new(false, Arc::default()));
        drop(activity.request(false));
        assert_eq!(fate(&activity).await, (75, Verdict::Idle));

        let activity = Arc::new(Activity::new(false, Arc::default()));
        drop(activity.request(false));
        tokio::time::advance(50 * SECOND).await;
        activity.received(b"G");
        activity.read_pending();
        tokio::time::advance(5 * SECOND).await;
        activity.received(b"E");
        activity.read_pending();
        assert_eq!(fate(&activity).await, (5, Verdict::HeaderTimeout));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_in_flight_has_time_unless_its_answer_is_not_taken() {
        let activity = Arc::new(Activity::new(false, Arc::default()));
        let _request = activity.request(false);
        tokio::time::advance(500 * SECOND).await;
        assert!(matches!(
            activity.judge(&options(), Instant::now()),
            Verdict::WaitUntil(_)
        ));
        activity.write_polled(false);
        assert_eq!(fate(&activity).await, (30, Verdict::Stalled));
        activity.write_polled(true);
        assert!(matches!(
            activity.judge(&options(), Instant::now()),
            Verdict::WaitUntil(_)
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn an_http_2_connection_may_idle_from_its_beginning() {
        let activity = Activity::new(false, Arc::default());
        activity.received(b"PRI * HTTP/2.0\r\n");
        activity.received(b"PING");
        assert_eq!(fate(&activity).await, (75, Verdict::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn a_header_block_of_http_2_must_hurry_whatever_else_is_asked() {
        let activity = Arc::new(Activity::new(true, Arc::default()));
        let _request = activity.request(false);
        tokio::time::advance(20 * SECOND).await;
        activity.block(Block::New);
        tokio::time::advance(4 * SECOND).await;
        activity.block(Block::Begun);
        drop(activity.request(false));
        assert_eq!(fate(&activity).await, (6, Verdict::HeaderTimeout));
        activity.block(Block::New);
        assert_eq!(fate(&activity).await, (10, Verdict::HeaderTimeout));
        activity.block(Block::Whole);
        assert!(matches!(
            activity.judge(&options(), Instant::now()),
            Verdict::WaitUntil(_)
        ));
    }

    #[test]
    fn unread_bytes_are_suspected_after_a_body_and_after_a_broken_header() {
        let activity = Arc::new(Activity::new(false, Arc::default()));
        drop(activity.request(false));
        assert!(!activity.may_have_unread_bytes());
        activity.received(b"G");
        assert!(activity.may_have_unread_bytes());
        drop(activity.request(true));
        assert!(activity.may_have_unread_bytes());
    }
}
