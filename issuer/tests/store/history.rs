//! The login history over the months: where attempts go, what is forgotten, and who waits for it.

use std::sync::Arc;
use std::time::Duration;

use issuer::app::open_store;
use issuer::store::login_history::months::{self, Made};
use issuer::store::login_history::{self, Outcome};
use issuer::store::session::Origin;
use issuer::store::{PageRequest, Store, StoreError};
use shared::id::SubjectId;
use shared::limits::{HISTORY_DELETED_AT_ONCE, HISTORY_MONTHS_AHEAD, HISTORY_MOVED_MAX};
use shared::time::{Clock, SystemClock, UnixMillis};

use super::database::{Database, Kind, on_both, within};
use super::world::{PASSWORD, World, settings};

/// 2031-12-31T23:59:59.999Z
const END_OF_2031: UnixMillis = UnixMillis(1_956_527_999_999);

const DAY: Duration = Duration::from_hours(24);

async fn open(database: &Database) -> Store {
    open_store(&settings(database), Arc::new(SystemClock), true)
        .await
        .unwrap()
}

/// A database of PostgreSQL, which alone has partitions.
async fn postgres() -> Option<Database> {
    Database::fresh(Kind::Postgres).await
}

async fn make(store: &Store, now: UnixMillis, ahead: u32) -> Vec<Made> {
    let mut outcomes = Vec::new();
    for begin in months::from(now, ahead) {
        let mut work = store.write().await.unwrap();
        outcomes.push(months::make(&mut work, begin).await.unwrap());
        work.commit().await.unwrap();
    }
    outcomes
}

async fn drop_all(store: &Store, before: UnixMillis) -> Vec<String> {
    let mut dropped = Vec::new();
    loop {
        let mut work = store.write().await.unwrap();
        let one = months::drop_oldest(&mut work, before).await.unwrap();
        work.commit().await.unwrap();
        match one {
            Some(name) => dropped.push(name),
            None => return dropped,
        }
    }
}

/// Writes attempts of the user whose id is nil, `count` of them, from `first` on, a second apart.
async fn attempts(database: &Database, first: UnixMillis, count: u32) {
    let first = first.0;
    database
        .run_each(
            &format!(
                "INSERT INTO login_history (id, at, user_id, outcome) SELECT gen_random_uuid(), \
                 to_timestamp({first} / 1000.0) + n * interval '1 second', \
                 '00000000-0000-0000-0000-000000000000', 'success' FROM generate_series(0, {count} - 1) n"
            ),
            &format!(
                "INSERT INTO login_history (id, at, user_id, outcome) \
                 WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n LIMIT {count}) \
                 SELECT randomblob(16), {first} + n * 1000, zeroblob(16), 'success' FROM n"
            ),
        )
        .await;
}

/// How many attempts of that user there are, as the user sees it.
async fn seen(store: &Store) -> usize {
    let (mut seen, mut before) = (0, None);
    loop {
        let request = PageRequest { limit: 1000, before };
        let mut work = store.read().await.unwrap();
        let page = login_history::list(&mut work, SubjectId(uuid::Uuid::nil()), request)
            .await
            .unwrap();
        assert!(page.items.is_sorted_by(|newer, older| newer.id > older.id));
        seen += page.items.len();
        before = page.next;
        if before.is_none() {
            return seen;
        }
    }
}

