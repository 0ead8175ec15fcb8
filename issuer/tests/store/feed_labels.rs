//! What the database says about labels to whoever publishes them.

use std::sync::Arc;

use issuer::store::feed::{self, LabelChanges, LabelPage, LabelsTaken};
use issuer::store::{Store, film, label};
use shared::id::{FilmId, LabelId};
use shared::label::{Definition, LabelChange, LabelName, LabelNames};
use shared::time::UnixMillis;
use uuid::Uuid;

use super::database::{Database, Kind, on_both};
use super::feed::{LASTING, OURS, THEIRS, hold, look, open, record, take};

fn id(number: u128) -> FilmId {
    FilmId(Uuid::from_u128(number))
}

fn names(names: &[&str]) -> LabelNames {
    LabelNames::new(names.iter().map(|name| name.parse().unwrap())).unwrap()
}

fn carries(number: u128, labels: &[&str]) -> LabelChange {
    LabelChange::Film {
        film: id(number),
        labels: Arc::new(names(labels)),
    }
}

fn defined(name: &str) -> LabelChange {
    let definition = Some(Definition {
        anonymous: true,
        roles: Vec::new(),
    });
    LabelChange::Definition {
        name: name.parse().unwrap(),
        definition,
    }
}

async fn define(store: &Store, name: &str) {
    let mut work = store.write().await.unwrap();
    let value = label::LabelValue {
        anonymous: true,
        description: None,
        roles: &[],
    };
    let name: LabelName = name.parse().unwrap();
    label::put(&mut work, &name, LabelId::new(UnixMillis(1)), value)
        .await
        .unwrap();
    work.commit().await.unwrap();
}

async fn put(store: &Store, films: &[u128], labels: &[&str]) {
    let mut work = store.write().await.unwrap();
    let films: Vec<_> = films.iter().map(|number| (id(*number), names(labels))).collect();
    film::put(&mut work, &films).await.unwrap();
    work.commit().await.unwrap();
}

async fn taken(store: &Store, published: u64, told: u64, limit: u32) -> LabelsTaken {
    let mut work = store.write().await.unwrap();
    let taken = feed::take_labels(&mut work, OURS, published, told, limit)
        .await
        .unwrap();
    work.commit().await.unwrap();
    taken
}

async fn entry(store: &Store, published: u64, told: u64, limit: u32) -> (u64, LabelChanges) {
    match taken(store, published, told, limit).await {
        LabelsTaken::Entry(seq, changes) => (seq, changes),
        other => panic!("{other:?}"),
    }
}

async fn page(store: &Store, after: Option<FilmId>, limit: u32) -> LabelPage {
    feed::label_page(&mut store.read().await.unwrap(), after, limit)
        .await
        .unwrap()
}

on_both! {
    async fn changes_are_taken_in_their_order_and_get_a_number(database: &Database) {
        let store = open(database).await;
        hold(&store).await;
        let (seq, nothing) = entry(&store, 0, 0, 10).await;
        assert_eq!((seq, nothing.change, nothing.changes, nothing.is_complete), (0, 0, vec![], true));
        record(&store).await;
        assert_eq!(take(&store, 0, 10).await.last_seq, 1);
        define(&store, "paid").await;
        put(&store, &[3], &["paid"]).await;
        put(&store, &[1], &["paid"]).await;
        put(&store, &[2], &["paid"]).await;
        put(&store, &[3], &[]).await;
        let (seq, first) = entry(&store, 1, 0, 2).await;
        assert_eq!(seq, 2);
        assert!(!first.is_complete && first.now > UnixMillis(1_700_000_000_000));
        assert_eq!(first.changes, [defined("paid"), carries(1, &["paid"]), carries(2, &["paid"])]);
        let (seq, second) = entry(&store, 2, first.change, 2).await;
        // The film that carries nothing any more is told of; what it carried before is not.
        assert_eq!((seq, second.is_complete), (3, true));
        assert_eq!(second.changes, [carries(3, &[])]);
        assert_eq!(take(&store, 3, 10).await.label_change, second.change);
        assert_eq!(look(&store).await.last_seq, 3, "each entry's number is kept");
        store.close().await;
    }

    async fn nothing_is_taken_without_the_lease_or_behind_what_is_published(database: &Database) {
        let store = open(database).await;
        assert_eq!(taken(&store, 0, 0, 10).await, LabelsTaken::Deposed);
        hold(&store).await;
        define(&store, "paid").await;
        assert_eq!(taken(&store, 1, 0, 10).await, LabelsTaken::SetBack);
        assert_eq!(taken(&store, 0, 2, 10).await, LabelsTaken::SetBack);
        assert_eq!(look(&store).await.last_seq, 0, "no number was given");
        let seen = look(&store).await;
        let mut work = store.write().await.unwrap();
        assert!(feed::acquire(&mut work, &seen, false, THEIRS, LASTING).await.unwrap());
        work.commit().await.unwrap();
        assert_eq!(taken(&store, 0, 0, 10).await, LabelsTaken::Deposed);
        store.close().await;
    }

    async fn a_table_has_what_there_is_and_nothing_that_was(database: &Database) {
        let store = open(database).await;
        let nothing = page(&store, None, 2).await;
        assert_eq!((nothing.change, nothing.changes, nothing.last), (0, vec![], None));
        for name in ["paid", "adult", "gone"] {
            define(&store, name).await;
        }
        let mut work = store.write().await.unwrap();
        label::delete(&mut work, &"gone".parse().unwrap()).await.unwrap();
        work.commit().await.unwrap();
        put(&store, &[5, 1, 4, 2, 3], &["adult", "paid"]).await;
        put(&store, &[2], &[]).await;
        let first = page(&store, None, 2).await;
        let both = ["adult", "paid"];
        assert_eq!(
            first.changes,
            [defined("paid"), defined("adult"), carries(1, &both), carries(3, &both)]
        );
        assert_eq!(first.last, Some(id(3)));
        let second = page(&store, first.last, 2).await;
        assert_eq!(second.changes, [carries(4, &both), carries(5, &both)]);
        let third = page(&store, second.last, 2).await;
        assert_eq!((third.changes, third.last), (vec![], None));
        assert_eq!(first.change, take_change(&store).await);
        store.close().await;
    }
}

async fn take_change(store: &Store) -> u64 {
    hold(store).await;
    take(store, 0, 10).await.label_change
}
