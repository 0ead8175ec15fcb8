//! The store keeps what it promises, alike on both databases.

use std::sync::Arc;
use std::time::Duration;

use issuer::app::open_store;
use issuer::store::key::NewKey;
use issuer::store::login_history::{self, Outcome};
use issuer::store::session::{self, Expiry, Origin};
use issuer::store::{Page, PageRequest, Store, StoreError, Work, key, outbox, refresh, role, truth, user};
use shared::id::{RoleId, SessionId, SubjectId};
use shared::revocation::Fact;
use shared::time::{SystemClock, UnixMillis};

use super::database::{Database, Kind, on_both, within};
use super::world::settings;

async fn open(database: &Database) -> Store {
    open_store(&settings(database), Arc::new(SystemClock), true)
        .await
        .unwrap()
}

fn first(limit: u32) -> PageRequest {
    PageRequest { limit, before: None }
}

fn after<T>(page: &Page<T>, limit: u32) -> PageRequest {
    PageRequest {
        limit,
        before: page.next,
    }
}

async fn add(work: &mut Work, login: &str) -> SubjectId {
    let now = work.now().await.unwrap();
    // Ids of one millisecond are in no order; these are in that of their making.
    let count = user::list(work, "", first(1000)).await.unwrap().items.len();
    let id = SubjectId::new(now.plus(Duration::from_millis(count as u64)));
    user::insert(work, id, login, "hash", false).await.unwrap();
    id
}

async fn begin(work: &mut Work, user: SubjectId, nth: u64) -> SessionId {
    let now = work.now().await.unwrap();
    let id = SessionId::new(now.plus(Duration::from_millis(nth)));
    let expiry = Expiry {
        absolute: now.plus(Duration::from_hours(2)),
        idle: now.plus(Duration::from_hours(1)),
    };
    session::insert(work, id, user, expiry, &Origin::default())
        .await
        .unwrap();
    id
}

async fn facts(work: &mut Work) -> Vec<outbox::OutboxEntry> {
    outbox::live_after(work, 0).await.unwrap()
}

