//! Registering, and what becomes of an account.

use serde_json::{Value, json};

use crate::support::{ADMIN, Database, PASSWORD, Person, Site, claims};

crate::on_both_databases!(
    registering_signs_in,
    only_the_anonymous_register,
    a_taken_login_is_refused,
    people_see_themselves_and_admins_see_all,
    a_login_changes,
    a_new_password_ends_the_other_sessions,
    a_current_password_that_is_given_must_be_right,
    the_current_password_is_asked_for_where_it_is_configured,
    an_account_is_deleted_with_what_is_personal,
    disabling_ends_every_session_at_once,
    users_are_listed_newest_first_by_prefix,
);

/// Somebody who never was.
pub(crate) const NOBODY: &str = "01890000-0000-7000-8000-00000000dead";

/// RFC 3339, UTC, `Z`, milliseconds.
#[track_caller]
pub(crate) fn assert_time(value: &Value) {
    let text = value.as_str().unwrap();
    let digits: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(digits, "0000-00-00T00:00:00.000Z", "{text}");
}

/// A UUIDv7 in lower case.
#[track_caller]
pub(crate) fn assert_id(value: &Value) {
    let text = value.as_str().unwrap();
    let id: uuid::Uuid = text.parse().unwrap();
    assert_eq!(id.get_version_num(), 7, "{text}");
    assert_eq!(id.hyphenated().to_string(), text);
}

