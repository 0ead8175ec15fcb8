use ::redis::streams::{StreamReadOptions, StreamReadReply};
use ::redis::{AsyncCommands, Script};

use super::*;

#[tokio::test]
async fn commands_and_scripts_run_over_tcp_and_over_a_unix_socket() {
    let Some(server) = RedisServer::start_or_skip("redis: TCP and Unix", "") else {
        return;
    };
    for url in [
        server.url(),
        server.unix_url(),
        format!("{}/1", server.url()),
        format!("{}?db=2", server.unix_url()),
    ] {
        let mut connection = connect(&RedisSettings::at(&url)).await.unwrap();
        assert_eq!(ping(&mut connection).await.unwrap(), "PONG", "{url}");
        let before: Option<i64> = connection.get("n").await.unwrap();
        let script = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
        let sum: i64 = script
            .key("n")
            .arg(7)
            .invoke_async(&mut connection)
            .await
            .unwrap();
        assert_eq!(sum, before.unwrap_or(0) + 7);
    }
    // Two went to database 0, and one each to 1 and 2.
    assert_eq!(server.command(&["GET", "n"]), "14");
}

#[tokio::test]
async fn a_blocking_read_holds_up_no_other_connection_and_may_take_its_time() {
    let Some(server) = RedisServer::start_or_skip("redis: blocking read", "") else {
        return;
    };
    let client = RedisClient::open(&RedisSettings::at(&server.url())).unwrap();
    let options = ConnectOptions {
        response_timeout: None,
        ..OPTIONS
    };
    let mut reader = client.connect(options).await.unwrap();
    let reading = tokio::spawn(async move {
        let block = StreamReadOptions::default().block(30_000);
        let read: Option<StreamReadReply> = reader.xread_options(&["s"], &["$"], &block).await.unwrap();
        read.unwrap()
    });
    while !server.command(&["CLIENT", "LIST"]).contains("cmd=xread") {
        tokio::task::yield_now().await;
    }
    let mut writer = client.connect(OPTIONS).await.unwrap();
    // The library's own time-out would be half a second.
    tokio::time::sleep(Duration::from_millis(700)).await;
    let _: String = writer.xadd("s", "1-0", &[("k", "v")]).await.unwrap();
    assert_eq!(reading.await.unwrap().keys.len(), 1);
}

#[tokio::test]
async fn what_takes_too_long_is_an_error() {
    let Some(server) = RedisServer::start_or_skip("redis: time-outs", "") else {
        return;
    };
    let client = RedisClient::open(&RedisSettings::at(&server.url())).unwrap();
    let options = ConnectOptions {
        connect_timeout: Duration::from_millis(300),
        response_timeout: Some(Duration::from_millis(200)),
    };
    let mut connection = client.connect(options).await.unwrap();
    server.stall();
    assert!(ping(&mut connection).await.unwrap_err().is_timeout());
    // The kernel still takes the connection; nobody answers on it.
    let settings = RedisSettings {
        password: Some(secret("x")),
        ..RedisSettings::at(&server.url())
    };
    let error = RedisClient::open(&settings)
        .unwrap()
        .connect(options)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("cannot reach Redis at 127.0.0.1:"),
        "{error}"
    );
    server.resume();
    assert_eq!(ping(&mut connection).await.unwrap(), "PONG");
}

#[tokio::test]
async fn a_lost_connection_is_an_error_and_the_next_one_works() {
    let Some(mut server) = RedisServer::start_or_skip("redis: restarts", "") else {
        return;
    };
    let client = RedisClient::open(&RedisSettings::at(&server.url())).unwrap();
    let mut connection = client.connect(OPTIONS).await.unwrap();
    let _: () = connection.set("k", "kept").await.unwrap();
    server.kill();
    ping(&mut connection).await.unwrap_err();
    assert!(matches!(
        client.connect(OPTIONS).await,
        Err(RedisError::Unreachable { .. })
    ));
    server.restart();
    ping(&mut connection).await.unwrap_err();
    let mut connection = client.connect(OPTIONS).await.unwrap();
    assert_eq!(connection.get::<_, String>("k").await.unwrap(), "kept");
    server.save_data();
    server.stop();
    server.restart_empty();
    assert_eq!(server.command(&["EXISTS", "k"]), ":0");
    server.restart_saved();
    assert_eq!(server.command(&["GET", "k"]), "kept");
}

#[tokio::test]
async fn a_user_logs_in_by_password_and_errors_do_not_show_it() {
    let acl = "requirepass sesame\nuser reader on >s3cret&/?# ~feed:* +ping +get";
    let Some(server) = RedisServer::start_or_skip("redis: ACL", acl) else {
        return;
    };
    let default = RedisSettings {
        password: Some(secret("sesame")),
        ..RedisSettings::at(&server.url())
    };
    ping(&mut connect(&default).await.unwrap()).await.unwrap();
    let reader = RedisSettings {
        username: Some("reader".into()),
        password: Some(secret("s3cret&/?#")),
        ..RedisSettings::at(&server.url())
    };
    let in_url = RedisSettings::at(
        &server
            .url()
            .replace("redis://", "redis://reader:s3cret%26%2F%3F%23@"),
    );
    for settings in [&reader, &in_url] {
        let mut connection = connect(settings).await.unwrap();
        ping(&mut connection).await.unwrap();
        let refused = connection.get::<_, Option<String>>("other").await.unwrap_err();
        assert_eq!(refused.code(), Some("NOPERM"));
    }
    // Connecting needs no right that was not given.
    assert!(!server.command(&["CLIENT", "LIST"]).contains("setinfo"));
    let wrong = RedisSettings {
        username: Some("reader".into()),
        password: Some(secret("not-it")),
        ..RedisSettings::at(&server.url())
    };
    let wrong_in_url = RedisSettings::at(&server.url().replace("redis://", "redis://reader:not-it@"));
    for settings in [&wrong, &wrong_in_url] {
        let error = connect(settings).await.unwrap_err();
        let client = RedisClient::open(settings).unwrap();
        let shown = format!("{error} {error:?} {client} {client:?} {settings:?}");
        assert!(!shown.contains("not-it"), "{shown}");
        assert!(shown.contains("127.0.0.1"), "{shown}");
    }
}
