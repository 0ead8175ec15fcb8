//! Acts that race for the same rights.

use std::sync::Arc;

use issuer::service::{RoleDraft, ServiceError};
use issuer::store::session::Origin;
use secrecy::ExposeSecret;
use shared::reason::Reason;

use super::database::{Database, Kind, on_both, within};
use super::world::{HERE, PASSWORD, Person, World};

const ROUNDS: usize = 20;

/// What two superusers do to each other.
#[derive(Clone, Copy, Debug)]
enum Harm {
    Demote,
    Disable,
    Delete,
}

impl Harm {
    async fn inflict(self, world: &World, by: &Person, on: &Person) -> Result<(), ServiceError> {
        match self {
            Self::Demote => world.service.set_superuser(&by.caller, on.id, false).await,
            Self::Disable => world.service.set_active(&by.caller, on.id, false).await,
            Self::Delete => world.service.delete_user(&by.caller, on.id).await,
        }
    }
}

on_both! {
    async fn of_two_superusers_who_harm_each_other_one_stays(database: &Database) {
        let world = World::open(database).await;
        for round in 0..ROUNDS {
            let harm = [Harm::Demote, Harm::Disable, Harm::Delete][round % 3];
            let (one, two) = (format!("one-{round}"), format!("two-{round}"));
            let (one, two) = (world.superuser(&one).await, world.superuser(&two).await);
            let (first, second) = within(async {
                tokio::join!(harm.inflict(&world, &one, &two), harm.inflict(&world, &two, &one))
            })
            .await;
            let left = database.number("SELECT COUNT(*) FROM users WHERE superuser AND active").await;
            assert_eq!(left, 1, "{harm:?}: {first:?} {second:?}");
            assert!(first.is_ok() ^ second.is_ok(), "{harm:?}: {first:?} {second:?}");
            let refused = first.err().or(second.err());
            assert!(
                matches!(refused, Some(ServiceError::InvalidToken(Reason::Stale | Reason::Revoked))),
                "{harm:?}: {refused:?}"
            );
            database.run("DELETE FROM users").await;
        }
    }

    async fn the_last_superuser_stays(database: &Database) {
        let world = World::open(database).await;
        let root = world.superuser("root").await;
        for harm in [Harm::Demote, Harm::Disable, Harm::Delete] {
            let outcome = harm.inflict(&world, &root, &root).await;
            assert!(matches!(outcome, Err(ServiceError::LastSuperuser)), "{harm:?}: {outcome:?}");
        }
        let outcome = world.service.set_active_of("root", false).await;
        assert!(matches!(outcome, Err(ServiceError::LastSuperuser)), "{outcome:?}");
        // One who is disabled does not count as another.
        let other = world.superuser("other").await;
        Harm::Disable.inflict(&world, &root, &other).await.unwrap();
        let outcome = Harm::Demote.inflict(&world, &root, &root).await;
        assert!(matches!(outcome, Err(ServiceError::LastSuperuser)), "{outcome:?}");
        assert_eq!(world.refusal(&root.pair).await, None);
    }

    async fn logins_at_once_that_rehash_all_succeed(database: &Database) {
        let world = World::open(database).await;
        world.person("person").await;
        for round in 0..5 {
            let stricter = World::open_hashing(database, 16 + round).await;
            let before = database.texts("SELECT password_hash FROM users").await;
            let (one, two) = within(async {
                tokio::join!(stricter.login("person", PASSWORD), stricter.login("person", PASSWORD))
            })
            .await;
            assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
            assert_ne!(database.texts("SELECT password_hash FROM users").await, before);
            stricter.service.store.close().await;
        }
    }

    async fn an_act_of_rights_that_are_gone_is_not_carried_out(database: &Database) {
        let world = World::open(database).await;
        let root = world.superuser("root").await;
        let (admin, victim) = (world.person("admin").await, world.person("victim").await);
        world.service.set_user_role(&root.caller, admin.id, ADMIN, true).await.unwrap();
        let pair = world.login("admin", PASSWORD).await.unwrap();
        let admin = world.holder(pair).await;
        world.service.set_user_role(&root.caller, admin.id, ADMIN, false).await.unwrap();
        let state = database.dump().await;
        for outcome in [
            world.service.set_active(&admin.caller, victim.id, false).await,
            world.service.end_session(&admin.caller, victim.caller.session).await,
        ] {
            assert!(matches!(outcome, Err(ServiceError::InvalidToken(Reason::Stale))), "{outcome:?}");
        }
        assert_eq!(database.dump().await, state);
    }

    async fn an_act_of_a_session_that_has_ended_is_not_carried_out(database: &Database) {
        let world = World::open(database).await;
        let root = world.superuser("root").await;
        let person = world.person("person").await;
        let role = world.role(&root, "subscriber").await;
        for holder in [&root, &person] {
            world.service.logout(holder.pair.access_token.expose_secret(), false, &Origin::default()).await.unwrap();
        }
        let state = database.dump().await;
        let change = issuer::service::Change {
            password: Some("another one altogether".into()),
            ..Default::default()
        };
        let draft = RoleDraft { name: "patron".to_owned(), description: None };
        let (caller, service) = (&root.caller, &world.service);
        for outcome in [
            service.change_user(&person.caller, person.id, &change, HERE).await.map(|_| ()),
            service.delete_user(&person.caller, person.id).await,
            service.set_active(caller, person.id, false).await,
            service.set_superuser(caller, person.id, true).await,
            service.set_user_role(caller, person.id, role.id, true).await,
            service.end_session(caller, person.caller.session).await,
            service.create_role(caller, &draft).await.map(|_| ()),
            service.change_role(caller, role.id, &draft).await.map(|_| ()),
            service.delete_role(caller, role.id).await,
        ] {
            // A session that is gone is not found whoever asks.
            assert!(
                matches!(
                    outcome,
                    Err(ServiceError::InvalidToken(Reason::Revoked) | ServiceError::NotFound)
                ),
                "{outcome:?}"
            );
        }
        assert_eq!(database.dump().await, state);
    }
}

