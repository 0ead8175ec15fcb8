//! Verifiers are killed, and start with what there is.

use std::time::Duration;

use rustix::process::Signal;
use shared::testkit::ChaosProxy;
use tokio::time::Instant;

use crate::drill::{Drill, drill, single};
use crate::world::postgres::Postgres;
use crate::world::{MAX_STALENESS, OPEN, Verdict};

/// The verifier that starts cold, by its place.
const COLD: usize = 0;

/// Kills the verifier, and starts it where something may be missing.
fn restart_cold(drill: &Drill, without_snapshot: bool) {
    let verifier = &drill.world.verifiers[COLD];
    drill.history.set_must_answer(COLD, false);
    verifier.end(Signal::KILL);
    if without_snapshot {
        // It may not have written one yet.
        let _ = std::fs::remove_file(verifier.snapshot());
    }
    verifier.start();
    drill.history.set_must_answer(COLD, true);
}

async fn assert_open(drill: &Drill) {
    for verifier in &drill.world.verifiers {
        let verdict = verifier.ask(&drill.world.client, OPEN, None).await;
        assert_eq!(
            verdict,
            Verdict::Admitted,
            "{}: anonymous, on an open route",
            verifier.name
        );
    }
}

#[test]
fn a_verifier_is_killed_under_load() {
    drill(
        single("a verifier is killed under load, three times"),
        async |drill| {
            for _ in 0..3 {
                restart_cold(drill, false);
                drill.decides(COLD).await;
                drill.revocations(5).await;
            }
        },
    );
}

#[test]
fn a_verifier_starts_without_redis() {
    drill(single("a verifier starts while Redis is away"), async |drill| {
        drill.world.verifiers[COLD].to_redis.refuse();
        restart_cold(drill, true);
        drill.undecided(&[COLD]).await;
        assert_open(drill).await;
    });
}

#[test]
fn a_verifier_starts_without_an_issuer() {
    drill(
        single("a verifier starts while no issuer can be reached"),
        async |drill| {
            drill.world.front.refuse();
            restart_cold(drill, true);
            drill.undecided(&[COLD]).await;
            assert_open(drill).await;
        },
    );
}

#[test]
fn a_verifier_starts_without_its_snapshot() {
    drill(single("a verifier starts without its snapshot"), async |drill| {
        restart_cold(drill, true);
        drill.decides(COLD).await;
    });
}

#[test]
fn a_verifier_starts_with_a_broken_snapshot() {
    drill(
        single("a verifier starts with a broken snapshot"),
        async |drill| {
            let verifier = &drill.world.verifiers[COLD];
            drill.history.set_must_answer(COLD, false);
            verifier.end(Signal::KILL);
            std::fs::write(verifier.snapshot(), b"garbage").unwrap();
            verifier.start();
            drill.history.set_must_answer(COLD, true);
            drill.decides(COLD).await;
        },
    );
}

#[test]
fn a_verifier_starts_without_anything() {
    drill(
        single("a verifier starts without Redis, issuer and snapshot"),
        async |drill| {
            drill.world.verifiers[COLD].to_redis.refuse();
            drill.world.front.refuse();
            restart_cold(drill, true);
            drill.undecided(&[COLD]).await;
            assert_open(drill).await;
        },
    );
}

#[test]
fn a_verifier_starts_with_its_snapshot_alone() {
    drill(
        single("a verifier starts with its snapshot alone"),
        async |drill| {
            let snapshot = drill.world.verifiers[COLD].snapshot();
            drill.until("there is a snapshot", || snapshot.exists()).await;
            drill.world.verifiers[COLD].to_redis.refuse();
            drill.world.front.refuse();
            restart_cold(drill, false);
            // What it admits is no older than the bound: the pollers see to that.
            drill.undecided(&[COLD]).await;
            assert_open(drill).await;
        },
    );
}

#[test]
fn everything_but_the_verifiers_is_stopped() {
    drill(
        single("Redis, PostgreSQL and both issuers are stopped"),
        async |drill| {
            let stopped = Instant::now();
            drill.world.redis().kill();
            drill.world.postgres().stop();
            for issuer in &drill.world.issuers {
                issuer.end(Signal::KILL);
            }
            drill.undecided(&[0, 1, 2]).await;
            let served = stopped.elapsed();
            // A heartbeat is at most a second old, unless the machine is busy.
            let least = MAX_STALENESS.saturating_sub(Duration::from_secs(2));
            assert!(served >= least, "valid tokens were served for {served:?} only");
            // As long as it lasts.
            for _ in 0..20 {
                assert_open(drill).await;
                assert_eq!(drill.history.undecided(), [true; 3]);
                drill.lasts(Duration::from_millis(100)).await;
            }
            drill.world.redis().restart();
            drill.world.with_postgres(Postgres::start);
        },
    );
}

#[test]
fn the_wire_to_the_issuers_is_cut() {
    drill(single("verifiers cannot reach any issuer"), async |drill| {
        ChaosProxy::refuse(&drill.world.front);
        drill.revocations(100).await;
        assert_eq!(
            drill.history.undecided(),
            [false; 3],
            "the feed is all that they need"
        );
    });
}
