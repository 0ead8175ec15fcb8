//! Sentinel and Cluster.

use ::redis::{AsyncCommands, Script};

use super::*;

/// A Sentinel that watches a master and decides alone.
fn watching(master: &RedisServer, password: &str) -> Option<RedisServer> {
    RedisServer::start_sentinel_or_skip(
        "redis: Sentinel",
        &format!(
            "sentinel monitor main 127.0.0.1 {} 1\nsentinel auth-pass main {password}\n\
             sentinel down-after-milliseconds main 300\nsentinel failover-timeout main 2000\n",
            master.port()
        ),
    )
}

fn by_sentinel(sentinels: &[&RedisServer], password: &str) -> RedisSettings {
    RedisSettings {
        sentinels: crate::config::OneOrMany(
            sentinels.iter().map(|sentinel| secret(&sentinel.url())).collect(),
        ),
        master: Some("main".into()),
        password: Some(secret(password)),
        ..RedisSettings::default()
    }
}

/// Asks again until it is so.
async fn until(mut is_so: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not so after 20 s");
}

#[tokio::test]
async fn each_connection_goes_to_the_present_master() {
    const LOGIN: &str = "requirepass pw-1\nmasterauth pw-1\nrepl-diskless-sync-delay 0\n";
    let Some(mut first) = RedisServer::start_or_skip("redis: Sentinel", LOGIN) else {
        return;
    };
    let replicating = format!("{LOGIN}replicaof 127.0.0.1 {}\n", first.port());
    let second = RedisServer::start_or_skip("redis: Sentinel", &replicating).unwrap();
    let sentinel = watching(&first, "pw-1").unwrap();
    let mut away = watching(&first, "pw-1").unwrap();
    away.kill();
    let settings = by_sentinel(&[&away, &sentinel], "pw-1");
    let client = RedisClient::open(&settings).unwrap();
    let mut connection = client.connect(OPTIONS).await.unwrap();
    let _: () = connection.set("k", "v").await.unwrap();
    let replicas = || sentinel.command(&["SENTINEL", "REPLICAS", "main"]);
    until(|| replicas().contains("master-link-status\nok")).await;
    until(|| second.command(&["GET", "k"]).ends_with('v')).await;

    first.kill();
    ping(&mut connection).await.unwrap_err();
    // Until there is a new master the error says what is the matter.
    let error = client.connect(OPTIONS).await.err().map(|error| error.to_string());
    assert!(error.is_none_or(|error| error.contains("leads to a master of \"main\"")));
    let port = second.port().to_string();
    until(|| {
        let named = sentinel.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main"]);
        named.ends_with(&port)
    })
    .await;
    let mut connection = client.connect(OPTIONS).await.unwrap();
    assert_eq!(connection.get::<_, String>("k").await.unwrap(), "v");

    let unknown = RedisSettings {
        master: Some("other".into()),
        ..settings
    };
    let error = connect(&unknown).await.unwrap_err().to_string();
    assert!(error.contains("\"other\""), "{error}");
}

#[tokio::test]
async fn a_sentinel_that_names_a_replica_is_not_believed() {
    let Some(master) = RedisServer::start_or_skip("redis: Sentinel", "") else {
        return;
    };
    let replicating = format!("replicaof 127.0.0.1 {}", master.port());
    let replica = RedisServer::start_or_skip("redis: Sentinel", &replicating).unwrap();
    let configuration = format!(
        "sentinel monitor main 127.0.0.1 {} 2\nrequirepass pw-2\n",
        replica.port()
    );
    let sentinel = RedisServer::start_sentinel_or_skip("redis: Sentinel", &configuration).unwrap();
    let settings = RedisSettings {
        password: None,
        sentinels: secret(&sentinel.url().replace("redis://", "redis://:pw-2@")).into(),
        ..by_sentinel(&[], "")
    };
    let error = connect(&settings).await.unwrap_err().to_string();
    assert!(error.contains("is not the master"), "{error}");
}

#[tokio::test]
async fn a_cluster_is_one_redis() {
    let login = "requirepass pw-1\nmasterauth pw-1";
    let Some(mut nodes) = RedisServer::start_cluster_or_skip("redis: Cluster", 3, login) else {
        return;
    };
    let settings = RedisSettings {
        cluster: crate::config::OneOrMany(nodes.iter().take(2).map(|node| secret(&node.url())).collect()),
        password: Some(secret("pw-1")),
        ..RedisSettings::default()
    };
    let client = RedisClient::open(&settings).unwrap();
    let mut connection = client.connect(OPTIONS).await.unwrap();
    let script = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
    for key in ["{a}:1", "{b}:1", "{c}:1", "{d}:1", "{e}:1"] {
        let sum: i64 = script
            .key(key)
            .arg(2)
            .invoke_async(&mut connection)
            .await
            .unwrap();
        assert_eq!(sum, 2);
        assert_eq!(connection.get::<_, i64>(key).await.unwrap(), 2);
    }
    // A node that stalls is an error within the time, not a wait for its end; `b` is on the first, by its slot 3300.
    nodes[0].stall();
    let answer = connection.get::<_, i64>("{b}:1");
    tokio::time::timeout(OPTIONS.response_timeout.unwrap() * 2, answer)
        .await
        .unwrap()
        .unwrap_err();
    nodes[0].resume();
    nodes[0].kill();
    let mut connection = client.connect(OPTIONS).await.unwrap();
    assert_eq!(connection.get::<_, i64>("{a}:1").await.unwrap(), 2);
}
