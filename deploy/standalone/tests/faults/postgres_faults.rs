//! PostgreSQL goes away, comes back, or comes back old.

use std::time::Duration;

use crate::drill::{Plan, drill, single};
use crate::stored_feed::StoredFeed;
use crate::world::MAX_STALENESS;
use crate::world::postgres::Postgres;

#[test]
fn postgres_is_restarted() {
    drill(single("PostgreSQL is restarted"), async |drill| {
        for _ in 0..2 {
            drill.world.with_postgres(|postgres| {
                postgres.stop();
                postgres.start();
            });
            drill.revocations(10).await;
        }
    });
}

#[test]
fn postgres_is_killed() {
    drill(single("PostgreSQL is killed"), async |drill| {
        for _ in 0..2 {
            drill.world.with_postgres(|postgres| {
                postgres.kill();
                postgres.start();
            });
            drill.revocations(10).await;
        }
    });
}

#[test]
fn postgres_is_stopped_for_seconds() {
    drill(single("PostgreSQL is stopped for 8 s"), async |drill| {
        drill.world.postgres().stop();
        drill.lasts(Duration::from_secs(8)).await;
        drill.world.with_postgres(Postgres::start);
    });
}

#[test]
fn an_outage_of_postgres_is_ridden_out() {
    let max_staleness = Duration::from_secs(12);
    let plan = Plan {
        bound: max_staleness + Duration::from_secs(1),
        ..single("PostgreSQL is stopped for 15 s, max_staleness is 12 s")
    };
    drill(plan, async |drill| {
        let renewed = async |max_staleness| {
            for verifier in &drill.world.verifiers {
                verifier.set_max_staleness(max_staleness);
            }
            drill.renew_verifiers().await;
        };
        renewed(max_staleness).await;
        // Had somebody just committed what cannot be published any more, the verifiers would rightly go stale.
        let nobody = drill.pause().await;
        for verifier in 0..3 {
            drill.caught_up(verifier).await;
        }
        drill.world.postgres().stop();
        drill.lasts(Duration::from_secs(15)).await;
        assert_eq!(
            drill.history.undecided(),
            [false; 3],
            "nothing can be revoked meanwhile"
        );
        drill.world.with_postgres(Postgres::start);
        drop(nobody);
        renewed(MAX_STALENESS).await;
    });
}

#[test]
fn postgres_does_not_answer_for_seconds() {
    drill(single("PostgreSQL does not answer for 8 s"), async |drill| {
        for issuer in &drill.world.issuers {
            issuer.to_postgres.stall();
        }
        drill.lasts(Duration::from_secs(8)).await;
    });
}

#[test]
fn the_pool_is_exhausted() {
    drill(
        single("sessions are locked for 5 s, and the pool is exhausted"),
        async |drill| {
            let mut lock = drill
                .world
                .postgres()
                .psql("BEGIN; LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(5); COMMIT");
            drill.until("the lock is gone", || !lock.is_running()).await;
        },
    );
}

#[test]
fn postgres_is_set_back() {
    drill(single("PostgreSQL is set back to a backup"), async |drill| {
        drill.world.with_postgres(Postgres::back_up);
        drill.revocations(20).await;
        // What is committed and not published when a database is set back is lost with it: no promise is about that.
        let nobody = drill.pause().await;
        for verifier in 0..3 {
            drill.caught_up(verifier).await;
        }
        drill.world.with_postgres(Postgres::set_back);
        drop(nobody);
        drill.revocations(10).await;
        let mut feed = StoredFeed::of(&drill.world).await;
        let term = feed.term().await;
        // What the database had lost is there for a verifier that starts now.
        drill.renew_verifiers().await;
        let terms = feed.term().await - term;
        assert!(terms <= 2, "issuers took the lease from each other {terms} times");
    });
}
