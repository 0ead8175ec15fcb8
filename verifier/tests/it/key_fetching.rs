//! The keys over HTTP, from a small server that misbehaves on demand.

use std::time::Duration;

use shared::limits::JWKS_BYTES_MAX;
use shared::revocation::Fact;
use shared::testkit::{TestKey, TokenForge};
use shared::time::Clock;
use verifier::http::Endpoint;

use crate::support::{Canned, KeyServer, Request, World, until};

const RULES: &str = "default = \"authenticated\"\n";

fn jwks(numbers: &[usize]) -> Vec<u8> {
    let keys: Vec<TestKey> = numbers.iter().copied().map(TestKey::number).collect();
    TestKey::jwks(&keys.iter().collect::<Vec<_>>())
}

fn token(world: &World, number: usize) -> String {
    TokenForge::new(&TestKey::number(number), world.clock.now()).token()
}

async fn verdict(world: &World, token: &str) -> (u16, String) {
    world
        .ask(&Request::about(Endpoint::AuthRequest, "GET", "/").bearer(token))
        .await
        .verdict()
}

async fn is_allowed(world: &World, token: &str) -> bool {
    verdict(world, token).await.0 == 200
}

/// A verifier that fetches from a server with key 0, and has it.
async fn world() -> (World, KeyServer) {
    let server = KeyServer::start(Canned::ok(jwks(&[0]))).await;
    let url = format!("{}/keys", server.origin);
    let world = World::fetching(RULES, |settings| settings.jwks_url = Some(url)).await;
    world.is_ready().await;
    (world, server)
}

/// Fetches that have come to an end, whichever.
fn fetches(world: &World) -> f64 {
    ["ok", "unreachable", "status", "invalid"]
        .iter()
        .filter_map(|result| world.metric(&format!("verifier_keys_fetches_total{{result=\"{result}\"}}")))
        .sum()
}

const PATIENCE: Duration = Duration::from_secs(10);

/// Attack: many requests at once with keys that are not known
/// Source: CWE-770
/// Result: one fetch, and no request waits for it
#[tokio::test]
async fn unknown_keys_cause_one_fetch_that_no_request_waits_for() {
    let (world, server) = world().await;
    assert_eq!(server.asked(), ["/keys"]);
    server.hold();
    let stranger = token(&world, 1);
    let mut client = world.connect().await;
    let request = Request::about(Endpoint::AuthRequest, "GET", "/").bearer(&stranger);
    for _ in 0..50 {
        assert_eq!(
            client.ask(&request).await.verdict(),
            (401, "unknown_key".to_owned())
        );
    }
    server.asked_times(2).await;
    for _ in 0..50 {
        assert_eq!(
            client.ask(&request).await.verdict(),
            (401, "unknown_key".to_owned())
        );
    }
    server.answer_with(Canned::ok(jwks(&[0, 1])));
    server.release();
    until(PATIENCE, async || is_allowed(&world, &stranger).await).await;
    assert_eq!(server.asked().len(), 2, "one fetch for all of them");

    let other = token(&world, 2);
    assert_eq!(verdict(&world, &other).await, (401, "unknown_key".to_owned()));
    world.clock.advance(Duration::from_secs(29));
    assert_eq!(verdict(&world, &other).await, (401, "unknown_key".to_owned()));
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(verdict(&world, &other).await, (401, "unknown_key".to_owned()));
    server.asked_times(3).await;
    assert_eq!(server.asked().len(), 3, "none during the cooldown");
}

/// Attack: unknown keys while the issuer answers with errors
/// Source: CWE-770
/// Result: no fetch during the cooldown
#[tokio::test]
async fn a_failed_fetch_cools_down_too() {
    let (world, server) = world().await;
    server.answer_with(Canned::status(500));
    let stranger = token(&world, 1);
    assert_eq!(verdict(&world, &stranger).await.0, 401);
    until(PATIENCE, async || {
        world.metric("verifier_keys_fetches_total{result=\"status\"}") == Some(1.0)
    })
    .await;
    server.answer_with(Canned::ok(jwks(&[0, 1])));
    for _ in 0..20 {
        assert_eq!(verdict(&world, &stranger).await, (401, "unknown_key".to_owned()));
    }
    world.clock.advance(Duration::from_secs(30));
    until(PATIENCE, async || is_allowed(&world, &stranger).await).await;
    assert_eq!(server.asked().len(), 3);
}

/// Attack: a key set that is an error, empty, cut off, too large, HTML, a redirect, or has keys for something else
/// alone
/// Source: RFC 7517 section 5
/// Result: the keys at hand stay
#[tokio::test]
async fn no_bad_answer_replaces_good_keys() {
    let (mut world, server) = world().await;
    let elsewhere = KeyServer::start(Canned::ok(jwks(&[1]))).await;
    let redirected = Canned {
        headers: format!("location: {}/keys\r\n", elsewhere.origin),
        ..Canned::status(302)
    };
    let padded = [jwks(&[1]), vec![b' '; JWKS_BYTES_MAX]].concat();
    for bad in [
        Canned::status(500),
        Canned::status(404),
        Canned::status(204),
        redirected,
        Canned::ok(""),
        Canned::ok("<html>"),
        Canned::ok("{\"keys\":[]}"),
        Canned::ok("{}"),
        Canned::ok("[]"),
        Canned::ok(&jwks(&[1])[..100]),
        Canned::ok(padded),
        Canned::ok(String::from_utf8(jwks(&[1])).unwrap().replace("RS256", "PS256")),
        Canned::ok(
            String::from_utf8(jwks(&[1]))
                .unwrap()
                .replace("\"sig\"", "\"enc\""),
        ),
        Canned {
            headers: "content-length: 5\r\n".into(),
            ..Canned::ok(jwks(&[1]))
        },
    ] {
        server.answer_next(bad.clone());
        world.clock.advance(Duration::from_secs(30));
        world.heartbeat().await;
        let before = fetches(&world);
        assert_eq!(
            verdict(&world, &token(&world, 2)).await,
            (401, "unknown_key".to_owned())
        );
        until(PATIENCE, async || fetches(&world) > before).await;
        assert_eq!(world.metric("verifier_keys_generation"), Some(1.0), "{bad:?}");
        assert!(is_allowed(&world, &token(&world, 0)).await, "{bad:?}");
    }
    assert!(elsewhere.asked().is_empty(), "redirects are not followed");
    assert_eq!(
        world.metric("verifier_keys_fetches_total{result=\"ok\"}"),
        Some(1.0)
    );
}

