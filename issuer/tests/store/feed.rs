//! The database's half of the revocation feed: who may write it, and the numbers that order it.

use std::sync::Arc;
use std::time::Duration;

use issuer::app::open_store;
use issuer::publish::{RelayDatabase as _, StoreDatabase};
use issuer::store::feed::{self, Batch, LeaseView};
use issuer::store::{Store, outbox};
use shared::feed::term::Term;
use shared::id::SessionId;
use shared::revocation::{Fact, Revocation};
use shared::time::{SystemClock, UnixMillis};

use super::database::{Database, Kind, on_both};
use super::world::settings;

pub const LASTING: Duration = Duration::from_mins(1);
pub const OURS: Term = Term {
    number: 7,
    nonce: [7; 16],
};
pub const THEIRS: Term = Term {
    number: 8,
    nonce: [8; 16],
};

pub async fn open(database: &Database) -> Store {
    open_store(&settings(database), Arc::new(SystemClock), true)
        .await
        .unwrap()
}

/// A session's fact, committed.
pub async fn record(store: &Store) -> Fact {
    let mut work = store.write().await.unwrap();
    let session = SessionId::new(work.now().await.unwrap());
    let fact = Fact::Session { session };
    outbox::record(&mut work, &fact).await.unwrap();
    work.commit().await.unwrap();
    fact
}

pub async fn record_key(store: &Store, kid: &str) -> Fact {
    let mut work = store.write().await.unwrap();
    let fact = Fact::Key { kid: kid.into() };
    outbox::record(&mut work, &fact).await.unwrap();
    work.commit().await.unwrap();
    fact
}

pub async fn look(store: &Store) -> LeaseView {
    feed::look(&mut store.read().await.unwrap()).await.unwrap()
}

pub async fn acquire(
    store: &Store,
    seen: &LeaseView,
    lapsed_only: bool,
    term: Term,
    lasting: Duration,
) -> bool {
    let mut work = store.write().await.unwrap();
    let ours = feed::acquire(&mut work, seen, lapsed_only, term, lasting)
        .await
        .unwrap();
    work.commit().await.unwrap();
    ours
}

/// Takes the lease for us, whoever has it.
pub async fn hold(store: &Store) -> Term {
    let seen = look(store).await;
    assert!(acquire(store, &seen, false, OURS, LASTING).await);
    OURS
}

/// A batch of ours, committed.
pub async fn take(store: &Store, published: u64, limit: u32) -> Batch {
    take_with(store, published, limit, None, None).await
}

async fn take_with(
    store: &Store,
    published: u64,
    limit: u32,
    republish_below: Option<u64>,
    renewal: Option<(Duration, u64)>,
) -> Batch {
    let mut work = store.write().await.unwrap();
    let batch = feed::take_batch(&mut work, OURS, published, limit, republish_below, renewal)
        .await
        .unwrap();
    work.commit().await.unwrap();
    batch.unwrap()
}

/// Each entry's number and fact.
pub fn said(entries: &[(u64, Revocation)]) -> Vec<(u64, Fact)> {
    let said = |(seq, revocation): &(u64, Revocation)| (*seq, revocation.fact.clone());
    entries.iter().map(said).collect()
}

#[tokio::test]
async fn an_epoch_is_written_however_many_requests_wait_for_a_connection() {
    let Some(database) = Database::fresh(Kind::Postgres).await else {
        return;
    };
    let store = open(&database).await;
    let fact = record(&store).await;
    hold(&store).await;
    take(&store, 0, 10).await;
    let relay = StoreDatabase::new(store.clone());
    assert_eq!(said(&relay.live_after(0).await.unwrap()), [(1, fact.clone())]);
    let mut held = Vec::new();
    while let Ok(work) = tokio::time::timeout(Duration::from_millis(500), store.read()).await {
        held.push(work.unwrap());
    }
    assert_eq!(said(&relay.live_after(0).await.unwrap()), [(1, fact)]);
    assert!(relay.renew(OURS, LASTING, 1).await.unwrap());
    drop((held, relay));
    store.close().await;
    database.remove().await;
}

