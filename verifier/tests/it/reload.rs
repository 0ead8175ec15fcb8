//! Rules that change under load.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use verifier::http::Endpoint;

use crate::support::{Request, World, until};

/// Rules number `version`: even ones open `/even` and close `/odd`, odd ones the other way round.
fn rules(version: u64) -> String {
    let (open, closed) = if version.is_multiple_of(2) {
        ("/even", "/odd")
    } else {
        ("/odd", "/even")
    };
    format!(
        "default = \"deny\" # {version}\n\
         [[rule]]\npath = \"/always\"\nanonymous = true\n\
         [[rule]]\npath = \"{open}\"\nanonymous = true\n\
         [[rule]]\npath = \"{closed}\"\nauthenticated = true\n"
    )
}

/// Two seconds are promised, and a machine that tests runs much else.
const IN_TIME: Duration = Duration::from_secs(20);
const CHANGES: u64 = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_every_decision_is_by_one_set_of_rules_or_the_next() {
    let world = Arc::new(World::ready(&rules(1)).await);
    let mut generations = world.rules_in_force().generations();
    let is_over = Arc::new(AtomicBool::new(false));
    let mut askers = tokio::task::JoinSet::new();
    for endpoint in Endpoint::ALL {
        let (world, is_over) = (Arc::clone(&world), Arc::clone(&is_over));
        askers.spawn(async move {
            let in_force = || world.rules_in_force().current().generation;
            let mut client = world.connect().await;
            let mut decided = BTreeSet::new();
            while !is_over.load(Ordering::Relaxed) {
                let before = in_force();
                let mut statuses = [0; 4];
                for (path, status) in ["/always", "/never", "/even", "/odd"].iter().zip(&mut statuses) {
                    *status = client.ask(&Request::about(endpoint, "GET", path)).await.status;
                }
                assert_eq!(statuses[..2], [200, 401], "what no version changes");
                assert!(
                    statuses.iter().all(|status| matches!(status, 200 | 401)),
                    "{statuses:?}"
                );
                if in_force() == before {
                    let expected = if before.is_multiple_of(2) {
                        [200, 401]
                    } else {
                        [401, 200]
                    };
                    assert_eq!(statuses[2..], expected, "generation {before}");
                    decided.insert(before);
                }
            }
            decided.len()
        });
    }
    let beside = world.folder().join("next.toml");
    for version in 2..=CHANGES + 1 {
        // Every other way: written in place, or renamed over.
        if version.is_multiple_of(3) {
            std::fs::write(&world.rules, rules(version)).unwrap();
        } else {
            std::fs::write(&beside, rules(version)).unwrap();
            std::fs::rename(&beside, &world.rules).unwrap();
        }
        let in_force = generations.wait_for(|generation| *generation == version);
        tokio::time::timeout(IN_TIME, in_force)
            .await
            .expect("in time")
            .unwrap();
    }
    is_over.store(true, Ordering::Relaxed);
    while let Some(decided) = askers.join_next().await {
        let decided = decided.unwrap();
        assert!(decided > 10, "whole rounds in {decided} of the generations");
    }
    assert_eq!(world.metric("verifier_rules_reload_failures_total"), Some(0.0));
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_is_counted() {
    let world = World::ready(&rules(0)).await;
    let open = Request::about(Endpoint::AuthRequest, "GET", "/even");
    for (count, bad) in [
        (1.0, "default = \"allow\"\n[[rule]]\npath = \"/even\"\n"),
        (2.0, "default = "),
        (3.0, ""),
    ] {
        std::fs::write(&world.rules, bad).unwrap();
        until(IN_TIME, async || {
            world.metric("verifier_rules_reload_failures_total") == Some(count)
        })
        .await;
        assert_eq!(world.metric("verifier_rules_behind"), Some(1.0));
        assert_eq!(world.ask(&open).await.status, 200);
    }
    std::fs::write(&world.rules, rules(1)).unwrap();
    until(IN_TIME, async || world.ask(&open).await.status == 401).await;
    assert_eq!(world.metric("verifier_rules_behind"), Some(0.0));
}
