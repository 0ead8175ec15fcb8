//! Registering.

use serde_json::{Value, json};

use crate::shape::{assert_id, fields};
use crate::support::{Database, PASSWORD, Person, Site, claims};

crate::on_both_databases!(
    registering_signs_in,
    only_the_anonymous_register,
    a_taken_login_is_refused,
);

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
