//! Issuers are killed, stopped, woken, cut off and restarted.

use std::time::Duration;

use rustix::process::Signal;

use crate::drill::{dice, drill, single};

#[test]
fn issuers_are_killed_at_random_moments() {
    let plan = single("issuers are killed at random moments, ten times");
    drill(plan, async |drill| {
        let mut dice = dice(plan.fault);
        for _ in 0..10 {
            let issuer = &drill.world.issuers[dice.below(2)];
            drill.lasts(Duration::from_millis(dice.below(300) as u64)).await;
            issuer.end(Signal::KILL);
            drill.revocations(3).await;
            drill.world.start_issuer(issuer);
        }
    });
}

#[test]
fn both_issuers_are_killed() {
    drill(single("both issuers are killed"), async |drill| {
        for issuer in &drill.world.issuers {
            issuer.end(Signal::KILL);
        }
        drill.undecided(&[0, 1, 2]).await;
    });
}

#[test]
fn the_holder_is_killed() {
    drill(
        single("the holder of the lease is killed, three times"),
        async |drill| {
            for _ in 0..3 {
                let (holder, other) = drill.world.holder().await;
                holder.end(Signal::KILL);
                drill.holds_lease(other).await;
                drill.revocations(5).await;
                drill.world.start_issuer(holder);
            }
        },
    );
}

#[test]
fn the_holder_is_stopped_and_woken_after_it_was_replaced() {
    drill(
        single("the holder is stopped, replaced, and woken"),
        async |drill| {
            for _ in 0..2 {
                let (holder, other) = drill.world.holder().await;
                holder.signal(Signal::STOP);
                drill.holds_lease(other).await;
                drill.revocations(5).await;
                holder.signal(Signal::CONT);
                drill.revocations(10).await;
            }
        },
    );
}

#[test]
fn the_holder_is_cut_off_from_postgres_alone() {
    drill(
        single("the holder is cut off from PostgreSQL alone"),
        async |drill| {
            let (holder, other) = drill.world.holder().await;
            holder.to_postgres.refuse();
            drill.holds_lease(other).await;
            drill.revocations(10).await;
        },
    );
}

#[test]
fn the_holder_gets_no_answer_from_postgres_alone() {
    drill(
        single("the holder gets no answer from PostgreSQL alone"),
        async |drill| {
            let (holder, other) = drill.world.holder().await;
            holder.to_postgres.stall();
            drill.holds_lease(other).await;
            drill.revocations(10).await;
        },
    );
}

#[test]
fn the_holder_is_cut_off_from_redis_alone() {
    drill(single("the holder is cut off from Redis alone"), async |drill| {
        let (holder, other) = drill.world.holder().await;
        holder.to_redis.refuse();
        drill.holds_lease(other).await;
        drill.revocations(10).await;
    });
}

#[test]
fn the_holder_gets_no_answer_from_redis_alone() {
    drill(
        single("the holder gets no answer from Redis alone"),
        async |drill| {
            let (holder, other) = drill.world.holder().await;
            holder.to_redis.stall();
            drill.holds_lease(other).await;
            drill.revocations(10).await;
        },
    );
}

#[test]
fn both_issuers_are_restarted_in_turn() {
    drill(
        single("both issuers are restarted in turn, twice"),
        async |drill| {
            for _ in 0..2 {
                for issuer in &drill.world.issuers {
                    issuer.end(Signal::TERM);
                    drill.world.start_issuer(issuer);
                    drill.revocations(5).await;
                }
            }
        },
    );
}

#[test]
fn two_want_the_lease_at_once() {
    drill(
        single("two issuers want the lease at once, three times"),
        async |drill| {
            for _ in 0..3 {
                for issuer in &drill.world.issuers {
                    issuer.end(Signal::KILL);
                }
                std::thread::scope(|scope| {
                    for issuer in &drill.world.issuers {
                        scope.spawn(|| drill.world.start_issuer(issuer));
                    }
                });
                drill.revocations(10).await;
            }
        },
    );
}

#[test]
fn the_lifetime_of_tokens_is_lowered_and_raised_by_rolling_restarts() {
    drill(
        single("access_ttl is lowered and raised by rolling restarts"),
        async |drill| {
            for access_ttl in ["5m", "2h", crate::world::ACCESS_TTL] {
                for issuer in &drill.world.issuers {
                    issuer.set_access_ttl(access_ttl);
                    issuer.end(Signal::TERM);
                    drill.world.start_issuer(issuer);
                    // Tokens of either lifetime are signed, and their sessions ended.
                    drill.revocations(10).await;
                }
            }
        },
    );
}
