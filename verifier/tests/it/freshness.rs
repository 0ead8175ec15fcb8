//! How far the verifier trusts what it knows of revocations, and what it does beyond that.

use std::time::Duration;

use shared::revocation::Fact;
use shared::testkit::{TestKey, TokenForge};
use shared::time::Clock;
use verifier::http::Endpoint;
use verifier::policy::OnStale;
use verifier::settings::Revocations;

use crate::support::{Request, START, World};

const RULES: &str = "default = \"allow\"\n\
    [[rule]]\npath = \"/me\"\nauthenticated = true\n\
    [[rule]]\npath = \"/forgiving\"\nauthenticated = true\non_stale = \"allow\"\n\
    [[rule]]\npath = \"/strict\"\nauthenticated = true\non_stale = \"deny\"\n";

const PATHS: [&str; 4] = ["/", "/me", "/forgiving", "/strict"];

/// The status for the holder of a token at each of [`PATHS`].
async fn statuses(world: &World, token: &str) -> [u16; PATHS.len()] {
    let mut statuses = [0; PATHS.len()];
    for (path, status) in PATHS.iter().zip(&mut statuses) {
        let answer = world
            .ask(&Request::about(Endpoint::AuthRequest, "GET", path).bearer(token))
            .await;
        if answer.status == 503 {
            assert_eq!(answer.reason(), "stale_replica");
            assert!(answer.header("retry-after").is_some());
        }
        *status = answer.status;
    }
    statuses
}

async fn anonymous(world: &World, path: &str) -> u16 {
    world
        .ask(&Request::about(Endpoint::ExtAuthz, "GET", path))
        .await
        .status
}

fn state(world: &World, state: &str) -> Option<f64> {
    world.metric(&format!("verifier_revocation_replica_state{{state=\"{state}\"}}"))
}

#[tokio::test]
async fn it_decides_about_tokens_only_while_its_replica_is_fresh() {
    let mut world = World::ready(RULES).await;
    let token = TokenForge::new(&TestKey::number(0), START).token();
    assert_eq!(statuses(&world, &token).await, [200; 4]);
    assert_eq!(
        (state(&world, "fresh"), state(&world, "stale")),
        (Some(1.0), Some(0.0))
    );

    world.clock.advance(Duration::from_secs(30));
    assert_eq!(statuses(&world, &token).await, [200; 4], "as old as it may be");
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(statuses(&world, &token).await, [503, 503, 200, 503]);
    assert_eq!(
        (anonymous(&world, "/").await, anonymous(&world, "/me").await),
        (200, 401)
    );
    assert_eq!(
        (state(&world, "fresh"), state(&world, "stale")),
        (Some(0.0), Some(1.0))
    );
    assert!(world.metric("verifier_revocation_replica_age_seconds") > Some(30.0));

    world.heartbeat().await;
    assert_eq!(statuses(&world, &token).await, [200; 4]);
}

#[tokio::test]
async fn on_stale_of_the_settings_speaks_for_rules_that_do_not_say() {
    let mut world = World::with(RULES, |settings| settings.on_stale = OnStale::Allow).await;
    let token = TokenForge::new(&TestKey::number(0), START).token();
    world.clock.advance(Duration::from_mins(1));
    assert_eq!(statuses(&world, &token).await, [200, 200, 200, 503]);
    let revoked = world.forge();
    world
        .revoke(Fact::Session {
            session: revoked.claim_text("sid").parse().unwrap(),
        })
        .await;
    assert_eq!(
        statuses(&world, &revoked.token()).await,
        [401; 4],
        "what is known counts all the same"
    );
}

#[tokio::test]
async fn before_the_first_heartbeat_it_is_loading() {
    let world = World::bare(RULES, |_| {}).await;
    world.set_keys(&[0]);
    crate::support::until(Duration::from_secs(10), async || {
        world.metric("verifier_keys") == Some(1.0)
    })
    .await;
    let token = world.forge().token();
    assert_eq!(statuses(&world, &token).await, [503, 503, 200, 503]);
    assert_eq!(
        (anonymous(&world, "/").await, state(&world, "loading")),
        (200, Some(1.0))
    );
}

/// Attack: a verifier whose clock is set back
/// Source: CWE-613
/// Result: 401 `expired` all the same
#[tokio::test]
async fn a_clock_that_is_behind_does_not_let_tokens_live_longer() {
    let mut world = World::ready(RULES).await;
    let token = TokenForge::new(&TestKey::number(0), START)
        .claim("exp", START.0 / 1000 + 10)
        .token();
    // The feed's clock is 5 s ahead of ours, which is as much as the leeway; that is forgiven once more at `exp`.
    world.clock.advance(Duration::from_secs(9));
    world
        .publisher
        .heartbeat(world.clock.now().plus(Duration::from_secs(5)))
        .await
        .unwrap();
    world
        .revoke(Fact::Key {
            kid: "another".into(),
        })
        .await;
    assert_eq!(statuses(&world, &token).await, [200; 4]);
    world.clock.advance(Duration::from_secs(1));
    world
        .publisher
        .heartbeat(world.clock.now().plus(Duration::from_secs(5)))
        .await
        .unwrap();
    world
        .revoke(Fact::Key {
            kid: "another".into(),
        })
        .await;
    assert_eq!(
        statuses(&world, &token).await,
        [401; 4],
        "by the newest heartbeat it has expired"
    );
}

#[tokio::test]
async fn with_revocations_off_there_is_nothing_to_be_stale() {
    let world = World::bare(RULES, |settings| settings.revocations = Revocations::Off).await;
    world.set_keys(&[0]);
    world.is_ready().await;
    let token = TokenForge::new(&TestKey::number(0), START).token();
    assert_eq!(
        (statuses(&world, &token).await, state(&world, "off")),
        ([200; 4], Some(1.0))
    );
    world.clock.advance(Duration::from_mins(10));
    assert_eq!(statuses(&world, &token).await, [200; 4]);
    world.clock.advance(Duration::from_mins(6));
    assert_eq!(statuses(&world, &token).await, [401; 4], "until it expires");
}
