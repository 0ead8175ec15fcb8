//! The feed within one process: a channel whose publisher can wait until an entry is in force.

use tokio::sync::{mpsc, watch};

use super::{FeedEnded, FeedEvent, Heartbeat, LabelUpdate, NextEvent, RevocationFeed};
use crate::revocation::Revocation;

/// Events under way. Past it the publisher waits, so that a slow reader is never overtaken by memory.
const EVENTS_MAX: usize = 1024;

/// A publisher and its one reader.
pub fn channel() -> (ChannelPublisher, ChannelFeed) {
    let (events, received) = mpsc::channel(EVENTS_MAX);
    let (applied, applied_seen) = watch::channel(0);
    let publisher = ChannelPublisher {
        events,
        applied: applied_seen,
        told: 0,
        seq: 0,
        heartbeats: 0,
    };
    (
        publisher,
        ChannelFeed {
            events: received,
            applied,
            handed_out: 0,
        },
    )
}

/// The writing end. There is one, so that sequence numbers are its own.
#[derive(Debug)]
pub struct ChannelPublisher {
    events: mpsc::Sender<FeedEvent>,
    applied: watch::Receiver<u64>,
    /// Events but heartbeats.
    told: u64,
    seq: u64,
    heartbeats: u64,
}

impl ChannelPublisher {
    /// Sends a revocation and gives its sequence number.
    ///
    /// # Errors
    ///
    /// [`FeedEnded`] if the reader is gone.
    pub async fn publish(&mut self, revocation: Revocation) -> Result<u64, FeedEnded> {
        let seq = self.seq + 1;
        self.events
            .send(FeedEvent::Entries {
                seq,
                revocations: vec![revocation],
            })
            .await
            .map_err(|_| FeedEnded)?;
        self.seq = seq;
        self.told += 1;
        Ok(seq)
    }

    /// Sends what becomes of the knowledge about labels.
    ///
    /// # Errors
    ///
    /// [`FeedEnded`] if the reader is gone.
    pub async fn publish_labels(&mut self, update: LabelUpdate) -> Result<(), FeedEnded> {
        self.events
            .send(FeedEvent::Labels(update))
            .await
            .map_err(|_| FeedEnded)?;
        self.told += 1;
        Ok(())
    }

    /// Says that everything committed before `time` has been published, about labels too.
    ///
    /// # Errors
    ///
    /// [`FeedEnded`] if the reader is gone.
    pub async fn heartbeat(&mut self, time: crate::time::UnixMillis) -> Result<(), FeedEnded> {
        self.heartbeats += 1;
        let heartbeat = Heartbeat {
            epoch: 0,
            term: 0,
            counter: self.heartbeats,
            seq: self.seq,
            time,
            labels: Some(time),
            read_at: None,
            signed: None,
        };
        self.events
            .send(FeedEvent::Heartbeat(heartbeat))
            .await
            .map_err(|_| FeedEnded)
    }

    /// Returns when everything published so far is in force at the reader.
    ///
    /// # Errors
    ///
    /// [`FeedEnded`] if the reader is gone.
    pub async fn applied(&mut self) -> Result<(), FeedEnded> {
        let told = self.told;
        self.applied
            .wait_for(|applied| *applied >= told)
            .await
            .map(|_| ())
            .map_err(|_| FeedEnded)
    }
}

/// The reading end.
#[derive(Debug)]
pub struct ChannelFeed {
    events: mpsc::Receiver<FeedEvent>,
    applied: watch::Sender<u64>,
    handed_out: u64,
}

impl RevocationFeed for ChannelFeed {
    fn next(&mut self) -> NextEvent<'_> {
        self.applied.send_replace(self.handed_out);
        Box::pin(async {
            let event = self.events.recv().await.ok_or(FeedEnded)?;
            if matches!(event, FeedEvent::Entries { .. } | FeedEvent::Labels(_)) {
                self.handed_out += 1;
            }
            Ok(event)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SessionId;
    use crate::revocation::Fact;
    use crate::time::UnixMillis;

    fn logout() -> Revocation {
        Revocation {
            fact: Fact::Session {
                session: SessionId::new(UnixMillis(1)),
            },
            expires: None,
        }
    }

    #[tokio::test]
    async fn a_publisher_waits_until_the_reader_asks_for_more() {
        let (mut publisher, mut feed) = channel();
        let seq = publisher.publish(logout()).await.unwrap();
        assert!(matches!(feed.next().await, Ok(FeedEvent::Entries { seq: read, .. }) if read == seq));
        let mut waiting = std::pin::pin!(publisher.applied());
        assert!(
            futures_poll(waiting.as_mut()).is_pending(),
            "handed out is not yet applied"
        );
        drop(feed.next());
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn either_end_notices_that_the_other_is_gone() {
        let (mut publisher, feed) = channel();
        publisher.publish(logout()).await.unwrap();
        drop(feed);
        assert_eq!(publisher.applied().await, Err(FeedEnded));
        assert_eq!(publisher.publish(logout()).await, Err(FeedEnded));
        let (publisher, mut feed) = channel();
        drop(publisher);
        assert_eq!(feed.next().await, Err(FeedEnded));
    }

    fn futures_poll<F: Future>(future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
        future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
    }
}