/// The fields of an object, in order.
pub(crate) fn fields(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

async fn registering_signs_in(database: Database) {
    let site = Site::start(database).await;
    let answer = site.try_register("Neo", PASSWORD).await;
    let pair = answer.ok(201);
    let id = pair["user_id"].as_str().unwrap();
    assert_id(&pair["user_id"]);
    assert_eq!(answer.header("location").unwrap(), format!("/api/v1/user/{id}"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.all("set-cookie"), [""; 0]);
    assert_eq!(
        fields(&pair),
        [
            "access_token",
            "expires_in",
            "refresh_expires_in",
            "refresh_token",
            "token_type",
            "user_id"
        ]
    );
    assert_eq!(pair["token_type"], "Bearer");
    assert_eq!(pair["expires_in"], 900);
    let month_s = 30 * 24 * 60 * 60;
    let lives_s = pair["refresh_expires_in"].as_i64().unwrap();
    assert!((month_s - 5..=month_s).contains(&lives_s), "{lives_s}");

    let neo = Person::of("neo", &pair);
    let claims = claims(&neo.access);
    assert_eq!(
        fields(&Value::Object(claims.clone())),
        [
            "aud",
            "client_id",
            "exp",
            "iat",
            "iss",
            "jti",
            "nbf",
            "roles",
            "rver",
            "sid",
            "sub",
            "ver"
        ],
        "`superuser` stands only where it is true"
    );
    assert_eq!(claims["iss"], "https://auth.example.org");
    assert_eq!(claims["aud"], "movies");
    assert_eq!(claims["sub"], neo.id);
    assert_eq!(claims["client_id"], "web");
    assert_eq!(claims["roles"], json!(["user"]));
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        900
    );
    assert_id(&claims["jti"]);
    let root = site.superuser("root").await;
    assert_eq!(crate::support::claims(&root.access)["superuser"], true);
}

async fn only_the_anonymous_register(database: Database) {
    let site = Site::start(database).await;
    let neo = site.register("neo").await;
    let before = site.rows().await;
    let body = json!({"login": "trinity", "password": PASSWORD});
    let ask = || site.post("/api/v1/user").json(&body);
    ask()
        .bearer(&neo.access)
        .send()
        .await
        .refused(403, "already-signed-in");
    // By cookie alone, and from wherever.
    ask()
        .access_cookie(&neo.access)
        .send()
        .await
        .refused(403, "already-signed-in");
    let elsewhere = ask()
        .access_cookie(&neo.access)
        .header("origin", "https://evil.example");
    elsewhere.send().await.refused(403, "already-signed-in");
    // Before anything is said of the body.
    let broken = site
        .post("/api/v1/user")
        .bearer(&neo.access)
        .body("{")
        .send()
        .await;
    broken.refused(403, "already-signed-in");
    assert_eq!(site.rows().await, before);
    // What does not hold counts as none.
    for (login, token) in [
        ("trinity", site.expired(&neo.access)),
        ("morpheus", "garbage".to_owned()),
        ("tank", site.resigned(&neo.access, "aud", "games")),
    ] {
        let body = json!({"login": login, "password": PASSWORD});
        site.post("/api/v1/user")
            .json(&body)
            .bearer(&token)
            .send()
            .await
            .ok(201);
    }
    site.post("/api/v1/user/logout")
        .bearer(&neo.access)
        .send()
        .await
        .no_content();
    let body = json!({"login": "cypher", "password": PASSWORD});
    site.post("/api/v1/user")
        .json(&body)
        .access_cookie(&neo.access)
        .send()
        .await
        .ok(201);
}

async fn a_taken_login_is_refused(database: Database) {
    let site = Site::start(database).await;
    site.register("neo").await;
    let before = site.rows().await;
    for login in ["neo", "NEO", "\u{ff2e}\u{ff45}\u{ff4f}"] {
        site.try_register(login, "another good password")
            .await
            .refused(409, "login-taken");
    }
    assert_eq!(site.rows().await, before);
    site.login("neo").await;
}

async fn people_see_themselves_and_admins_see_all(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    let admin = site.register_with(&root, "boss", &[ADMIN]).await;
    let (neo, smith) = (site.register("neo").await, site.register("smith").await);
    let by_id = format!("/api/v1/user/{}", neo.id);
    let me = site.get("/api/v1/user/me").bearer(&neo.access).send().await;
    assert_eq!(me.header("cache-control"), Some("no-store"));
    let me = me.ok(200);
    assert_eq!(
        fields(&me),
        [
            "active",
            "created_at",
            "id",
            "login",
            "roles",
            "superuser",
            "updated_at"
        ]
    );
    assert_eq!(me["id"], neo.id);
    assert_eq!(me["login"], "neo");
    assert_eq!((&me["superuser"], &me["active"]), (&json!(false), &json!(true)));
    assert_eq!(me["roles"], json!(["user"]));
    assert_time(&me["created_at"]);
    assert_time(&me["updated_at"]);
    for person in [&neo, &admin, &root] {
        assert_eq!(site.get(&by_id).bearer(&person.access).send().await.ok(200), me);
    }
    site.get(&by_id)
        .bearer(&smith.access)
        .send()
        .await
        .refused(403, "forbidden");
    let nobody = format!("/api/v1/user/{NOBODY}");
    site.get(&nobody)
        .bearer(&admin.access)
        .send()
        .await
        .refused(404, "not-found");
    // Whether there is somebody is not told to those who may not see them.
    site.get(&nobody)
        .bearer(&smith.access)
        .send()
        .await
        .refused(403, "forbidden");
    let root_seen = site
        .get("/api/v1/user/me")
        .bearer(&root.access)
        .send()
        .await
        .ok(200);
    assert_eq!(root_seen["superuser"], true);
}

async fn a_login_changes(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    let (neo, smith) = (site.register("neo").await, site.register("smith").await);
    let me = || site.patch("/api/v1/user/me").bearer(&neo.access);
    let by_id = format!("/api/v1/user/{}", neo.id);
    let seen = me().json(&json!({})).send().await.ok(200);
    assert_eq!(seen["login"], "neo");
    let answer = me().json(&json!({"login": "TheOne"})).send().await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.ok(200)["login"], "theone");
    // A login says nothing of what one may do: the token stays good, and the sessions.
    me().json(&json!({"login": "smith"}))
        .send()
        .await
        .refused(409, "login-taken");
    me().json(&json!({"login": "a b"}))
        .send()
        .await
        .invalid(&[("login", "invalid")]);
    me().json(&json!({"login": "theone"})).send().await.ok(200);
    site.try_login("neo", PASSWORD)
        .await
        .refused(401, "invalid-credentials");
    site.login("theone").await;
    let other = site
        .patch(&by_id)
        .bearer(&smith.access)
        .json(&json!({"login": "x_y_z"}));
    other.send().await.refused(403, "forbidden");
    let other = site
        .patch(&by_id)
        .bearer(&root.access)
        .json(&json!({"login": "anderson"}));
    assert_eq!(other.send().await.ok(200)["login"], "anderson");
    let nobody = site.patch(&format!("/api/v1/user/{NOBODY}")).bearer(&root.access);
    nobody
        .json(&json!({"login": "ghost"}))
        .send()
        .await
        .refused(404, "not-found");
}

