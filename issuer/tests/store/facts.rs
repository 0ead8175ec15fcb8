//! Each cause leaves exactly the fact it should, in its own transaction.

use issuer::store::session::Origin;
use secrecy::ExposeSecret;
use shared::revocation::{Fact, Refusal};

use super::change::{ALL, Cast, Change};
use super::database::{Database, Kind, on_both};
use super::feed;
use super::service_change::{self, ServiceCast, ServiceChange};
use super::world::{HERE, World};

/// Makes every transaction that writes a fact fail at its commit, after all that it wrote.
const BOMB: &str = "CREATE TABLE bomb (broken bigint REFERENCES blank (id) DEFERRABLE INITIALLY DEFERRED)";

async fn arm(database: &Database) {
    database
        .run_each(
            &format!(
                "CREATE TABLE blank (id bigint PRIMARY KEY); {BOMB}; \
                 CREATE FUNCTION explode() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN INSERT INTO bomb VALUES (1); RETURN NULL; END $$; \
                 CREATE TRIGGER fuse AFTER INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION explode()"
            ),
            &format!(
                "CREATE TABLE blank (id INTEGER PRIMARY KEY); {BOMB}; \
                 CREATE TRIGGER fuse AFTER INSERT ON outbox BEGIN INSERT INTO bomb VALUES (1); END"
            ),
        )
        .await;
}

async fn disarm(database: &Database) {
    database
        .run_each("DROP TRIGGER fuse ON outbox", "DROP TRIGGER fuse")
        .await;
}

/// The fact that a change leaves.
async fn expected(world: &World, database: &Database, change: Change, cast: &Cast) -> Fact {
    match change {
        Change::Logout | Change::SessionEnded => Fact::Session {
            session: cast.person.caller.session,
        },
        Change::RoleRenamed | Change::RoleDeleted => Fact::Role {
            name: "subscriber".into(),
            min_rver: database.number("SELECT rver FROM role_version").await,
        },
        Change::Deleted | Change::DeletedSelf => Fact::Subject {
            subject: cast.person.id,
            // Gone from the table: whatever it was, it refuses the token.
            min_ver: match world.facts_after(0).await.0.last() {
                Some(Fact::Subject { min_ver, .. }) => *min_ver,
                other => panic!("{other:?}"),
            },
        },
        _ => Fact::Subject {
            subject: cast.person.id,
            min_ver: database
                .number("SELECT ver FROM users WHERE login = 'person'")
                .await,
        },
    }
}

async fn walk(database: &Database, change: Change) {
    let world = World::open(database).await;
    let cast = change.cast(&world).await;
    let (_, before) = world.facts_after(0).await;
    let store = &world.service.store;
    feed::hold(store).await;
    let published = feed::take(store, 0, 100).await.last_seq;
    let state = database.dump().await;
    arm(database).await;
    let failed = change.carry_out(&world, &cast).await;
    assert!(failed.is_err(), "{change:?} was to fail");
    assert_eq!(
        database.dump().await,
        state,
        "{change:?} failed and left something"
    );
    assert_eq!(world.refusal(&cast.person.pair).await, None, "{change:?}");
    disarm(database).await;
    change.carry_out(&world, &cast).await.unwrap();
    let (facts, _) = world.facts_after(before).await;
    assert_eq!(
        facts,
        [expected(&world, database, change, &cast).await],
        "{change:?}"
    );
    let batch = feed::take(store, published, 100).await;
    let numbered: Vec<_> = facts.iter().cloned().map(|fact| (published + 1, fact)).collect();
    assert_eq!(feed::said(&batch.entries), numbered, "{change:?}");
    assert!(batch.is_complete, "{change:?}");
    let refusal = match facts.first() {
        Some(Fact::Session { .. }) => Refusal::Revoked,
        _ => Refusal::Stale,
    };
    assert_eq!(
        world.refusal(&cast.person.pair).await,
        Some(refusal),
        "{change:?}"
    );
    assert_eq!(
        world.refusal(&cast.root.pair).await,
        None,
        "{change:?} hit somebody else"
    );
    let refreshed = world
        .service
        .refresh(&cast.person.pair.refresh_token, &Origin::default())
        .await;
    assert_eq!(refreshed.is_err(), change.ends_own_session(), "{change:?}");
    if let Ok(pair) = refreshed {
        assert_eq!(world.refusal(&pair).await, None, "{change:?}");
        world.assert_true_or_refused(&pair).await;
    }
    let old = world.login("person", super::world::PASSWORD).await;
    assert_eq!(old.is_err(), change.refuses_old_password(), "{change:?}");
    world.service.store.close().await;
}

