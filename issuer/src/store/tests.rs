//! How each database means to run the statements of the hot paths: by an index, never by reading a table.

use std::sync::Arc;
use std::time::Duration;

use shared::id::{FilmId, SessionId, SubjectId, TokenId};
use shared::revocation::{Fact, Revocation};
use shared::time::{SystemClock, UnixMillis};
use uuid::Uuid;

use shared::feed::term::Term;

use super::audit::{self, Filter};
use super::feed;
use super::sql::Statement;
use super::{PageRequest, Store, Work, client, login_history, outbox, refresh, session, truth, user};
use database::{Database, Kind, on_both};

#[expect(
    dead_code,
    unreachable_pub,
    reason = "shared with the integration tests, which use more of it"
)]
#[path = "../../tests/store/database.rs"]
mod database;

/// Enough that no planner would rather read a table than an index.
const ROWS: usize = 20_000;

/// So many facts have their number; the last few are new.
const NUMBERED: usize = 2 * ROWS - 50;

/// Users with a session, a refresh token, attempts and facts each.
async fn fill(database: &Database) {
    let postgres = format!(
        "CREATE FUNCTION nth(n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS \
         $$ SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid $$; \
         INSERT INTO users (id, login, password_hash, ver, created_at, updated_at) \
         SELECT nth(n), 'login' || n, 'hash', 1, now(), now() FROM generate_series(100, {ROWS} + 99) n; \
         INSERT INTO user_roles SELECT id, '00000000-0000-7000-8000-000000000001', now() FROM users; \
         INSERT INTO clients SELECT nth(n), 'client' || n, ''::bytea, 1, now(), now() FROM generate_series(100, {ROWS} + 99) n; \
         INSERT INTO client_roles SELECT id, '00000000-0000-7000-8000-000000000001' FROM clients; \
         INSERT INTO sessions (id, user_id, created_at, last_seen_at, expires_at, refresh_expires_at) \
         SELECT id, id, now(), now(), now() + interval '1 day', now() + interval '1 day' FROM users; \
         INSERT INTO refresh_tokens SELECT sha256(id::text::bytea), id, 0, NULL FROM users; \
         INSERT INTO login_history (id, at, user_id, outcome) \
         SELECT gen_random_uuid(), now() + n % 5 * interval '1 month', id, 'success' FROM users, generate_series(1, 10) n; \
         INSERT INTO outbox (kind, ref, expires_at) SELECT 'session', id, now() + interval '1 day' FROM users; \
         INSERT INTO outbox (kind, name, version, expires_at) \
         SELECT 'role', 'role' || n, n, now() + interval '1 day' FROM generate_series(1, {ROWS}) n; \
         UPDATE outbox SET seq = id WHERE id <= {NUMBERED}; UPDATE feed_lease SET last_seq = {NUMBERED}; \
         INSERT INTO label_sets (id, names) OVERRIDING SYSTEM VALUE VALUES (1, 'paid'); \
         INSERT INTO film_labels SELECT id, 1, row_number() OVER () FROM users; \
         UPDATE label_clock SET change = {ROWS}; \
         INSERT INTO audit_events (id, at, actor, action, subject, detail) \
         SELECT id, now(), id::text, 'user.register', id::text, '{{}}' FROM users; \
         ANALYZE"
    );
    let sqlite = format!(
        "CREATE TABLE numbers AS WITH RECURSIVE n(n) AS \
         (SELECT 100 UNION ALL SELECT n + 1 FROM n LIMIT {ROWS}) \
         SELECT n, unhex('00000000000070008000' || printf('%012x', n)) AS id FROM n; \
         INSERT INTO users SELECT id, 'login' || n, 'hash', 1, 0, 1, 1, 1 FROM numbers; \
         INSERT INTO user_roles SELECT id, X'00000000000070008000000000000001', 1 FROM users; \
         INSERT INTO clients SELECT id, 'client' || n, X'00', 1, 1, 1 FROM numbers; \
         INSERT INTO client_roles SELECT id, X'00000000000070008000000000000001' FROM clients; \
         INSERT INTO sessions (id, user_id, created_at, last_seen_at, expires_at, refresh_expires_at) \
         SELECT id, id, 1, 1, 9000000000000, 9000000000000 FROM users; \
         INSERT INTO refresh_tokens SELECT CAST(id || id AS BLOB), id, 0, NULL FROM users; \
         INSERT INTO login_history (id, at, user_id, outcome) SELECT randomblob(16), 1, id, 'success' FROM users; \
         INSERT INTO outbox (kind, ref, expires_at) SELECT 'session', id, 9000000000000 FROM users; \
         INSERT INTO outbox (kind, name, version, expires_at) \
         SELECT 'role', 'role' || n, n, 9000000000000 FROM numbers; \
         UPDATE outbox SET seq = id WHERE id <= {NUMBERED}; UPDATE feed_lease SET last_seq = {NUMBERED}; \
         INSERT INTO label_sets (id, names) VALUES (1, 'paid'); \
         INSERT INTO film_labels SELECT id, 1, row_number() OVER () FROM users; \
         UPDATE label_clock SET change = {ROWS}; \
         INSERT INTO audit_events (id, at, actor, action, subject, detail) \
         SELECT id, 1, n, 'user.register', n, '{{}}' FROM numbers"
    );
    database.run_each(&postgres, &sqlite).await;
}

