//! Several issuers on one real Redis.

use shared::redis::{RedisClient, RedisSettings};
use shared::testkit::RedisServer;
use shared::time::SystemClock;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::*;

/// Longer than in production, for machines that are busy with other tests.
const TIMEOUT: Duration = Duration::from_millis(1500);

const SECRET: &[u8] = b"of every issuer of the installation";

/// The limits of one issuer, and the task that keeps them shared.
struct Issuer {
    limits: Arc<Limits>,
    _stop: DropGuard,
}

impl Issuer {
    fn new(redis: &RedisSettings, settings: LimitSettings) -> Self {
        let clock = Arc::new(SystemClock);
        let client = RedisClient::open(redis).unwrap();
        let central = CentralLanes::new(client, SECRET, TIMEOUT, clock.clone());
        let limits = Arc::new(Limits::new(settings, clock, Some(central)));
        let stop = CancellationToken::new();
        let (kept, until) = (Arc::clone(&limits), stop.clone());
        tokio::spawn(async move { kept.central().unwrap().keep(until).await });
        Self {
            limits,
            _stop: stop.drop_guard(),
        }
    }

    async fn reached(redis: &RedisSettings, settings: LimitSettings) -> Self {
        let issuer = Self::new(redis, settings);
        issuer.is_reached_in_the_end().await;
        issuer
    }

    async fn is_reached_in_the_end(&self) {
        for _ in 0..2000 {
            if self.central().is_reached() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("Redis is not reached");
    }

    fn central(&self) -> &CentralLanes {
        self.limits.central().unwrap()
    }

    async fn failures(&self, login: &str, from: &str) -> usize {
        failures(&self.limits, login, from).await
    }

    async fn fails(&self, times: usize, login: &str, from: &str) {
        for _ in 0..times {
            self.attempt(login, from).await.failed();
        }
    }

    async fn attempt(&self, login: &str, from: &str) -> LoginAttempt<'_> {
        self.limits.admit_login_to(login, ip(from)).await.unwrap()
    }
}

/// So many in an hour each: none comes back while a test runs.
fn hourly(count: u32) -> LimitSettings {
    let rate = Some(Rate {
        count,
        per: Duration::from_hours(1),
    });
    LimitSettings {
        login_per_ip: rate,
        login_per_account: rate,
        register_per_ip: rate,
        client_per_ip: rate,
    }
}

/// Two issuers on a Redis of their own.
async fn two(test: &str, settings: LimitSettings) -> Option<(RedisServer, Issuer, Issuer)> {
    let server = RedisServer::start_or_skip(test, "")?;
    let redis = RedisSettings::at(&server.unix_url());
    let one = Issuer::reached(&redis, settings).await;
    let other = Issuer::reached(&redis, settings).await;
    Some((server, one, other))
}

#[tokio::test]
async fn issuers_count_together() {
    let Some((_server, one, other)) = two("limits: together", hourly(4)).await else {
        return;
    };
    one.fails(3, "alice", "192.0.2.1").await;
    assert_eq!(other.failures("alice", "192.0.2.77").await, 1);
    let refused = one
        .limits
        .admit_login_to("alice", ip("192.0.2.1"))
        .await
        .unwrap_err();
    let quarter = Duration::from_mins(15);
    assert!(refused.retry_after <= quarter && refused.retry_after > quarter / 2);
    assert_eq!(other.failures("alice", "192.0.3.1").await, 4, "another network");
    assert_eq!(one.failures("bob", "192.0.2.1").await, 4, "another login");
    for (asked, admitted) in [
        (&one, true),
        (&other, true),
        (&one, true),
        (&other, true),
        (&one, false),
    ] {
        let login = asked.limits.admit_login_from(ip("2001:db8::1")).await;
        let registration = asked.limits.admit_registration_from(ip("2001:db8::2")).await;
        assert_eq!((login.is_ok(), registration.is_ok()), (admitted, admitted));
    }
    assert_eq!(one.central().fallbacks() + other.central().fallbacks(), 0);
}

#[tokio::test]
async fn clients_that_failed_at_one_issuer_have_one_try_at_another() {
    let Some((_server, one, other)) = two("limits: clients", hourly(4)).await else {
        return;
    };
    let (here, there) = (ip("192.0.2.1"), ip("192.0.2.2"));
    for _ in 0..4 {
        one.limits.admit_client_from(here).unwrap();
        one.limits.client_failed_from(here).await;
    }
    assert!(one.limits.admit_client_from(here).is_err());
    other.limits.admit_client_from(here).unwrap();
    other.limits.client_failed_from(here).await;
    assert!(other.limits.admit_client_from(here).is_err());
    other.limits.client_failed_from(there).await;
    other.limits.admit_client_from(there).unwrap();
}

