use shared::testkit::ManualClock;
use shared::time::UnixMillis;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn limits(settings: LimitSettings) -> (Limits, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(UnixMillis(1_800_000_000_000)));
    (Limits::new(settings, Arc::clone(&clock) as Arc<dyn Clock>), clock)
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
fn failures(limits: &Limits, login: &str, from: &str) -> usize {
    let failures = std::iter::from_fn(|| {
        limits
            .admit_login_to(login, ip(from))
            .ok()
            .map(LoginAttempt::failed)
    });
    failures.take(1000).count()
}

#[test]
fn a_burst_is_admitted_then_one_per_interval() {
    let (limits, clock) = limits(LimitSettings {
        login_per_ip: Some(per_minute(30)),
        ..LimitSettings::default()
    });
    let admit = || limits.admit_login_from(ip("192.0.2.1"));
    for _ in 0..30 {
        admit().unwrap();
    }
    assert_eq!(
        admit(),
        Err(TooMany {
            retry_after: 2 * SECOND
        })
    );
    clock.advance(SECOND);
    assert_eq!(
        admit(),
        Err(TooMany { retry_after: SECOND }),
        "to be refused costs nothing"
    );
    clock.advance(SECOND);
    admit().unwrap();
    assert!(admit().is_err());
    clock.advance(Duration::from_hours(1));
    for _ in 0..30 {
        admit().unwrap();
    }
    assert!(admit().is_err(), "a long rest is no larger burst");
}

#[test]
fn the_wall_clock_does_not_matter() {
    let (limits, clock) = limits(LimitSettings {
        login_per_ip: Some(per_minute(1)),
        ..LimitSettings::default()
    });
    limits.admit_login_from(ip("192.0.2.1")).unwrap();
    clock.step_wall(UnixMillis(1_900_000_000_000));
    assert!(limits.admit_login_from(ip("192.0.2.1")).is_err());
}

#[test]
fn addresses_are_counted_apart_and_ipv6_by_64() {
    let (limits, _) = limits(LimitSettings {
        login_per_ip: Some(per_minute(1)),
        register_per_ip: Some(per_minute(1)),
        ..LimitSettings::default()
    });
    limits.admit_login_from(ip("192.0.2.1")).unwrap();
    assert!(limits.admit_login_from(ip("::ffff:192.0.2.1")).is_err());
    limits.admit_login_from(ip("192.0.2.2")).unwrap();
    limits.admit_registration_from(ip("192.0.2.1")).unwrap();
    assert!(limits.admit_registration_from(ip("192.0.2.1")).is_err());
    limits.admit_login_from(ip("2001:db8::1")).unwrap();
    assert!(limits.admit_login_from(ip("2001:db8::ffff:0:0:1")).is_err());
    limits.admit_login_from(ip("2001:db8:0:1::1")).unwrap();
}

#[test]
fn failures_are_counted_by_login_and_network() {
    let (limits, clock) = per_account(10);
    assert_eq!(failures(&limits, "alice", "192.0.2.1"), 10);
    assert_eq!(failures(&limits, "alice", "192.0.2.77"), 0, "the same /24");
    assert_eq!(failures(&limits, "alice", "192.0.3.1"), 10);
    assert_eq!(failures(&limits, "bob", "192.0.2.1"), 10);
    assert_eq!(failures(&limits, "alice", "2001:db8::1"), 10);
    assert_eq!(failures(&limits, "alice", "2001:db8::2"), 0, "the same /64");
    let refused = limits.admit_login_to("alice", ip("192.0.2.1")).unwrap_err();
    assert_eq!(refused.retry_after, 6 * SECOND);
    clock.advance(6 * SECOND);
    assert_eq!(failures(&limits, "alice", "192.0.2.1"), 1);
}

#[test]
fn what_did_not_fail_does_not_count() {
    let (limits, _) = per_account(2);
    for _ in 0..10 {
        limits
            .admit_login_to("alice", ip("192.0.2.1"))
            .unwrap()
            .undecided();
        limits.admit_login_to("bob", ip("192.0.2.1")).unwrap().succeeded();
    }
    assert_eq!(failures(&limits, "alice", "192.0.2.1"), 2);
}

#[test]
fn attempts_under_way_count_and_so_do_those_that_hang_up() {
    let (limits, _) = per_account(3);
    let under_way: Vec<_> = (0..3)
        .map(|_| limits.admit_login_to("alice", ip("192.0.2.1")).unwrap())
        .collect();
    assert!(limits.admit_login_to("alice", ip("192.0.2.1")).is_err());
    drop(under_way);
    assert!(limits.admit_login_to("alice", ip("192.0.2.1")).is_err());
}

#[test]
fn a_stranger_cannot_lock_out_an_address_that_has_signed_in() {
    let (limits, clock) = per_account(3);
    limits
        .admit_login_to("alice", ip("192.0.2.1"))
        .unwrap()
        .succeeded();
    assert_eq!(failures(&limits, "alice", "192.0.2.66"), 3);
    limits
        .admit_login_to("alice", ip("192.0.2.1"))
        .unwrap()
        .succeeded();
    // Its own lane is limited, too, and is not the way into another account.
    assert_eq!(failures(&limits, "alice", "192.0.2.1"), 3);
    assert_eq!(failures(&limits, "bob", "192.0.2.1"), 3);
    assert_eq!(failures(&limits, "bob", "192.0.2.66"), 0);
    // After a month it is a stranger again.
    clock.advance(KNOWN_FOR);
    assert_eq!(failures(&limits, "alice", "192.0.2.66"), 3);
    assert_eq!(failures(&limits, "alice", "192.0.2.1"), 0);
}

#[test]
fn no_limit_is_no_limit() {
    let (limits, _) = limits(LimitSettings::default());
    assert_eq!(failures(&limits, "alice", "192.0.2.1"), 1000);
    for _ in 0..1000 {
        limits.admit_login_from(ip("192.0.2.1")).unwrap();
        limits.admit_registration_from(ip("192.0.2.1")).unwrap();
    }
}

#[test]
fn memory_is_bounded() {
    let (limits, _) = limits(LimitSettings {
        login_per_ip: Some(per_minute(1)),
        ..LimitSettings::default()
    });
    for number in 0..u32::try_from(ENTRIES_MAX).unwrap() + 1000 {
        limits
            .admit_login_from(IpAddr::V4(Ipv4Addr::from_bits(number)))
            .unwrap();
    }
    assert!(limits.login_per_ip.unwrap().lanes.len() <= ENTRIES_MAX);
}