/// A role that nobody has.
const ADMIN: shared::id::RoleId =
    shared::id::RoleId(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0003));

fn nth(n: u128) -> Uuid {
    Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0000 + n)
}

/// The plans of what was done since the last time, none of which reads a whole table that grows.
fn check(work: &mut Work, what: &str) {
    const GROWING: [&str; 10] = [
        "users",
        "user_roles",
        "sessions",
        "refresh_tokens",
        "login_history",
        "outbox",
        "film_labels",
        "audit_events",
        "clients",
        "client_roles",
    ];
    let plans = work.plans.replace(Vec::new()).unwrap();
    let by_index = plans.iter().any(|line| {
        line.contains("Index ")
            || line.contains("USING INDEX")
            || line.contains("PRIMARY KEY")
            || line.contains("USING COVERING INDEX")
    });
    assert!(by_index, "{what} uses no index: {plans:#?}");
    for line in &plans {
        let step = line.trim_start().trim_start_matches("->").trim_start();
        // PostgreSQL: `Seq Scan on users u`; SQLite: `SCAN u`, with an index or not. The one row of `role_version`,
        // and those of `feed_lease` and `label_clock`, are read whole, and so are the index that has superusers alone and what is
        // numbered at once.
        let scans = step.starts_with("Seq Scan") && GROWING.iter().any(|table| step.contains(table));
        let small = [
            "SCAN v",
            "SCAN CONSTANT ROW",
            "users_superusers",
            "SCAN feed_lease",
            "SCAN label_clock",
            "SCAN pending",
            "SCAN kept",
            "SCAN numbered",
            "SCAN json_each",
            "SCAN e ",
            "SCAN (subquery",
        ];
        let bare_scan = step.starts_with("SCAN") && !small.iter().any(|known| step.contains(known));
        assert!(!scans && !bare_scan, "{what} reads a table: {plans:#?}");
    }
}

/// How often this transaction has read the whole outbox, and a part of it by an index. PostgreSQL does not tell how it
/// means to run what is in a function.
async fn scans_of_outbox(work: &mut Work) -> (i64, i64) {
    const SCANS: Statement = Statement::each(
        "SELECT seq_scan, coalesce(idx_scan, 0) AS idx_scan FROM pg_stat_xact_user_tables WHERE relname = 'outbox'",
        "SELECT 0 AS seq_scan, 0 AS idx_scan",
    );
    work.plans = None;
    let row = work.fetch_one(&SCANS, Vec::new()).await.unwrap();
    (row.number("seq_scan").unwrap(), row.number("idx_scan").unwrap())
}

