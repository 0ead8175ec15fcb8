//! A new login, a new password.

use serde_json::{Value, json};

use crate::shape::NOBODY;
use crate::support::{Database, PASSWORD, Site};

crate::on_both_databases!(
    a_login_changes,
    a_new_password_ends_the_other_sessions,
    a_current_password_that_is_given_must_be_right,
    the_current_password_is_asked_for_where_it_is_configured,
);

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