async fn a_new_password_ends_the_other_sessions(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    let (neo, other) = (site.register("neo").await, site.login("neo").await);
    let new = "knock, knock, neo";
    let change = site
        .patch("/api/v1/user/me")
        .bearer(&neo.access)
        .json(&json!({"password": new}));
    assert_eq!(change.send().await.ok(200)["id"], neo.id);
    let me = |token: &str| site.get("/api/v1/user/me").bearer(token).send();
    me(&neo.access).await.unauthorised("stale");
    me(&other.access).await.unauthorised("revoked");
    site.try_refresh(&other.refresh)
        .await
        .refused(401, "invalid-refresh-token");
    let neo = site.refresh(&neo).await;
    me(&neo.access).await.ok(200);
    site.try_login("neo", PASSWORD)
        .await
        .refused(401, "invalid-credentials");
    site.try_login("neo", new).await.ok(200);
    // By somebody else it ends every one.
    let change = site
        .patch(&format!("/api/v1/user/{}", neo.id))
        .bearer(&root.access);
    change
        .json(&json!({"password": "there is no spoon"}))
        .send()
        .await
        .ok(200);
    me(&neo.access).await.unauthorised("revoked");
    site.try_refresh(&neo.refresh)
        .await
        .refused(401, "invalid-refresh-token");
    me(&root.access).await.ok(200);
    site.try_login("neo", "there is no spoon").await.ok(200);
}

async fn a_current_password_that_is_given_must_be_right(database: Database) {
    let site = Site::start(database).await;
    let neo = site.register("neo").await;
    let me = |body: Value| {
        site.patch("/api/v1/user/me")
            .bearer(&neo.access)
            .json(&body)
            .send()
    };
    let wrong = json!({"password": "knock, knock, neo", "login": "theone", "current_password": "wrong"});
    me(wrong).await.refused(403, "wrong-password");
    assert_eq!(
        site.get("/api/v1/user/me")
            .bearer(&neo.access)
            .send()
            .await
            .ok(200)["login"],
        "neo"
    );
    site.login("neo").await;
    me(json!({"login": "theone", "current_password": PASSWORD}))
        .await
        .ok(200);
    me(json!({"password": "short"}))
        .await
        .invalid(&[("password", "too_short")]);
    me(json!({"password": "knock, knock, neo", "current_password": PASSWORD}))
        .await
        .ok(200);
}

async fn the_current_password_is_asked_for_where_it_is_configured(database: Database) {
    let site = Site::start_with(database, "account.require_current_password = true").await;
    let root = site.superuser("root").await;
    let neo = site.register("neo").await;
    let me = |body: Value| {
        site.patch("/api/v1/user/me")
            .bearer(&neo.access)
            .json(&body)
            .send()
    };
    me(json!({"login": "theone"}))
        .await
        .invalid(&[("current_password", "missing")]);
    me(json!({"login": "theone", "current_password": "wrong"}))
        .await
        .refused(403, "wrong-password");
    me(json!({"login": "theone", "current_password": PASSWORD}))
        .await
        .ok(200);
    let other = site
        .patch(&format!("/api/v1/user/{}", neo.id))
        .bearer(&root.access);
    other.json(&json!({"login": "anderson"})).send().await.ok(200);
}

async fn an_account_is_deleted_with_what_is_personal(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    let before = site.rows().await;
    let (neo, smith) = (site.register("neo").await, site.register("smith").await);
    site.try_login("neo", "wrong")
        .await
        .refused(401, "invalid-credentials");
    let by_id = format!("/api/v1/user/{}", neo.id);
    site.delete(&by_id)
        .bearer(&smith.access)
        .send()
        .await
        .refused(403, "forbidden");
    site.delete("/api/v1/user/me")
        .bearer(&neo.access)
        .send()
        .await
        .no_content();
    site.get("/api/v1/user/me")
        .bearer(&neo.access)
        .send()
        .await
        .unauthorised("revoked");
    site.try_refresh(&neo.refresh)
        .await
        .refused(401, "invalid-refresh-token");
    site.try_login("neo", PASSWORD)
        .await
        .refused(401, "invalid-credentials");
    site.get(&by_id)
        .bearer(&root.access)
        .send()
        .await
        .refused(404, "not-found");
    site.delete(&by_id)
        .bearer(&root.access)
        .send()
        .await
        .refused(404, "not-found");
    let by_id = format!("/api/v1/user/{}", smith.id);
    site.delete(&by_id).bearer(&root.access).send().await.no_content();
    let mut after = site.rows().await;
    // What is left are the facts for the edges, and an attempt to log in to nobody.
    assert!(after["outbox"] > before["outbox"]);
    assert_eq!(after["login_history"], before["login_history"] + 1);
    for table in ["outbox", "login_history"] {
        after.insert(table, before[table]);
    }
    assert_eq!(after, before);
    // The login is free again.
    assert_ne!(site.register("neo").await.id, neo.id);
}

