//! A start from the snapshot file, while everything else is down, or not what it was.

use std::path::PathBuf;
use std::time::Duration;

use shared::feed::key::FEED_KEYS_PATH;
use shared::revocation::Fact;
use shared::testkit::{RedisServer, TestKey, TokenForge};
use shared::time::{Clock, SystemClock};
use tempfile::TempDir;

use crate::support::{Canned, KeyServer, Relay, Served, film, film_id, label, until};

const RULES: &str = r#"
default = "allow"

[[rule]]
path = "/me"
authenticated = true

[[rule]]
path = "/films/{film_id}"
film = "{film_id}"
"#;
/// Films with a label and without.
const CLOSED: u128 = 1;
const OPEN: u128 = 2;

const SOON: Duration = Duration::from_secs(30);
const JWKS_PATH: &str = "/.well-known/jwks.json";

/// A verifier's surroundings, with a good token and one that was revoked.
struct Scene {
    redis: RedisServer,
    relay: Relay,
    issuer: KeyServer,
    folder: TempDir,
    good: String,
    revoked: String,
}

impl Scene {
    /// `None` where there is no Redis. What is saved of Redis is older than the revocation.
    async fn set(test: &str) -> Option<Self> {
        let redis = RedisServer::start_or_skip(test, "")?;
        let mut relay = Relay::begin(&redis.url()).await;
        redis.save_data();
        let issuer = KeyServer::start(Canned::status(404)).await;
        let jwks = Canned::ok(TestKey::jwks(&[&TestKey::number(0)]));
        issuer.answer_at(JWKS_PATH, jwks);
        issuer.answer_at(FEED_KEYS_PATH, Canned::ok(relay.key.public().to_jwks()));
        relay
            .label(&[label("premium", &["user"], false), film(CLOSED, &["premium"])])
            .await;
        let forge = || TokenForge::new(&TestKey::number(0), SystemClock.now()).roles(&["user"]);
        let (good, revoked) = (forge().token(), forge());
        relay
            .revoke(Fact::Session {
                session: revoked.claim_text("sid").parse().unwrap(),
            })
            .await;
        Some(Self {
            redis,
            relay,
            issuer,
            folder: tempfile::tempdir().unwrap(),
            good,
            revoked: revoked.token(),
        })
    }

    fn snapshot(&self) -> PathBuf {
        self.folder.path().join("snapshot")
    }

    async fn start(&self) -> Served {
        let (jwks_url, redis_url) = (format!("{}{JWKS_PATH}", self.issuer.origin), self.redis.url());
        let snapshot = self.snapshot();
        let variables = [
            ("VERIFIER__JWKS_URL", jwks_url.as_str()),
            ("VERIFIER__REDIS__URL", redis_url.as_str()),
            ("VERIFIER__SNAPSHOT", snapshot.to_str().unwrap()),
            ("VERIFIER__MAX_STALENESS", "10s"),
        ];
        Served::start(self.folder.path(), RULES, &variables).await
    }

    /// Has a verifier run until it has written the file with everything that it can know.
    async fn taken(&mut self) {
        let first = self.start().await;
        let snapshot = self.snapshot();
        until(SOON, async || {
            self.relay.heartbeat().await;
            first.verdict(&film_at(OPEN), None).await.0 == 200
        })
        .await;
        // It was perhaps written before the labels were there, and will be again.
        let _ = std::fs::remove_file(&snapshot);
        until(SOON, async || {
            self.relay.heartbeat().await;
            snapshot.exists()
        })
        .await;
        first.stop().await;
    }
}

fn film_at(number: u128) -> String {
    format!("/films/{}", film_id(number))
}

fn stale() -> (u16, String) {
    (503, "stale_replica".to_owned())
}

#[tokio::test]
async fn it_starts_and_serves_with_everything_else_away() {
    let Some(mut scene) = Scene::set("a verifier with a snapshot").await else {
        return;
    };
    scene.taken().await;
    scene.redis.kill();
    scene.issuer.answer_at(JWKS_PATH, Canned::status(503));
    scene.issuer.answer_at(FEED_KEYS_PATH, Canned::status(503));

    let alone = scene.start().await;
    assert_eq!(alone.admin("/readyz").await.0, 200);
    assert_eq!(alone.verdict("/me", Some(&scene.good)).await.0, 200);
    assert_eq!(
        alone.verdict("/me", Some(&scene.revoked)).await,
        (401, "revoked".to_owned())
    );
    assert_eq!(alone.verdict(&film_at(OPEN), None).await.0, 200);
    assert_eq!(
        alone.verdict(&film_at(CLOSED), None).await,
        (401, "missing".to_owned())
    );
    assert_eq!(alone.verdict(&film_at(CLOSED), Some(&scene.good)).await.0, 200);
    until(SOON, async || {
        alone.verdict("/me", Some(&scene.good)).await == stale()
    })
    .await;
    until(SOON, async || {
        alone.verdict(&film_at(OPEN), None).await == stale()
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
    let mut bytes = std::fs::read(scene.snapshot()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(scene.snapshot(), bytes).unwrap();
    let without = scene.start().await;
    assert_eq!(without.admin("/readyz").await.0, 503);
    assert_eq!(
        without.verdict("/me", Some(&scene.good)).await,
        (503, "no_keys".to_owned())
    );
    assert_eq!(without.verdict("/", None).await.0, 200);
    assert_eq!(without.verdict(&film_at(OPEN), None).await, stale());
    without.stop().await;
}

#[tokio::test]
async fn what_changed_meanwhile_is_followed_from_where_the_snapshot_ends() {
    let Some(mut scene) = Scene::set("a verifier with a snapshot and later labels").await else {
        return;
    };
    scene.taken().await;
    scene
        .relay
        .label(&[film(CLOSED, &[]), film(OPEN, &["premium"])])
        .await;
    let restarted = scene.start().await;
    until(SOON, async || {
        scene.relay.heartbeat().await;
        restarted.verdict(&film_at(CLOSED), None).await.0 == 200
    })
    .await;
    assert_eq!(
        restarted.verdict(&film_at(OPEN), None).await,
        (401, "missing".to_owned())
    );
    assert_eq!(restarted.verdict(&film_at(OPEN), Some(&scene.good)).await.0, 200);
    restarted.stop().await;
}

#[tokio::test]
async fn a_redis_that_came_back_old_meanwhile_does_not_count() {
    let Some(mut scene) = Scene::set("a verifier with a snapshot and an old Redis").await else {
        return;
    };
    scene.taken().await;
    scene.redis.kill();
    scene.redis.restart_saved();
    let restarted = scene.start().await;
    until(SOON, async || {
        restarted.verdict("/me", Some(&scene.good)).await == stale()
    })
    .await;
    assert!(
        !restarted
            .has_metric("verifier_revocation_feed_gaps_total{cause=\"replayed\"} 0")
            .await
    );
    assert!(
        restarted
            .has_metric("verifier_revocation_replica_state{state=\"loading\"} 1")
            .await
    );
    assert_eq!(
        restarted.verdict("/me", Some(&scene.revoked)).await,
        (401, "revoked".to_owned()),
        "the old Redis does not know of it"
    );
    restarted.stop().await;
}
