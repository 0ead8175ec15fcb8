//! The relay to a reader in this process.

use std::sync::Arc;
use std::time::Duration;

use issuer::publish::{InProcessRelay, NotInForce, Publisher};
use issuer::store::{Store, film, label, outbox};
use shared::feed::channel::{ChannelFeed, channel};
use shared::feed::{FeedEvent, Heartbeat, LabelUpdate, RevocationFeed as _};
use shared::id::{FilmId, LabelId, SessionId};
use shared::label::{Definition, LabelChange, LabelName, LabelNames};
use shared::revocation::{Fact, Revocation};
use shared::testkit::ManualClock;
use shared::time::{Clock, UnixMillis};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::database::{Database, Kind, within};
use super::world;

struct Relayed {
    store: Store,
    clock: Arc<ManualClock>,
    publisher: Publisher,
    feed: ChannelFeed,
    running: JoinHandle<()>,
    stop: CancellationToken,
    _database: Database,
}

async fn store(database: &Database, clock: &Arc<ManualClock>) -> Store {
    let clock: Arc<dyn Clock> = clock.clone();
    issuer::app::open_store(&world::settings(database), clock, true)
        .await
        .unwrap()
}

/// A relay that has this many facts to begin with, and beats but once in an hour unless it is asked.
async fn relayed(facts: i64) -> Relayed {
    let database = Database::fresh(Kind::Sqlite).await.unwrap();
    let clock = Arc::new(ManualClock::at(UnixMillis(1_800_000_000_000)));
    let store = store(&database, &clock).await;
    for _ in 0..facts {
        record(&store).await;
    }
    let (publisher, feed) = channel();
    let (relay, way) = InProcessRelay::new(store.clone(), publisher, Duration::from_hours(1));
    let stop = CancellationToken::new();
    let running = tokio::spawn(relay.run(stop.clone()));
    Relayed {
        store,
        clock,
        publisher: way,
        feed,
        running,
        stop,
        _database: database,
    }
}

async fn record(store: &Store) -> Fact {
    let mut work = store.write().await.unwrap();
    let session = SessionId::new(work.now().await.unwrap());
    let fact = Fact::Session { session };
    outbox::record(&mut work, &fact).await.unwrap();
    work.commit().await.unwrap();
    fact
}

impl Relayed {
    /// What the feed tells next, but for labels.
    async fn next(&mut self) -> FeedEvent {
        loop {
            match within(self.feed.next()).await.unwrap() {
                FeedEvent::Labels(_) => {}
                event => return event,
            }
        }
    }

    async fn labels(&mut self) -> LabelUpdate {
        match within(self.feed.next()).await.unwrap() {
            FeedEvent::Labels(update) => update,
            other => panic!("{other:?}"),
        }
    }

    async fn entry(&mut self) -> (u64, Revocation) {
        match self.next().await {
            FeedEvent::Entries { seq, mut revocations } if revocations.len() == 1 => {
                (seq, revocations.remove(0))
            }
            other => panic!("{other:?}"),
        }
    }

