//! Login names, password policy, and how often may be tried.

use std::time::Duration;

use serde_json::{Value, json};
use shared::testkit::RedisServer;

use crate::support::{Database, PASSWORD, Request, Site};

crate::on_both_databases!(
    logins_are_folded,
    logins_outside_the_profile_are_refused,
    passwords_follow_the_policy,
    a_password_is_normalised_and_never_cut,
    an_address_may_log_in_so_often,
    failures_of_one_login_are_limited_by_network,
    guesses_at_the_current_password_count_as_failed_logins,
    an_address_may_register_so_often,
    a_full_queue_is_said_at_once,
    a_crowd_is_answered_whatever_its_number,
    issuers_of_one_database_limit_together,
    redis_away_refuses_nobody_and_lifts_no_limit,
);

async fn logins_are_folded(database: Database) {
    let site = Site::start(database).await;
    for (typed, stored, again) in [
        ("Trinity", "trinity", "TRINITY"),
        ("\u{ff2e}\u{ff45}\u{ff4f}", "neo", "Neo"),
        ("Ö\u{308}mer", "ö\u{308}mer", "ö\u{308}MER"),
        ("O\u{308}lga", "ölga", "ÖLGA"),
        ("ΜΟΡΦΕΥΣ", "μορφευσ", "Μορφευσ"),
        (
            "agent.smith+1@example.org",
            "agent.smith+1@example.org",
            "Agent.Smith+1@Example.org",
        ),
        ("日本語", "日本語", "日本語"),
    ] {
        let pair = site.try_register(typed, PASSWORD).await.ok(201);
        let me = site
            .get("/api/v1/user/me")
            .bearer(pair["access_token"].as_str().unwrap());
        assert_eq!(me.send().await.ok(200)["login"], stored);
        site.try_login(again, PASSWORD).await.ok(200);
        site.try_register(again, PASSWORD)
            .await
            .refused(409, "login-taken");
    }
}

async fn logins_outside_the_profile_are_refused(database: Database) {
    let site = Site::start(database).await;
    let before = site.rows().await;
    let long = "x".repeat(65);
    for (login, code) in [
        ("", "too_short"),
        ("ab", "too_short"),
        (long.as_str(), "too_long"),
        ("a b c", "invalid"),
        (" neo", "invalid"),
        ("neo\u{a0}", "invalid"),
        ("\u{fb01}sh", "invalid"),
        ("n\u{200b}eo", "invalid"),
        ("n\u{200d}eo", "invalid"),
        ("neo\u{202e}", "invalid"),
        ("neo\u{ad}", "invalid"),
        ("neo\0", "invalid"),
        ("neo\n", "invalid"),
        ("neo\u{1f600}", "invalid"),
        ("\u{2167}ii", "invalid"),
        ("neo\u{e000}", "invalid"),
    ] {
        let answer = site.try_register(login, PASSWORD).await;
        answer.invalid(&[("login", code)]);
    }
    assert_eq!(site.rows().await, before);
    site.try_register(&"x".repeat(64), PASSWORD).await.ok(201);
    site.try_register("abc", PASSWORD).await.ok(201);
}

async fn passwords_follow_the_policy(database: Database) {
    let site = Site::start(database).await;
    let before = site.rows().await;
    let long = "é".repeat(257);
    let longest = "x".repeat(10_000);
    for (password, code) in [
        ("", "too_short"),
        ("1234567", "too_short"),
        ("éééé\u{301}", "too_short"),
        (long.as_str(), "too_long"),
        (longest.as_str(), "too_long"),
        ("password", "common"),
        ("Password1", "common"),
        ("12345678", "common"),
        ("neo.anderson", "same_as_login"),
        ("NEO.Anderson", "same_as_login"),
        ("with\0nothing", "invalid"),
        ("with\ttabs in", "invalid"),
    ] {
        let answer = site.try_register("Neo.Anderson", password).await;
        answer.invalid(&[("password", code)]);
    }
    site.try_register("a b", "x")
        .await
        .invalid(&[("login", "invalid"), ("password", "too_short")]);
    assert_eq!(site.rows().await, before);
    assert_eq!(site.service.passwords.counts().done, 0, "nothing was hashed");
    for (login, password) in [
        ("eight", "zq8!vbnk".to_owned()),
        ("spaces", "q w  e r  t z".to_owned()),
        ("emoji", "\u{1f430}".repeat(8)),
        ("longest", "é".repeat(256)),
    ] {
        site.try_register(login, &password).await.ok(201);
        site.try_login(login, &password).await.ok(200);
    }
}

