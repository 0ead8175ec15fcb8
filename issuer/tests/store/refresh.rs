//! Refresh: the token rotates, a repeat is told from a theft by time, and a lost answer logs nobody out.

use std::sync::Arc;
use std::time::Duration;

use issuer::service::ServiceError;
use issuer::store::session::Origin;
use issuer::store::{refresh, session};
use secrecy::{ExposeSecret, SecretString};
use shared::revocation::{Fact, Refusal};
use shared::testkit::ManualClock;
use shared::time::{Clock, SystemClock};

use super::database::{Database, Kind, on_both, within};
use super::feed;
use super::world::{PASSWORD, Person, World};

mod model;

/// As the settings have it by default.
const GRACE: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_hours(30 * 24);
const ABSOLUTE: Duration = Duration::from_hours(90 * 24);

/// Lets time pass: on SQLite the clock is the test's, on PostgreSQL everything stored moves into the past.
struct Time<'a> {
    database: &'a Database,
    clock: Option<Arc<ManualClock>>,
}

impl<'a> Time<'a> {
    async fn world(database: &'a Database) -> (World, Self) {
        let clock = match database.kind {
            Kind::Sqlite => Some(Arc::new(ManualClock::at(SystemClock.now()))),
            Kind::Postgres => None,
        };
        let world = match clock.clone() {
            Some(clock) => World::open_at(database, clock).await,
            None => World::open(database).await,
        };
        (world, Self { database, clock })
    }

    async fn pass(&self, time: Duration) {
        if let Some(clock) = &self.clock {
            clock.advance(time);
            return;
        }
        let by = format!("interval '{} milliseconds'", time.as_millis());
        self.database
            .run(&format!(
                "UPDATE refresh_tokens SET used_at = used_at - {by}; \
                 UPDATE sessions SET expires_at = expires_at - {by}, refresh_expires_at = refresh_expires_at - {by}"
            ))
            .await;
    }
}

impl World {
    async fn exchange(&self, token: &SecretString) -> Result<SecretString, ServiceError> {
        self.service
            .refresh(token, &Origin::default())
            .await
            .map(|pair| pair.refresh_token)
    }
}

fn same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}

async fn assert_reused(world: &World, person: &Person, token: &SecretString) {
    let (_, before) = world.facts_after(0).await;
    let store = &world.service.store;
    feed::hold(store).await;
    let published = feed::take(store, 0, 100).await.last_seq;
    let outcome = world.service.refresh(token, &Origin::default()).await;
    assert!(
        matches!(outcome, Err(ServiceError::RefreshTokenReused)),
        "{outcome:?}"
    );
    let session = person.caller.session;
    assert_eq!(world.facts_after(before).await.0, [Fact::Session { session }]);
    let batch = feed::take(store, published, 100).await;
    assert_eq!(
        feed::said(&batch.entries),
        [(published + 1, Fact::Session { session })]
    );
    assert_eq!(world.refusal(&person.pair).await, Some(Refusal::Revoked));
}

