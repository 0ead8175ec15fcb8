//! Logging in, refreshing, logging out; sessions and the login history.

use std::time::Duration;

use issuer::password::{HashParams, HashingPool, Password, PoolSettings};
use serde_json::{Value, json};

use crate::shape::fields;
use crate::support::{ADMIN, Database, PASSWORD, Site};

crate::on_both_databases!(
    an_unknown_login_and_a_wrong_password_are_the_same,
    a_refresh_token_rotates,
    many_exchanges_at_once_leave_one_live_token,
    a_reused_refresh_token_ends_its_session,
    made_up_refresh_tokens_are_refused,
    a_logout_ends_one_session_or_all,
    an_old_token_will_do_for_a_logout,
    an_access_token_expires,
    a_raised_cost_rehashes_at_the_next_login,
);

async fn an_unknown_login_and_a_wrong_password_are_the_same(database: Database) {
    let site = Site::start(database).await;
    site.register("neo").await;
    let mut seen = Vec::new();
    let long = "x".repeat(10_000);
    for (login, password) in [
        ("neo", "wrong"),
        ("nobody", "wrong"),
        ("a b", "wrong"),
        ("", "wrong"),
        ("neo", ""),
        ("nobody", ""),
        ("neo", long.as_str()),
        ("nobody", long.as_str()),
        (long.as_str(), "wrong"),
        ("neo\0", "wrong"),
        ("neo", "follow the white rabbit\0"),
    ] {
        let (rows, hashes) = (site.rows().await, site.service.passwords.counts().done);
        let answer = site.try_login(login, password).await;
        let mut problem = answer.refused(401, "invalid-credentials");
        problem["request_id"] = Value::Null;
        let mut headers = answer.headers.clone();
        headers.retain(|(name, _)| !matches!(name.as_str(), "x-request-id" | "date"));
        let mut rows_now = site.rows().await;
        assert_eq!(rows_now["login_history"], rows["login_history"] + 1, "{login}");
        rows_now.insert("login_history", rows["login_history"]);
        assert_eq!(rows_now, rows);
        assert_eq!(
            site.service.passwords.counts().done,
            hashes + 1,
            "{login}: hashes"
        );
        seen.push((problem, headers));
    }
    let first = seen[0].clone();
    assert!(seen.into_iter().all(|one| one == first));
}

async fn a_refresh_token_rotates(database: Database) {
    let site = Site::start(database).await;
    let neo = site.register("neo").await;
    let answer = site.try_refresh(&neo.refresh).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let pair = answer.ok(200);
    let next = crate::support::Person::of("neo", &pair);
    assert_ne!(next.refresh, neo.refresh);
    assert_eq!(next.id, neo.id);
    assert_eq!(next.session(), neo.session());
    assert_eq!(fields(&pair).len(), 6);
    // A lost answer: the same successor again, as long as it was not used.
    assert_eq!(site.refresh(&neo).await.refresh, next.refresh);
    // Tabs that race: within the grace, the newest.
    let newest = site.refresh(&next).await;
    assert_eq!(site.refresh(&neo).await.refresh, newest.refresh);
    assert_eq!(site.refresh(&next).await.refresh, newest.refresh);
    for person in [&neo, &next, &newest] {
        site.get("/api/v1/user/me")
            .bearer(&person.access)
            .send()
            .await
            .ok(200);
    }
    let rows = site.rows().await;
    assert_eq!(
        (rows["sessions"], rows["login_history"]),
        (1, 1),
        "a refresh is no login"
    );
}

