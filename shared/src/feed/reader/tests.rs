//! One test for each rule of reading, over a model of what Redis holds.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::feed::entry;
use crate::feed::key::FeedSigningKey;
use crate::feed::term::Term;

mod labels;
mod world;

use world::{START, World, Writer, revocation};

// Loading and following.

#[tokio::test(start_paused = true)]
async fn it_loads_from_the_floor_and_not_from_before_it() {
    let mut world = World::unread(3);
    world.writer.floor = world.writer.chain;
    world.writer.entry(4);
    world.writer.heartbeat();
    // What is before the floor may be gone, or anything.
    world.tamper(|stream| {
        stream.remove(&ItemId::entry(1));
        stream.insert(ItemId::entry(2), LogBody::Foreign);
    });
    world.read(None);
    world.entries(&[4]).await;
    let heartbeat = world.heard().await;
    assert_eq!((heartbeat.epoch, heartbeat.seq), (7, 4));
    assert_eq!(*world.log.ranges.lock().unwrap(), [ItemId::entry(4)]);
}

#[tokio::test(start_paused = true)]
async fn it_loads_more_than_a_page_and_what_is_behind_the_newest_heartbeat() {
    let entries = limits::FEED_PAGE as u128 + 1;
    let mut world = World::unread(entries);
    world.writer.entry(entries + 1);
    world.read(None);
    let pages = [1..=entries - 1, entries..=entries];
    for page in pages {
        world.entries(&page.collect::<Vec<_>>()).await;
    }
    world.heard().await;
    world.entries(&[entries + 1]).await;
    world.writer.heartbeat();
    assert_eq!(u128::from(world.heard().await.seq), entries + 1);
}

#[tokio::test(start_paused = true)]
async fn an_empty_epoch_is_loaded_and_followed() {
    let mut world = World::followed(0).await;
    world.writer.entry(1);
    world.entries(&[1]).await;
    world.writer.heartbeat();
    world.heard().await;
}

#[tokio::test(start_paused = true)]
async fn entries_are_told_at_once_and_a_heartbeat_behind_them() {
    let mut world = World::followed(1).await;
    world.writer.entry(2);
    world.entries(&[2]).await;
    world.quiet().await;
    world.writer.entry(3);
    world.writer.heartbeat();
    world.entries(&[3]).await;
    world.clock.advance(Duration::from_secs(1));
    let heartbeat = world.heard().await;
    assert_eq!(heartbeat.seq, 3);
    assert_eq!(heartbeat.read_at, Some(BootTime(Duration::from_hours(1))));
    let signed = heartbeat.signed.unwrap();
    assert!(Statement::verify(&signed, &world.keys.borrow()).is_ok());
}

#[tokio::test(start_paused = true)]
async fn reloaded_the_same_heartbeat_is_not_told_again() {
    let mut world = World::followed(1).await;
    world.clock.step_wall(START.plus(Duration::from_mins(1)));
    assert_eq!(world.next().await, FeedEvent::Lost(Gap::ClockStep));
    world.entries(&[1]).await;
    world.quiet().await;
    world.writer.heartbeat();
    world.heard().await;
}

// The chain.

#[tokio::test(start_paused = true)]
async fn a_dropped_entry_is_a_gap() {
    let mut world = World::followed(1).await;
    world.writer.skip(2);
    world.writer.heartbeat();
    world.lost(Gap::Chain).await;
    world.heals().await;
}

#[tokio::test(start_paused = true)]
async fn an_altered_entry_is_a_gap() {
    let mut world = World::followed(1).await;
    world.writer.skip(2);
    world
        .writer
        .put(ItemId::entry(2), LogBody::Entry(entry::encode(&revocation(9))));
    world.entries(&[9]).await;
    world.writer.heartbeat();
    world.lost(Gap::Chain).await;
    world.heals().await;
}