on_both! {
    async fn hot_paths_go_by_an_index(database: &Database) {
        let store = Store::open(&database.url.clone().into(), 4, Arc::new(SystemClock)).await.unwrap();
        store.migrate().await.unwrap();
        fill(database).await;
        let (subject, session) = (SubjectId(nth(777)), SessionId(nth(777)));
        let page = PageRequest { limit: 20, before: Some(nth(15_000)) };
        let mut work = store.write().await.unwrap();
        work.now().await.unwrap();
        work.plans = Some(Vec::new());
        let w = &mut work;
        assert!(user::password_by_login(w, "login777").await.unwrap().is_some());
        check(w, "login by name");
        assert!(user::lock_for_login(w, subject, "hash", None).await.unwrap());
        check(w, "lock for login");
        assert!(user::lock_for_login(w, subject, "hash", Some("hash")).await.unwrap());
        check(w, "rehash");
        assert!(truth::of_session(w, session).await.unwrap().is_some());
        check(w, "truth");
        assert!(truth::of_caller(w, subject, session, "kid").await.unwrap().is_some());
        check(w, "standing");
        assert!(client::secret_by_name(w, "client777").await.unwrap().is_some());
        check(w, "client by name");
        assert!(client::hold(w, subject, 1).await.unwrap());
        check(w, "lock of a client");
        assert!(truth::of_client(w, subject, b"").await.is_ok());
        check(w, "truth of a client");
        assert!(truth::of_service(w, subject, TokenId(nth(777)), "kid").await.unwrap().is_some());
        check(w, "standing of a service");
        assert!(!outbox::token_is_revoked(w, TokenId(nth(777))).await.unwrap());
        check(w, "revoked token");
        refresh::insert(w, b"digest", session, 1).await.unwrap();
        work.plans = Some(Vec::new());
        let w = &mut work;
        assert_eq!(refresh::session_of(w, b"digest").await.unwrap(), Some(session));
        check(w, "whose refresh token");
        let presented = refresh::presented(w, b"digest").await.unwrap().unwrap();
        check(w, "presented refresh token");
        assert!(refresh::live(w, b"digest").await.unwrap().is_some());
        check(w, "introspected refresh token");
        refresh::rotate(w, &presented, b"next", UnixMillis(9_000_000_000_000)).await.unwrap();
        work.plans = Some(work.plans.take().unwrap().into_iter().filter(|plan| !plan.starts_with("Insert") && !plan.contains("Result")).collect());
        let w = &mut work;
        check(w, "rotation");
        assert_eq!(session::list_live(w, subject, PageRequest { limit: 20, before: None }).await.unwrap().items.len(), 1);
        check(w, "session list");
        assert_eq!(session::owner_of_live(w, session).await.unwrap(), Some(subject));
        check(w, "session's owner");
        session::end_all_but(w, subject, None).await.unwrap();
        check(w, "end of a user's sessions");
        login_history::list(w, subject, PageRequest { limit: 20, before: None }).await.unwrap();
        if database.kind == Kind::Postgres {
            let plan = w.plans.as_ref().unwrap();
            let partitions = plan.iter().filter(|line| line.contains("Index Scan using login_history_")).count();
            assert!(partitions == 5 && !plan.iter().any(|line| line.contains("Sort  (cost")), "{plan:#?}");
        }
        check(w, "history list");
        login_history::list(w, subject, page).await.unwrap();
        check(w, "another page of the history");
        login_history::insert(w, Some(subject), login_history::Outcome::Success, Some(session), &session::Origin::default()).await.unwrap();
        w.plans = Some(Vec::new());
        let later = UnixMillis(w.now().await.unwrap().0 + 200 * 86_400_000);
        assert!(login_history::delete_before(w, later, 20).await.unwrap() == 20);
        check(w, "what retention deletes");
        let logins = ["login777", "login778"];
        assert_eq!(user::bulk::page(w, "login777", 20).await.unwrap().len(), 20);
        check(w, "export");
        assert!(user::bulk::changed_since(w, &logins, UnixMillis(0)).await.unwrap().len() == 2);
        check(w, "logins of an import");
        let line = user::bulk::NewUser {
            id: SubjectId(nth(1)), login: logins[0], password_hash: "hash", active: true, superuser: false, created_at: UnixMillis(0),
        };
        assert!(user::bulk::insert_new(w, &[line]).await.unwrap().is_empty());
        user::bulk::grant_all(w, &[(SubjectId(nth(777)), ADMIN)]).await.unwrap();
        w.plans = Some(Vec::new());
        assert_eq!(user::list(w, "login777", page).await.unwrap().items.len(), 11);
        check(w, "users by a narrow prefix");
        assert_eq!(user::list(w, "", page).await.unwrap().items.len(), 20);
        check(w, "users");
        assert!(user::by_id(w, subject).await.unwrap().is_some());
        check(w, "user");
        user::lock(w, subject, SubjectId(nth(778)), true).await.unwrap();
        check(w, "lock of users and superusers");
        assert!(!outbox::live_after(w, 19_990).await.unwrap().is_empty());
        check(w, "outbox after");
        assert!(outbox::role_moved_on(w, "role777", 776).await.unwrap());
        check(w, "role moved on");
        outbox::record(w, &Fact::Session { session }).await.unwrap();
        drop(work);
        store.close().await;
    }

    async fn the_audit_trail_goes_by_an_index(database: &Database) {
        let store = Store::open(&database.url.clone().into(), 4, Arc::new(SystemClock)).await.unwrap();
        store.migrate().await.unwrap();
        fill(database).await;
        let (subject, page) = (SubjectId(nth(777)), PageRequest { limit: 20, before: Some(nth(15_000)) });
        let mut work = store.write().await.unwrap();
        work.plans = Some(Vec::new());
        let w = &mut work;
        for filter in [
            Filter::default(),
            Filter { actor: Some("777"), ..Filter::default() },
            Filter { subject: Some("777"), action: Some("user.register"), ..Filter::default() },
            Filter { action: Some("user.delete"), ..Filter::default() },
        ] {
            audit::list(w, filter, page).await.unwrap();
            check(w, "audit trail");
        }
        audit::forget_addresses(w, subject).await.unwrap();
        check(w, "addresses of a user");
        drop(work);
        store.close().await;
    }

    async fn the_feed_goes_by_an_index(database: &Database) {
        const HELD: Term = Term { number: 1, nonce: [1; 16] };
        let lasting = Duration::from_secs(3);
        let store = Store::open(&database.url.clone().into(), 4, Arc::new(SystemClock)).await.unwrap();
        store.migrate().await.unwrap();
        fill(database).await;
        let published = u64::try_from(NUMBERED).unwrap() - 10;
        let mut work = store.write().await.unwrap();
        work.now().await.unwrap();
        work.plans = Some(Vec::new());
        let w = &mut work;
        let seen = feed::look(w).await.unwrap();
        assert!(seen.unpublished_since.is_some());
        check(w, "look at the lease");
        assert!(feed::acquire(w, &seen, true, HELD, lasting).await.unwrap());
        assert!(feed::renew(w, HELD, lasting, published).await.unwrap());
        feed::look(w).await.unwrap();
        check(w, "look at what is published");
        for (limit, renewal) in [(20, None), (20, Some((lasting, published))), (1000, None)] {
            let (read_whole, by_index) = scans_of_outbox(&mut work).await;
            work.plans = Some(Vec::new());
            let batch = feed::take_batch(&mut work, HELD, published, limit, Some(published), renewal).await.unwrap().unwrap();
            assert!(!batch.entries.is_empty() && batch.lowest_live == Some(1));
            if database.kind == Kind::Postgres {
                let scanned = scans_of_outbox(&mut work).await;
                work.plans = Some(Vec::new());
                assert!(scanned.0 == read_whole && scanned.1 > by_index, "a batch reads the outbox: {scanned:?}");
            } else {
                check(&mut work, "a batch");
            }
        }
        let w = &mut work;
        assert_eq!(feed::live_after(w, published, 1000).await.unwrap().len(), 60);
        check(w, "a new epoch");
        let told = u64::try_from(ROWS).unwrap() - 50;
        let taken = feed::take_labels(w, HELD, published, told, 20).await.unwrap();
        assert!(matches!(taken, feed::LabelsTaken::Entry(_, changes) if changes.changes.len() == 20));
        check(w, "changes of labels");
        let page = feed::label_page(w, Some(FilmId(nth(777))), 20).await.unwrap();
        assert_eq!(page.changes.len(), 20);
        check(w, "a part of the table of labels");
        let revocation = Revocation { fact: Fact::Session { session: SessionId(nth(779)) }, expires: None };
        assert!(feed::restore(w, HELD, &[revocation], 0).await.unwrap());
        drop(work);
        store.close().await;
    }
}
