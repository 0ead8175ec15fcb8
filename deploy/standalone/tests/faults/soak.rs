//! Nothing is at fault, and nothing grows: a short form of `benches soak`.

use std::time::Duration;

use crate::drill::{Drill, drill, single};
use crate::world::Usage;

/// Revocations before the first look, and between the two.
const WARM_UP: u64 = 30;
const SOAK: u64 = 100;

/// How much more memory there may be. In so short a time caches still fill, and the allocator still asks for more: what this
/// finds is an issuer that keeps some thirty KiB of every request.
const GROWTH_MAX: u64 = 8 << 20;

/// Connections to the database, and of clients, come and go. What this finds is a program that keeps one of each ten.
const DESCRIPTORS_MAX: u64 = 10;

/// Looked at again for so long: what is open at an instant is chance.
const QUIET: Duration = Duration::from_millis(50);

#[test]
fn nothing_grows_while_nothing_is_at_fault() {
    drill(
        single("nothing is at fault, and keys are rotated"),
        async |drill| {
            drill.revocations(WARM_UP).await;
            let before = looked(drill).await;
            for _ in 0..4 {
                drill.world.issuers[0].operate(&["keys", "rotate"]);
                drill.revocations(SOAK / 4).await;
            }
            let after = looked(drill).await;
            for ((name, before), (_, after)) in before.into_iter().zip(after) {
                println!("{name}: {before:?}, {SOAK} revocations later {after:?}");
                assert!(
                    after.resident_bytes < before.resident_bytes + GROWTH_MAX,
                    "{name}: {before:?}, then {after:?}"
                );
                assert!(
                    after.descriptors < before.descriptors + DESCRIPTORS_MAX,
                    "{name}: {before:?}, then {after:?}"
                );
            }
        },
    );
}

/// What each program has, at the best of several looks while nobody asks the issuers for anything.
async fn looked(drill: &Drill) -> Vec<(&'static str, Usage)> {
    let _nobody = drill.pause().await;
    let mut least = usages(drill);
    for _ in 0..10 {
        drill.lasts(QUIET).await;
        for ((_, least), (_, now)) in least.iter_mut().zip(usages(drill)) {
            least.resident_bytes = least.resident_bytes.min(now.resident_bytes);
            least.descriptors = least.descriptors.min(now.descriptors);
        }
    }
    least
}

fn usages(drill: &Drill) -> Vec<(&'static str, Usage)> {
    let issuers = drill.world.issuers.iter();
    let issuers = issuers.map(|issuer| (issuer.name, issuer.usage()));
    let verifiers = drill.world.verifiers.iter();
    issuers
        .chain(verifiers.map(|verifier| (verifier.name, verifier.usage())))
        .collect()
}
