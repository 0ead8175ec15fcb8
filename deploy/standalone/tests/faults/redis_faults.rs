//! Redis goes away, comes back old or empty, or is hard to reach.

use std::num::NonZeroU64;
use std::time::Duration;

use shared::testkit::{ChaosProxy, RedisServer};

use crate::drill::{SOON, drill, single, within};
use crate::stored_feed::StoredFeed;
use crate::world::process::LOOK_EVERY;

const ALL: [usize; 3] = [0, 1, 2];

/// A replica that follows.
async fn replica_of(port: u16) -> RedisServer {
    let replica = RedisServer::start_or_skip("a replica", "").unwrap();
    // Not by its configuration: restarted after its promotion it must not be a replica again.
    assert_eq!(
        replica.command(&["REPLICAOF", "127.0.0.1", &port.to_string()]),
        "+OK"
    );
    let follows = async {
        while !replica
            .command(&["INFO", "replication"])
            .contains("master_link_status:up")
        {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    within(SOON, "the replica follows", follows).await;
    replica
}

#[test]
fn redis_is_stopped() {
    drill(single("Redis is stopped"), async |drill| {
        drill.world.redis().stop();
        drill.undecided(&ALL).await;
        // A logout is answered all the same.
        drill.revocations(10).await;
    });
}

#[test]
fn redis_is_killed_and_comes_back_with_its_data() {
    drill(
        single("Redis is killed and comes back with its data"),
        async |drill| {
            for _ in 0..3 {
                drill.world.redis().restart();
                drill.revocations(10).await;
            }
        },
    );
}

#[test]
fn redis_is_killed_and_comes_back_empty() {
    drill(single("Redis is killed and comes back empty"), async |drill| {
        for _ in 0..3 {
            drill.world.redis().restart_empty();
            drill.revocations(10).await;
        }
    });
}

#[test]
fn redis_comes_back_with_old_data() {
    drill(single("Redis comes back with old data"), async |drill| {
        drill.world.redis().save_data();
        drill.revocations(20).await;
        for verifier in ALL {
            drill.caught_up(verifier).await;
        }
        drill.world.redis().restart_saved();
    });
}

#[test]
fn redis_stands_still_for_ten_seconds() {
    drill(single("Redis stands still for 10 s"), async |drill| {
        drill.world.redis().stall();
        drill.lasts(Duration::from_secs(10)).await;
        assert_eq!(
            drill.history.undecided(),
            [true; 3],
            "no verifier decides by what is 10 s old"
        );
        drill.world.redis().resume();
    });
}

#[test]
fn everything_in_redis_is_deleted() {
    drill(single("FLUSHALL, five times"), async |drill| {
        for _ in 0..5 {
            assert_eq!(drill.world.redis().command(&["FLUSHALL"]), "+OK");
            drill.revocations(5).await;
        }
    });
}

#[test]
fn the_stream_is_deleted() {
    drill(single("the stream is deleted"), async |drill| {
        let mut feed = StoredFeed::of(&drill.world).await;
        let epoch = feed.pointer().await.unwrap();
        feed.delete_stream(&epoch).await;
    });
}

#[test]
fn the_pointer_is_deleted() {
    drill(single("the pointer to the stream is deleted"), async |drill| {
        StoredFeed::of(&drill.world).await.delete_pointer().await;
    });
}

#[test]
fn the_stream_is_trimmed_past_a_reader() {
    drill(single("the stream is trimmed past a reader"), async |drill| {
        let slow = &drill.world.verifiers[0];
        slow.to_redis.stall();
        drill.revocations(20).await;
        let mut feed = StoredFeed::of(&drill.world).await;
        let epoch = feed.pointer().await.unwrap();
        let (last, _) = feed.items(&epoch).await.pop().unwrap();
        feed.trim_to(&epoch, last).await;
        slow.to_redis.pass();
    });
}

#[test]
fn redis_has_no_memory_left() {
    drill(single("Redis has no memory left (maxmemory)"), async |drill| {
        let limit = |bytes: &str| {
            let answer = drill
                .world
                .redis()
                .command(&["CONFIG", "SET", "maxmemory", bytes]);
            assert_eq!(answer, "+OK");
        };
        limit("1");
        drill.undecided(&ALL).await;
        drill.revocations(10).await;
        limit("0");
    });
}

#[test]
fn a_replica_without_the_tail_is_promoted() {
    drill(single("a replica without the tail is promoted"), async |drill| {
        let primary = drill.world.redis().port();
        let wire = ChaosProxy::start(([127, 0, 0, 1], primary).into());
        let replica = replica_of(wire.address().port()).await;
        wire.stall();
        drill.revocations(20).await;
        for verifier in ALL {
            drill.caught_up(verifier).await;
        }
        // What it holds is lost with it.
        drop(wire);
        drill.world.redis().kill();
        assert_eq!(replica.command(&["REPLICAOF", "NO", "ONE"]), "+OK");
        drill.world.move_redis(replica);
    });
}

#[test]
fn every_nth_packet_resets_its_connection() {
    drill(
        single("every 30th packet to or from Redis resets its connection"),
        async |drill| {
            for wire in drill.world.wires_to_redis() {
                wire.reset_every(NonZeroU64::new(30).unwrap());
            }
            drill.revocations(150).await;
        },
    );
}

#[test]
fn connections_to_redis_are_cut_again_and_again() {
    drill(
        single("connections to Redis are cut again and again"),
        async |drill| {
            for _ in 0..20 {
                drill.world.wires_to_redis().for_each(ChaosProxy::cut);
                drill.revocations(5).await;
            }
        },
    );
}

#[test]
fn answers_of_redis_take_long() {
    drill(
        single("each packet to or from Redis takes 200 ms"),
        async |drill| {
            for wire in drill.world.wires_to_redis() {
                wire.delay(Duration::from_millis(200));
            }
            drill.revocations(100).await;
        },
    );
}

#[test]
fn a_verifier_is_cut_off_from_redis() {
    drill(single("one verifier is cut off from Redis"), async |drill| {
        drill.world.verifiers[1].to_redis.refuse();
        drill.undecided(&[1]).await;
        assert_eq!(
            drill.history.undecided(),
            [false, true, false],
            "the others go on"
        );
    });
}

#[test]
fn a_verifier_hangs_on_half_open_connections() {
    drill(
        single("one verifier's connections to Redis are half open"),
        async |drill| {
            drill.world.verifiers[1].to_redis.stall();
            drill.undecided(&[1]).await;
            assert_eq!(
                drill.history.undecided(),
                [false, true, false],
                "the others go on"
            );
            // New connections work, the old ones never will: they have to be given up.
            drill.world.verifiers[1].to_redis.pass();
        },
    );
}

#[test]
fn verifiers_and_issuers_see_different_halves_of_a_split() {
    drill(
        single("a split: the verifiers stay with an old replica"),
        async |drill| {
            let primary = drill.world.redis().port();
            let replica = replica_of(primary).await;
            assert_eq!(replica.command(&["REPLICAOF", "NO", "ONE"]), "+OK");
            let halves = [
                ([127, 0, 0, 1], primary).into(),
                ([127, 0, 0, 1], replica.port()).into(),
            ];
            for verifier in &drill.world.verifiers {
                verifier.to_redis.lead_to(&halves[1..]);
                verifier.to_redis.cut();
            }
            drill.undecided(&ALL).await;
            for verifier in &drill.world.verifiers {
                verifier.to_redis.lead_to(&halves[..1]);
                verifier.to_redis.cut();
            }
        },
    );
}
