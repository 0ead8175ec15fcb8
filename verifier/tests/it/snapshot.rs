//! A start from the snapshot file, while everything else is down.

use std::time::Duration;

use shared::feed::key::FEED_KEYS_PATH;
use shared::revocation::Fact;
use shared::testkit::{RedisServer, TestKey, TokenForge};
use shared::time::{Clock, SystemClock};

use crate::support::{Canned, KeyServer, Relay, Served, until};

const RULES: &str = "default = \"allow\"\n[[rule]]\npath = \"/me\"\nauthenticated = true\n";
const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn it_starts_and_serves_with_everything_else_away() {
    let Some(mut redis) = RedisServer::start_or_skip("a verifier with a snapshot", "") else {
        return;
    };
    let mut relay = Relay::begin(&redis.url()).await;
    let issuer = KeyServer::start(Canned::status(404)).await;
    let jwks = Canned::ok(TestKey::jwks(&[&TestKey::number(0)]));
    issuer.answer_at("/.well-known/jwks.json", jwks);
    issuer.answer_at(FEED_KEYS_PATH, Canned::ok(relay.key.public().to_jwks()));
    let folder = tempfile::tempdir().unwrap();
    let snapshot = folder.path().join("snapshot");
    let (jwks_url, redis_url) = (format!("{}/.well-known/jwks.json", issuer.origin), redis.url());
    let variables = [
        ("VERIFIER__JWKS_URL", jwks_url.as_str()),
        ("VERIFIER__REDIS__URL", redis_url.as_str()),
        ("VERIFIER__SNAPSHOT", snapshot.to_str().unwrap()),
        ("VERIFIER__MAX_STALENESS", "6s"),
    ];
    let forge = || TokenForge::new(&TestKey::number(0), SystemClock.now());
    let (good, revoked) = (forge().token(), forge());
    relay
        .revoke(Fact::Session {
            session: revoked.claim_text("sid").parse().unwrap(),
        })
        .await;
    let revoked = revoked.token();

    let first = Served::start(folder.path(), RULES, &variables).await;
    until(SOON, async || {
        relay.heartbeat().await;
        snapshot.exists()
    })
    .await;
    first.stop().await;
    redis.kill();
    issuer.answer_at("/.well-known/jwks.json", Canned::status(503));
    issuer.answer_at(FEED_KEYS_PATH, Canned::status(503));

    let alone = Served::start(folder.path(), RULES, &variables).await;
    assert_eq!(alone.admin("/readyz").await.0, 200);
    assert_eq!(alone.verdict("/me", Some(&good)).await.0, 200);
    assert_eq!(
        alone.verdict("/me", Some(&revoked)).await,
        (401, "revoked".to_owned())
    );
    until(SOON, async || {
        alone.verdict("/me", Some(&good)).await == (503, "stale_replica".to_owned())
    })
    .await;
    assert_eq!(alone.verdict("/", None).await.0, 200);
    assert_eq!(alone.verdict("/me", None).await.0, 401);
    assert!(
        alone
            .has_metric("verifier_revocation_replica_state{state=\"stale\"} 1")
            .await
    );
    alone.stop().await;

    // A damaged one is as good as none.
    let mut bytes = std::fs::read(&snapshot).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&snapshot, bytes).unwrap();
    let without = Served::start(folder.path(), RULES, &variables).await;
    assert_eq!(without.admin("/readyz").await.0, 503);
    assert_eq!(
        without.verdict("/me", Some(&good)).await,
        (503, "no_keys".to_owned())
    );
    assert_eq!(without.verdict("/", None).await.0, 200);
    without.stop().await;
}