#[tokio::test]
async fn a_lane_in_redis_refills() {
    let settings = LimitSettings {
        login_per_ip: Some(Rate {
            count: 2,
            per: Duration::from_secs(1),
        }),
        ..LimitSettings::default()
    };
    let Some((server, one, other)) = two("limits: refill", settings).await else {
        return;
    };
    let address = ip("192.0.2.1");
    one.limits.admit_login_from(address).await.unwrap();
    other.limits.admit_login_from(address).await.unwrap();
    // Perhaps this machine took longer than a lane to refill; what is refused is admitted when it was said to be.
    if let Err(refused) = one.limits.admit_login_from(address).await {
        assert!(refused.retry_after <= Duration::from_millis(500));
        tokio::time::sleep(refused.retry_after + Duration::from_millis(2)).await;
        one.limits.admit_login_from(address).await.unwrap();
    }
    // An empty lane takes no memory.
    while server.command(&["DBSIZE"]) != ":0" {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn what_did_not_fail_does_not_count_at_any_issuer() {
    let Some((_server, one, other)) = two("limits: outcomes", hourly(2)).await else {
        return;
    };
    for _ in 0..5 {
        one.attempt("alice", "192.0.2.1").await.undecided().await;
        other.attempt("bob", "192.0.2.1").await.succeeded().await;
    }
    assert_eq!(other.failures("alice", "192.0.2.1").await, 2);
    drop(one.attempt("bob", "192.0.2.1").await);
    assert_eq!(
        other.failures("bob", "192.0.2.1").await,
        1,
        "hanging up is a failure"
    );
}

#[tokio::test]
async fn an_address_that_signed_in_at_one_issuer_is_known_at_all() {
    let Some((server, one, other)) = two("limits: known addresses", hourly(3)).await else {
        return;
    };
    one.attempt("alice", "192.0.2.1").await.succeeded().await;
    assert_eq!(other.failures("alice", "192.0.2.66").await, 3);
    other.attempt("alice", "192.0.2.1").await.succeeded().await;
    // The newest addresses are kept, and Redis down is no reason to forget what was learnt from it.
    for host in 0..20 {
        one.attempt("alice", &format!("198.51.{host}.1"))
            .await
            .succeeded()
            .await;
    }
    server.stall();
    assert_eq!(other.failures("alice", "192.0.2.77").await, 0);
    assert_eq!(other.failures("alice", "192.0.2.1").await, 3);
    server.resume();
    let keys = server.command(&["KEYS", "{usher}:limits:known:*"]);
    assert_eq!(server.command(&["ZCARD", &keys]), ":16");
}

#[tokio::test]
async fn without_redis_each_counts_for_itself_and_goes_on_from_what_it_counted() {
    let Some((mut server, one, other)) = two("limits: outage", hourly(4)).await else {
        return;
    };
    one.fails(2, "alice", "192.0.2.1").await;
    other.fails(1, "alice", "192.0.2.1").await;
    server.kill();
    assert_eq!(one.failures("alice", "192.0.2.1").await, 2);
    assert_eq!(other.failures("alice", "192.0.2.1").await, 3);
    assert!(!one.central().is_reached() && !other.central().is_reached());
    assert!(one.central().fallbacks() >= 3);
    // Redis comes back without what it knew. What each has counted still holds.
    server.restart_empty();
    one.is_reached_in_the_end().await;
    other.is_reached_in_the_end().await;
    assert_eq!(one.failures("alice", "192.0.2.1").await, 0);
    one.fails(3, "bob", "192.0.2.1").await;
    assert_eq!(other.failures("bob", "192.0.2.1").await, 1, "shared again");
}

#[tokio::test]
async fn without_redis_at_the_start_limits_hold_and_are_shared_once_it_is_there() {
    let Some(mut server) = RedisServer::start_or_skip("limits: late Redis", "") else {
        return;
    };
    server.kill();
    let redis = RedisSettings::at(&server.url());
    let issuer = Issuer::new(&redis, hourly(2));
    assert_eq!(issuer.failures("alice", "192.0.2.1").await, 2);
    server.restart();
    issuer.is_reached_in_the_end().await;
    assert_eq!(issuer.failures("bob", "192.0.2.1").await, 2);
    assert!(server.command(&["DBSIZE"]) != ":0");
}

#[tokio::test]
async fn a_stalled_redis_is_waited_for_once() {
    let Some((server, one, _other)) = two("limits: stall", hourly(50)).await else {
        return;
    };
    server.stall();
    let started = tokio::time::Instant::now();
    let address = ip("192.0.2.1");
    let (first, second) = tokio::join!(
        one.limits.admit_login_from(address),
        one.limits.admit_login_from(address)
    );
    first.and(second).unwrap();
    assert!(started.elapsed() >= TIMEOUT);
    for _ in 0..10 {
        one.limits.admit_login_from(address).await.unwrap();
        one.attempt("alice", "192.0.2.1").await.succeeded().await;
    }
    assert!(started.elapsed() < TIMEOUT * 2, "{:?}", started.elapsed());
    assert!(!one.central().is_reached());
    server.resume();
    one.is_reached_in_the_end().await;
}

#[tokio::test]
async fn the_user_of_the_documentation_can_do_it_and_one_who_may_less_is_noticed() {
    let readme = include_str!("../../../README.md");
    let line = readme
        .lines()
        .find(|line| line.starts_with("user usher-issuer "))
        .unwrap();
    let rules = line.split_once("#<").unwrap().1.split_once("> ").unwrap().1;
    let acl = format!("user default off\nuser usher-issuer on >pw-1 {rules}");
    let Some(server) = RedisServer::start_or_skip("limits: ACL", &acl) else {
        return;
    };
    let redis = RedisSettings {
        username: Some("usher-issuer".into()),
        password: Some(shared::secret::SecretString::from("pw-1").into()),
        ..RedisSettings::at(&server.url())
    };
    let issuer = Issuer::reached(&redis, hourly(2)).await;
    issuer.attempt("alice", "192.0.2.1").await.succeeded().await;
    assert_eq!(issuer.failures("alice", "192.0.2.1").await, 2);
    assert_eq!(issuer.central().fallbacks(), 0);

    let less = format!("{acl} -zadd");
    let server = RedisServer::start_or_skip("limits: ACL", &less).unwrap();
    let redis = RedisSettings {
        url: RedisSettings::at(&server.url()).url,
        ..redis
    };
    let issuer = Issuer::new(&redis, hourly(2));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!issuer.central().is_reached());
    assert_eq!(issuer.failures("alice", "192.0.2.1").await, 2);
}

#[tokio::test]
async fn nobody_is_named_in_redis_and_nothing_stays() {
    let Some((server, one, other)) = two("limits: names", hourly(2)).await else {
        return;
    };
    one.attempt("alice", "192.0.2.1").await.succeeded().await;
    one.attempt("alice", "192.0.2.1").await.failed();
    other.attempt("alice", "192.0.99.1").await.failed();
    other.limits.admit_login_from(ip("192.0.2.1")).await.unwrap();
    other
        .limits
        .admit_registration_from(ip("192.0.2.1"))
        .await
        .unwrap();
    let keys = server.command(&["KEYS", "*"]);
    let keys: Vec<&str> = keys.lines().collect();
    assert_eq!(keys.len(), 5, "{keys:?}");
    for key in keys {
        assert!(key.starts_with("{usher}:limits:"), "{key}");
        assert!(!key.contains("alice") && !key.contains("192"), "{key}");
        let ttl_ms = server.command(&["PTTL", key]);
        let ttl_ms: u64 = ttl_ms.trim_start_matches(':').parse().unwrap();
        assert!(ttl_ms > 0, "{key}");
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_no_lane_fuller_than_full() {
    let Some((server, one, _other)) = two("limits: clock", hourly(2)).await else {
        return;
    };
    one.fails(1, "alice", "192.0.2.1").await;
    let key = server.command(&["KEYS", "*"]);
    let hours_ahead = u64::try_from(SystemClock.now().0).unwrap() * 1000 + 30 * 3_600_000_000;
    server.command(&["SET", &key, &hours_ahead.to_string()]);
    let refused = one
        .limits
        .admit_login_to("alice", ip("192.0.2.1"))
        .await
        .unwrap_err();
    assert!(refused.retry_after <= Duration::from_mins(30), "{refused:?}");
}

#[tokio::test]
async fn lanes_are_on_one_node_of_a_cluster() {
    let Some(nodes) = RedisServer::start_cluster_or_skip("limits: Cluster", 3, "") else {
        return;
    };
    let redis = RedisSettings {
        cluster: shared::config::OneOrMany(
            nodes
                .iter()
                .filter_map(|node| RedisSettings::at(&node.url()).url)
                .collect(),
        ),
        ..RedisSettings::default()
    };
    let one = Issuer::reached(&redis, hourly(3)).await;
    let other = Issuer::reached(&redis, hourly(3)).await;
    one.attempt("alice", "192.0.2.1").await.succeeded().await;
    one.fails(2, "bob", "192.0.2.1").await;
    assert_eq!(other.failures("bob", "192.0.2.1").await, 1);
    assert_eq!(one.central().fallbacks() + other.central().fallbacks(), 0);
}