fn numbered(first: u64, facts: &[Fact]) -> Vec<(u64, Fact)> {
    (first..).zip(facts.iter().cloned()).collect()
}

on_both! {
    async fn nobody_holds_the_lease_at_first_and_nothing_is_unpublished(database: &Database) {
        let store = open(database).await;
        let view = look(&store).await;
        assert_eq!((view.term, view.ends_at), (Term::default(), UnixMillis(0)));
        assert_eq!((view.last_seq, view.published_seq, view.unpublished_since), (0, 0, None));
        assert!(view.now > UnixMillis(1_700_000_000_000));
        store.close().await;
    }

    async fn one_of_two_that_saw_the_same_lease_gets_it(database: &Database) {
        let store = open(database).await;
        let seen = look(&store).await;
        assert!(acquire(&store, &seen, true, OURS, LASTING).await);
        assert!(!acquire(&store, &seen, true, THEIRS, LASTING).await);
        assert!(!acquire(&store, &seen, false, THEIRS, LASTING).await);
        let view = look(&store).await;
        assert_eq!(view.term, OURS);
        assert!(view.ends_at > view.now && view.ends_at <= view.now.plus(LASTING));
        // The term is compared whole.
        let other_nonce = LeaseView { term: Term { nonce: [9; 16], ..OURS }, ..view };
        assert!(!acquire(&store, &other_nonce, false, THEIRS, LASTING).await);
        let other_number = LeaseView { term: Term { number: 9, ..OURS }, ..view };
        assert!(!acquire(&store, &other_number, false, THEIRS, LASTING).await);
        assert_eq!(look(&store).await.term, OURS);
        store.close().await;
    }

    async fn a_lease_that_has_lapsed_is_there_for_the_taking_and_no_other(database: &Database) {
        let store = open(database).await;
        hold(&store).await;
        let running = look(&store).await;
        assert!(!acquire(&store, &running, true, THEIRS, LASTING).await, "it has not lapsed");
        let mut work = store.write().await.unwrap();
        assert!(feed::renew(&mut work, OURS, Duration::ZERO, 0).await.unwrap());
        work.commit().await.unwrap();
        let lapsed = look(&store).await;
        assert!(lapsed.ends_at <= lapsed.now);
        // Its holder was late, but was there.
        let mut work = store.write().await.unwrap();
        assert!(feed::renew(&mut work, OURS, LASTING, 5).await.unwrap());
        work.commit().await.unwrap();
        assert!(!acquire(&store, &lapsed, true, THEIRS, LASTING).await, "it was renewed since");
        let renewed = look(&store).await;
        assert!(renewed.ends_at > renewed.now);
        assert_eq!(renewed.published_seq, 5);
        // Whoever finds that the holder publishes nothing does not wait for the end.
        assert!(acquire(&store, &renewed, false, THEIRS, LASTING).await);
        let mut work = store.write().await.unwrap();
        assert!(!feed::renew(&mut work, OURS, LASTING, 6).await.unwrap());
        feed::release(&mut work, OURS).await.unwrap();
        work.commit().await.unwrap();
        let theirs = look(&store).await;
        assert_eq!((theirs.term, theirs.published_seq), (THEIRS, 5));
        assert!(theirs.ends_at > theirs.now, "let go by somebody else");
        let mut work = store.write().await.unwrap();
        feed::release(&mut work, THEIRS).await.unwrap();
        work.commit().await.unwrap();
        let released = look(&store).await;
        assert!(released.ends_at <= released.now);
        assert!(acquire(&store, &released, true, OURS, LASTING).await);
        store.close().await;
    }

    async fn a_term_that_no_database_can_hold_is_refused(database: &Database) {
        let store = open(database).await;
        let seen = look(&store).await;
        let mut work = store.write().await.unwrap();
        let beyond = Term { number: 1 << 63, nonce: [1; 16] };
        feed::acquire(&mut work, &seen, false, beyond, LASTING).await.unwrap_err();
        drop(work);
        store.close().await;
    }

    async fn what_is_unpublished_is_seen_with_and_without_a_number(database: &Database) {
        let store = open(database).await;
        hold(&store).await;
        let before = look(&store).await.now;
        record(&store).await;
        let view = look(&store).await;
        let since = view.unpublished_since.unwrap();
        assert!(since >= before && since <= view.now, "{since} between {before} and {}", view.now);
        take(&store, 0, 10).await;
        let view = look(&store).await;
        assert_eq!((view.last_seq, view.unpublished_since), (1, Some(since)), "numbered, not published");
        record(&store).await;
        assert_eq!(look(&store).await.unpublished_since, Some(since), "the older of the two");
        let batch = take_with(&store, 1, 10, None, Some((LASTING, 1))).await;
        assert_eq!(batch.entries.len(), 1);
        let later = look(&store).await.unpublished_since.unwrap();
        assert!(later >= since);
        let mut work = store.write().await.unwrap();
        assert!(feed::renew(&mut work, OURS, LASTING, 2).await.unwrap());
        work.commit().await.unwrap();
        assert_eq!(look(&store).await.unpublished_since, None);
        store.close().await;
    }

    async fn a_batch_is_for_the_holder_alone(database: &Database) {
        let store = open(database).await;
        hold(&store).await;
        record(&store).await;
        for term in [THEIRS, Term { nonce: [9; 16], ..OURS }, Term { number: 9, ..OURS }] {
            for renewal in [None, Some((LASTING, 1))] {
                let mut work = store.write().await.unwrap();
                let batch = feed::take_batch(&mut work, term, 0, 10, None, renewal).await.unwrap();
                work.commit().await.unwrap();
                assert_eq!(batch, None);
            }
        }
        let view = look(&store).await;
        assert_eq!((view.last_seq, view.published_seq), (0, 0));
        assert_eq!(database.number("SELECT COUNT(*) FROM outbox WHERE seq IS NULL").await, 1);
        store.close().await;
    }

    async fn a_database_that_was_set_back_gives_no_numbers(database: &Database) {
        let store = open(database).await;
        hold(&store).await;
        let before = record(&store).await;
        take(&store, 0, 10).await;
        // The stream has two numbers more, and as many facts wait here: they must not get those.
        record(&store).await;
        record(&store).await;
        let batch = take(&store, 3, 10).await;
        assert_eq!((batch.last_seq, batch.is_complete, batch.entries), (1, false, Vec::new()));
        assert_eq!(database.number("SELECT COUNT(*) FROM outbox WHERE seq IS NULL").await, 2);
        assert_eq!(said(&take(&store, 0, 10).await.entries)[0], numbered(1, &[before])[0]);
        store.close().await;
    }

    async fn facts_get_numbers_in_the_order_of_writing_and_keep_them(database: &Database) {
        let store = open(database).await;
        hold(&store).await;
        let empty = take(&store, 0, 10).await;
        assert_eq!((empty.last_seq, empty.lowest_live, empty.is_complete), (0, None, true));
        assert_eq!(empty.entries, []);
        let mut facts = Vec::new();
        for _ in 0..5 {
            facts.push(record(&store).await);
        }
        let first = take(&store, 0, 3).await;
        assert_eq!(said(&first.entries), numbered(1, &facts[..3]));
        assert_eq!((first.last_seq, first.lowest_live, first.is_complete), (3, Some(1), false));
        // Nothing was published of it: the same again, though more have numbers by now.
        let again = take(&store, 0, 3).await;
        assert_eq!(again.entries, first.entries);
        assert_eq!((again.last_seq, again.is_complete), (5, false));
        let rest = take(&store, 3, 3).await;
        assert_eq!(said(&rest.entries), numbered(4, &facts[3..]));
        assert_eq!((rest.last_seq, rest.lowest_live, rest.is_complete), (5, Some(1), true));
        assert!(rest.entries.iter().all(|(_, revocation)| revocation.expires.is_some()));
        let view = look(&store).await;
        assert!(view.last_seq == 5 && rest.now <= view.now);
        store.close().await;
    }

    async fn a_batch_that_is_full_to_the_last_place_knows_whether_it_is_all(database: &Database) {
        let store = open(database).await;
        hold(&store).await;
        for _ in 0..4 {
            record(&store).await;
        }
        let full = take(&store, 0, 4).await;
        assert_eq!((full.entries.len(), full.is_complete), (4, true));
        for _ in 0..3 {
            record(&store).await;
        }
        let some = take(&store, 4, 2).await;
        assert_eq!((some.entries.len(), some.is_complete), (2, false), "one has no number yet");
        let none = take(&store, 4, 0).await;
        assert_eq!((none.entries.len(), none.is_complete), (0, false));
        store.close().await;
    }

    async fn a_batch_renews_the_lease_in_the_same_breath(database: &Database) {
        let store = open(database).await;
        hold(&store).await;
        let before = look(&store).await;
        record(&store).await;
        let batch = take_with(&store, 0, 10, None, Some((2 * LASTING, 0))).await;
        let after = look(&store).await;
        assert!(after.ends_at == batch.now.plus(2 * LASTING) && after.ends_at > before.ends_at);
        assert_eq!((after.last_seq, after.published_seq), (1, 0));
        take_with(&store, 1, 10, None, Some((LASTING, 1))).await;
        assert_eq!(look(&store).await.published_seq, 1);
        store.close().await;
    }

    async fn what_is_not_committed_was_not_given_a_number(database: &Database) {
        let store = open(database).await;
        hold(&store).await;
        record(&store).await;
        let mut work = store.write().await.unwrap();
        let batch = feed::take_batch(&mut work, OURS, 0, 10, None, None).await.unwrap().unwrap();
        assert_eq!(batch.last_seq, 1);
        drop(work);
        let view = look(&store).await;
        assert_eq!(view.last_seq, 0);
        assert!(view.unpublished_since.is_some());
        store.close().await;
    }

    async fn what_never_expires_is_published_anew_so_that_the_rest_can_be_trimmed(database: &Database) {
        let store = open(database).await;
        hold(&store).await;
        let keys = [record_key(&store, "one").await, record_key(&store, "two").await];
        let session = record(&store).await;
        let all = take(&store, 0, 10).await;
        assert_eq!(said(&all.entries), numbered(1, &[keys[0].clone(), keys[1].clone(), session]));
        assert_eq!(all.entries[0].1.expires, None);
        let fresh = record(&store).await;
        // What is new goes first, and `one` alone is that old.
        let batch = take_with(&store, 3, 10, Some(1), None).await;
        assert_eq!(said(&batch.entries), numbered(4, &[fresh, keys[0].clone()]));
        assert_eq!((batch.last_seq, batch.lowest_live, batch.is_complete), (5, Some(2), true));
        let batch = take_with(&store, 5, 10, Some(2), None).await;
        assert_eq!(said(&batch.entries), numbered(6, &keys[1..]));
        assert_eq!((batch.last_seq, batch.lowest_live), (6, Some(3)), "the session's is the lowest now");
        // Asked again, nothing is that old any more; and what is not yet published needs no second number.
        let batch = take_with(&store, 5, 10, Some(2), None).await;
        assert_eq!((batch.last_seq, batch.entries.len()), (6, 1));
        let batch = take_with(&store, 4, 10, Some(100), None).await;
        assert_eq!((batch.last_seq, said(&batch.entries)), (6, numbered(5, &keys)));
        // A batch of them, too, has its limit.
        let batch = take_with(&store, 6, 1, Some(100), None).await;
        assert_eq!((batch.last_seq, said(&batch.entries)), (7, numbered(7, &keys[..1])));
        assert_eq!(database.number("SELECT COUNT(*) FROM outbox").await, 4);
        store.close().await;
    }

    async fn a_new_epoch_reads_what_is_numbered_and_live_in_order(database: &Database) {
        let store = open(database).await;
        hold(&store).await;
        let mut facts = Vec::new();
        for _ in 0..4 {
            facts.push(record(&store).await);
        }
        facts.push(record_key(&store, "key").await);
        take(&store, 0, 10).await;
        database
            .run_each(
                "UPDATE outbox SET expires_at = now() - interval '1 s' WHERE seq = 2",
                "UPDATE outbox SET expires_at = 1 WHERE seq = 2",
            )
            .await;
        record(&store).await;
        let mut work = store.read().await.unwrap();
        let live = feed::live_after(&mut work, 0, 3).await.unwrap();
        let third = facts[2].clone();
        assert_eq!(said(&live), [(1, facts[0].clone()), (3, third), (4, facts[3].clone())]);
        let rest = feed::live_after(&mut work, 4, 3).await.unwrap();
        assert_eq!(said(&rest), numbered(5, &facts[4..]), "what has no number is not in it");
        assert_eq!(feed::live_after(&mut work, 5, 3).await.unwrap(), []);
        drop(work);
        // Forgotten with its number, which nobody gets again.
        let mut work = store.write().await.unwrap();
        assert_eq!(outbox::delete_expired(&mut work).await.unwrap(), 1);
        work.commit().await.unwrap();
        let batch = take(&store, 0, 10).await;
        assert_eq!(batch.entries.iter().map(|entry| entry.0).collect::<Vec<_>>(), [1, 3, 4, 5, 6]);
        store.close().await;
    }

    async fn what_has_expired_is_forgotten_without_a_number_too(database: &Database) {
        let store = open(database).await;
        record(&store).await;
        record_key(&store, "key").await;
        database
            .run_each(
                "UPDATE outbox SET expires_at = now() - interval '1 s' WHERE kind = 'session'",
                "UPDATE outbox SET expires_at = 1 WHERE kind = 'session'",
            )
            .await;
        let mut work = store.write().await.unwrap();
        assert_eq!(outbox::delete_expired(&mut work).await.unwrap(), 1);
        work.commit().await.unwrap();
        hold(&store).await;
        assert_eq!(take(&store, 0, 10).await.entries.len(), 1);
        store.close().await;
    }

    async fn facts_from_before_there_was_a_feed_are_numbered_as_well(database: &Database) {
        if database.kind == Kind::Sqlite {
            // An empty file is an empty database.
            std::fs::File::create(database.folder.path().join("test.db")).unwrap();
        }
        database
            .run_each(
                include_str!("../../../migrations/postgres/0001_first_light.sql"),
                include_str!("../../../migrations/sqlite/0001_first_light.sql"),
            )
            .await;
        database.run("INSERT INTO outbox (kind, name) VALUES ('key', 'one'), ('key', 'two')").await;
        database
            .run_each(
                include_str!("../../../migrations/postgres/0002_revocation_feed.sql"),
                include_str!("../../../migrations/sqlite/0002_revocation_feed.sql"),
            )
            .await;
        database
            .run_each(
                include_str!("../../../migrations/postgres/0003_labels.sql"),
                include_str!("../../../migrations/sqlite/0003_labels.sql"),
            )
            .await;
        database
            .run_each(include_str!("../../../migrations/postgres/0004_take_batch.sql"), "SELECT 1")
            .await;
        let store = Store::open(&database.url.clone().into(), 4, Arc::new(SystemClock)).await.unwrap();
        let view = look(&store).await;
        let since = view.unpublished_since.unwrap();
        assert!(since <= view.now && since > view.now.minus(LASTING), "{since}");
        hold(&store).await;
        let key = |kid: &str| Fact::Key { kid: kid.into() };
        assert_eq!(said(&take(&store, 0, 10).await.entries), [(1, key("one")), (2, key("two"))]);
        store.close().await;
    }
}
