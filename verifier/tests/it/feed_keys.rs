//! The feed keys: fetched, kept, and fetched again when they will not do.

use std::sync::Arc;
use std::time::Duration;

use shared::feed::key::{FEED_KEYS_PATH, FeedKeys, FeedSigningKey};
use tokio_util::sync::CancellationToken;
use url::Url;
use verifier::keys::KeySchedule;
use verifier::keys::feed::FeedKeyReplica;

use crate::support::{Canned, KeyServer};

fn of(key: &FeedSigningKey) -> Canned {
    Canned::ok(key.public().to_jwks())
}

#[tokio::test]
async fn they_are_fetched_until_they_come_again_when_wanted_and_never_lost() {
    let server = KeyServer::start(Canned::status(503)).await;
    let schedule = KeySchedule {
        refresh: Duration::from_hours(1),
        cooldown: Duration::from_millis(50),
    };
    let url = Url::parse(&format!("{}{FEED_KEYS_PATH}", server.origin)).unwrap();
    let replica = Arc::new(FeedKeyReplica::new(url, schedule, FeedKeys::default()).unwrap());
    let view = replica.view();
    let mut keys = view.keys.clone();
    let stop = CancellationToken::new();
    let following = tokio::spawn(Arc::clone(&replica).follow(stop.clone()));
    server.asked_times(2).await;
    assert!(replica.current().is_empty());

    let first = FeedSigningKey::generate().unwrap();
    server.answer_with(of(&first));
    keys.changed().await.unwrap();
    assert_eq!(replica.current(), first.public());

    // What is no key set replaces none.
    for bad in [
        Canned::status(500),
        Canned::ok("{\"keys\":[]}"),
        Canned::ok("<html>"),
        Canned::ok(vec![b' '; 1 << 20]),
    ] {
        let asked = server.asked().len();
        server.answer_with(bad);
        view.wanted.notify_one();
        server.asked_times(asked + 1).await;
        assert_eq!(replica.current(), first.public());
    }

    let second = FeedSigningKey::generate().unwrap();
    server.answer_with(of(&second));
    view.wanted.notify_one();
    keys.changed().await.unwrap();
    assert_eq!(replica.current(), second.public());
    assert!(server.asked().iter().all(|path| path == FEED_KEYS_PATH));
    stop.cancel();
    following.await.unwrap();
}