#[tokio::test]
async fn a_revoked_key_has_its_successor_fetched_at_once() {
    let (mut world, server) = world().await;
    let (old, new) = (token(&world, 0), token(&world, 1));
    assert!(is_allowed(&world, &old).await);
    server.answer_with(Canned::ok(jwks(&[1])));
    world.revoke(Fact::Key { kid: "test-0".into() }).await;
    // Nobody has shown a token of the other key.
    server.asked_times(2).await;
    until(PATIENCE, async || fetches(&world) >= 2.0).await;
    assert!(is_allowed(&world, &new).await);
    assert!(!is_allowed(&world, &old).await);
    // Told again, it is nothing new.
    world.revoke(Fact::Key { kid: "test-0".into() }).await;
    world.revoke(Fact::Key { kid: "test-1".into() }).await;
    server.asked_times(3).await;
    assert_eq!(verdict(&world, &new).await, (401, "revoked".to_owned()));
}

/// Attack: a cached token of a key that was withdrawn
/// Source: CWE-613
/// Result: 401 `unknown_key`
#[tokio::test]
async fn a_withdrawn_key_takes_its_cached_tokens_along() {
    let (world, server) = world().await;
    let old = token(&world, 0);
    assert!(is_allowed(&world, &old).await);
    assert!(is_allowed(&world, &old).await);
    assert_eq!(world.metric("verifier_token_cache_entries"), Some(1.0));
    server.answer_with(Canned::ok(jwks(&[1])));
    let new = token(&world, 1);
    until(PATIENCE, async || is_allowed(&world, &new).await).await;
    assert!(is_allowed(&world, &new).await);
    assert_eq!(verdict(&world, &old).await, (401, "unknown_key".to_owned()));
    until(PATIENCE, async || {
        world.metric("verifier_token_cache_entries") == Some(1.0)
    })
    .await;
    assert_eq!(world.metric("verifier_keys"), Some(1.0));
}

#[tokio::test]
async fn without_keys_it_says_so_and_goes_on_trying() {
    let server = KeyServer::start(Canned::status(503)).await;
    let url = format!("{}/keys", server.origin);
    let world = World::fetching("default = \"allow\"\n", |settings| settings.jwks_url = Some(url)).await;
    server.asked_times(1).await;
    let token = token(&world, 0);
    let request = Request::about(Endpoint::ForwardAuth, "GET", "/");
    let answer = world.ask(&request.clone().bearer(&token)).await;
    assert_eq!(answer.verdict(), (503, "no_keys".to_owned()));
    assert!(answer.header("retry-after").is_some());
    assert_eq!(
        world.ask(&request).await.status,
        200,
        "anonymous callers need no keys"
    );
    server.answer_with(Canned::ok(jwks(&[0])));
    until(PATIENCE, async || is_allowed(&world, &token).await).await;
}

#[tokio::test]
async fn the_issuers_metadata_leads_to_the_keys() {
    let server = KeyServer::start(Canned::ok(jwks(&[0]))).await;
    let issuer = server.origin.clone();
    let metadata = format!("{{\"issuer\":\"{issuer}\",\"jwks_uri\":\"{issuer}/there\",\"more\":[1]}}");
    server.answer_next(Canned::ok(metadata));
    let world = World::fetching(RULES, |settings| settings.issuer.clone_from(&issuer)).await;
    world.is_ready().await;
    assert_eq!(
        server.asked(),
        ["/.well-known/oauth-authorization-server", "/there"]
    );
    let token = TokenForge::new(&TestKey::number(0), world.clock.now())
        .claim("iss", issuer)
        .token();
    assert!(is_allowed(&world, &token).await);
}

/// Attack: metadata that names another issuer than the one asked
/// Source: RFC 8414 section 3.3, RFC 9700 section 4.4
/// Result: it is refused, and its key set is not fetched
#[tokio::test]
async fn metadata_of_another_issuer_is_not_believed() {
    let server = KeyServer::start(Canned::ok(jwks(&[0]))).await;
    let issuer = server.origin.clone();
    let metadata = format!("{{\"issuer\":\"{issuer}/\",\"jwks_uri\":\"{issuer}/there\"}}");
    server.answer_with(Canned::ok(metadata));
    let world = World::fetching(RULES, |settings| settings.issuer.clone_from(&issuer)).await;
    until(PATIENCE, async || {
        world.metric("verifier_keys_fetches_total{result=\"invalid\"}") >= Some(1.0)
    })
    .await;
    assert_eq!(world.metric("verifier_keys"), Some(0.0));
    assert!(!server.asked().contains(&"/there".to_owned()));
}
