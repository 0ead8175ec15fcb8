//! Forced interleavings: a login or a refresh that overlaps a change, in both orders of commit.
//!
//! On PostgreSQL the first of the two is held by a trigger at a chosen point, with all the locks that it has by
//! then, until the second has ended or waits for a lock. On SQLite, where a transaction that writes is alone, the
//! reads that come before it are what can overlap.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use issuer::service::{ServiceError, TokenPair};
use issuer::store::session::Origin;
use issuer::store::{session, user};
use sqlx::{AssertSqlSafe, Connection as _};

use super::change::{ALL, Cast, Change};
use super::database::{Database, Kind, within};
use super::world::{HERE, NEW_PASSWORD, PASSWORD, World};

/// Where the first is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    /// When it writes into this table.
    AtWrite(&'static str),
    /// At its commit, after it wrote into this table.
    AtCommit(&'static str),
}

/// What overlaps a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Login,
    Refresh,
}

impl Act {
    async fn carry_out(self, world: &World, cast: &Cast) -> Result<TokenPair, ServiceError> {
        match self {
            Self::Login => world.login("person", PASSWORD).await,
            Self::Refresh => {
                world
                    .service
                    .refresh(&cast.person.pair.refresh_token, &Origin::default())
                    .await
            }
        }
    }
}

/// Runs `first` until it stands at the gate, then `second` until it has ended or waits for a lock, then both. What
/// they gave, and whether `second` ended while `first` was held.
async fn interleave<A, B>(
    database: &Database,
    gate: Gate,
    first: impl Future<Output = A> + Send + 'static,
    second: impl Future<Output = B> + Send + 'static,
) -> (A, B, bool)
where
    A: Send + 'static,
    B: Send + 'static,
{
    let trigger = match gate {
        Gate::AtWrite(table) => format!("CREATE TRIGGER gate BEFORE INSERT ON {table}"),
        Gate::AtCommit(table) => {
            format!("CREATE CONSTRAINT TRIGGER gate AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED")
        }
    };
    database
        .run(&format!(
            "CREATE OR REPLACE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NEW; END $$; \
             {trigger} FOR EACH ROW EXECUTE FUNCTION gate()"
        ))
        .await;
    let mut keeper = database.connection().await;
    let run = |sql: &'static str| sqlx::raw_sql(AssertSqlSafe(sql));
    run("SELECT pg_advisory_lock(4711)")
        .execute(&mut keeper)
        .await
        .unwrap();
    let first = tokio::spawn(first);
    database.waiters(1, || false).await;
    let ended = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&ended);
    let second = tokio::spawn(async move {
        let outcome = second.await;
        over.store(true, Ordering::SeqCst);
        outcome
    });
    database.waiters(2, || ended.load(Ordering::SeqCst)).await;
    let overtaken = ended.load(Ordering::SeqCst);
    run("SELECT pg_advisory_unlock(4711)")
        .execute(&mut keeper)
        .await
        .unwrap();
    keeper.close().await.unwrap();
    let (first, second) = within(async { (first.await.unwrap(), second.await.unwrap()) }).await;
    let (Gate::AtWrite(table) | Gate::AtCommit(table)) = gate;
    database.run(&format!("DROP TRIGGER gate ON {table}")).await;
    (first, second, overtaken)
}

/// What must hold when an act and a change are both over, whichever was first.
async fn check(
    world: &World,
    what: &str,
    (change, act): (Change, Act),
    change_first: bool,
    outcome: Result<TokenPair, ServiceError>,
) {
    let refuses = match act {
        Act::Login => change.refuses_old_password(),
        Act::Refresh => change.ends_own_session(),
    };
    if change_first && refuses {
        assert!(outcome.is_err(), "{what}: let in after the change");
    } else {
        assert!(outcome.is_ok(), "{what}: {outcome:?}");
    }
    let Ok(pair) = outcome else {
        return;
    };
    world.assert_true_or_refused(&pair).await;
    let ends = match act {
        Act::Login => change.ends_other_sessions(),
        Act::Refresh => change.ends_own_session(),
    };
    let after = world
        .service
        .refresh(&pair.refresh_token, &Origin::default())
        .await;
    if ends && (!change_first || refuses) {
        assert!(world.refusal(&pair).await.is_some(), "{what}: its token holds");
        assert!(after.is_err(), "{what}: its session survived");
    } else {
        let after = after.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(world.refusal(&after).await, None, "{what}");
        world.assert_true_or_refused(&after).await;
    }
}