async fn disabling_ends_every_session_at_once(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    let admin = site.register_with(&root, "boss", &[ADMIN]).await;
    let neo = site.register("neo").await;
    let act = |what: &str| {
        site.post(&format!("/api/v1/user/{}/{what}", neo.id))
            .bearer(&admin.access)
            .send()
    };
    act("disable").await.no_content();
    act("disable").await.no_content();
    site.get("/api/v1/user/me")
        .bearer(&neo.access)
        .send()
        .await
        .unauthorised("revoked");
    site.try_refresh(&neo.refresh)
        .await
        .refused(401, "invalid-refresh-token");
    site.try_login("neo", "wrong")
        .await
        .refused(401, "invalid-credentials");
    site.try_login("neo", PASSWORD)
        .await
        .refused(403, "account-disabled");
    let seen = site
        .get(&format!("/api/v1/user/{}", neo.id))
        .bearer(&admin.access)
        .send()
        .await;
    assert_eq!(seen.ok(200)["active"], false);
    act("enable").await.no_content();
    act("enable").await.no_content();
    site.get("/api/v1/user/me")
        .bearer(&neo.access)
        .send()
        .await
        .unauthorised("revoked");
    site.login("neo").await;
    for what in ["disable", "enable"] {
        let nobody = site
            .post(&format!("/api/v1/user/{NOBODY}/{what}"))
            .bearer(&admin.access);
        nobody.send().await.refused(404, "not-found");
    }
}

async fn users_are_listed_newest_first_by_prefix(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    for login in ["neo_1", "neo%2", "neo3", "trinity", "ne\u{f6}"] {
        site.register(login).await;
    }
    let list = |query: &str| {
        site.get(&format!("/api/v1/user?{query}"))
            .bearer(&root.access)
            .send()
    };
    let logins = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap();
        items
            .iter()
            .map(|user| user["login"].as_str().unwrap().to_owned())
            .collect()
    };
    let page = list("").await;
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let page = page.ok(200);
    assert_eq!(fields(&page), ["items", "next_cursor"]);
    assert_eq!(page["next_cursor"], Value::Null);
    assert_eq!(
        logins(&page),
        ["ne\u{f6}", "trinity", "neo3", "neo%2", "neo_1", "root"]
    );
    for (query, expected) in [
        ("login=neo", vec!["neo3", "neo%2", "neo_1"]),
        ("login=NEO", vec!["neo3", "neo%2", "neo_1"]),
        (
            "login=%EF%BC%AE%EF%BC%A5",
            vec!["ne\u{f6}", "neo3", "neo%2", "neo_1"],
        ),
        ("login=neo_", vec!["neo_1"]),
        ("login=neo%25", vec!["neo%2"]),
        ("login=_", vec![]),
        ("login=%25", vec![]),
        ("login=a%20b", vec![]),
        ("login=zzz", vec![]),
        (
            "login=",
            vec!["ne\u{f6}", "trinity", "neo3", "neo%2", "neo_1", "root"],
        ),
    ] {
        assert_eq!(logins(&list(query).await.ok(200)), expected, "{query}");
    }
    let (mut cursor, mut walked) = (String::new(), Vec::new());
    for size in [2, 2, 2] {
        let page = list(&format!("limit=2{cursor}")).await.ok(200);
        assert_eq!(logins(&page).len(), size);
        walked.extend(logins(&page));
        cursor = page["next_cursor"]
            .as_str()
            .map(|text| format!("&cursor={text}"))
            .unwrap_or_default();
    }
    assert_eq!((walked.len(), cursor.as_str()), (6, ""));
    walked.sort();
    walked.dedup();
    assert_eq!(walked.len(), 6);
}
