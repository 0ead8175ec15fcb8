//! The issuer's user of Redis, with the rights of the documentation.

use std::time::Duration;

use issuer::app::Feed;
use shared::testkit::RedisServer;

use crate::support::{Database, Site};

crate::on_both_databases!(its_rights_are_enough_for_the_feed_and_the_limits);

async fn its_rights_are_enough_for_the_feed_and_the_limits(database: Database) {
    let readme = include_str!("../../README.md");
    let line = readme
        .lines()
        .find(|line| line.starts_with("user usher-issuer on #<"))
        .unwrap();
    let rules = line.split_once("> ").unwrap().1;
    let acl = format!("user default off\nuser usher-issuer on >pw-1 {rules}");
    let Some(redis) = RedisServer::start_or_skip("the issuer's user of Redis", &acl) else {
        return;
    };
    let settings = format!(
        "redis = {{ url = {:?}, username = 'usher-issuer', password = 'pw-1' }}\nlimits.login_per_account = '3/1h'",
        redis.url()
    );
    let site = Site::start_fed(database, &settings, Feed::Redis).await;
    let in_force = async {
        while site.service.publisher.check().await.is_err()
            || !site.metrics().contains("issuer_rate_limits_shared 1\n")
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), in_force).await;
    assert!(waited.is_ok(), "{}", site.metrics());
    let neo = site.register("neo").await;
    site.login("neo").await;
    site.post("/api/v1/user/logout")
        .bearer(&neo.access)
        .send()
        .await
        .no_content();
}