#[tokio::test(start_paused = true)]
async fn an_added_entry_is_a_gap() {
    let mut world = World::followed(1).await;
    let mut stranger = world.writer.clone();
    stranger.entry(9);
    world.entries(&[9]).await;
    world.writer.last = ItemId::entry(2);
    world.writer.heartbeat();
    // It stands behind an entry of which it does not speak.
    world.lost(Gap::BadHeartbeat).await;
    world.heals().await;
}

#[tokio::test(start_paused = true)]
async fn entries_that_changed_places_are_a_gap() {
    let mut world = World::followed(1).await;
    let (two, three) = (world.writer.skip(2), world.writer.skip(3));
    world.writer.put(ItemId::entry(2), LogBody::Entry(three));
    world.writer.put(ItemId::entry(3), LogBody::Entry(two));
    world.writer.heartbeat();
    assert!(matches!(world.next().await, FeedEvent::Entries { .. }));
    world.lost(Gap::Chain).await;
    world.heals().await;
}

#[tokio::test(start_paused = true)]
async fn a_chain_that_does_not_hold_is_a_gap_when_loading_too() {
    let mut world = World::unread(3);
    world.tamper(|stream| {
        stream.remove(&ItemId::entry(2));
    });
    world.read(None);
    world.entries(&[1, 3]).await;
    world.lost(Gap::Chain).await;
    world.heals().await;
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_cannot_be_read_is_a_gap() {
    let mut world = World::followed(1).await;
    world
        .writer
        .put(ItemId::entry(2), LogBody::Entry(b"nonsense".to_vec()));
    world.lost(Gap::Foreign).await;
    world.heals().await;
}

#[tokio::test(start_paused = true)]
async fn what_nobody_of_ours_wrote_is_a_gap() {
    let bytes = entry::encode(&revocation(9));
    for (id, body) in [
        (ItemId::entry(2), LogBody::Foreign),
        (ItemId { seq: 1, k: 2 }, LogBody::Entry(bytes)),
    ] {
        let mut world = World::followed(1).await;
        world.writer.put(id, body);
        world.lost(Gap::Foreign).await;
        world.heals().await;
    }
}

// Heartbeats.

#[tokio::test(start_paused = true)]
async fn a_bad_signature_is_a_gap() {
    let mut world = World::followed(1).await;
    let mut signed = world.writer.statement().sign(&world.writer.key);
    *signed.last_mut().unwrap() ^= 1;
    world.writer.put_heartbeat(signed);
    world.lost(Gap::BadHeartbeat).await;
    world.heals().await;
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_of_another_epoch_is_a_gap() {
    let mut world = World::followed(1).await;
    let mut statement = world.writer.statement();
    statement.epoch = Term::fresh(7);
    let signed = statement.sign(&world.writer.key);
    world.writer.put_heartbeat(signed);
    world.lost(Gap::BadHeartbeat).await;
    world.heals().await;
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_at_another_place_is_a_gap() {
    for id in [ItemId::entry(2), ItemId { seq: 5, k: 1 }] {
        let mut world = World::followed(1).await;
        let signed = world.writer.statement().sign(&world.writer.key);
        world.writer.put(id, LogBody::Heartbeat(signed));
        world.lost(Gap::BadHeartbeat).await;
        world.heals().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_copied_heartbeat_is_a_gap() {
    let mut world = World::followed(1).await;
    let signed = world
        .log
        .model
        .with(|model| match model.in_force().last_key_value().unwrap().1 {
            LogBody::Heartbeat(signed) => signed.clone(),
            other => panic!("{other:?}"),
        });
    world.writer.put_heartbeat(signed);
    world.lost(Gap::Replayed).await;
    world.heals().await;
}

#[tokio::test(start_paused = true)]
async fn an_older_term_is_a_gap() {
    let mut world = World::followed(1).await;
    let mut statement = world.writer.statement();
    statement.term = Term::fresh(6);
    statement.counter = 1000;
    let signed = statement.sign(&world.writer.key);
    world.writer.put_heartbeat(signed);
    world.lost(Gap::Replayed).await;
    world.heals().await;
}

#[tokio::test(start_paused = true)]
async fn an_older_counter_is_a_gap_and_a_later_term_begins_its_own() {
    let mut world = World::followed(1).await;
    world.writer.counter = 40;
    world.writer.heartbeat();
    world.heard().await;
    world.writer.term = Term::fresh(8);
    world.writer.counter = 0;
    world.writer.heartbeat();
    world.heard().await;
    world.writer.term = Term {
        number: 8,
        ..world.writer.term
    };
    world.writer.counter = 0;
    world.writer.heartbeat();
    world.lost(Gap::Replayed).await;
    world.writer.counter = 1;
    world.writer.heartbeat();
    world.heard_again().await;
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_older_than_the_snapshots_never_counts() {
    let mut world = World::unread(1);
    world.read(Some((7, 3)));
    assert_eq!(world.next().await, FeedEvent::Lost(Gap::Replayed));
    world.writer.heartbeat();
    world.no_heartbeat().await;
    // The one that the snapshot was written at proves the load, and is not told again.
    world.writer.heartbeat();
    world.no_heartbeat().await;
    world.writer.heartbeat();
    world.heard_again().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_a_good_heartbeat_is_unproven() {
    let mut world = World::unread(0);
    let nothing = Statement {
        last: crate::feed::chain::Chain::START.with(9, b"another"),
        ..world.writer.statement()
    };
    for _ in 0..limits::FEED_BAD_HEARTBEATS_MAX {
        let signed = nothing.sign(&world.writer.key);
        world.writer.put_heartbeat(signed);
    }
    world.read(None);
    world.lost(Gap::Unproven).await;
    world.heals().await;
}

// The stream.

#[tokio::test(start_paused = true)]
async fn a_stream_rolled_back_behind_what_was_read_is_a_gap() {
    let mut world = World::followed(2).await;
    world.writer.heartbeat();
    world.heard().await;
    world.tamper(|stream| {
        stream.pop_last();
    });
    world.lost(Gap::RolledBack).await;
    world.heals().await;
}

#[tokio::test(start_paused = true)]
async fn a_deleted_stream_is_a_gap() {
    let mut world = World::followed(1).await;
    world.tamper(std::collections::BTreeMap::clear);
    world.lost(Gap::Missing).await;
    world.heals().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_trimmed_past_the_reader_is_loaded_again_from_its_floor() {
    let mut world = World::followed(1).await;
    world.writer.skip(2);
    world.writer.entry(3);
    world.entries(&[3]).await;
    world.writer.floor = world.writer.chain;
    world.writer.entry(4);
    world.writer.heartbeat();
    world.entries(&[4]).await;
    assert_eq!(world.next().await, FeedEvent::Lost(Gap::Chain));
    world.entries(&[4]).await;
    world.heard().await;
}

// The pointer.

#[tokio::test(start_paused = true)]
async fn a_pointer_to_an_older_epoch_is_a_gap() {
    let mut world = World::followed(1).await;
    let old = Writer::begin(&world.log.model, &world.writer.key, 6, 2);
    assert_eq!(old.epoch.number, 6);
    world.lost(Gap::Replayed).await;
    world.heals().await;
}

#[tokio::test(start_paused = true)]
async fn a_new_epoch_is_loaded_without_a_gap() {
    let mut world = World::followed(1).await;
    let old = world.writer.epoch;
    world.writer = Writer::begin(&world.log.model, &world.writer.key, 8, 2);
    world
        .log
        .model
        .with(|model| model.streams.retain(|(epoch, _)| *epoch != old));
    world.entries(&[1, 2]).await;
    assert_eq!(world.heard().await.epoch, 8);
}

#[tokio::test(start_paused = true)]
async fn an_epoch_that_gives_way_while_it_is_looked_at_is_no_gap() {
    for is_loading in [false, true] {
        let mut world = World::unread(1);
        if !is_loading {
            world = World::followed(1).await;
        }
        let (model, key, old) = (
            world.log.model.clone(),
            Arc::clone(&world.writer.key),
            world.writer.epoch,
        );
        let (sender, receiver) = std::sync::mpsc::channel();
        *world.log.meanwhile.lock().unwrap() = Some(Box::new(move || {
            let writer = Writer::begin(&model, &key, 8, 2);
            model.with(|model| model.streams.retain(|(epoch, _)| *epoch != old));
            sender.send(writer).unwrap();
        }));
        if is_loading {
            world.read(None);
        }
        world.entries(&[1, 2]).await;
        world.writer = receiver.recv().unwrap();
        world.heard().await;
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_pointer_it_is_away_once_and_goes_on() {
    let mut world = World::followed(1).await;
    world.log.model.with(|model| model.pointer = None);
    assert!(matches!(world.next().await, FeedEvent::Away(why) if why.contains("no issuer has begun")));
    world.writer.heartbeat();
    world.quiet().await;
    let epoch = world.writer.epoch;
    world.log.model.with(|model| model.pointer = Some(epoch));
    world.heard().await;
    assert_eq!(world.log.ranges.lock().unwrap().len(), 1, "not loaded again");
}

// Connections, clocks and keys.

#[tokio::test(start_paused = true)]
async fn after_a_broken_connection_it_goes_on_at_its_place() {
    let mut world = World::followed(1).await;
    world.log.is_cut.send_replace(true);
    assert!(matches!(world.next().await, FeedEvent::Away(why) if why.contains("cut off")));
    world.writer.entry(2);
    world.writer.heartbeat();
    world.quiet().await;
    world.log.is_cut.send_replace(false);
    world.entries(&[2]).await;
    world.heard().await;
    assert_eq!(world.log.ranges.lock().unwrap().len(), 1, "not loaded again");
}

#[tokio::test(start_paused = true)]
async fn behind_a_broken_connection_it_looks_around_before_it_reads_on() {
    let mut world = World::followed(2).await;
    world.log.is_cut.send_replace(true);
    assert!(matches!(world.next().await, FeedEvent::Away(_)));
    world.tamper(|stream| {
        stream.pop_last();
        stream.pop_last();
    });
    world.log.is_cut.send_replace(false);
    world.lost(Gap::RolledBack).await;
    world.heals().await;
}

#[tokio::test(start_paused = true)]
async fn a_step_of_the_wall_clock_loads_again() {
    for to in [
        START.plus(Duration::from_millis(1001)),
        START.minus(Duration::from_millis(1001)),
    ] {
        let mut world = World::followed(1).await;
        world.clock.advance(Duration::from_mins(1));
        world.quiet().await;
        world.clock.step_wall(to.plus(Duration::from_mins(1)));
        assert_eq!(world.next().await, FeedEvent::Lost(Gap::ClockStep));
        world.entries(&[1]).await;
        world.writer.heartbeat();
        world.heard().await;
    }
}

#[tokio::test(start_paused = true)]
async fn without_keys_it_waits_and_goes_on_when_they_come() {
    let mut world = World::unread(1);
    world.keys.send_replace(FeedKeys::default());
    world.read(None);
    assert!(matches!(world.next().await, FeedEvent::Away(why) if why.contains("feed keys")));
    world.quiet().await;
    world.keys.send_replace(world.writer.key.public());
    world.entries(&[1]).await;
    world.heard().await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_signature_asks_for_the_keys() {
    let mut world = World::followed(1).await;
    let wanted = Arc::clone(&world.wanted);
    assert!(
        tokio::time::timeout(Duration::from_secs(2), wanted.notified())
            .await
            .is_err()
    );
    world.writer.key = Arc::new(FeedSigningKey::generate().unwrap());
    world.writer.heartbeat();
    assert_eq!(world.next().await, FeedEvent::Lost(Gap::BadHeartbeat));
    tokio::time::timeout(Duration::from_secs(1), wanted.notified())
        .await
        .unwrap();
    world.no_heartbeat().await;
    world.keys.send_replace(world.writer.key.public());
    world.heard_again().await;
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_whoever_listens() {
    let mut world = World::followed(1).await;
    let weak = Arc::downgrade(&world.clock);
    world.feed = None;
    tokio::task::yield_now().await;
    assert_eq!(weak.strong_count(), 1, "the reader's own clock is gone");
}
