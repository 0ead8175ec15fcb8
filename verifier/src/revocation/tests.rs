use shared::feed::channel::{ChannelPublisher, channel};
use shared::id::SessionId;
use shared::revocation::{Fact, Revocation};
use shared::testkit::ManualClock;

use super::*;

const START: UnixMillis = UnixMillis(1_795_376_000_000);
const BOUNDS: StalenessBounds = StalenessBounds {
    max_staleness: Duration::from_secs(30),
    leeway: Duration::from_secs(5),
};

struct Followed {
    replica: Arc<RevocationReplica>,
    clock: Arc<ManualClock>,
    publisher: ChannelPublisher,
}

fn followed() -> Followed {
    let (publisher, feed) = channel();
    let replica = Arc::new(RevocationReplica::new(BOUNDS));
    let clock = Arc::new(ManualClock::at(START));
    tokio::spawn(Arc::clone(&replica).follow(Box::new(feed), clock.clone(), CancellationToken::new()));
    Followed {
        replica,
        clock,
        publisher,
    }
}

fn revocation(expires: Option<UnixMillis>) -> Revocation {
    let session = SessionId::new(START);
    Revocation {
        fact: Fact::Session { session },
        expires,
    }
}

impl Followed {
    fn freshness(&self) -> Freshness {
        self.replica.view(self.clock.now(), self.clock.boot()).freshness
    }

    fn now(&self) -> UnixMillis {
        self.replica.view(self.clock.now(), self.clock.boot()).now
    }

