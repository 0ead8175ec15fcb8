//! Many revocations under random faults, one after the other.

use std::num::NonZeroU64;
use std::time::Duration;

use rustix::process::Signal;
use shared::testkit::ChaosProxy;

use crate::drill::{Drill, Plan, dice, drill, single};
use crate::poller::Dice;
use crate::world::VERIFIERS;

/// How many revocations there are, unless `USHER_FAULTS_REVOCATIONS` says otherwise.
const REVOCATIONS: u64 = 2000;

/// Between two faults there are so many of them, or a five hundredth of all.
const REVOCATIONS_BETWEEN: u64 = 20;
const FAULTS_MAX: u64 = 500;

/// How many people come and go; the more revocations there are, the more, up to …
const PEOPLE: u64 = 12;
const PEOPLE_MAX: u64 = 64;

#[test]
fn nothing_is_lost_in_a_storm_of_faults() {
    let revocations = std::env::var("USHER_FAULTS_REVOCATIONS").map_or(REVOCATIONS, |count| {
        count.parse().expect("USHER_FAULTS_REVOCATIONS is a number")
    });
    let between = REVOCATIONS_BETWEEN.max(revocations / FAULTS_MAX);
    let people = (PEOPLE * between / REVOCATIONS_BETWEEN).min(PEOPLE_MAX);
    let plan = Plan {
        people: usize::try_from(people).unwrap(),
        ..single("a storm of random faults")
    };
    drill(plan, async |drill| {
        let mut dice = dice(plan.fault);
        while drill.history.revocations() < revocations {
            strike(drill, &mut dice);
            // Now and then long enough for verifiers to go stale.
            let lasts_ms = if dice.below(8) == 0 {
                6000
            } else {
                dice.below(1500)
            };
            drill.lasts(Duration::from_millis(lasts_ms as u64)).await;
            drill.world.heal();
            for verifier in 0..VERIFIERS {
                drill.history.set_must_answer(verifier, true);
            }
            drill.revocations(between).await;
        }
    });
}

/// One of the faults.
fn strike(drill: &Drill, dice: &mut Dice) {
    let world = &drill.world;
    let (issuer, place) = (&world.issuers[dice.below(2)], dice.below(VERIFIERS));
    let verifier = &world.verifiers[place];
    match dice.below(14) {
        0 => world.redis().kill(),
        1 => world.redis().restart_empty(),
        2 => world.redis().stall(),
        3 => {
            world.redis().command(&["FLUSHALL"]);
        }
        4 => world.wires_to_redis().for_each(ChaosProxy::cut),
        5 => {
            let every = NonZeroU64::new(5 + dice.below(50) as u64).unwrap();
            world.wires_to_redis().for_each(|wire| wire.reset_every(every));
        }
        6 => world.postgres().kill(),
        7 => issuer.end(Signal::KILL),
        8 => issuer.end(Signal::TERM),
        9 => issuer.signal(Signal::STOP),
        10 => issuer.to_postgres.refuse(),
        11 => issuer.to_redis.stall(),
        12 => verifier.to_redis.stall(),
        _ => {
            drill.history.set_must_answer(place, false);
            verifier.end(Signal::KILL);
        }
    }
}