async fn many_exchanges_at_once_leave_one_live_token(database: Database) {
    const AT_ONCE: usize = 50;
    // Two issuers of one database.
    let one = Site::start(database).await;
    let other = one.start_beside("").await;
    let neo = one.register("neo").await;
    for round in 0..2 {
        let before = one.refresh(&neo).await;
        let mut exchanges = tokio::task::JoinSet::new();
        for number in 0..AT_ONCE {
            let site = if number % 2 == 0 { &one } else { &other };
            let body = json!({"refresh_token": before.refresh});
            let exchange = site.post("/api/v1/token/refresh").json(&body);
            exchanges.spawn(exchange.send());
        }
        let mut newest = std::collections::BTreeSet::new();
        while let Some(answer) = exchanges.join_next().await {
            let pair = answer.unwrap().ok(200);
            newest.insert(pair["refresh_token"].as_str().unwrap().to_owned());
        }
        assert_eq!(newest.len(), 1, "everybody has the same one");
        // Of all that were ever given out, one can be exchanged for something new.
        let unused = "SELECT COUNT(*) FROM refresh_tokens WHERE used_at IS NULL";
        assert_eq!(one.database.number(unused).await, 1);
        let tokens = one.database.number("SELECT COUNT(*) FROM refresh_tokens").await;
        assert_eq!(tokens, 3 + round);
    }
    assert_eq!(one.rows().await["outbox"], 0, "nobody was taken for a thief");
}

async fn a_reused_refresh_token_ends_its_session(database: Database) {
    // Grace is on the database's clock, which a test cannot shift: there is none.
    let site = Site::start_with(database, "tokens.refresh_grace = \"0s\"").await;
    let (neo, other) = (site.register("neo").await, site.login("neo").await);
    let next = site.refresh(&neo).await;
    let newest = site.refresh(&next).await;
    // Time by which the successor's use is surely past, however coarse it is kept.
    let used_at = site.now();
    while site.now() <= used_at.plus(Duration::from_millis(2)) {
        tokio::task::yield_now().await;
    }
    let problem = site
        .try_refresh(&neo.refresh)
        .await
        .refused(401, "refresh-token-reused");
    assert_eq!(problem["reason"], Value::Null);
    for person in [&neo, &next, &newest] {
        site.get("/api/v1/user/me")
            .bearer(&person.access)
            .send()
            .await
            .unauthorised("revoked");
        site.try_refresh(&person.refresh)
            .await
            .refused(401, "invalid-refresh-token");
    }
    site.get("/api/v1/user/me")
        .bearer(&other.access)
        .send()
        .await
        .ok(200);
}

async fn made_up_refresh_tokens_are_refused(database: Database) {
    let site = Site::start(database).await;
    let neo = site.register("neo").await;
    let mut flipped = neo.refresh.clone();
    let last = if flipped.pop() == Some('A') { 'B' } else { 'A' };
    flipped.push(last);
    for token in [
        "",
        "x",
        &neo.access,
        &flipped,
        &neo.refresh[1..],
        &format!("{} ", neo.refresh),
        "\0",
    ] {
        site.try_refresh(token)
            .await
            .refused(401, "invalid-refresh-token");
    }
    site.post("/api/v1/token/refresh")
        .send()
        .await
        .refused(401, "invalid-refresh-token");
    site.refresh(&neo).await;
}

async fn a_logout_ends_one_session_or_all(database: Database) {
    let site = Site::start(database).await;
    let (one, two, three) = (
        site.register("neo").await,
        site.login("neo").await,
        site.login("neo").await,
    );
    let smith = site.register("smith").await;
    let me = |token: &str| site.get("/api/v1/user/me").bearer(token).send();
    let out = |query: &str, token: &str| {
        site.post(&format!("/api/v1/user/logout{query}"))
            .bearer(token)
            .send()
    };
    let answer = out("", &one.access).await;
    answer.no_content();
    let deleted = answer.all("set-cookie");
    assert_eq!(deleted.len(), 2);
    assert!(
        deleted.iter().all(|cookie| cookie.contains("=; Max-Age=0; ")),
        "{deleted:?}"
    );
    me(&one.access).await.unauthorised("revoked");
    site.try_refresh(&one.refresh)
        .await
        .refused(401, "invalid-refresh-token");
    me(&two.access).await.ok(200);
    out("?all=maybe", &two.access)
        .await
        .invalid(&[("all", "invalid")]);
    out("?all=false", &two.access).await.no_content();
    me(&three.access).await.ok(200);
    let four = site.login("neo").await;
    out("?all=true", &three.access).await.no_content();
    for person in [&three, &four] {
        me(&person.access).await.unauthorised("revoked");
        site.try_refresh(&person.refresh)
            .await
            .refused(401, "invalid-refresh-token");
    }
    me(&smith.access).await.ok(200);
    site.login("neo").await;
}