async fn rows(database: &Database, table: &str) -> i64 {
    database.number(&format!("SELECT COUNT(*) FROM {table}")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn this_month_and_those_ahead_have_their_partitions_from_the_start() {
    let Some(database) = postgres().await else { return };
    let world = World::open(&database).await;
    world.person("person").await;
    assert_eq!(rows(&database, "login_history").await, 1);
    assert_eq!(rows(&database, "login_history_default").await, 0);
    let now = SystemClock.now();
    let made = make(&world.service.store, now, HISTORY_MONTHS_AHEAD - 1).await;
    assert!(made.iter().all(|made| *made == Made::There), "{made:?}");
    world.service.store.close().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn months_are_made_over_the_end_of_a_year_and_take_what_was_in_the_default_partition() {
    let Some(database) = postgres().await else { return };
    let store = open(&database).await;
    let next_year = UnixMillis(END_OF_2031.0 + 1);
    attempts(&database, END_OF_2031.minus(DAY), 10).await;
    attempts(&database, END_OF_2031, 3).await;
    attempts(&database, next_year.plus(40 * DAY), 5).await;
    assert_eq!(rows(&database, "login_history_default").await, 18);
    assert_eq!(seen(&store).await, 18);

    assert_eq!(make(&store, END_OF_2031, 1).await, [Made::Now, Made::Now]);
    // The first millisecond of a month is its own.
    assert_eq!(rows(&database, "login_history_2031_12").await, 11);
    assert_eq!(rows(&database, "login_history_2032_01").await, 2);
    assert_eq!(rows(&database, "login_history_default").await, 5);
    assert_eq!(seen(&store).await, 18);
    // Time has moved on by a millisecond.
    assert_eq!(make(&store, next_year, 1).await, [Made::There, Made::Now]);
    assert_eq!(rows(&database, "login_history_2032_02").await, 5);
    assert_eq!(rows(&database, "login_history_default").await, 0);
    attempts(&database, END_OF_2031, 1).await;
    assert_eq!(rows(&database, "login_history_2031_12").await, 12);
    assert_eq!(seen(&store).await, 19);
    store.close().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_much_of_a_month_stays_in_the_default_partition_until_it_is_forgotten() {
    let Some(database) = postgres().await else { return };
    let store = open(&database).await;
    let first = UnixMillis(END_OF_2031.0 + 1);
    attempts(&database, first, HISTORY_MOVED_MAX + 1).await;
    assert_eq!(make(&store, first, 1).await, [Made::Left, Made::Now]);
    assert_eq!(seen(&store).await, HISTORY_MOVED_MAX as usize + 1);
    let forget = async |before| {
        let mut work = store.write().await.unwrap();
        let forgotten = login_history::delete_before(&mut work, before, HISTORY_DELETED_AT_ONCE)
            .await
            .unwrap();
        work.commit().await.unwrap();
        forgotten
    };
    assert_eq!(forget(first).await, 0);
    let second = UnixMillis(first.0 + 1000);
    assert_eq!(forget(second).await, 1);
    // There is room now.
    assert_eq!(make(&store, first, 0).await, [Made::Now]);
    assert_eq!(rows(&database, "login_history_default").await, 0);
    assert_eq!(seen(&store).await, HISTORY_MOVED_MAX as usize);
    store.close().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_is_dropped_when_all_of_it_is_older() {
    let Some(database) = postgres().await else { return };
    let store = open(&database).await;
    // 2020-11-15T00:00:00Z
    let old = UnixMillis(1_605_398_400_000);
    assert_eq!(make(&store, old, 2).await, [Made::Now; 3]);
    attempts(&database, old, 5).await;
    let december = months::from(old, 1)[1];
    assert_eq!(drop_all(&store, UnixMillis(december.0 - 1)).await, [""; 0]);
    assert_eq!(drop_all(&store, december).await, ["login_history_2020_11"]);
    assert_eq!(seen(&store).await, 0);
    let dropped = drop_all(&store, UnixMillis(december.0 + 70 * 86_400_000)).await;
    assert_eq!(dropped, ["login_history_2020_12", "login_history_2021_01"]);
    // Those of now stay.
    let made = make(&store, SystemClock.now(), HISTORY_MONTHS_AHEAD).await;
    assert!(made.iter().all(|made| *made == Made::There), "{made:?}");
    store.close().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_several_issuers_one_makes_a_month_and_one_drops_it() {
    let Some(database) = postgres().await else { return };
    let issuers = [
        open(&database).await,
        open(&database).await,
        open(&database).await,
    ];
    // While one is at it, the others go on.
    let mut first = issuers[0].write().await.unwrap();
    let begin = months::from(END_OF_2031, 0)[0];
    assert_eq!(months::make(&mut first, begin).await.unwrap(), Made::Now);
    assert_eq!(make(&issuers[1], END_OF_2031, 0).await, [Made::Busy]);
    assert_eq!(
        drop_all(&issuers[1], UnixMillis(END_OF_2031.0 * 2)).await,
        [""; 0]
    );
    first.commit().await.unwrap();
    assert_eq!(make(&issuers[1], END_OF_2031, 0).await, [Made::There]);
    // All at once.
    for year in 1..=5 {
        let now = END_OF_2031.plus(year * 366 * DAY);
        let made = within(async {
            let (one, two, three) = tokio::join!(
                make(&issuers[0], now, 3),
                make(&issuers[1], now, 3),
                make(&issuers[2], now, 3)
            );
            [one, two, three].concat()
        })
        .await;
        let count = |outcome| made.iter().filter(|made| **made == outcome).count();
        assert!(
            (1..=4).contains(&count(Made::Now)) && count(Made::Left) == 0,
            "{made:?}"
        );
        // Who was kept off by another month comes back.
        let made = make(&issuers[0], now, 3).await;
        assert!(
            made.iter().all(|made| matches!(made, Made::There | Made::Now)),
            "{made:?}"
        );
    }
    let before = END_OF_2031.plus(10 * 366 * DAY);
    let dropped = within(async {
        let (one, two) = tokio::join!(drop_all(&issuers[0], before), drop_all(&issuers[1], before));
        [one, two].concat()
    })
    .await;
    let mut distinct = dropped.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), dropped.len(), "{dropped:?}");
    for issuer in issuers {
        issuer.close().await;
    }
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_waits_for_a_change_of_partitions_and_succeeds() {
    let Some(database) = postgres().await else { return };
    let world = Arc::new(World::open(&database).await);
    world.person("person").await;
    let store = &world.service.store;
    let old = UnixMillis(1_605_398_400_000);
    make(store, old, 0).await;
    for drops in [true, false] {
        let mut work = store.write().await.unwrap();
        if drops {
            assert!(
                months::drop_oldest(&mut work, old.plus(60 * DAY))
                    .await
                    .unwrap()
                    .is_some()
            );
        } else {
            let begin = months::from(END_OF_2031, 0)[0];
            assert_eq!(months::make(&mut work, begin).await.unwrap(), Made::Now);
        }
        let login = tokio::spawn({
            let world = Arc::clone(&world);
            async move { world.login("person", PASSWORD).await.map(|pair| pair.user_id) }
        });
        if drops {
            database.waiters(1, || login.is_finished()).await;
            assert!(!login.is_finished(), "the whole table is locked");
        } else {
            // Its month has a partition: the default one is not asked for.
            within(async {
                while !login.is_finished() {
                    tokio::task::yield_now().await;
                }
            })
            .await;
        }
        work.commit().await.unwrap();
        within(login).await.unwrap().unwrap();
    }
    world.service.store.close().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_holds_the_table_is_not_waited_for_long() {
    let Some(database) = postgres().await else { return };
    let store = open(&database).await;
    let old = UnixMillis(1_605_398_400_000);
    make(&store, old, 0).await;
    // Such as a backup does.
    let mut holder = database.connection().await;
    let mut hold = sqlx::Connection::begin(&mut holder).await.unwrap();
    sqlx::raw_sql("SELECT count(*) FROM login_history")
        .execute(&mut *hold)
        .await
        .unwrap();
    assert_eq!(within(make(&store, END_OF_2031, 0)).await, [Made::Busy]);
    let mut work = store.write().await.unwrap();
    let dropped = within(months::drop_oldest(&mut work, old.plus(60 * DAY))).await;
    assert!(matches!(dropped, Err(StoreError::Unavailable(_))), "{dropped:?}");
    drop(work);
    hold.commit().await.unwrap();
    assert_eq!(make(&store, END_OF_2031, 0).await, [Made::Now]);
    assert_eq!(drop_all(&store, old.plus(60 * DAY)).await.len(), 1);
    sqlx::Connection::close(holder).await.unwrap();
    store.close().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_there_before_there_were_months_is_moved_by_the_migration() {
    let Some(database) = postgres().await else { return };
    let store = open(&database).await;
    // As it was.
    let now = SystemClock.now();
    drop_all(&store, now.plus(366 * DAY)).await;
    database
        .run(
            "DROP FUNCTION login_history_make_month; DROP FUNCTION login_history_drop_month; \
             DROP INDEX login_history_default_by_time; DELETE FROM _sqlx_migrations WHERE version = 7",
        )
        .await;
    attempts(&database, now.minus(75 * DAY), HISTORY_MOVED_MAX + 1).await;
    attempts(&database, now.minus(Duration::from_mins(1)), 5).await;
    store.migrate().await.unwrap();
    assert_eq!(rows(&database, "login_history_default").await, 0);
    assert_eq!(seen(&store).await, HISTORY_MOVED_MAX as usize + 6);
    let made = make(&store, now.minus(75 * DAY), 2 + HISTORY_MONTHS_AHEAD).await;
    assert!(made.iter().all(|made| *made == Made::There), "{made:?}");
    store.close().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_of_maintenance_goes_by_the_databases_clock() {
    let Some(database) = postgres().await else { return };
    let world = World::open(&database).await;
    world.person("person").await;
    // From here on new connections see another time: a year and a half from now.
    database
        .run(
            "CREATE SCHEMA moved; CREATE FUNCTION moved.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS \
             $$ SELECT pg_catalog.clock_timestamp() + interval '550 days' $$; \
             DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, moved, pg_catalog', \
             current_database()); END $$",
        )
        .await;
    world.service.store.close().await;
    let later = World::open(&database).await;
    later.service.maintenance_round().await.unwrap();
    let now = SystemClock.now().plus(550 * DAY);
    let made = make(&later.service.store, now, HISTORY_MONTHS_AHEAD - 1).await;
    assert!(made.iter().all(|made| *made == Made::There), "{made:?}");
    assert_eq!(
        rows(&database, "login_history").await,
        0,
        "the month of the login is gone"
    );
    later.service.store.close().await;
    database.remove().await;
}

on_both! {
    async fn attempts_are_forgotten_after_the_retention(database: &Database) {
        let world = World::open(database).await;
        let now = world.service.clock.now();
        let retention = world.service.policy.history_retention.unwrap();
        let cutoff = now.minus(retention);
        // No partition is made for the past: they are in the default one.
        attempts(database, cutoff.minus(2 * DAY), 2 * HISTORY_DELETED_AT_ONCE + 7).await;
        attempts(database, cutoff.plus(DAY), 3).await;
        attempts(database, now, 4).await;
        world.service.maintenance_round().await.unwrap();
        assert_eq!(seen(&world.service.store).await, 7);
        world.service.maintenance_round().await.unwrap();
        assert_eq!(seen(&world.service.store).await, 7);
    }

    async fn an_attempt_outside_every_month_is_kept_and_shown(database: &Database) {
        let store = open(database).await;
        attempts(database, END_OF_2031, 2).await;
        let mut work = store.write().await.unwrap();
        let nobody = SubjectId(uuid::Uuid::nil());
        login_history::insert(&mut work, Some(nobody), Outcome::Throttled, None, &Origin::default()).await.unwrap();
        work.commit().await.unwrap();
        assert_eq!(seen(&store).await, 3);
    }
}