async fn a_password_is_normalised_and_never_cut(database: Database) {
    let site = Site::start_with(database, "password.min_length = 15").await;
    site.try_register("neo", "fourteen chars")
        .await
        .invalid(&[("password", "too_short")]);
    let (composed, decomposed) = ("pässwörd of mine", "pa\u{308}sswo\u{308}rd of mine");
    site.try_register("neo", composed).await.ok(201);
    site.try_login("neo", decomposed).await.ok(200);
    site.try_login("neo", "PÄSSWÖRD of mine")
        .await
        .refused(401, "invalid-credentials");
    let long = "y".repeat(256);
    site.try_register("long", &long).await.ok(201);
    site.try_login("long", &long[..255])
        .await
        .refused(401, "invalid-credentials");
    site.try_login("long", &format!("{long}y"))
        .await
        .refused(401, "invalid-credentials");
    site.try_login("long", &long).await.ok(200);
}

fn login(site: &Site, login: &str, password: &str) -> Request {
    let body = json!({"login": login, "password": password});
    site.post("/api/v1/user/login").json(&body)
}

async fn an_address_may_log_in_so_often(database: Database) {
    let settings = "limits.login_per_ip = \"3/1m\"\ntrusted_proxies = []";
    let site = Site::start_with(database, settings).await;
    site.register("neo").await;
    for _ in 0..3 {
        login(&site, "neo", PASSWORD).send().await.ok(200);
    }
    let before = site.service.passwords.counts().done;
    // Nobody of ours speaks for others here.
    for (name, header, value) in [
        ("neo", "x-other", "1"),
        ("NEO", "x-forwarded-for", "203.0.113.7"),
        ("smith", "x-forwarded-for", "203.0.113.8, 203.0.113.9"),
        ("neo", "forwarded", "for=203.0.113.7"),
        ("neo", "x-real-ip", "203.0.113.7"),
    ] {
        let answer = login(&site, name, PASSWORD).header(header, value).send().await;
        answer.refused(429, "too-many-requests");
        let wait_s: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=20).contains(&wait_s), "{wait_s}");
    }
    assert_eq!(site.service.passwords.counts().done, before, "nothing was hashed");
    site.clock.shift_boot(Duration::from_secs(20));
    login(&site, "neo", PASSWORD).send().await.ok(200);
    login(&site, "neo", PASSWORD)
        .send()
        .await
        .refused(429, "too-many-requests");
}