const ADMIN: shared::id::RoleId =
    shared::id::RoleId(uuid::Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0003));

/// An act of an admin waits for the row of its target, and meanwhile something changes that it relies on.
async fn while_an_admin_waits(change: &str) -> (Result<(), ServiceError>, bool) {
    let Some(database) = Database::fresh(Kind::Postgres).await else {
        return (Err(ServiceError::NotFound), true);
    };
    let world = Arc::new(World::open(&database).await);
    let root = world.superuser("root").await;
    let (admin, victim) = (world.person("admin").await, world.person("victim").await);
    world
        .service
        .set_user_role(&root.caller, admin.id, ADMIN, true)
        .await
        .unwrap();
    let pair = world.login("admin", PASSWORD).await.unwrap();
    let admin = world.holder(pair).await;
    let mut holder = database.connection().await;
    let mut hold = sqlx::Connection::begin(&mut holder).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(change.to_owned()))
        .execute(&mut *hold)
        .await
        .unwrap();
    let act = {
        let (world, session) = (Arc::clone(&world), victim.caller.session);
        tokio::spawn(async move { world.service.end_session(&admin.caller, session).await })
    };
    database.waiters(1, || false).await;
    hold.commit().await.unwrap();
    let outcome = within(act).await.unwrap();
    let lives = database
        .number("SELECT COUNT(*) FROM sessions s JOIN users u ON u.id = s.user_id WHERE u.login = 'victim' AND s.ended_at IS NULL")
        .await
        == 1;
    drop(world);
    sqlx::Connection::close(holder).await.unwrap();
    database.remove().await;
    (outcome, lives)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_who_waits_does_not_act_with_a_role_that_was_taken() {
    let (outcome, lives) = while_an_admin_waits("UPDATE users SET ver = ver + 1 WHERE login = 'admin'").await;
    assert!(outcome.is_err() && lives, "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_who_waits_does_not_end_the_session_of_a_new_superuser() {
    let (outcome, lives) =
        while_an_admin_waits("UPDATE users SET superuser = true WHERE login = 'victim'").await;
    assert!(
        matches!(outcome, Err(ServiceError::NotFound)) && lives,
        "{outcome:?}"
    );
}