/// The fact that a change of a service leaves.
async fn expected_of_service(
    world: &World,
    database: &Database,
    change: ServiceChange,
    cast: &ServiceCast,
) -> Fact {
    let claims = world.signed_token(&cast.token).claims().clone();
    match change {
        ServiceChange::TokenRevoked | ServiceChange::LoggedOut => Fact::Token {
            token: claims.token_id,
        },
        ServiceChange::RoleRenamed | ServiceChange::RoleDeleted => Fact::Role {
            name: "subscriber".into(),
            min_rver: database.number("SELECT rver FROM role_version").await,
        },
        ServiceChange::Deleted => Fact::Subject {
            subject: claims.subject,
            // Gone from the table: whatever it was, it refuses the token.
            min_ver: match world.facts_after(0).await.0.last() {
                Some(Fact::Subject { min_ver, .. }) => *min_ver,
                other => panic!("{other:?}"),
            },
        },
        ServiceChange::SecretRotated | ServiceChange::LoggedOutEverywhere => Fact::Subject {
            subject: claims.subject,
            min_ver: database
                .number("SELECT ver FROM clients WHERE name = 'film-etl'")
                .await,
        },
    }
}

async fn walk_of_service(database: &Database, change: ServiceChange) {
    let world = World::open(database).await;
    let cast = ServiceCast::of(&world).await;
    let (_, before) = world.facts_after(0).await;
    let state = database.dump().await;
    arm(database).await;
    let failed = change.carry_out(&world, &cast).await;
    assert!(failed.is_err(), "{change:?} was to fail");
    assert_eq!(
        database.dump().await,
        state,
        "{change:?} failed and left something"
    );
    assert_eq!(world.refusal_of(&cast.token).await, None, "{change:?}");
    disarm(database).await;
    change.carry_out(&world, &cast).await.unwrap();
    let (facts, _) = world.facts_after(before).await;
    let expected = expected_of_service(&world, database, change, &cast).await;
    assert_eq!(facts, [expected], "{change:?}");
    let refusal = match facts.first() {
        Some(Fact::Token { .. }) => Refusal::Revoked,
        _ => Refusal::Stale,
    };
    assert_eq!(world.refusal_of(&cast.token).await, Some(refusal), "{change:?}");
    let judged = world
        .service
        .authenticate(cast.token.expose_secret(), Origin::default())
        .await;
    assert!(judged.is_err(), "{change:?}: the issuer takes it");
    assert_eq!(
        world.refusal_of(&cast.bystander).await,
        None,
        "{change:?} hit somebody else"
    );
    let again = world.client_token("film-etl", &cast.secret).await;
    assert_eq!(again.is_none(), change.refuses_old_secret(), "{change:?}");
    if let Some(token) = again {
        assert_eq!(world.refusal_of(&token).await, None, "{change:?}");
    }
    world.service.store.close().await;
}

async fn every_change(kind: Kind) {
    for change in ALL {
        let Some(database) = Database::fresh(kind).await else {
            return;
        };
        walk(&database, change).await;
        database.remove().await;
    }
    for change in service_change::ALL {
        let Some(database) = Database::fresh(kind).await else {
            return;
        };
        walk_of_service(&database, change).await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_leaves_its_fact_or_nothing_on_sqlite() {
    every_change(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_leaves_its_fact_or_nothing_on_postgres() {
    every_change(Kind::Postgres).await;
}

on_both! {
    async fn a_change_that_changes_nothing_leaves_no_fact(database: &Database) {
        let world = World::open(database).await;
        let cast = Change::RoleTaken.cast(&world).await;
        let (_, before) = world.facts_after(0).await;
        let (root, person, service) = (&cast.root, &cast.person, &world.service);
        service.set_user_role(&root.caller, person.id, cast.role.id, true).await.unwrap();
        service.set_active(&root.caller, person.id, true).await.unwrap();
        service.set_superuser(&root.caller, person.id, false).await.unwrap();
        let described = issuer::service::RoleDraft {
            name: "subscriber".to_owned(),
            description: Some("pays".to_owned()),
        };
        service.change_role(&root.caller, cast.role.id, &described).await.unwrap();
        let renamed = issuer::service::Change {
            login: Some("somebody".to_owned()),
            ..Default::default()
        };
        service.change_user(&person.caller, person.id, &renamed, HERE).await.unwrap();
        assert_eq!(world.facts_after(before).await.0, []);
        assert_eq!(world.refusal(&person.pair).await, None);
        // A logout twice is one fact.
        let token = person.pair.access_token.expose_secret();
        service.logout(token, false, &Origin::default()).await.unwrap();
        service.logout(token, false, &Origin::default()).await.unwrap();
        assert_eq!(world.facts_after(before).await.0.len(), 1);
    }
}