async fn failures_of_one_login_are_limited_by_network(database: Database) {
    let settings = "limits.login_per_account = \"2/1m\"\ntrusted_proxies = \"loopback\"";
    let site = Site::start_with(database, settings).await;
    let neo = site.register("neo").await;
    let from = |ip: &str, name: &str, password: &str| {
        login(&site, name, password).header("x-forwarded-for", ip).send()
    };
    from("203.0.113.7", "neo", "wrong")
        .await
        .refused(401, "invalid-credentials");
    from("203.0.113.200", "NEO", "wrong")
        .await
        .refused(401, "invalid-credentials");
    for (ip, name) in [
        ("203.0.113.7", "neo"),
        ("203.0.113.99", "\u{ff2e}\u{ff25}\u{ff2f}"),
        ("1.2.3.4, 203.0.113.8", "Neo"),
    ] {
        let answer = from(ip, name, PASSWORD).await;
        answer.refused(429, "too-many-requests");
        assert!(answer.header("retry-after").is_some());
    }
    // The owner elsewhere is not locked out, nor is anybody else.
    from("198.51.100.1", "neo", PASSWORD).await.ok(200);
    from("203.0.113.7", "smith", "wrong")
        .await
        .refused(401, "invalid-credentials");
    from("203.0.113.7", "smith", "wrong")
        .await
        .refused(401, "invalid-credentials");
    let before = site.rows().await["login_history"];
    from("203.0.113.7", "smith", "wrong")
        .await
        .refused(429, "too-many-requests");
    let unknown = site.rows().await["login_history"];
    from("203.0.113.7", "neo", "wrong")
        .await
        .refused(429, "too-many-requests");
    let known = site.rows().await["login_history"];
    assert_eq!(
        (unknown - before, known - unknown),
        (1, 1),
        "the same work, known or not"
    );
    let history = site
        .get("/api/v1/login/history")
        .bearer(&neo.access)
        .send()
        .await
        .ok(200);
    let seen: Vec<(&Value, &Value)> = history["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (&one["outcome"], &one["ip"]))
        .collect();
    assert_eq!(
        json!(seen),
        json!([
            ["throttled", "203.0.113.7"],
            ["success", "198.51.100.1"],
            ["throttled", "203.0.113.8"],
            ["throttled", "203.0.113.99"],
            ["throttled", "203.0.113.7"],
            ["wrong_password", "203.0.113.200"],
            ["wrong_password", "203.0.113.7"],
            ["success", "127.0.0.1"],
        ])
    );
    site.clock.shift_boot(Duration::from_secs(30));
    from("203.0.113.7", "neo", PASSWORD).await.ok(200);
}

async fn guesses_at_the_current_password_count_as_failed_logins(database: Database) {
    let site = Site::start_with(database, "limits.login_per_account = '3/1m'").await;
    let neo = site.register("neo").await;
    let guess = |password: &str| {
        site.patch("/api/v1/user/me")
            .bearer(&neo.access)
            .json(&json!({"login": "theone", "current_password": password}))
            .send()
    };
    for _ in 0..3 {
        guess("wrong").await.refused(403, "wrong-password");
    }
    guess(PASSWORD).await.refused(429, "too-many-requests");
    site.try_login("neo", "wrong")
        .await
        .refused(429, "too-many-requests");
}

async fn an_address_may_register_so_often(database: Database) {
    let site = Site::start_with(database, "limits.register_per_ip = \"2/1m\"").await;
    site.register("neo").await;
    // What is refused for its form is not counted.
    site.try_register("x", "y").await.refused(422, "invalid");
    site.register("trinity").await;
    let before = site.rows().await;
    let answer = site.try_register("smith", PASSWORD).await;
    answer.refused(429, "too-many-requests");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(site.rows().await, before);
    site.login("neo").await;
    site.clock.shift_boot(Duration::from_secs(30));
    site.register("smith").await;
}

async fn a_full_queue_is_said_at_once(database: Database) {
    let settings = "password.max_concurrent = 1\npassword.queue = 0\n\
                    password.memory_kib = 65536\npassword.iterations = 4";
    let site = Site::start_with(database, settings).await;
    let ask = || login(&site, "neo", "wrong").may_fail().send();
    let (one, two) = tokio::join!(ask(), ask());
    let (first, second) = if one.status == 401 { (one, two) } else { (two, one) };
    first.refused(401, "invalid-credentials");
    second.refused(503, "overloaded");
    assert_eq!(second.header("retry-after"), Some("1"));
    assert_eq!(site.rows().await["login_history"], 1);
}

async fn a_crowd_is_answered_whatever_its_number(database: Database) {
    const CROWD: usize = 1000;
    let settings = "password.max_concurrent = 2\npassword.queue = 16\npassword.memory_kib = 4096";
    let site = Site::start_with(database, settings).await;
    site.register("neo").await;
    let before = site.rows().await["login_history"];
    let mut crowd = tokio::task::JoinSet::new();
    for _ in 0..CROWD {
        crowd.spawn(login(&site, "neo", PASSWORD).may_fail().send());
    }
    let mut let_in = 0;
    while let Some(answer) = crowd.join_next().await {
        let answer = answer.unwrap();
        if answer.status == 200 {
            let_in += 1;
        } else {
            // The hashes' queue is full, or the one for the database's connections was too long.
            assert_eq!(answer.status, 503, "{}", answer.text());
            assert!(answer.header("retry-after").is_some());
        }
        let counts = site.service.passwords.counts();
        let under_way = counts.running + counts.queued;
        assert!(counts.running <= 2 && under_way <= 2 + 16, "{counts:?}");
    }
    // The two under way, and the queue behind them.
    assert!(let_in >= 16, "{let_in}");
    assert_eq!(site.rows().await["login_history"], before + let_in);
    // And nothing is left behind.
    site.login("neo").await;
}

async fn issuers_of_one_database_limit_together(database: Database) {
    let Some(redis) = RedisServer::start_or_skip("limits through Redis", "") else {
        return;
    };
    // Long enough for a machine that is busy with other tests.
    let settings = format!(
        "redis.url = {:?}\nlimits.login_per_account = '3/1h'\nlimits.register_per_ip = '2/1h'\n\
         limits.redis_timeout = '10s'",
        redis.unix_url()
    );
    let one = Site::start_with(database, &settings).await;
    let other = one.start_beside(&settings).await;
    for site in [&one, &other] {
        metric_is(site, "issuer_rate_limits_shared 1").await;
    }
    one.register("neo").await;
    other.register("trinity").await;
    one.try_register("smith", PASSWORD)
        .await
        .refused(429, "too-many-requests");
    for site in [&one, &other, &one] {
        site.try_login("neo", "wrong")
            .await
            .refused(401, "invalid-credentials");
    }
    for site in [&one, &other] {
        site.try_login("neo", PASSWORD)
            .await
            .refused(429, "too-many-requests");
        assert!(site.metrics().contains("issuer_rate_limit_fallbacks_total 0"));
    }
}

async fn redis_away_refuses_nobody_and_lifts_no_limit(database: Database) {
    let Some(mut redis) = RedisServer::start_or_skip("limits through Redis", "") else {
        return;
    };
    let settings = format!(
        "redis.url = {:?}\nlimits.login_per_account = '3/1h'\nlimits.register_per_ip = '2/1h'",
        redis.url()
    );
    let site = Site::start_with(database, &settings).await;
    metric_is(&site, "issuer_rate_limits_shared 1").await;
    site.register("neo").await;
    assert!(redis.command(&["DBSIZE"]) != ":0");
    site.login("neo").await;
    site.try_login("neo", "wrong")
        .await
        .refused(401, "invalid-credentials");

    redis.kill();
    site.login("neo").await;
    for _ in 0..2 {
        site.try_login("neo", "wrong")
            .await
            .refused(401, "invalid-credentials");
    }
    site.try_login("neo", PASSWORD)
        .await
        .refused(429, "too-many-requests");
    site.register("trinity").await;
    site.try_register("smith", PASSWORD)
        .await
        .refused(429, "too-many-requests");
    metric_is(&site, "issuer_rate_limits_shared 0").await;
    assert!(!site.metrics().contains("issuer_rate_limit_fallbacks_total 0"));

    redis.restart();
    metric_is(&site, "issuer_rate_limits_shared 1").await;
    site.try_login("neo", PASSWORD)
        .await
        .refused(429, "too-many-requests");
}

/// Waits until the metrics have this line.
async fn metric_is(site: &Site, line: &str) {
    let is_there = async {
        while !site.metrics().lines().any(|shown| shown == line) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), is_there).await;
    assert!(waited.is_ok(), "no `{line}` in {}", site.metrics());
}