on_both! {
    async fn a_token_rotates_and_its_repeat_gives_the_same_successor(database: &Database) {
        let (world, time) = Time::world(database).await;
        let person = world.person("person").await;
        let first = &person.pair.refresh_token;
        let second = world.exchange(first).await.unwrap();
        assert!(!same(first, &second));
        // However late: as long as the successor is unused, its answer may have been lost.
        for wait in [Duration::ZERO, GRACE * 2, Duration::from_hours(24)] {
            time.pass(wait).await;
            assert!(same(&second, &world.exchange(first).await.unwrap()));
        }
        let third = world.exchange(&second).await.unwrap();
        assert!(!same(&second, &third));
        assert_eq!(database.number("SELECT COUNT(*) FROM refresh_tokens").await, 3);
        assert_eq!(database.number("SELECT leaf FROM sessions").await, 2);
    }

    async fn within_the_grace_a_repeat_leads_to_the_newest(database: &Database) {
        let (world, time) = Time::world(database).await;
        let person = world.person("person").await;
        let first = &person.pair.refresh_token;
        let second = world.exchange(first).await.unwrap();
        let mut newest = second.clone();
        for _ in 0..5 {
            newest = world.exchange(&newest).await.unwrap();
        }
        assert!(same(&newest, &world.exchange(first).await.unwrap()));
        assert!(same(&newest, &world.exchange(&second).await.unwrap()));
        time.pass(GRACE - Duration::from_secs(3)).await;
        assert!(same(&newest, &world.exchange(first).await.unwrap()));
        assert_eq!(world.facts_after(0).await.0, []);
        time.pass(Duration::from_secs(4)).await;
        assert_reused(&world, &person, first).await;
        // With it the newest is gone too.
        let outcome = world.service.refresh(&newest, &Origin::default()).await;
        assert!(matches!(outcome, Err(ServiceError::InvalidRefreshToken)), "{outcome:?}");
    }

    async fn a_token_that_comes_back_late_ends_its_session_alone(database: &Database) {
        let (world, time) = Time::world(database).await;
        let person = world.person("person").await;
        let other = world.login("person", PASSWORD).await.unwrap();
        let second = world.exchange(&person.pair.refresh_token).await.unwrap();
        world.exchange(&second).await.unwrap();
        time.pass(GRACE + Duration::from_millis(1)).await;
        assert_reused(&world, &person, &person.pair.refresh_token).await;
        assert_eq!(world.refusal(&other).await, None);
        world.exchange(&other.refresh_token).await.unwrap();
    }

    async fn a_repeat_does_not_put_the_end_of_the_session_off(database: &Database) {
        let (world, time) = Time::world(database).await;
        let person = world.person("person").await;
        let first = world.service.refresh(&person.pair.refresh_token, &Origin::default()).await.unwrap();
        time.pass(Duration::from_hours(1)).await;
        let repeat = world.service.refresh(&person.pair.refresh_token, &Origin::default()).await.unwrap();
        assert!(repeat.refresh_expires_in + Duration::from_mins(59) < first.refresh_expires_in);
    }

    async fn answers_that_are_lost_log_nobody_out(database: &Database) {
        let (world, time) = Time::world(database).await;
        let person = world.person("person").await;
        let mut held = person.pair.refresh_token;
        for round in 0..8_u32 {
            for _ in 0..round % 4 {
                _ = world.exchange(&held).await.unwrap();
                time.pass(GRACE * 3).await;
            }
            held = world.exchange(&held).await.unwrap();
        }
        assert_eq!(world.facts_after(0).await.0, []);
    }

    async fn a_session_ends_idle_and_in_any_case(database: &Database) {
        let (world, time) = Time::world(database).await;
        let idle = world.person("idle").await;
        let busy = world.person("busy").await;
        let mut held = busy.pair.refresh_token;
        let day = Duration::from_hours(24);
        let mut passed = Duration::ZERO;
        while passed + day * 29 < ABSOLUTE {
            time.pass(day * 29).await;
            passed += day * 29;
            held = world.exchange(&held).await.unwrap();
        }
        assert!(passed > IDLE);
        let outcome = world.service.refresh(&idle.pair.refresh_token, &Origin::default()).await;
        assert!(matches!(outcome, Err(ServiceError::InvalidRefreshToken)), "{outcome:?}");
        time.pass(ABSOLUTE - passed - Duration::from_mins(1)).await;
        let pair = world.service.refresh(&held, &Origin::default()).await.unwrap();
        assert!(pair.refresh_expires_in <= Duration::from_mins(1), "{pair:?}");
        time.pass(Duration::from_mins(1)).await;
        let outcome = world.service.refresh(&pair.refresh_token, &Origin::default()).await;
        assert!(matches!(outcome, Err(ServiceError::InvalidRefreshToken)), "{outcome:?}");
        assert_eq!(world.facts_after(0).await.0, []);
    }

    async fn what_is_no_token_of_ours_changes_nothing(database: &Database) {
        let world = World::open(database).await;
        let person = world.person("person").await;
        let state = database.dump().await;
        let unknown = issuer::signing::RefreshToken::random().to_text();
        let access = person.pair.access_token.clone();
        for token in [unknown, access, "".into(), "usher_rt_".into()] {
            let outcome = world.service.refresh(&token, &Origin::default()).await;
            assert!(matches!(outcome, Err(ServiceError::InvalidRefreshToken)), "{outcome:?}");
        }
        assert_eq!(database.dump().await, state);
    }

    async fn many_at_once_with_one_token_get_one_successor(database: &Database) {
        let world = Arc::new(World::open(database).await);
        let person = world.person("person").await;
        let mut asked = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let (world, token) = (Arc::clone(&world), person.pair.refresh_token.clone());
            asked.spawn(async move { world.exchange(&token).await.unwrap().expose_secret().to_owned() });
        }
        let mut given = within(asked.join_all()).await;
        given.sort();
        given.dedup();
        assert_eq!(given.len(), 1, "one successor");
        assert_eq!(database.number("SELECT COUNT(*) FROM refresh_tokens").await, 2);
        assert_eq!(database.number("SELECT leaf FROM sessions").await, 1);
        world.exchange(&given.remove(0).into()).await.unwrap();
        assert_eq!(world.facts_after(0).await.0, []);
    }
}

/// The one who rotates holds the session; who comes second waits, and sees what the first left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exchange_waits_for_the_one_before_it() {
    let Some(database) = Database::fresh(Kind::Postgres).await else {
        return;
    };
    let world = Arc::new(World::open(&database).await);
    let person = world.person("person").await;
    let mut work = world.service.store.write().await.unwrap();
    session::end(&mut work, person.caller.session).await.unwrap();
    let late = {
        let (world, token) = (Arc::clone(&world), person.pair.refresh_token.clone());
        tokio::spawn(async move { world.service.refresh(&token, &Origin::default()).await })
    };
    database.waiters(1, || late.is_finished()).await;
    assert!(!late.is_finished(), "did not wait");
    work.commit().await.unwrap();
    let outcome = within(late).await.unwrap();
    assert!(
        matches!(outcome, Err(ServiceError::InvalidRefreshToken)),
        "{outcome:?}"
    );
    let mut work = world.service.store.read().await.unwrap();
    let digest = issuer::signing::RefreshToken::parse(&person.pair.refresh_token)
        .unwrap()
        .digest();
    let presented = refresh::presented(&mut work, &digest).await.unwrap().unwrap();
    assert_eq!((presented.counter, presented.leaf), (0, 0));
    drop(work);
    drop(world);
    database.remove().await;
}