    /// Sends a heartbeat, and waits until it was taken in: an entry behind it is applied later.
    async fn heartbeat(&mut self, time: UnixMillis) {
        self.publisher.heartbeat(time).await.unwrap();
        self.publisher.publish(revocation(None)).await.unwrap();
        self.publisher.applied().await.unwrap();
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test]
async fn it_is_loading_until_a_heartbeat_then_fresh_then_stale() {
    let mut followed = followed();
    assert_eq!(followed.freshness(), Freshness::Loading);
    followed.heartbeat(START).await;
    assert_eq!(followed.freshness(), Freshness::Fresh { age: seconds(0) });
    followed.clock.advance(seconds(30));
    assert_eq!(followed.freshness(), Freshness::Fresh { age: seconds(30) });
    followed.clock.advance(Duration::from_millis(1));
    assert_eq!(
        followed.freshness(),
        Freshness::Stale {
            age: Duration::from_millis(30_001)
        }
    );
    followed.heartbeat(START.plus(seconds(20))).await;
    assert_eq!(
        followed.freshness(),
        Freshness::Fresh {
            age: Duration::from_millis(10_001)
        },
        "by its own time"
    );
}

#[tokio::test]
async fn the_age_is_the_greater_of_both_clocks() {
    let mut followed = followed();
    followed.heartbeat(START.minus(seconds(20))).await;
    assert_eq!(
        followed.freshness(),
        Freshness::Fresh { age: seconds(20) },
        "late when it was read"
    );
    followed.clock.advance(seconds(25));
    followed.clock.step_wall(START);
    assert_eq!(
        followed.freshness(),
        Freshness::Fresh { age: seconds(25) },
        "a step back of the wall clock hides nothing"
    );
    followed.clock.step_wall(START.plus(seconds(3600)));
    assert!(matches!(followed.freshness(), Freshness::Stale { .. }));
}

#[tokio::test]
async fn a_heartbeat_from_the_future_does_not_count() {
    let mut followed = followed();
    followed.heartbeat(START.plus(Duration::from_millis(5_001))).await;
    assert_eq!(
        (followed.freshness(), followed.now()),
        (Freshness::Loading, START)
    );
    assert_eq!(followed.replica.heartbeats_ignored(), 1);
    followed.heartbeat(START.plus(seconds(5))).await;
    assert_eq!(followed.freshness(), Freshness::Fresh { age: seconds(0) });
    assert_eq!(
        followed.now(),
        START.plus(seconds(5)),
        "tokens expire by the clock that is ahead"
    );
    followed.clock.step_wall(START.minus(seconds(60)));
    assert_eq!(
        followed.freshness(),
        Freshness::Loading,
        "our clock was set back behind it"
    );
}

#[tokio::test]
async fn facts_are_dropped_when_both_clocks_have_passed_them() {
    let mut followed = followed();
    followed
        .publisher
        .publish(revocation(Some(START.plus(seconds(10)))))
        .await
        .unwrap();
    followed.heartbeat(START).await;
    let sessions = |followed: &Followed| followed.replica.set().counts()[0].1;
    assert_eq!(sessions(&followed), 2);
    followed.clock.advance(seconds(20));
    followed.replica.sweep(followed.clock.now());
    assert_eq!(sessions(&followed), 2, "the feed has not come so far");
    followed.heartbeat(START.plus(seconds(10))).await;
    followed.replica.sweep(followed.clock.now());
    assert_eq!(
        sessions(&followed),
        2,
        "what never expires stays, the other is gone"
    );
}

#[tokio::test]
async fn without_a_feed_it_is_off() {
    let replica = RevocationReplica::off(BOUNDS);
    let view = replica.view(START, BootTime(seconds(1)));
    assert_eq!((view.freshness, view.now), (Freshness::Off, START));
    assert!(view.freshness.is_trusted());
}

/// A heartbeat as it comes from a stream.
fn read_heartbeat(counter: u64, time: UnixMillis, read_at: BootTime) -> FeedEvent {
    FeedEvent::Heartbeat(Heartbeat {
        epoch: 2,
        term: 3,
        counter,
        seq: 4,
        time,
        labels: None,
        read_at: Some(read_at),
        signed: Some([7].as_slice().into()),
    })
}

fn sees(replica: &RevocationReplica, clock: &ManualClock) -> (Freshness, UnixMillis) {
    let view = replica.view(clock.now(), clock.boot());
    (view.freshness, view.now)
}

#[test]
fn behind_a_gap_nothing_counts_until_the_next_heartbeat() {
    let (replica, clock) = (RevocationReplica::new(BOUNDS), ManualClock::at(START));
    let ahead = START.plus(seconds(2));
    replica.take_in(&FeedEvent::Lost(Gap::Missing), &clock);
    assert_eq!(sees(&replica, &clock), (Freshness::Loading, START));
    replica.take_in(&read_heartbeat(1, ahead, clock.boot()), &clock);
    let entries = FeedEvent::Entries {
        seq: 5,
        revocations: vec![revocation(None)],
    };
    replica.take_in(&entries, &clock);
    assert_eq!(
        sees(&replica, &clock),
        (Freshness::Fresh { age: seconds(0) }, ahead)
    );
    assert!(replica.proved().is_some() && replica.trouble().is_none());

    replica.take_in(&FeedEvent::Lost(Gap::Chain), &clock);
    assert_eq!(
        sees(&replica, &clock),
        (Freshness::Loading, ahead),
        "tokens still expire by the newest heartbeat's time"
    );
    assert!(replica.proved().is_none() && replica.is_loaded());
    assert_eq!(replica.newest_heartbeat().unwrap().counter, 1);
    assert_eq!(replica.set().counts()[0].1, 1, "what is known stays");
    assert!(replica.trouble().unwrap().contains("chain"));

    // Neither a heartbeat from the future nor the feed's being away changes that.
    let future = START.plus(seconds(6));
    replica.take_in(&read_heartbeat(2, future, clock.boot()), &clock);
    replica.take_in(&FeedEvent::Away("cut off".into()), &clock);
    assert_eq!(sees(&replica, &clock), (Freshness::Loading, ahead));
    assert_eq!(*replica.trouble().unwrap(), "away: cut off");

    replica.take_in(&read_heartbeat(3, START, clock.boot()), &clock);
    assert_eq!(
        sees(&replica, &clock),
        (Freshness::Fresh { age: seconds(0) }, ahead),
        "a database that was set back does not make tokens live longer"
    );
    assert!(replica.trouble().is_none());
    let gaps: Vec<_> = replica
        .gaps()
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .collect();
    assert_eq!(gaps, [("chain", 1), ("missing", 1)]);
    assert_eq!(replica.entries()[0], ("session", 1));
    assert_eq!(
        (replica.heartbeats_counted(), replica.heartbeats_ignored()),
        (2, 1)
    );
}

#[test]
fn being_away_alone_lets_it_grow_old() {
    let (replica, clock) = (RevocationReplica::new(BOUNDS), ManualClock::at(START));
    replica.take_in(&read_heartbeat(1, START, clock.boot()), &clock);
    replica.take_in(&FeedEvent::Away("cut off".into()), &clock);
    clock.advance(seconds(30));
    assert_eq!(sees(&replica, &clock).0, Freshness::Fresh { age: seconds(30) });
    clock.advance(seconds(1));
    assert_eq!(sees(&replica, &clock).0, Freshness::Stale { age: seconds(31) });
}

#[test]
fn a_heartbeats_age_counts_from_when_it_was_read() {
    let (replica, clock) = (RevocationReplica::new(BOUNDS), ManualClock::at(START));
    let read_at = BootTime(clock.boot().0.saturating_sub(seconds(12)));
    replica.take_in(&read_heartbeat(1, START, read_at), &clock);
    assert_eq!(sees(&replica, &clock).0, Freshness::Fresh { age: seconds(12) });
}

#[test]
fn what_is_restored_is_judged_like_what_is_read() {
    for (time, expected) in [
        (START.minus(seconds(20)), Freshness::Fresh { age: seconds(20) }),
        (START.minus(seconds(31)), Freshness::Stale { age: seconds(31) }),
        (START.plus(seconds(6)), Freshness::Loading),
    ] {
        let (replica, clock) = (RevocationReplica::new(BOUNDS), ManualClock::at(START));
        let FeedEvent::Heartbeat(heartbeat) = read_heartbeat(1, time, clock.boot()) else {
            panic!("no heartbeat");
        };
        replica.restore(&[revocation(None)], &heartbeat, &clock);
        assert_eq!(sees(&replica, &clock).0, expected);
        assert_eq!(replica.set().counts()[0].1, 1, "the facts count in any case");
        assert_eq!(replica.is_loaded(), expected != Freshness::Loading);
    }
}