    async fn heartbeat(&mut self) -> Heartbeat {
        match self.next().await {
            FeedEvent::Heartbeat(heartbeat) => heartbeat,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_live_fact_is_replayed_at_the_start_before_the_first_heartbeat() {
    // More than one batch.
    let mut relayed = relayed(1003).await;
    for expected in 1..=1003 {
        assert_eq!(relayed.entry().await.0, expected);
    }
    let heartbeat = relayed.heartbeat().await;
    assert_eq!(heartbeat.seq, 1003);
    assert_eq!(heartbeat.time, relayed.clock.now());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fact_that_has_expired_is_not_replayed() {
    let mut relayed = relayed(0).await;
    assert_eq!(relayed.heartbeat().await.seq, 0);
    record(&relayed.store).await;
    relayed.clock.advance(Duration::from_hours(2));
    let fact = record(&relayed.store).await;
    let publisher = relayed.publisher.clone();
    let asked = tokio::spawn(async move { publisher.committed().await });
    assert_eq!(relayed.entry().await.1.fact, fact);
    assert_eq!(relayed.heartbeat().await.seq, 1);
    assert_eq!(within(asked).await.unwrap(), Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fact_is_in_force_when_the_reader_has_applied_it_and_no_sooner() {
    let mut relayed = relayed(0).await;
    relayed.heartbeat().await;
    let fact = record(&relayed.store).await;
    let publisher = relayed.publisher.clone();
    let asked = tokio::spawn(async move { publisher.committed().await });
    // Handed out, but perhaps not yet applied: a second request shows that the relay has not gone on.
    let (seq, revocation) = relayed.entry().await;
    assert_eq!((seq, revocation.fact), (1, fact));
    assert!(!asked.is_finished());
    tokio::task::yield_now().await;
    assert!(!asked.is_finished(), "in force before the reader asked for more");
    // To ask for the next is to say that the last was applied.
    let heartbeat = relayed.heartbeat().await;
    assert_eq!(heartbeat.seq, 1);
    assert_eq!(within(asked).await.unwrap(), Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_heartbeat_never_claims_a_time_before_which_something_is_unpublished() {
    let mut relayed = relayed(0).await;
    relayed.heartbeat().await;
    for round in 1..=50_u64 {
        let before = relayed.clock.now();
        relayed.clock.advance(Duration::from_millis(7));
        let fact = record(&relayed.store).await;
        let publisher = relayed.publisher.clone();
        let asked = tokio::spawn(async move { publisher.committed().await });
        let (seq, revocation) = relayed.entry().await;
        // The commit was at this time or before: no heartbeat of a later one came ahead of the entry.
        assert_eq!((seq, revocation.fact), (round, fact));
        let heartbeat = relayed.heartbeat().await;
        assert_eq!(heartbeat.seq, round);
        assert!(heartbeat.time > before && heartbeat.time <= relayed.clock.now());
        within(asked).await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_reader_nothing_is_said_to_be_committed() {
    let mut relayed = relayed(0).await;
    relayed.heartbeat().await;
    record(&relayed.store).await;
    drop(relayed.feed);
    assert_eq!(within(relayed.publisher.committed()).await, Err(NotInForce));
    within(relayed.running).await.unwrap();
    assert_eq!(within(relayed.publisher.committed()).await, Err(NotInForce));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_hangs_does_not_keep_the_relay_from_stopping() {
    let mut relayed = relayed(1).await;
    relayed.entry().await;
    let publisher = relayed.publisher.clone();
    let asked = tokio::spawn(async move { publisher.committed().await });
    relayed.stop.cancel();
    within(relayed.running).await.unwrap();
    assert_eq!(within(asked).await.unwrap(), Err(NotInForce));
}

#[tokio::test]
async fn there_is_no_relay_to_a_reader_in_this_process_on_postgres() {
    let Some(database) = Database::fresh(Kind::Postgres).await else {
        return;
    };
    let (publisher, _feed) = channel();
    let opened = issuer::app::Issuer::open(
        &world::settings(&database),
        Arc::new(shared::time::SystemClock),
        issuer::app::Feed::InProcess(publisher),
    )
    .await;
    assert!(
        matches!(opened, Err(issuer::app::StartError::Setting(_))),
        "numbers of the outbox are not in the order of commits there"
    );
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_labels_is_in_force_when_the_reader_has_applied_it_and_no_sooner() {
    let mut relayed = relayed(0).await;
    for expected in [
        LabelUpdate::TableBegins,
        LabelUpdate::TablePart(Vec::new()),
        LabelUpdate::TableEnds,
    ] {
        assert_eq!(relayed.labels().await, expected);
    }
    let heartbeat = relayed.heartbeat().await;
    assert_eq!(heartbeat.labels, Some(relayed.clock.now()));
    let film = FilmId(uuid::Uuid::from_u128(1));
    let mut work = relayed.store.write().await.unwrap();
    let name: LabelName = "paid".parse().unwrap();
    let value = label::LabelValue {
        anonymous: true,
        description: None,
        roles: &[],
    };
    label::put(&mut work, &name, LabelId::new(relayed.clock.now()), value)
        .await
        .unwrap();
    let labels = LabelNames::new([name.clone()]).unwrap();
    film::put(&mut work, &[(film, labels.clone())]).await.unwrap();
    work.commit().await.unwrap();
    let publisher = relayed.publisher.clone();
    let asked = tokio::spawn(async move { publisher.committed().await });
    let definition = Some(Definition {
        anonymous: true,
        roles: Vec::new(),
    });
    let expected = vec![
        LabelChange::Definition { name, definition },
        LabelChange::Film {
            film,
            labels: Arc::new(labels),
        },
    ];
    assert_eq!(relayed.labels().await, LabelUpdate::Changes(expected));
    tokio::task::yield_now().await;
    assert!(!asked.is_finished(), "in force before the reader asked for more");
    relayed.heartbeat().await;
    assert_eq!(within(asked).await.unwrap(), Ok(()));
}
