//! Logging in, refreshing, logging out; sessions and the login history.

use std::time::Duration;

use issuer::password::{HashParams, HashingPool, Password};
use serde_json::{Value, json};

use crate::account::{NOBODY, assert_id, assert_time, fields};
use crate::support::{ADMIN, Database, PASSWORD, Site, claims};

crate::on_both_databases!(
    an_unknown_login_and_a_wrong_password_are_the_same,
    a_refresh_token_rotates,
    a_reused_refresh_token_ends_its_session,
    made_up_refresh_tokens_are_refused,
    a_logout_ends_one_session_or_all,
    an_old_token_will_do_for_a_logout,
    an_access_token_expires,
    sessions_are_listed_and_ended,
    the_history_tells_every_attempt,
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

async fn sessions_are_listed_and_ended(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    let admin = site.register_with(&root, "boss", &[ADMIN]).await;
    let smith = site.register("smith").await;
    let first = site.register("neo").await;
    let firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0";
    let login = site.post("/api/v1/user/login").header("user-agent", firefox);
    let second = login
        .json(&json!({"login": "neo", "password": PASSWORD}))
        .send()
        .await
        .ok(200);
    let second = crate::support::Person::of("neo", &second);
    let list = |token: &str| site.get("/api/v1/session").bearer(token).send();
    let answer = list(&second.access).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let page = answer.ok(200);
    let items = page["items"].as_array().unwrap();
    assert_eq!((items.len(), &page["next_cursor"]), (2, &Value::Null));
    assert_eq!(
        fields(&items[0]),
        [
            "created_at",
            "current",
            "device",
            "id",
            "ip",
            "last_seen_at",
            "user_agent"
        ]
    );
    assert_eq!(items[0]["id"], second.session());
    assert_eq!(items[0]["ip"], "127.0.0.1");
    assert_eq!(items[0]["user_agent"], firefox);
    assert_eq!(items[0]["device"], "Firefox on Windows");
    assert_eq!(
        (&items[0]["current"], &items[1]["current"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(items[1]["id"], first.session());
    assert_eq!(items[1]["user_agent"], Value::Null);
    assert_time(&items[0]["created_at"]);
    assert_time(&items[0]["last_seen_at"]);

    let end = |session: String, token: &str| {
        site.delete(&format!("/api/v1/session/{session}"))
            .bearer(token)
            .send()
    };
    end(first.session(), &smith.access)
        .await
        .refused(404, "not-found");
    end(root.session(), &admin.access).await.refused(404, "not-found");
    end(NOBODY.into(), &root.access).await.refused(404, "not-found");
    end(first.session(), &second.access).await.no_content();
    end(first.session(), &second.access)
        .await
        .refused(404, "not-found");
    site.get("/api/v1/user/me")
        .bearer(&first.access)
        .send()
        .await
        .unauthorised("revoked");
    assert_eq!(
        list(&second.access).await.ok(200)["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    end(second.session(), &admin.access).await.no_content();
    list(&second.access).await.unauthorised("revoked");
    end(admin.session(), &root.access).await.no_content();
    end(root.session(), &root.access).await.no_content();
    list(&root.access).await.unauthorised("revoked");
}

async fn the_history_tells_every_attempt(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    let admin = site.register_with(&root, "boss", &[ADMIN]).await;
    let (neo, smith) = (site.register("neo").await, site.register("smith").await);
    site.try_login("neo", "wrong")
        .await
        .refused(401, "invalid-credentials");
    let disable = |what: &str| {
        site.post(&format!("/api/v1/user/{}/{what}", neo.id))
            .bearer(&root.access)
            .send()
    };
    disable("disable").await.no_content();
    site.try_login("neo", PASSWORD)
        .await
        .refused(403, "account-disabled");
    disable("enable").await.no_content();
    let last = site.login("neo").await;
    let own = site
        .get("/api/v1/login/history")
        .bearer(&last.access)
        .send()
        .await;
    assert_eq!(own.header("cache-control"), Some("no-store"));
    let own = own.ok(200);
    let items = own["items"].as_array().unwrap();
    let outcomes: Vec<&str> = items.iter().map(|one| one["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["success", "disabled", "wrong_password", "success"]);
    assert_eq!(
        fields(&items[0]),
        ["at", "device", "id", "ip", "outcome", "session_id", "user_agent"]
    );
    assert_id(&items[0]["id"]);
    assert_time(&items[0]["at"]);
    assert_eq!(items[0]["session_id"], claims(&last.access)["sid"]);
    assert_eq!(items[1]["session_id"], Value::Null);
    assert_eq!(items[3]["session_id"], neo.session());
    let of_neo = format!("/api/v1/user/{}/login/history", neo.id);
    for person in [&last, &admin, &root] {
        assert_eq!(site.get(&of_neo).bearer(&person.access).send().await.ok(200), own);
    }
    site.get(&of_neo)
        .bearer(&smith.access)
        .send()
        .await
        .refused(403, "forbidden");
    let nobody = site.get(&format!("/api/v1/user/{NOBODY}/login/history"));
    nobody
        .bearer(&admin.access)
        .send()
        .await
        .refused(404, "not-found");
    let page = site
        .get(&format!("{of_neo}?limit=3"))
        .bearer(&admin.access)
        .send()
        .await
        .ok(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = site
        .get(&format!("{of_neo}?cursor={cursor}"))
        .bearer(&admin.access)
        .send()
        .await
        .ok(200);
    assert_eq!(rest["items"], json!([items[3]]));
    assert_eq!(rest["next_cursor"], Value::Null);
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
    let earlier = HashingPool::new(params, 1, 1).unwrap();
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
