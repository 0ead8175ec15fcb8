//! Whoever publishes the outbox is woken by a commit, and by nothing less.

use std::time::Duration;

use issuer::store::outbox;
use shared::id::SessionId;
use shared::revocation::Fact;
use sqlx::postgres::PgListener;

use super::database::{Database, Kind, within};
use super::feed::{open, record};

const LISTENERS: &str = "FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_notifies_once_and_a_rollback_never() {
    let Some(database) = Database::fresh(Kind::Postgres).await else {
        return;
    };
    let store = open(&database).await;
    let mut heard = PgListener::connect(&database.url).await.unwrap();
    heard.listen_all(["usher_outbox", "fence"]).await.unwrap();
    let mut work = store.write().await.unwrap();
    for _ in 0..3 {
        let session = SessionId::new(work.now().await.unwrap());
        outbox::record(&mut work, &Fact::Session { session })
            .await
            .unwrap();
    }
    // Notifications come in the order of commits: whatever was sent before the fence would be heard before it.
    database.run("NOTIFY fence, 'written'").await;
    assert_eq!(within(heard.recv()).await.unwrap().payload(), "written");
    work.commit().await.unwrap();
    database.run("NOTIFY fence, 'committed'").await;
    assert_eq!(within(heard.recv()).await.unwrap().channel(), "usher_outbox");
    assert_eq!(
        within(heard.recv()).await.unwrap().payload(),
        "committed",
        "one for all three"
    );
    let mut work = store.write().await.unwrap();
    let session = SessionId::new(work.now().await.unwrap());
    outbox::record(&mut work, &Fact::Session { session })
        .await
        .unwrap();
    drop(work);
    store.close().await;
    database.run("NOTIFY fence, 'rolled back'").await;
    assert_eq!(within(heard.recv()).await.unwrap().payload(), "rolled back");
    drop(heard);
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_is_woken_by_commits_and_after_it_lost_its_connection() {
    let Some(database) = Database::fresh(Kind::Postgres).await else {
        return;
    };
    let store = open(&database).await;
    let mut listener = store.outbox_listener().unwrap();
    // There may be something from before.
    within(listener.recv()).await.unwrap();
    for _ in 0..2 {
        let early = tokio::time::timeout(Duration::ZERO, listener.recv()).await;
        assert!(early.is_err(), "woken by nothing");
        record(&store).await;
        within(listener.recv()).await.unwrap();
    }
    assert_eq!(database.number(&format!("SELECT COUNT(*) {LISTENERS}")).await, 1);
    for _ in 0..2 {
        database
            .run(&format!("SELECT pg_terminate_backend(pid, 10000) {LISTENERS}"))
            .await;
        // Nobody was listening when this was committed.
        record(&store).await;
        within(listener.recv()).await.unwrap();
        let early = tokio::time::timeout(Duration::ZERO, listener.recv()).await;
        assert!(early.is_err(), "woken by nothing");
        record(&store).await;
        within(listener.recv()).await.unwrap();
    }
    drop(listener);
    store.close().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_whose_caller_went_away_while_it_connected_still_wakes_the_next() {
    let Some(database) = Database::fresh(Kind::Postgres).await else {
        return;
    };
    let store = open(&database).await;
    let mut listener = store.outbox_listener().unwrap();
    let early = tokio::time::timeout(Duration::ZERO, listener.recv()).await;
    assert!(early.is_err(), "a connection takes more than one step");
    within(listener.recv()).await.unwrap();
    drop(listener);
    store.close().await;
    database.remove().await;
}

#[tokio::test]
async fn sqlite_has_nothing_to_listen_to() {
    let database = Database::fresh(Kind::Sqlite).await.unwrap();
    let store = open(&database).await;
    assert!(store.outbox_listener().is_none());
    store.close().await;
}
