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