async fn overlap_on_postgres(change: Change, act: Act, gate: Gate, change_first: bool) {
    let Some(database) = Database::fresh(Kind::Postgres).await else {
        return;
    };
    let world = Arc::new(World::open(&database).await);
    let cast = Arc::new(change.cast(&world).await);
    let changing = {
        let (world, cast) = (Arc::clone(&world), Arc::clone(&cast));
        async move { change.carry_out(&world, &cast).await }
    };
    let acting = {
        let (world, cast) = (Arc::clone(&world), Arc::clone(&cast));
        async move { act.carry_out(&world, &cast).await }
    };
    let (changed, outcome, change_committed_first) = if change_first {
        let (changed, outcome, overtaken) = interleave(&database, gate, changing, acting).await;
        (changed, outcome, !overtaken)
    } else {
        let (outcome, changed, overtaken) = interleave(&database, gate, acting, changing).await;
        (changed, outcome, overtaken)
    };
    let what = format!("{change:?} and {act:?}, held {gate:?}, change first: {change_first}");
    changed.unwrap_or_else(|error| panic!("{what}: {error}"));
    check(&world, &what, (change, act), change_committed_first, outcome).await;
    world.service.store.close().await;
    drop((world, cast));
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_overlaps_a_change_that_commits_first() {
    for change in ALL {
        for gate in [Gate::AtWrite("outbox"), Gate::AtCommit("outbox")] {
            overlap_on_postgres(change, Act::Login, gate, true).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_overlaps_a_change_that_commits_second() {
    for change in ALL {
        for gate in [Gate::AtWrite("sessions"), Gate::AtCommit("refresh_tokens")] {
            overlap_on_postgres(change, Act::Login, gate, false).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_overlaps_a_change_that_commits_first() {
    for change in ALL {
        for gate in [Gate::AtWrite("outbox"), Gate::AtCommit("outbox")] {
            overlap_on_postgres(change, Act::Refresh, gate, true).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_overlaps_a_change_that_commits_second() {
    for change in ALL {
        for gate in [Gate::AtWrite("refresh_tokens"), Gate::AtCommit("refresh_tokens")] {
            overlap_on_postgres(change, Act::Refresh, gate, false).await;
        }
    }
}

#[tokio::test]
async fn either_order_without_overlap_on_sqlite() {
    for change in ALL {
        for act in [Act::Login, Act::Refresh] {
            for change_first in [true, false] {
                let database = Database::fresh(Kind::Sqlite).await.unwrap();
                let world = World::open(&database).await;
                let cast = change.cast(&world).await;
                let outcome = if change_first {
                    change.carry_out(&world, &cast).await.unwrap();
                    act.carry_out(&world, &cast).await
                } else {
                    let outcome = act.carry_out(&world, &cast).await;
                    change.carry_out(&world, &cast).await.unwrap();
                    outcome
                };
                let what = format!("{change:?} and {act:?}, change first: {change_first}");
                check(&world, &what, (change, act), change_first, outcome).await;
            }
        }
    }
}

/// The hash is read before the change and the session would begin after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_read_the_old_hash_begins_no_session_on_sqlite() {
    for disable in [false, true] {
        let database = Database::fresh(Kind::Sqlite).await.unwrap();
        let world = Arc::new(World::open(&database).await);
        let person = world.person("person").await;
        let new_hash = {
            let other = world.person("other").await;
            let change = issuer::service::Change {
                password: Some(NEW_PASSWORD.into()),
                ..Default::default()
            };
            world
                .service
                .change_user(&other.caller, other.id, &change, HERE)
                .await
                .unwrap();
            database
                .texts("SELECT password_hash FROM users WHERE login = 'other'")
                .await
                .remove(0)
        };
        // The one writer is ours: the login reads and verifies, and then waits for us.
        let mut work = world.service.store.write().await.unwrap();
        let verified = world.service.passwords.counts().done + 1;
        let login = {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.login("person", PASSWORD).await })
        };
        within(async {
            while world.service.passwords.counts().done < verified {
                tokio::task::yield_now().await;
            }
        })
        .await;
        user::lock(&mut work, person.id, person.id, false).await.unwrap();
        if disable {
            user::set_active(&mut work, person.id, false).await.unwrap();
        } else {
            user::set_password_hash(&mut work, person.id, &new_hash)
                .await
                .unwrap();
        }
        user::outdate_tokens(&mut work, person.id).await.unwrap();
        session::end_all_but(&mut work, person.id, None).await.unwrap();
        work.commit().await.unwrap();
        let outcome = within(login).await.unwrap();
        let refused = if disable {
            matches!(outcome, Err(ServiceError::AccountDisabled))
        } else {
            matches!(outcome, Err(ServiceError::InvalidCredentials))
        };
        assert!(refused, "{outcome:?}");
        let alive = "SELECT COUNT(*) FROM sessions s JOIN users u ON u.id = s.user_id \
                     WHERE u.login = 'person' AND s.ended_at IS NULL";
        assert_eq!(database.number(alive).await, 0);
    }
}
