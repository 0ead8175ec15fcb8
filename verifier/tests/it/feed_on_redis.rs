//! The program, with its revocations from a real Redis.

use std::time::Duration;

use shared::feed::key::FEED_KEYS_PATH;
use shared::revocation::Fact;
use shared::testkit::{ChaosProxy, RedisServer, TestKey, TokenForge};
use shared::time::{Clock, SystemClock};

use crate::support::{Canned, KeyServer, Relay, Served, logged, until};

const RULES: &str = "default = \"allow\"\n[[rule]]\npath = \"/me\"\nauthenticated = true\n";

/// What a verifier's user of Redis may do: the line of the README.
const READER: &str = "user verifier on >read-only ~{usher}:feed:* resetchannels -@all +ping +get +hget +xread +xrange +xrevrange";

const SOON: Duration = Duration::from_secs(20);

fn forge() -> TokenForge {
    TokenForge::new(&TestKey::number(0), SystemClock.now())
}

/// The fact that refuses a token.
fn logout(forge: &TokenForge) -> Fact {
    Fact::Session {
        session: forge.claim_text("sid").parse().unwrap(),
    }
}

/// An issuer's two key sets.
async fn issuer(relay: &Relay) -> KeyServer {
    let server = KeyServer::start(Canned::status(404)).await;
    let jwks = TestKey::jwks(&[&TestKey::number(0)]);
    server.answer_at("/.well-known/jwks.json", Canned::ok(jwks));
    server.answer_at(FEED_KEYS_PATH, Canned::ok(relay.key.public().to_jwks()));
    server
}

#[tokio::test]
async fn it_hears_of_revocations_as_a_user_who_may_only_read() {
    let Some(redis) = RedisServer::start_or_skip("a verifier on Redis", READER) else {
        return;
    };
    let mut relay = Relay::begin(&redis.url()).await;
    let issuer = issuer(&relay).await;
    let folder = tempfile::tempdir().unwrap();
    let jwks_url = format!("{}/.well-known/jwks.json", issuer.origin);
    let redis_url = redis.url().replace("redis://", "redis://verifier:read-only@");
    let variables = [
        ("VERIFIER__JWKS_URL", jwks_url.as_str()),
        ("VERIFIER__REDIS__URL", redis_url.as_str()),
    ];
    let served = Served::start(folder.path(), RULES, &variables).await;
    until(SOON, async || served.admin("/readyz").await.0 == 200).await;

    let (kept, revoked) = (forge(), forge());
    let (kept_token, revoked_token) = (kept.token(), revoked.token());
    for token in [&kept_token, &revoked_token] {
        assert_eq!(served.verdict("/me", Some(token)).await.0, 200);
    }
    relay.revoke(logout(&revoked)).await;
    until(SOON, async || {
        served.verdict("/me", Some(&revoked_token)).await == (401, "revoked".to_owned())
    })
    .await;
    assert_eq!(served.verdict("/me", Some(&kept_token)).await.0, 200);
    for line in [
        "verifier_revocation_replica_state{state=\"fresh\"} 1",
        "verifier_revocation_feed_epoch 1",
        "verifier_revocation_feed_term 1",
        "verifier_revocation_entries_total{kind=\"session\"} 1",
        "verifier_revocation_feed_gaps_total{cause=\"chain\"} 0",
    ] {
        assert!(served.has_metric(line).await, "{line}");
    }
    until(SOON, async || {
        served.has_metric("verifier_revocation_feed_seq 1").await
    })
    .await;

    // Somebody with more rights tampers: nobody is admitted until a heartbeat proves the feed again.
    let key = redis.command(&["GET", shared::feed::redis_log::POINTER_KEY]);
    let epoch = key.lines().last().unwrap().parse().unwrap();
    let stream = shared::feed::redis_log::stream_key(epoch);
    redis.command(&["XADD", &stream, "9-9", "x", "y"]);
    until(SOON, async || {
        served.verdict("/me", Some(&kept_token)).await == (503, "stale_replica".to_owned())
    })
    .await;
    assert_eq!(served.verdict("/", None).await.0, 200);
    assert_eq!(
        served.verdict("/me", Some(&revoked_token)).await.0,
        401,
        "what is known counts"
    );
    redis.command(&["FLUSHALL"]);
    served.stop().await;
}

#[tokio::test]
async fn while_it_cannot_load_it_says_why() {
    let Some(mut redis) = RedisServer::start_or_skip("a verifier without Redis", READER) else {
        return;
    };
    redis.kill();
    let issuer = KeyServer::start(Canned::status(404)).await;
    let folder = tempfile::tempdir().unwrap();
    let (jwks_url, redis_url) = (
        format!("{}/.well-known/jwks.json", issuer.origin),
        redis.url().replace("redis://", "redis://verifier:read-only@"),
    );
    let variables = [
        ("VERIFIER__JWKS_URL", jwks_url.as_str()),
        ("VERIFIER__REDIS__URL", redis_url.as_str()),
    ];
    let served = Served::start(folder.path(), RULES, &variables).await;
    let says = async |what: &str| {
        let (status, body) = served.admin("/readyz").await;
        assert!(!body.contains("read-only"), "{body}");
        status == 503 && body.contains(&format!("they are being loaded; away: {what}"))
    };
    until(SOON, async || {
        says("the issuer's feed keys are not known yet").await
    })
    .await;
    let relay_key = shared::feed::key::FeedSigningKey::generate().unwrap();
    issuer.answer_at(FEED_KEYS_PATH, Canned::ok(relay_key.public().to_jwks()));
    until(SOON, async || says("the feed's log is away").await).await;
    redis.restart();
    until(SOON, async || says("no issuer has begun a feed").await).await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_stops_when_told_while_it_loads_the_stream() {
    let Some(redis) = RedisServer::start_or_skip("a verifier that stops while it loads", "") else {
        return;
    };
    let mut relay = Relay::begin(&redis.url()).await;
    relay.revoke(logout(&forge())).await;
    let wire = ChaosProxy::start(([127, 0, 0, 1], redis.port()).into());
    // Each answer of Redis takes so long that the load never ends.
    wire.stall();
    let issuer = issuer(&relay).await;
    let folder = tempfile::tempdir().unwrap();
    let jwks_url = format!("{}/.well-known/jwks.json", issuer.origin);
    let redis_url = format!("redis://{}", wire.address());
    let variables = [
        ("VERIFIER__JWKS_URL", jwks_url.as_str()),
        ("VERIFIER__REDIS__URL", redis_url.as_str()),
    ];
    let mut served = Served::start(folder.path(), RULES, &variables).await;
    until(SOON, async || wire.connections() > 0).await;
    let state = "verifier_revocation_replica_state{state=\"loading\"} 1";
    assert!(served.has_metric(state).await);
    assert_eq!(served.verdict("/open", None).await.0, 200);
    served.signal(rustix::process::Signal::TERM);
    logged(&mut served.log, "the verifier has stopped").await;
    assert!(served.child.wait().await.unwrap().success());
}
