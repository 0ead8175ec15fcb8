use bytes::Bytes;
use shared::testkit::{ManualClock, TestKey};
use shared::time::UnixMillis;

use super::*;

const SCHEDULE: KeySchedule = KeySchedule {
    refresh: Duration::from_hours(1),
    cooldown: Duration::from_secs(30),
};

fn jwks(keys: &[usize]) -> Bytes {
    let keys: Vec<TestKey> = keys.iter().copied().map(TestKey::number).collect();
    TestKey::jwks(&keys.iter().collect::<Vec<_>>()).into()
}

#[tokio::test]
async fn keys_of_the_same_process_come_into_force_as_they_change() {
    let (sender, receiver) = watch::channel(Bytes::new());
    let clock = Arc::new(ManualClock::at(UnixMillis(0)));
    let replica = Arc::new(KeyReplica::new(SCHEDULE, clock.clone()));
    let shutdown = CancellationToken::new();
    let mut generations = replica.generations();
    let following =
        tokio::spawn(Arc::clone(&replica).follow(Box::new(WatchedKeys::new(receiver)), shutdown.clone()));
    assert!(replica.current().is_empty() && replica.age().is_none());

    sender.send_replace(jwks(&[0]));
    generations.wait_for(|generation| *generation == 1).await.unwrap();
    assert!(replica.current().get("test-0").is_some());
    clock.advance(Duration::from_secs(7));
    assert_eq!(replica.age(), Some(Duration::from_secs(7)));

    sender.send_replace(Bytes::from_static(b"{\"keys\":[]}"));
    sender.send_replace(jwks(&[1]));
    generations.wait_for(|generation| *generation == 2).await.unwrap();
    assert_eq!(replica.current().kids().collect::<Vec<_>>(), ["test-1"]);

    shutdown.cancel();
    following.await.unwrap();
}

#[test]
fn failures_are_retried_later_and_later_but_no_later_than_the_cooldown() {
    let waits: Vec<u64> = (1..8)
        .map(|failures| next_fetch_after(SCHEDULE, failures).as_secs())
        .collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
    assert_eq!(next_fetch_after(SCHEDULE, u32::MAX), SCHEDULE.cooldown);
    let wait = next_fetch_after(SCHEDULE, 0);
    assert!(wait <= SCHEDULE.refresh && wait >= SCHEDULE.refresh * 9 / 10);
}
