//! How a fault is tried: people come and go before, during and after it, and in the end nothing may be lost.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::RwLockWriteGuard;
use tokio::time::Instant;

use crate::history::{BOUND, BOUND_WITHOUT_FAULT, History, Seen};
use crate::load::{Load, PEOPLE, Pause};
use crate::poller::{Dice, Pollers};
use crate::world::{self, Issuer, VERIFIERS, World};
use crate::{audit, report};

/// Whatever has to happen does so within this time, on a slow machine too.
pub(crate) const SOON: Duration = Duration::from_secs(40);

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Revocations that must have been answered before the fault, and after its end.
const REVOCATIONS_AROUND: u64 = 8;

/// What differs between drills.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// What happens, for the table.
    pub(crate) fault: &'static str,
    /// How late a revoked token may be admitted meanwhile.
    pub(crate) bound: Duration,
    /// How many people sign in and out.
    pub(crate) people: usize,
    /// Whether the world can be used again.
    pub(crate) is_world_whole: bool,
}

/// A fault as most are: a single one.
pub(crate) const fn single(fault: &'static str) -> Plan {
    Plan {
        fault,
        bound: BOUND,
        people: PEOPLE,
        is_world_whole: true,
    }
}

/// What a fault has in its hands.
#[derive(Debug)]
pub(crate) struct Drill {
    pub(crate) world: Arc<World>,
    pub(crate) history: Arc<History>,
    pause: Arc<Pause>,
}

/// Tries a fault under load. What the fault does not end itself is ended for it: see [`World::heal`].
pub(crate) fn drill(plan: Plan, fault: impl AsyncFnOnce(&Drill)) {
    if !world::is_possible(plan.fault) {
        return;
    }
    let lent = world::runtime().block_on(world::lend());
    let drill = Drill {
        world: Arc::clone(&lent.world),
        history: Arc::default(),
        pause: Arc::default(),
    };
    let tried = catch_unwind(AssertUnwindSafe(|| {
        world::runtime().block_on(drill.run(plan, fault))
    }));
    let Drill { world, history, .. } = drill;
    drop(world);
    world::runtime().block_on(let_go(&lent.world));
    match tried {
        Ok((seen, recovered_after)) => report::line(plan.fault, &seen, recovered_after),
        Err(panic) => {
            lent.world.show_logs();
            eprintln!(
                "── {}: {:#?}\nbefore that: {:#?}",
                plan.fault,
                history.seen(),
                history.violations()
            );
            resume_unwind(panic);
        }
    }
    let violations = history.violations();
    if !violations.is_empty() {
        lent.world.show_logs();
        panic!("{}: {violations:#?}", plan.fault);
    }
    if plan.is_world_whole {
        lent.give_back();
    }
}

/// Tasks that were told to end hold the world until they have.
async fn let_go(world: &Arc<World>) {
    while Arc::strong_count(world) > 1 {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

impl Drill {
    async fn run(&self, plan: Plan, fault: impl AsyncFnOnce(&Self)) -> (Seen, Duration) {
        let load = Load::start(&self.world, &self.history, &self.pause, plan.people).await;
        let pollers = Pollers::start(&self.world, &self.history, seed());
        self.revocations(REVOCATIONS_AROUND).await;
        self.history.set_bound(plan.bound);
        fault(self).await;
        self.world.heal();
        let healed = Instant::now();
        self.until("every verifier decides again", || {
            self.history.decided_since(healed) == [true; VERIFIERS]
        })
        .await;
        self.revocations(1).await;
        let recovered_after = healed.elapsed();
        self.revocations(REVOCATIONS_AROUND).await;
        within(SOON, "every revocation is answered", load.stop()).await;
        self.until("every revocation is refused everywhere", || {
            self.history.pending() == [0; VERIFIERS]
        })
        .await;
        pollers.stop().await;
        self.history.set_bound(BOUND_WITHOUT_FAULT);
        audit::verdicts(&self.world, &self.history).await;
        audit::replicas(&self.world).await;
        audit::stream(&self.world, &self.history).await;
        (self.history.seen(), recovered_after)
    }

    /// Waits for a condition.
    pub(crate) async fn until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let waiting = async {
            while !condition() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        within(SOON, what, waiting).await;
    }

    /// Waits until so many more revocations have been answered.
    pub(crate) async fn revocations(&self, count: u64) {
        let enough = self.history.revocations() + count;
        let what = format!("{count} more revocations are answered");
        self.until(&what, || self.history.revocations() >= enough).await;
    }

    /// Waits until a verifier, or every one, no longer decides.
    pub(crate) async fn undecided(&self, verifiers: &[usize]) {
        let what = format!("the verifiers at {verifiers:?} are stale");
        let is_stale = || {
            verifiers
                .iter()
                .all(|verifier| self.history.undecided()[*verifier])
        };
        self.until(&what, is_stale).await;
    }

    /// Waits until nobody waits for an answer; as long as the guard is held, nobody signs in or out.
    pub(crate) async fn pause(&self) -> RwLockWriteGuard<'_, ()> {
        within(SOON, "everybody is answered", self.pause.write()).await
    }

    /// Waits until a verifier has decided from now on.
    pub(crate) async fn decides(&self, verifier: usize) {
        let now = Instant::now();
        self.until("the verifier decides", || {
            self.history.decided_since(now)[verifier]
        })
        .await;
    }

    /// Waits until a verifier has refused everything that was answered until now.
    pub(crate) async fn caught_up(&self, verifier: usize) {
        let until = self.history.tokens().len();
        let what = format!("the verifier at {verifier} has everything");
        self.until(&what, || self.history.is_refused_up_to(verifier, until))
            .await;
    }

    /// Waits until an issuer publishes the revocations.
    pub(crate) async fn holds_lease(&self, issuer: &Issuer) {
        let holds = async {
            while !issuer.holds_lease(&self.world.client).await {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        within(SOON, "the other issuer takes the lease over", holds).await;
    }

    /// Replaces every verifier by one that knows nothing yet.
    pub(crate) async fn renew_verifiers(&self) {
        for (place, verifier) in self.world.verifiers.iter().enumerate() {
            self.history.set_must_answer(place, false);
            verifier.end(Signal::KILL);
            // It may not have written one yet.
            let _ = std::fs::remove_file(verifier.snapshot());
            verifier.start();
            self.history.set_must_answer(place, true);
            self.decides(place).await;
        }
    }

    /// The fault lasts this long.
    pub(crate) async fn lasts(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// Fails if something does not happen in time.
pub(crate) async fn within<T>(time: Duration, what: &str, happens: impl Future<Output = T>) -> T {
    let happened = tokio::time::timeout(time, happens).await;
    happened.unwrap_or_else(|_| panic!("not within {time:?}: {what}"))
}

/// What chance goes by: the same again with `USHER_FAULTS_SEED`.
pub(crate) fn seed() -> u64 {
    match std::env::var("USHER_FAULTS_SEED") {
        Ok(seed) => seed.parse().expect("USHER_FAULTS_SEED is a number"),
        Err(_) => u64::from_be_bytes(shared::crypto::random::bytes()),
    }
}

/// Chance for a test, which says how to have it again.
pub(crate) fn dice(fault: &str) -> Dice {
    let seed = seed();
    println!("{fault}: USHER_FAULTS_SEED={seed}");
    Dice::new(seed)
}
