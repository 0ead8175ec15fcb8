//! `POST /oauth2/introspect` (RFC 7662).

use std::time::Duration;

use serde_json::{Value, json};

use crate::shape::fields;
use crate::support::{ADMIN, Database, Machine, Site, USER, claims};

crate::on_both_databases!(
    an_access_token_is_told_of,
    a_refresh_token_is_told_of_and_left_alone,
    what_does_not_hold_is_inactive_and_nothing_else,
    a_refresh_token_that_came_back_ends_nothing_here,
);

/// What a service is told of a token.
async fn told(site: &Site, gateway: &Machine, token: &str) -> Value {
    let asked = site.oauth("introspect", gateway, &[("token", token)]);
    asked.send().await.ok(200)
}

async fn an_access_token_is_told_of(database: Database) {
    let site = Site::start(database).await;
    let gateway = site.machine("gateway", &[]).await;
    let root = site.superuser("root").await;
    let neo = site.register("neo").await;
    for hint in ["access_token", "refresh_token", "nonsense"] {
        let form = [("token", neo.access.as_str()), ("token_type_hint", hint)];
        let answer = site.oauth("introspect", &gateway, &form).send().await;
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.ok(200)["active"], true, "{hint}");
    }
    let said = told(&site, &gateway, &neo.access).await;
    assert_eq!(
        fields(&said),
        [
            "active",
            "aud",
            "client_id",
            "exp",
            "iat",
            "iss",
            "jti",
            "nbf",
            "roles",
            "sid",
            "sub",
            "token_type",
            "username"
        ]
    );
    let token = claims(&neo.access);
    for claim in [
        "aud",
        "client_id",
        "exp",
        "iat",
        "iss",
        "jti",
        "nbf",
        "roles",
        "sid",
        "sub",
    ] {
        assert_eq!(said[claim], token[claim], "{claim}");
    }
    assert_eq!(
        (&said["token_type"], &said["username"]),
        (&json!("Bearer"), &json!("neo"))
    );
    let said = told(&site, &gateway, &root.access).await;
    assert_eq!(
        (&said["superuser"], &said["username"]),
        (&json!(true), &json!("root"))
    );
    // A service's.
    let machine = site.machine("film-etl", &["user"]).await;
    let said = told(&site, &gateway, &site.machine_token(&machine).await).await;
    assert_eq!(
        (&said["active"], &said["client_id"]),
        (&json!(true), &json!("film-etl"))
    );
    assert_eq!(
        (&said["roles"], &said["username"]),
        (&json!(["user"]), &Value::Null)
    );
    assert_eq!(said["sid"], said["jti"]);
}

async fn a_refresh_token_is_told_of_and_left_alone(database: Database) {
    let site = Site::start(database).await;
    let gateway = site.machine("gateway", &[]).await;
    let neo = site.register("neo").await;
    let sessions = "SELECT COUNT(*) FROM refresh_tokens";
    for _ in 0..2 {
        let said = told(&site, &gateway, &neo.refresh).await;
        assert_eq!(
            fields(&said),
            [
                "active",
                "client_id",
                "exp",
                "iss",
                "sid",
                "sub",
                "token_type",
                "username"
            ]
        );
        assert_eq!(
            (&said["active"], &said["token_type"]),
            (&json!(true), &json!("refresh_token"))
        );
        assert_eq!((&said["sub"], &said["username"]), (&json!(neo.id), &json!("neo")));
        assert_eq!(
            (&said["sid"], &said["client_id"]),
            (&json!(neo.session()), &json!("web"))
        );
        let days = (said["exp"].as_i64().unwrap() - site.now().to_seconds().0) / (24 * 60 * 60);
        assert!((29..=30).contains(&days), "{said}");
        assert_eq!(site.database.number(sessions).await, 1, "it was exchanged");
    }
    // Its successor and itself within the grace: it would be exchanged.
    let next = site.refresh(&neo).await;
    let newest = site.refresh(&next).await;
    for token in [&neo.refresh, &next.refresh, &newest.refresh] {
        assert_eq!(told(&site, &gateway, token).await["active"], true);
    }
    let out = site.post("/api/v1/user/logout").bearer(&newest.access);
    out.send().await.no_content();
    for token in [&neo.refresh, &next.refresh, &newest.refresh] {
        assert_eq!(told(&site, &gateway, token).await, json!({"active": false}));
    }
}

async fn a_refresh_token_that_came_back_ends_nothing_here(database: Database) {
    // Grace is on the database's clock, which a test cannot shift: there is none.
    let site = Site::start_with(database, "tokens.refresh_grace = \"0s\"").await;
    let gateway = site.machine("gateway", &[]).await;
    let neo = site.register("neo").await;
    let newest = site.refresh(&site.refresh(&neo).await).await;
    let used_at = site.now();
    while site.now() <= used_at.plus(Duration::from_millis(2)) {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        told(&site, &gateway, &neo.refresh).await,
        json!({"active": false})
    );
    assert_eq!(told(&site, &gateway, &newest.refresh).await["active"], true);
    site.refresh(&newest).await;
}

async fn what_does_not_hold_is_inactive_and_nothing_else(database: Database) {
    let site = Site::start(database).await;
    let gateway = site.machine("gateway", &[]).await;
    let root = site.superuser("root").await;
    let (out, stale, disabled) = (
        site.register("out").await,
        site.register("stale").await,
        site.register("disabled").await,
    );
    site.post("/api/v1/user/logout")
        .bearer(&out.access)
        .send()
        .await
        .no_content();
    for path in [
        format!("/api/v1/user/{}/role/{ADMIN}", stale.id),
        format!("/api/v1/user/{}/disable", disabled.id),
    ] {
        site.post(&path).bearer(&root.access).send().await.no_content();
    }
    let rotated = site.machine_token(&site.machine("rotated", &[]).await).await;
    site.service
        .rotate_client_secret(&"rotated".parse().unwrap())
        .await
        .unwrap();
    let deleted = site.machine_token(&site.machine("deleted", &[]).await).await;
    site.service
        .delete_client(&"deleted".parse().unwrap())
        .await
        .unwrap();
    let machine = site.machine("revoked", &[]).await;
    let revoked = site.machine_token(&machine).await;
    site.oauth("revoke", &machine, &[("token", &revoked)])
        .send()
        .await
        .is(200);
    let (signed, signature) = root.access.rsplit_once('.').unwrap();
    for (what, token) in [
        ("garbage", "garbage".to_owned()),
        ("an id", USER.to_owned()),
        ("NUL", "\0".to_owned()),
        ("cut", format!("{signed}.{}", &signature[4..])),
        ("expired", site.expired(&root.access)),
        ("for others", site.resigned(&root.access, "aud", "games")),
        (
            "of others",
            site.resigned(&root.access, "iss", "https://evil.example"),
        ),
        ("logged out", out.access),
        ("of a session that ended", out.refresh),
        ("stale", stale.access),
        ("disabled", disabled.access),
        ("refresh token of somebody disabled", disabled.refresh),
        (
            "made up",
            "usher_rt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned(),
        ),
        ("a secret", machine.secret.clone()),
        ("of a rotated client", rotated),
        ("of a deleted client", deleted),
        ("revoked", revoked),
    ] {
        assert_eq!(
            told(&site, &gateway, &token).await,
            json!({"active": false}),
            "{what}"
        );
    }
    // Stale tokens come with a refresh token that holds.
    assert_eq!(told(&site, &gateway, &stale.refresh).await["active"], true);
    let web = site.web("introspect", &[("token", &root.access)]).send().await;
    web.oauth_error(401, "invalid_client");
}
