//! Somebody who can write to Redis: they can refuse tokens and make verifiers stale, and no more.

use shared::feed::entry;
use shared::feed::term::ItemId;
use shared::id::SessionId;
use shared::revocation::{Fact, Revocation};
use uuid::Uuid;

use crate::drill::{Drill, drill, single};
use crate::stored_feed::{Item, StoredFeed};

/// An entry that revokes nobody's session.
fn forged_entry() -> Item {
    let session = SessionId(Uuid::from_bytes(shared::crypto::random::bytes()));
    let fact = Fact::Session { session };
    Item::of_entry(&entry::encode(&Revocation { fact, expires: None }))
}

/// Writes behind the end of the stream, wherever that is, and gives the epoch.
async fn add_at_the_end(drill: &Drill, item: &Item, place: impl Fn(ItemId) -> ItemId) -> String {
    let mut feed = StoredFeed::of(&drill.world).await;
    loop {
        let epoch = feed.pointer().await.unwrap();
        let (last, _) = feed.items(&epoch).await.pop().unwrap();
        if feed.add(&epoch, place(last), item).await {
            return epoch;
        }
    }
}

/// Waits until another stream has taken the place of one.
async fn replaced(drill: &Drill, epoch: &str) {
    let mut feed = StoredFeed::of(&drill.world).await;
    let waiting = async {
        while feed.pointer().await.is_none_or(|pointer| pointer == epoch) {
            tokio::time::sleep(crate::world::process::LOOK_EVERY).await;
        }
    };
    crate::drill::within(crate::drill::SOON, "a new epoch is in force", waiting).await;
}

/// The last entry of the stream, and the stream's epoch.
async fn last_entry(feed: &mut StoredFeed) -> (String, ItemId) {
    let epoch = feed.pointer().await.unwrap();
    let items = feed.items(&epoch).await;
    let entry = items.iter().rev().find(|(_, item)| item.entry().is_some());
    (epoch, entry.unwrap().0)
}

#[test]
fn entries_are_forged() {
    drill(single("an entry is forged"), async |drill| {
        let epoch = add_at_the_end(drill, &forged_entry(), |last| ItemId::entry(last.seq + 1)).await;
        replaced(drill, &epoch).await;
        // Some verifiers may have taken it in: a refusal too many is all that it can do.
        drill.renew_verifiers().await;
    });
}

#[test]
fn garbage_is_written() {
    for (what, item) in [
        ("an entry that is garbage", Item::of_entry(b"garbage")),
        ("a heartbeat that is garbage", Item::of_heartbeat(&[1; 193])),
        ("an item of somebody else", Item::new("x", b"y")),
    ] {
        drill(single(what), async |drill| {
            let place = |last: ItemId| match item.entry() {
                Some(_) => ItemId::entry(last.seq + 1),
                None => last.next_heartbeat(),
            };
            let epoch = add_at_the_end(drill, &item, place).await;
            replaced(drill, &epoch).await;
        });
    }
}

#[test]
fn heartbeats_are_copied() {
    drill(single("heartbeats are copied"), async |drill| {
        for _ in 0..3 {
            let mut feed = StoredFeed::of(&drill.world).await;
            let epoch = feed.pointer().await.unwrap();
            let (_, heartbeat) = feed.items(&epoch).await.pop().unwrap();
            let epoch = add_at_the_end(drill, &heartbeat, ItemId::next_heartbeat).await;
            replaced(drill, &epoch).await;
        }
    });
}

#[test]
fn copied_heartbeats_do_not_feign_freshness() {
    drill(
        single("heartbeats are copied while no issuer reaches Redis"),
        async |drill| {
            for issuer in &drill.world.issuers {
                issuer.to_redis.refuse();
            }
            let mut feed = StoredFeed::of(&drill.world).await;
            let epoch = feed.pointer().await.unwrap();
            let (mut end, heartbeat) = feed.items(&epoch).await.pop().unwrap();
            while drill.history.undecided() != [true; 3] {
                end = end.next_heartbeat();
                feed.add(&epoch, end, &heartbeat).await;
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            }
        },
    );
}

#[test]
fn an_entry_is_replaced_before_it_is_read() {
    drill(
        single("an entry is replaced before a verifier reads it"),
        async |drill| {
            let slow = &drill.world.verifiers[2];
            slow.to_redis.stall();
            drill.revocations(10).await;
            let mut feed = StoredFeed::of(&drill.world).await;
            let (epoch, entry) = last_entry(&mut feed).await;
            feed.replace(&epoch, entry, &forged_entry()).await;
            slow.to_redis.pass();
            replaced(drill, &epoch).await;
            drill.renew_verifiers().await;
        },
    );
}

#[test]
fn an_entry_is_dropped_before_it_is_read() {
    drill(
        single("an entry is dropped before a verifier reads it"),
        async |drill| {
            let slow = &drill.world.verifiers[2];
            slow.to_redis.stall();
            drill.revocations(10).await;
            let mut feed = StoredFeed::of(&drill.world).await;
            let (epoch, entry) = last_entry(&mut feed).await;
            feed.drop_item(&epoch, entry).await;
            slow.to_redis.pass();
        },
    );
}

#[test]
fn an_old_stream_is_put_back() {
    drill(
        single("the stream of some revocations ago is put back"),
        async |drill| {
            let mut feed = StoredFeed::of(&drill.world).await;
            let epoch = feed.pointer().await.unwrap();
            let items = feed.items(&epoch).await;
            drill.revocations(10).await;
            for _ in 0..3 {
                feed.rewrite(&epoch, &items).await;
                drill.revocations(5).await;
            }
        },
    );
}

#[test]
fn an_old_epoch_is_put_back() {
    drill(single("an epoch that was replaced is put back"), async |drill| {
        let mut feed = StoredFeed::of(&drill.world).await;
        let epoch = feed.pointer().await.unwrap();
        let items = feed.items(&epoch).await;
        drill.world.redis().command(&["FLUSHALL"]);
        replaced(drill, &epoch).await;
        drill.revocations(10).await;
        feed.rewrite(&epoch, &items).await;
        feed.point_to(&epoch).await;
    });
}

#[test]
fn the_pointer_is_garbage() {
    drill(single("the pointer to the stream is garbage"), async |drill| {
        for garbage in [
            "garbage",
            "",
            "18446744073709551615-00000000000000000000000000000000",
        ] {
            StoredFeed::of(&drill.world).await.point_to(garbage).await;
            drill.revocations(5).await;
            replaced(drill, garbage).await;
        }
    });
}