async fn an_old_token_will_do_for_a_logout(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    let out = |token: String| site.post("/api/v1/user/logout").bearer(&token).send();
    let neo = site.register("neo").await;
    out(site.expired(&neo.access)).await.no_content();
    site.get("/api/v1/user/me")
        .bearer(&neo.access)
        .send()
        .await
        .unauthorised("revoked");
    out(neo.access.clone()).await.no_content();
    // Stale.
    let neo = site.login("neo").await;
    let grant = site.post(&format!("/api/v1/user/{}/role/{ADMIN}", neo.id));
    grant.bearer(&root.access).send().await.no_content();
    site.get("/api/v1/user/me")
        .bearer(&neo.access)
        .send()
        .await
        .unauthorised("stale");
    out(neo.access.clone()).await.no_content();
    site.get("/api/v1/user/me")
        .bearer(&neo.access)
        .send()
        .await
        .unauthorised("revoked");
    site.try_refresh(&neo.refresh)
        .await
        .refused(401, "invalid-refresh-token");
    // Not ours.
    out(site.resigned(&root.access, "aud", "games"))
        .await
        .unauthorised("wrong_audience");
    out(site.resigned(&root.access, "iss", "https://evil.example"))
        .await
        .unauthorised("wrong_issuer");
    site.get("/api/v1/user/me")
        .bearer(&root.access)
        .send()
        .await
        .ok(200);
    // Of somebody who is gone.
    let smith = site.register("smith").await;
    site.delete("/api/v1/user/me")
        .bearer(&smith.access)
        .send()
        .await
        .no_content();
    out(smith.access).await.no_content();
}

async fn an_access_token_expires(database: Database) {
    let site = Site::start(database).await;
    let neo = site.register("neo").await;
    let me = || site.get("/api/v1/user/me").bearer(&neo.access).send();
    site.clock.shift_wall(Duration::from_secs(890));
    me().await.ok(200);
    site.clock.shift_wall(Duration::from_secs(10));
    me().await.unauthorised("expired");
}

async fn a_raised_cost_rehashes_at_the_next_login(database: Database) {
    let site = Site::start_with(database, "password.memory_kib = 64").await;
    site.register("neo").await;
    let stored = || site.database.texts("SELECT password_hash FROM users");
    let now = stored().await.remove(0);
    assert!(now.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{now}");
    let hashes = || site.service.passwords.counts().done;
    let before = hashes();
    site.login("neo").await;
    assert_eq!((stored().await, hashes()), (vec![now], before + 1));
    // As an earlier configuration hashed it.
    let params = HashParams {
        memory_kib: 16,
        iterations: 1,
        parallelism: 1,
    };
    let settings = PoolSettings {
        max_concurrent: 1,
        queue: 1,
        failure_floor: Duration::ZERO,
    };
    let earlier = HashingPool::new(params, settings, site.clock.clone()).unwrap();
    let password = Password::presented(&PASSWORD.into());
    let old = earlier.hash(&password).await.unwrap();
    let update = format!("UPDATE users SET password_hash = '{old}'");
    site.database.run(&update).await;
    site.try_login("neo", "wrong")
        .await
        .refused(401, "invalid-credentials");
    assert_eq!(stored().await, [old]);
    let before = hashes();
    site.login("neo").await;
    let new = stored().await.remove(0);
    assert!(new.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{new}");
    assert_eq!(hashes(), before + 2);
    site.login("neo").await;
}
