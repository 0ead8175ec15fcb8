//! What is revoked is refused from then on, whatever is cached and whoever is asking just then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use shared::revocation::Fact;
use shared::testkit::TokenForge;
use verifier::http::Endpoint;

use crate::support::{Request, START, World};

const RULES: &str = "default = \"authenticated\"\n";
const ASKERS: usize = 100;

fn facts(forge: &TokenForge) -> [(Fact, &'static str); 5] {
    [
        (
            Fact::Session {
                session: forge.claim_text("sid").parse().unwrap(),
            },
            "revoked",
        ),
        (
            Fact::Token {
                token: forge.claim_text("jti").parse().unwrap(),
            },
            "revoked",
        ),
        (
            Fact::Subject {
                subject: forge.claim_text("sub").parse().unwrap(),
                min_ver: START.0 + 1,
            },
            "stale",
        ),
        (
            Fact::Role {
                name: "editor".into(),
                min_rver: 2,
            },
            "stale",
        ),
        (Fact::Key { kid: "test-0".into() }, "revoked"),
    ]
}

/// Attack: a cached token of a session, user, role or key that was revoked
/// Source: CWE-613
/// Result: 401 `revoked` or `stale`
#[tokio::test]
async fn each_kind_of_fact_refuses_a_cached_token() {
    for kind in 0..5 {
        let mut world = World::ready(RULES).await;
        let forge = world.forge().roles(&["editor"]);
        let request = Request::about(Endpoint::AuthRequest, "GET", "/").bearer(&forge.token());
        let mut client = world.connect().await;
        assert_eq!(client.ask(&request).await.status, 200);
        assert_eq!(client.ask(&request).await.status, 200);
        let (fact, reason) = facts(&forge)[kind].clone();
        let name = fact.kind();
        world.revoke(fact).await;
        assert_eq!(
            client.ask(&request).await.verdict(),
            (401, reason.to_owned()),
            "{name}"
        );
        let held = world.metric(&format!("verifier_revocations{{kind=\"{name}\"}}"));
        assert!(held >= Some(1.0), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_let_in_after_a_revocation_was_answered_for() {
    let mut world = World::ready(RULES).await;
    let forge = world.forge();
    let request = Request::about(Endpoint::AuthRequest, "GET", "/").bearer(&forge.token());
    assert_eq!(world.ask(&request).await.status, 200, "it is cached now");

    let is_revoked = Arc::new(AtomicBool::new(false));
    let let_in = Arc::new(AtomicUsize::new(0));
    let mut askers = tokio::task::JoinSet::new();
    for _ in 0..ASKERS {
        let (mut client, request) = (world.connect().await, request.clone());
        let (is_revoked, let_in) = (Arc::clone(&is_revoked), Arc::clone(&let_in));
        askers.spawn(async move {
            // Until some answers in a row were refused.
            let mut refused = 0;
            while refused < 5 {
                let was_revoked = is_revoked.load(Ordering::SeqCst);
                let status = client.ask(&request).await.status;
                assert!(
                    status == 401 || (status == 200 && !was_revoked),
                    "{status} after {was_revoked}"
                );
                refused = if status == 401 { refused + 1 } else { 0 };
                let_in.fetch_add(usize::from(status == 200), Ordering::SeqCst);
            }
        });
    }
    // Everybody is asking, and is let in.
    crate::support::until(std::time::Duration::from_secs(20), async || {
        let_in.load(Ordering::SeqCst) > ASKERS
    })
    .await;
    world
        .revoke(Fact::Session {
            session: forge.claim_text("sid").parse().unwrap(),
        })
        .await;
    is_revoked.store(true, Ordering::SeqCst);
    while let Some(asked) = askers.join_next().await {
        asked.unwrap();
    }
}
