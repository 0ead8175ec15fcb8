//! Forced interleavings of those who write facts with those who number them, on PostgreSQL: SQLite's writers are alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use issuer::store::{Store, Work, feed, outbox};
use shared::id::SessionId;
use shared::revocation::Fact;
use sqlx::{Connection as _, Executor as _};

use super::database::{Database, Kind, within};
use super::feed::{LASTING, OURS, THEIRS, acquire, hold, look, open, record, said, take};

/// A fact that is not yet committed.
async fn write(store: &Store) -> (Work, Fact) {
    let mut work = store.write().await.unwrap();
    let session = SessionId::new(work.now().await.unwrap());
    let fact = Fact::Session { session };
    outbox::record(&mut work, &fact).await.unwrap();
    (work, fact)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fact_of_a_lower_id_that_is_committed_late_gets_a_later_number() {
    let Some(database) = Database::fresh(Kind::Postgres).await else {
        return;
    };
    let store = open(&database).await;
    hold(&store).await;
    let (late, late_fact) = write(&store).await;
    let early_fact = record(&store).await;
    let batch = take(&store, 0, 10).await;
    assert_eq!(said(&batch.entries), [(1, early_fact)]);
    assert!(batch.is_complete, "what is not committed is nobody's to publish");
    late.commit().await.unwrap();
    assert!(look(&store).await.unpublished_since.is_some());
    let batch = take(&store, 1, 10).await;
    assert_eq!(said(&batch.entries), [(2, late_fact)]);
    assert_eq!(
        database
            .number("SELECT COUNT(*) FROM outbox a JOIN outbox b ON a.id < b.id AND a.seq > b.seq")
            .await,
        1,
        "the lower id has the higher number"
    );
    store.close().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_have_no_gaps_and_stand_in_order_whoever_commits_meanwhile() {
    const WRITERS: usize = 2;
    const EACH: usize = 60;
    let Some(database) = Database::fresh(Kind::Postgres).await else {
        return;
    };
    let store = open(&database).await;
    hold(&store).await;
    let left = Arc::new(AtomicUsize::new(WRITERS));
    for _ in 0..WRITERS {
        let (store, left) = (store.clone(), Arc::clone(&left));
        tokio::spawn(async move {
            for round in 0..EACH {
                // Some take their number and go away.
                let (work, _) = write(&store).await;
                if round % 7 != 0 {
                    work.commit().await.unwrap();
                }
            }
            left.fetch_sub(1, Ordering::SeqCst);
        });
    }
    let mut published = Vec::new();
    within(async {
        loop {
            let over = left.load(Ordering::SeqCst) == 0;
            let batch = take(&store, published.len() as u64, 7).await;
            let next = published.len() as u64 + 1;
            let numbers: Vec<_> = batch.entries.iter().map(|entry| entry.0).collect();
            assert_eq!(numbers, (next..next + numbers.len() as u64).collect::<Vec<_>>());
            published.extend(said(&batch.entries));
            if over && batch.is_complete {
                return;
            }
        }
    })
    .await;
    let committed = WRITERS * (EACH - EACH.div_ceil(7));
    assert_eq!(published.len(), committed);
    assert_eq!(
        database.number("SELECT COUNT(*) FROM outbox").await,
        i64::try_from(committed).unwrap()
    );
    assert_eq!(look(&store).await.last_seq, committed as u64);
    store.close().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_holder_waits_for_the_first_ones_batch_and_goes_on_from_it() {
    let Some(database) = Database::fresh(Kind::Postgres).await else {
        return;
    };
    let store = open(&database).await;
    hold(&store).await;
    let first_fact = record(&store).await;
    let mut ours = store.write().await.unwrap();
    let first = feed::take_batch(&mut ours, OURS, 0, 10, None, None)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(said(&first.entries), [(1, first_fact.clone())]);
    let seen = look(&store).await;
    let takeover = {
        let store = store.clone();
        tokio::spawn(async move {
            let mut theirs = store.write().await.unwrap();
            assert!(
                feed::acquire(&mut theirs, &seen, false, THEIRS, LASTING)
                    .await
                    .unwrap()
            );
            let batch = feed::take_batch(&mut theirs, THEIRS, 0, 10, None, None)
                .await
                .unwrap();
            theirs.commit().await.unwrap();
            batch.unwrap()
        })
    };
    database.waiters(1, || takeover.is_finished()).await;
    assert!(!takeover.is_finished(), "two hold the lease");
    // Committed while they wait.
    let second_fact = record(&store).await;
    ours.commit().await.unwrap();
    let second = within(takeover).await.unwrap();
    assert_eq!(said(&second.entries), [(1, first_fact), (2, second_fact)]);
    assert!(second.is_complete);
    // Who had it is told so.
    let mut work = store.write().await.unwrap();
    assert_eq!(
        feed::take_batch(&mut work, OURS, 1, 10, None, Some((LASTING, 1)))
            .await
            .unwrap(),
        None
    );
    drop(work);
    assert_eq!(look(&store).await.term, THEIRS);
    store.close().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_waits_for_the_lease_reads_the_time_before_and_the_rows_after() {
    let Some(database) = Database::fresh(Kind::Postgres).await else {
        return;
    };
    let store = open(&database).await;
    hold(&store).await;
    for renewal in [None, Some((LASTING, 0))] {
        let mut first = store.write().await.unwrap();
        feed::take_batch(&mut first, OURS, 0, 10, None, None)
            .await
            .unwrap()
            .unwrap();
        let waiting = {
            let store = store.clone();
            tokio::spawn(async move {
                let mut work = store.write().await.unwrap();
                let batch = feed::take_batch(&mut work, OURS, 0, 10, None, renewal).await;
                work.commit().await.unwrap();
                batch.unwrap().unwrap()
            })
        };
        database.waiters(1, || waiting.is_finished()).await;
        let before = store.read().await.unwrap().now().await.unwrap();
        let fact = record(&store).await;
        first.commit().await.unwrap();
        let batch = within(waiting).await.unwrap();
        assert!(
            batch.now <= before,
            "a heartbeat would claim what was not looked at"
        );
        assert_eq!(batch.entries.last().unwrap().1.fact, fact);
        assert_eq!(batch.last_seq, batch.entries.len() as u64, "no number twice");
    }
    store.close().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_that_reach_for_the_lease_at_once_one_gets_it() {
    let Some(database) = Database::fresh(Kind::Postgres).await else {
        return;
    };
    let store = open(&database).await;
    let seen = look(&store).await;
    let mut first = store.write().await.unwrap();
    assert!(
        feed::acquire(&mut first, &seen, true, OURS, LASTING)
            .await
            .unwrap()
    );
    let second = {
        let store = store.clone();
        tokio::spawn(async move { acquire(&store, &seen, true, THEIRS, LASTING).await })
    };
    database.waiters(1, || second.is_finished()).await;
    first.commit().await.unwrap();
    assert!(!within(second).await.unwrap());
    assert_eq!(look(&store).await.term, OURS);
    store.close().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fact_forgotten_while_it_is_to_be_numbered_leaves_no_gap() {
    let Some(database) = Database::fresh(Kind::Postgres).await else {
        return;
    };
    let store = open(&database).await;
    hold(&store).await;
    record(&store).await;
    let kept = record(&store).await;
    let mut other = database.connection().await;
    let mut deletion = other.begin().await.unwrap();
    deletion
        .execute("DELETE FROM outbox WHERE id = (SELECT MIN(id) FROM outbox)")
        .await
        .unwrap();
    let taking = {
        let store = store.clone();
        tokio::spawn(async move { take(&store, 0, 1).await })
    };
    database.waiters(1, || taking.is_finished()).await;
    deletion.commit().await.unwrap();
    let batch = within(taking).await.unwrap();
    assert_eq!(said(&batch.entries), [(1, kept)]);
    assert!(batch.last_seq == 1 && batch.is_complete);
    other.close().await.unwrap();
    store.close().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_being_numbered_is_forgotten_another_time() {
    let Some(database) = Database::fresh(Kind::Postgres).await else {
        return;
    };
    let store = open(&database).await;
    hold(&store).await;
    record(&store).await;
    database.run("UPDATE outbox SET expires_at = created_at").await;
    let mut taking = store.write().await.unwrap();
    let batch = feed::take_batch(&mut taking, OURS, 0, 10, None, Some((Duration::ZERO, 0)))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(batch.entries.len(), 1);
    let mut work = store.write().await.unwrap();
    assert_eq!(within(outbox::delete_expired(&mut work)).await.unwrap(), 0);
    taking.commit().await.unwrap();
    assert_eq!(outbox::delete_expired(&mut work).await.unwrap(), 1);
    work.commit().await.unwrap();
    store.close().await;
    database.remove().await;
}
