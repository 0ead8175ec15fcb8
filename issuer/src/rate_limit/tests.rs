//! In memory alone; with Redis in `central`.

mod central;

use std::net::Ipv4Addr;

use shared::testkit::ManualClock;
use shared::time::UnixMillis;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn limits(settings: LimitSettings) -> (Limits, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(UnixMillis(1_800_000_000_000)));
    (
        Limits::new(settings, Arc::clone(&clock) as Arc<dyn Clock>, None),
        clock,
    )
}

fn per_minute(count: u32) -> Rate {
    Rate {
        count,
        per: Duration::from_mins(1),
    }
}

fn per_account(count: u32) -> (Limits, Arc<ManualClock>) {
    limits(LimitSettings {
        login_per_account: Some(per_minute(count)),
        ..LimitSettings::default()
    })
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Fails until refused; how often that was possible.
async fn failures(limits: &Limits, login: &str, from: &str) -> usize {
    for failed in 0..1000 {
        match limits.admit_login_to(login, ip(from)).await {
            Ok(attempt) => attempt.failed(),
            Err(_) => return failed,
        }
    }
    1000
}

#[tokio::test]
async fn a_burst_is_admitted_then_one_per_interval() {
    let (limits, clock) = limits(LimitSettings {
        login_per_ip: Some(per_minute(30)),
        ..LimitSettings::default()
    });
    let admit = || limits.admit_login_from(ip("192.0.2.1"));
    for _ in 0..30 {
        admit().await.unwrap();
    }
    assert_eq!(
        admit().await,
        Err(TooMany {
            retry_after: 2 * SECOND
        })
    );
    clock.advance(SECOND);
    assert_eq!(
        admit().await,
        Err(TooMany { retry_after: SECOND }),
        "to be refused costs nothing"
    );
    clock.advance(SECOND);
    admit().await.unwrap();
    assert!(admit().await.is_err());
    clock.advance(Duration::from_hours(1));
    for _ in 0..30 {
        admit().await.unwrap();
    }
    assert!(admit().await.is_err(), "a long rest is no larger burst");
}

#[tokio::test]
async fn the_wall_clock_does_not_matter() {
    let (limits, clock) = limits(LimitSettings {
        login_per_ip: Some(per_minute(1)),
        ..LimitSettings::default()
    });
    limits.admit_login_from(ip("192.0.2.1")).await.unwrap();
    clock.step_wall(UnixMillis(1_900_000_000_000));
    assert!(limits.admit_login_from(ip("192.0.2.1")).await.is_err());
}

#[tokio::test]
async fn addresses_are_counted_apart_and_ipv6_by_64() {
    let (limits, _) = limits(LimitSettings {
        login_per_ip: Some(per_minute(1)),
        register_per_ip: Some(per_minute(1)),
        ..LimitSettings::default()
    });
    limits.admit_login_from(ip("192.0.2.1")).await.unwrap();
    assert!(limits.admit_login_from(ip("::ffff:192.0.2.1")).await.is_err());
    limits.admit_login_from(ip("192.0.2.2")).await.unwrap();
    limits.admit_registration_from(ip("192.0.2.1")).await.unwrap();
    assert!(limits.admit_registration_from(ip("192.0.2.1")).await.is_err());
    limits.admit_login_from(ip("2001:db8::1")).await.unwrap();
    assert!(limits.admit_login_from(ip("2001:db8::ffff:0:0:1")).await.is_err());
    limits.admit_login_from(ip("2001:db8:0:1::1")).await.unwrap();
}

/// Attack: passwords tried from many addresses of one network
/// Source: CWE-307
/// Result: they are counted together
#[tokio::test]
async fn failures_are_counted_by_login_and_network() {
    let (limits, clock) = per_account(10);
    assert_eq!(failures(&limits, "alice", "192.0.2.1").await, 10);
    assert_eq!(failures(&limits, "alice", "192.0.2.77").await, 0, "the same /24");
    assert_eq!(failures(&limits, "alice", "192.0.3.1").await, 10);
    assert_eq!(failures(&limits, "bob", "192.0.2.1").await, 10);
    assert_eq!(failures(&limits, "alice", "2001:db8::1").await, 10);
    assert_eq!(failures(&limits, "alice", "2001:db8::2").await, 0, "the same /64");
    let refused = limits.admit_login_to("alice", ip("192.0.2.1")).await.unwrap_err();
    assert_eq!(refused.retry_after, 6 * SECOND);
    clock.advance(6 * SECOND);
    assert_eq!(failures(&limits, "alice", "192.0.2.1").await, 1);
}

#[tokio::test]
async fn what_did_not_fail_does_not_count() {
    let (limits, _) = per_account(2);
    for _ in 0..10 {
        limits
            .admit_login_to("alice", ip("192.0.2.1"))
            .await
            .unwrap()
            .undecided()
            .await;
        limits
            .admit_login_to("bob", ip("192.0.2.1"))
            .await
            .unwrap()
            .succeeded()
            .await;
    }
    assert_eq!(failures(&limits, "alice", "192.0.2.1").await, 2);
}

#[tokio::test]
async fn attempts_under_way_count_and_so_do_those_that_hang_up() {
    let (limits, _) = per_account(3);
    let mut under_way = Vec::new();
    for _ in 0..3 {
        under_way.push(limits.admit_login_to("alice", ip("192.0.2.1")).await.unwrap());
    }
    assert!(limits.admit_login_to("alice", ip("192.0.2.1")).await.is_err());
    drop(under_way);
    assert!(limits.admit_login_to("alice", ip("192.0.2.1")).await.is_err());
}

/// Attack: somebody who fails on purpose so as to lock the owner out
/// Source: CWE-645
/// Result: the owner still gets in
#[tokio::test]
async fn a_stranger_cannot_lock_out_an_address_that_has_signed_in() {
    let (limits, clock) = per_account(3);
    limits
        .admit_login_to("alice", ip("192.0.2.1"))
        .await
        .unwrap()
        .succeeded()
        .await;
    assert_eq!(failures(&limits, "alice", "192.0.2.66").await, 3);
    limits
        .admit_login_to("alice", ip("192.0.2.1"))
        .await
        .unwrap()
        .succeeded()
        .await;
    // Its own lane is limited, too, and is not the way into another account.
    assert_eq!(failures(&limits, "alice", "192.0.2.1").await, 3);
    assert_eq!(failures(&limits, "bob", "192.0.2.1").await, 3);
    assert_eq!(failures(&limits, "bob", "192.0.2.66").await, 0);
    // After a month it is a stranger again.
    clock.advance(KNOWN_FOR);
    assert_eq!(failures(&limits, "alice", "192.0.2.66").await, 3);
    assert_eq!(failures(&limits, "alice", "192.0.2.1").await, 0);
}

#[tokio::test]
async fn no_limit_is_no_limit() {
    let (limits, _) = limits(LimitSettings::default());
    assert_eq!(failures(&limits, "alice", "192.0.2.1").await, 1000);
    for _ in 0..1000 {
        limits.admit_login_from(ip("192.0.2.1")).await.unwrap();
        limits.admit_registration_from(ip("192.0.2.1")).await.unwrap();
    }
}

/// Attack: more addresses and logins than fit into memory
/// Source: CWE-770
/// Result: memory stays within its bound
#[tokio::test]
async fn memory_is_bounded() {
    let (limits, _) = limits(LimitSettings {
        login_per_ip: Some(per_minute(1)),
        ..LimitSettings::default()
    });
    for number in 0..u32::try_from(ENTRIES_MAX).unwrap() + 1000 {
        limits
            .admit_login_from(IpAddr::V4(Ipv4Addr::from_bits(number)))
            .await
            .unwrap();
    }
    assert!(limits.login_per_ip.unwrap().lanes.len() <= ENTRIES_MAX);
}

#[tokio::test]
async fn clients_are_counted_when_they_fail() {
    let (limits, clock) = limits(LimitSettings {
        client_per_ip: Some(per_minute(3)),
        ..LimitSettings::default()
    });
    let (here, there) = (ip("192.0.2.1"), ip("192.0.2.2"));
    for _ in 0..100 {
        limits.admit_client_from(here).unwrap();
    }
    for _ in 0..3 {
        limits.admit_client_from(here).unwrap();
        limits.client_failed_from(here).await;
    }
    let refused = limits.admit_client_from(here).unwrap_err();
    assert_eq!(refused.retry_after, 20 * SECOND);
    limits.admit_client_from(there).unwrap();
    clock.advance(20 * SECOND);
    limits.admit_client_from(here).unwrap();
    // As many as are sent at once are let in, and paid for afterwards, but for no longer than a full lane takes.
    for _ in 0..1000 {
        limits.client_failed_from(here).await;
    }
    let refused = limits.admit_client_from(here).unwrap_err();
    assert_eq!(refused.retry_after, 80 * SECOND);
}