on_both! {
    async fn users_are_found_changed_and_deleted_with_all_that_is_theirs(database: &Database) {
        let store = open(database).await;
        let mut work = store.write().await.unwrap();
        let now = work.now().await.unwrap();
        let (ada, bob) = (add(&mut work, "ada").await, add(&mut work, "bob").await);
        assert!(user::login_is_taken(&mut work, "ada").await.unwrap());
        assert!(!user::login_is_taken(&mut work, "Ada").await.unwrap());
        assert_eq!(user::id_by_login(&mut work, "bob").await.unwrap(), Some(bob));
        assert_eq!(user::id_by_login(&mut work, "eve").await.unwrap(), None);
        let found = user::by_id(&mut work, ada).await.unwrap().unwrap();
        assert_eq!((found.created_at, found.updated_at), (now, now), "to the millisecond");
        assert!(found.active && !found.superuser && found.roles.is_empty());
        assert!(!user::any_superuser(&mut work).await.unwrap());
        user::set_superuser(&mut work, ada, true).await.unwrap();
        assert!(user::any_superuser(&mut work).await.unwrap());
        user::set_active(&mut work, ada, false).await.unwrap();
        assert!(!user::any_superuser(&mut work).await.unwrap());
        assert!(!user::password_by_login(&mut work, "ada").await.unwrap().unwrap().active);
        user::set_active(&mut work, ada, true).await.unwrap();
        user::set_login(&mut work, ada, "lovelace").await.unwrap();
        user::set_password_hash(&mut work, ada, "other").await.unwrap();
        assert!(user::password_by_id(&mut work, bob).await.unwrap().is_some());
        let locked = user::lock(&mut work, bob, bob, true).await.unwrap();
        assert_eq!(locked.iter().map(|user| user.id).collect::<Vec<_>>(), [ada, bob], "in order of ids");
        assert!(!user::lock_for_login(&mut work, ada, "hash", None).await.unwrap());
        assert!(user::lock_for_login(&mut work, ada, "other", Some("new")).await.unwrap());
        assert!(!user::lock_for_login(&mut work, ada, "other", Some("new")).await.unwrap());
        assert!(user::lock_for_login(&mut work, ada, "new", None).await.unwrap());
        let session = begin(&mut work, ada, 0).await;
        refresh::insert(&mut work, b"digest", session, 0).await.unwrap();
        login_history::insert(&mut work, Some(ada), Outcome::Success, Some(session), &Origin::default()).await.unwrap();
        login_history::insert(&mut work, Some(bob), Outcome::WrongPassword, None, &Origin::default()).await.unwrap();
        role::grant(&mut work, ada, issuer::service::built_in::USER_ID).await.unwrap();
        user::delete(&mut work, ada).await.unwrap();
        work.commit().await.unwrap();
        for (table, left) in [("users", 1), ("sessions", 0), ("refresh_tokens", 0), ("user_roles", 0), ("login_history", 1)] {
            assert_eq!(database.number(&format!("SELECT COUNT(*) FROM {table}")).await, left, "{table}");
        }
    }

    async fn a_login_is_unique_and_a_failure_undoes_the_work(database: &Database) {
        let store = open(database).await;
        let mut work = store.write().await.unwrap();
        let (ada, bob) = (add(&mut work, "ada").await, add(&mut work, "bob").await);
        work.commit().await.unwrap();
        let mut work = store.write().await.unwrap();
        user::set_active(&mut work, bob, false).await.unwrap();
        let taken = user::set_login(&mut work, bob, "ada").await;
        assert!(matches!(taken, Err(StoreError::Duplicate(_))), "{taken:?}");
        drop(work);
        let mut work = store.write().await.unwrap();
        let bob = user::by_id(&mut work, bob).await.unwrap().unwrap();
        assert!(bob.active && bob.login == "bob");
        let twice = user::insert(&mut work, SubjectId::new(UnixMillis(1)), "ada", "hash", false).await;
        assert!(matches!(twice, Err(StoreError::Duplicate(_))), "{twice:?}");
        drop(work);
        let mut work = store.write().await.unwrap();
        let gone = role::grant(&mut work, ada, RoleId::new(UnixMillis(1))).await;
        assert!(matches!(gone, Err(StoreError::Gone(_))), "{gone:?}");
    }

    async fn a_prefix_is_taken_letter_by_letter(database: &Database) {
        let store = open(database).await;
        let mut work = store.write().await.unwrap();
        for login in ["a_b", "axb", "a%b", "ab", "abc", "b", "straße", "ångström", "a\u{10fffd}"] {
            add(&mut work, login).await;
        }
        for (prefix, expected) in [
            ("a_", vec!["a_b"]),
            ("a%", vec!["a%b"]),
            ("ab", vec!["abc", "ab"]),
            ("abcd", vec![]),
            ("å", vec!["ångström"]),
            ("stra", vec!["straße"]),
            ("a", vec!["a\u{10fffd}", "abc", "ab", "a%b", "axb", "a_b"]),
            ("A", vec![]),
        ] {
            let page = user::list(&mut work, prefix, first(100)).await.unwrap();
            let logins: Vec<_> = page.items.iter().map(|user| user.login.as_str()).collect();
            assert_eq!(logins, expected, "{prefix}");
        }
    }

    async fn pages_follow_each_other_whatever_comes_in(database: &Database) {
        let store = open(database).await;
        let mut work = store.write().await.unwrap();
        let mut ids = Vec::new();
        for nth in 0..5 {
            ids.push(add(&mut work, &format!("user{nth}")).await);
        }
        let one = user::list(&mut work, "user", first(2)).await.unwrap();
        assert_eq!(one.items.iter().map(|user| user.id).collect::<Vec<_>>(), [ids[4], ids[3]]);
        add(&mut work, "user-late").await;
        let two = user::list(&mut work, "user", after(&one, 2)).await.unwrap();
        assert_eq!(two.items.iter().map(|user| user.id).collect::<Vec<_>>(), [ids[2], ids[1]]);
        user::delete(&mut work, ids[1]).await.unwrap();
        let three = user::list(&mut work, "user", after(&two, 2)).await.unwrap();
        assert_eq!(three.items.iter().map(|user| user.id).collect::<Vec<_>>(), [ids[0]]);
        assert_eq!(three.next, None);
        let whole = user::list(&mut work, "", first(5)).await.unwrap();
        assert_eq!((whole.items.len(), whole.next), (5, None), "exactly full: no page follows");
        let (mut seen, mut page) = (0, role::list(&mut work, first(1)).await.unwrap());
        while let Some(_more) = page.next {
            seen += page.items.len();
            page = role::list(&mut work, after(&page, 1)).await.unwrap();
        }
        assert_eq!(seen + page.items.len(), 3);
        for nth in 0..3 {
            begin(&mut work, ids[0], nth).await;
            login_history::insert(&mut work, Some(ids[0]), Outcome::Throttled, None, &Origin::default()).await.unwrap();
        }
        let sessions = session::list_live(&mut work, ids[0], first(2)).await.unwrap();
        assert_eq!(session::list_live(&mut work, ids[0], after(&sessions, 2)).await.unwrap().items.len(), 1);
        let attempts = login_history::list(&mut work, ids[0], first(2)).await.unwrap();
        assert_eq!(login_history::list(&mut work, ids[0], after(&attempts, 2)).await.unwrap().items.len(), 1);
        let now = work.now().await.unwrap();
        assert_eq!(attempts.items[0].at, now, "to the millisecond");
    }

    async fn sessions_live_until_they_end_or_expire(database: &Database) {
        let store = open(database).await;
        let mut work = store.write().await.unwrap();
        let now = work.now().await.unwrap();
        let ada = add(&mut work, "ada").await;
        let (one, two, three) =
            (begin(&mut work, ada, 0).await, begin(&mut work, ada, 1).await, begin(&mut work, ada, 2).await);
        for (absolute, idle) in [(-1, 1000), (1000, -1), (0, 0)] {
            let expiry = Expiry { absolute: UnixMillis(now.0 + absolute), idle: UnixMillis(now.0 + idle) };
            let over = SessionId::new(UnixMillis(now.0 + 9));
            session::insert(&mut work, over, ada, expiry, &Origin::default()).await.unwrap();
            assert_eq!(truth::of_session(&mut work, over).await.unwrap(), None);
            assert_eq!(session::owner_of_live(&mut work, over).await.unwrap(), None);
        }
        assert_eq!(session::list_live(&mut work, ada, first(9)).await.unwrap().items.len(), 3);
        assert_eq!(session::owner_of_live(&mut work, one).await.unwrap(), Some(ada));
        assert!(session::end(&mut work, one).await.unwrap());
        assert!(!session::end(&mut work, one).await.unwrap(), "ended once");
        assert_eq!(facts(&mut work).await.len(), 1);
        assert_eq!(session::end_all_but(&mut work, ada, Some(two)).await.unwrap(), 4);
        assert!(truth::of_session(&mut work, two).await.unwrap().is_some());
        assert!(truth::of_session(&mut work, three).await.unwrap().is_none());
        let standing = truth::of_caller(&mut work, ada, three, "no key").await.unwrap().unwrap();
        assert!(standing.active && !standing.session_lives);
        assert_eq!(session::delete_expired(&mut work, now).await.unwrap(), 2);
        work.commit().await.unwrap();
        assert_eq!(database.number("SELECT COUNT(*) FROM sessions").await, 4);
    }

    async fn roles_are_named_once_and_leave_with_their_users(database: &Database) {
        let store = open(database).await;
        let mut work = store.write().await.unwrap();
        let ada = add(&mut work, "ada").await;
        let now = work.now().await.unwrap();
        let (patron, fan) = (RoleId::new(now), RoleId::new(now));
        role::insert(&mut work, patron, "patron", Some("pays")).await.unwrap();
        role::insert(&mut work, fan, "fan", None).await.unwrap();
        assert!(role::grant(&mut work, ada, patron).await.unwrap());
        assert!(!role::grant(&mut work, ada, patron).await.unwrap());
        assert!(role::grant(&mut work, ada, fan).await.unwrap());
        let names: Vec<_> = role::of_user(&mut work, ada).await.unwrap().into_iter().map(|role| role.name).collect();
        assert_eq!(names, ["fan", "patron"]);
        assert_eq!(user::by_id(&mut work, ada).await.unwrap().unwrap().roles, names);
        role::update(&mut work, fan, "follower", None).await.unwrap();
        assert_eq!(role::by_id(&mut work, fan).await.unwrap().unwrap().name, "follower");
        assert!(role::revoke(&mut work, ada, patron).await.unwrap());
        assert!(!role::revoke(&mut work, ada, patron).await.unwrap());
        assert!(role::lock(&mut work, patron).await.unwrap().is_some());
        role::delete(&mut work, fan).await.unwrap();
        assert_eq!(role::of_user(&mut work, ada).await.unwrap(), []);
        work.commit().await.unwrap();
        let mut work = store.write().await.unwrap();
        let taken = role::insert(&mut work, RoleId::new(now), "patron", None).await;
        assert!(matches!(taken, Err(StoreError::Duplicate(_))), "{taken:?}");
    }

    async fn versions_only_grow_and_never_fall_behind_the_time(database: &Database) {
        let store = open(database).await;
        let mut work = store.write().await.unwrap();
        let ada = add(&mut work, "ada").await;
        work.commit().await.unwrap();
        let ahead = UnixMillis(9_000_000_000_000);
        for (stored, expected) in [(1, None), (ahead.0, Some(ahead.0 + 1))] {
            database.run(&format!("UPDATE users SET ver = {stored}")).await;
            let mut work = store.write().await.unwrap();
            let now = work.now().await.unwrap();
            user::outdate_tokens(&mut work, ada).await.unwrap();
            let min_ver = expected.unwrap_or(now.0);
            let last = facts(&mut work).await.pop().unwrap();
            assert_eq!(last.revocation.fact, Fact::Subject { subject: ada, min_ver });
            work.commit().await.unwrap();
            assert_eq!(database.number("SELECT ver FROM users").await, min_ver);
        }
        let mut work = store.write().await.unwrap();
        assert!(!outbox::role_moved_on(&mut work, "fan", 1).await.unwrap());
        role::outdate_name(&mut work, "fan").await.unwrap();
        assert!(outbox::role_moved_on(&mut work, "fan", 1).await.unwrap());
        assert!(!outbox::role_moved_on(&mut work, "fan", 2).await.unwrap());
        assert!(!outbox::role_moved_on(&mut work, "fans", 1).await.unwrap());
    }

    async fn a_fact_outlives_every_token_that_it_could_refuse(database: &Database) {
        let store = open(database).await;
        let margin = (60 + 5 * 60) * 1000;
        let fact = Fact::Session { session: SessionId::new(UnixMillis(1)) };
        let mut work = store.write().await.unwrap();
        let now = work.now().await.unwrap();
        outbox::record(&mut work, &fact).await.unwrap();
        for lifetime_s in [60, 3600, 900] {
            outbox::record_lifetime(&mut work, lifetime_s).await.unwrap();
        }
        outbox::record(&mut work, &fact).await.unwrap();
        outbox::record(&mut work, &Fact::Key { kid: "bad".into() }).await.unwrap();
        let expiries: Vec<_> = facts(&mut work).await.iter().map(|entry| entry.revocation.expires).collect();
        let at = |lifetime_ms: i64| Some(UnixMillis(now.0 + lifetime_ms + margin));
        assert_eq!(expiries, [at(0), at(3_600_000), None]);
        work.commit().await.unwrap();
        // The hour was last used less than an hour ago, and then more than one.
        for (ago_s, lifetime_s) in [(3000, 3600), (3601, 900)] {
            database.run_each(
                &format!("UPDATE access_lifetimes SET last_used_at = clock_timestamp() - interval '{ago_s} seconds' WHERE lifetime_s = 3600"),
                &format!("UPDATE access_lifetimes SET last_used_at = CAST(unixepoch('subsec') * 1000 AS INTEGER) - {ago_s} * 1000 WHERE lifetime_s = 3600"),
            ).await;
            let mut work = store.write().await.unwrap();
            let now = work.now().await.unwrap();
            outbox::record(&mut work, &fact).await.unwrap();
            let last = facts(&mut work).await.pop().unwrap();
            assert_eq!(last.revocation.expires, Some(UnixMillis(now.0 + lifetime_s * 1000 + margin)));
            work.commit().await.unwrap();
        }
        // Used again, it counts again.
        let mut work = store.write().await.unwrap();
        let now = work.now().await.unwrap();
        outbox::record_lifetime(&mut work, 3600).await.unwrap();
        outbox::record(&mut work, &fact).await.unwrap();
        let last = facts(&mut work).await.pop().unwrap();
        assert_eq!(last.revocation.expires, Some(UnixMillis(now.0 + 3_600_000 + margin)));
        assert_eq!(outbox::live_after(&mut work, last.id).await.unwrap(), []);
        assert_eq!(outbox::delete_expired(&mut work).await.unwrap(), 0);
        work.commit().await.unwrap();
        database.run_each(
            "UPDATE outbox SET expires_at = clock_timestamp() - interval '1 second' WHERE expires_at IS NOT NULL",
            "UPDATE outbox SET expires_at = CAST(unixepoch('subsec') * 1000 AS INTEGER) - 1000 WHERE expires_at IS NOT NULL",
        ).await;
        let mut work = store.write().await.unwrap();
        assert_eq!(facts(&mut work).await.len(), 1, "what has expired is not live");
        assert_eq!(outbox::delete_expired(&mut work).await.unwrap(), 5);
        work.commit().await.unwrap();
        assert_eq!(database.texts("SELECT kind FROM outbox").await, ["key"], "a key's fact is for ever");
    }

    async fn keys_and_secrets_are_made_once(database: &Database) {
        let store = open(database).await;
        let mut work = store.write().await.unwrap();
        let new = |kid| NewKey { kid, public: (b"n", b"e"), sealed: b"sealed" };
        assert!(key::insert_active(&mut work, &new("one")).await.unwrap());
        assert!(!key::insert_active(&mut work, &new("two")).await.unwrap());
        let stored = key::list(&mut work).await.unwrap();
        assert!(stored.len() == 1 && stored[0].kid == "one" && stored[0].is_active());
        key::insert_secret(&mut work, "s", b"first").await.unwrap();
        key::insert_secret(&mut work, "s", b"second").await.unwrap();
        assert_eq!(key::secret(&mut work, "s").await.unwrap().as_deref(), Some(&b"first"[..]));
    }

    async fn migrations_run_again_and_change_nothing(database: &Database) {
        let store = open(database).await;
        let before = database.dump().await;
        store.migrate().await.unwrap();
        assert_eq!(database.dump().await, before);
        assert_eq!(before.iter().filter(|line| line.starts_with("roles|")).count(), 3);
    }

    async fn only_the_schema_of_this_program_will_do(database: &Database) {
        let opened = async || {
            let opened = open_store(&settings(database), Arc::new(SystemClock), false).await;
            opened.map(|_| ()).map_err(|error| shared::cli::describe(&error))
        };
        let without = opened().await.unwrap_err();
        assert!(without.contains("run `issuer migrate`"), "{without}");
        open(database).await.close().await;
        opened().await.unwrap();
        database.run("UPDATE _sqlx_migrations SET version = 99990101000000 WHERE version = 1").await;
        let older = opened().await.unwrap_err();
        assert!(older.contains("run `issuer migrate`"), "{older}");
        database.run("INSERT INTO _sqlx_migrations SELECT 1, description, installed_on, success, checksum, execution_time
            FROM _sqlx_migrations WHERE version = 99990101000000").await;
        let newer = opened().await.unwrap_err();
        assert!(newer.contains("does not know its migration 99990101000000"), "{newer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_start_at_once_migrate_once() {
    let Some(database) = Database::fresh(Kind::Postgres).await else {
        return;
    };
    let mut replicas = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let settings = settings(&database);
        replicas.spawn(async move {
            open_store(&settings, Arc::new(SystemClock), true)
                .await
                .map(|_| ())
        });
    }
    for outcome in within(replicas.join_all()).await {
        outcome.unwrap();
    }
    assert_eq!(database.number("SELECT COUNT(*) FROM roles").await, 3);
    database.remove().await;
}

/// Otherwise a token of the longer lifetime could be signed from what was true before the fact, and outlive it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_longer_lifetime_waits_for_the_facts_under_way() {
    let Some(database) = Database::fresh(Kind::Postgres).await else {
        return;
    };
    let store = open(&database).await;
    let mut fact = store.write().await.unwrap();
    outbox::record(
        &mut fact,
        &Fact::Session {
            session: SessionId::new(UnixMillis(1)),
        },
    )
    .await
    .unwrap();
    let starting = {
        let store = store.clone();
        tokio::spawn(async move {
            let mut work = store.write().await.unwrap();
            outbox::record_lifetime(&mut work, 86_400).await.unwrap();
            work.commit().await.unwrap();
        })
    };
    database.waiters(1, || starting.is_finished()).await;
    assert!(
        !starting.is_finished(),
        "the lifetime is in use before the fact is committed"
    );
    fact.commit().await.unwrap();
    within(starting).await.unwrap();
    store.close().await;
    database.remove().await;
}
