//! Services as callers of the issuer's own API.

use serde_json::{Value, json};

use crate::shape::NOBODY;
use crate::support::{ADMIN, Database, Machine, Site, USER, claims};

crate::on_both_databases!(
    a_service_does_what_its_roles_allow,
    what_needs_a_person_is_refused,
    a_new_secret_ends_the_old_tokens,
    a_deleted_client_is_gone,
    a_role_follows_its_rename_and_goes_with_it,
    a_service_logs_out,
);

async fn a_service_does_what_its_roles_allow(database: Database) {
    let site = Site::start(database).await;
    let editor = site
        .machine_token(&site.machine("film-etl", &["role_editor"]).await)
        .await;
    let admin = site
        .machine_token(&site.machine("back-office", &["admin"]).await)
        .await;
    let plain = site.machine_token(&site.machine("plain", &[]).await).await;
    let neo = site.register("neo").await;

    // The ETL.
    let label = site
        .put("/api/v1/label/paid")
        .bearer(&editor)
        .json(&json!({"roles": ["user"], "anonymous": false}));
    label.send().await.ok(201);
    let lines = |token: &str| {
        let line = format!("{{\"film_id\":\"{NOBODY}\",\"labels\":[\"paid\"]}}\n");
        let request = site.post("/api/v1/film/label").bearer(token);
        request
            .header("content-type", "application/x-ndjson")
            .body(line)
            .send()
    };
    assert_eq!(lines(&editor).await.ok(200)["accepted"], 1);
    let film = site.get(&format!("/api/v1/film/{NOBODY}/label")).bearer(&plain);
    assert_eq!(film.send().await.ok(200)["labels"], json!(["paid"]));

    // Roles.
    let made = site
        .post("/api/v1/role")
        .bearer(&editor)
        .json(&json!({"name": "subscriber"}));
    let role = made.send().await.ok(201)["id"].as_str().unwrap().to_owned();
    let give = |token: &str, role: &str| {
        let path = format!("/api/v1/user/{}/role/{role}", neo.id);
        site.post(&path).bearer(token).send()
    };
    give(&editor, &role).await.no_content();
    // The built-in powers are a superuser's to give.
    give(&editor, ADMIN).await.refused(403, "forbidden");

    // What an admin may.
    let users = site.get("/api/v1/user").bearer(&admin).send().await.ok(200);
    assert_eq!(users["items"][0]["login"], "neo");
    let disable = format!("/api/v1/user/{}/disable", neo.id);
    site.post(&disable).bearer(&admin).send().await.no_content();
    site.get("/api/v1/user/me")
        .bearer(&neo.access)
        .send()
        .await
        .refused(401, "invalid-token");

    for token in [&plain, &admin] {
        lines(token).await.refused(403, "forbidden");
        give(token, USER).await.refused(403, "forbidden");
    }
    for token in [&plain, &editor] {
        site.get("/api/v1/user")
            .bearer(token)
            .send()
            .await
            .refused(403, "forbidden");
        site.post(&disable)
            .bearer(token)
            .send()
            .await
            .refused(403, "forbidden");
    }
    // Nobody grants to a service but the operator.
    let id = claims(&plain)["sub"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/user/{id}/role/{role}");
    site.post(&path)
        .bearer(&editor)
        .send()
        .await
        .refused(404, "not-found");
}

async fn what_needs_a_person_is_refused(database: Database) {
    let site = Site::start(database).await;
    let token = site
        .machine_token(&site.machine("film-etl", &["role_editor", "admin"]).await)
        .await;
    for (method, path) in [
        ("GET", "/api/v1/user/me"),
        ("PATCH", "/api/v1/user/me"),
        ("DELETE", "/api/v1/user/me"),
        ("GET", "/api/v1/login/history"),
        ("GET", "/api/v1/session"),
    ] {
        let request = site.request(method, path).bearer(&token);
        let request = if method == "PATCH" {
            request.json(&json!({"password": "follow the white rabbit"}))
        } else {
            request
        };
        request.send().await.refused(403, "forbidden");
    }
    // By its id it is no user either.
    let id = claims(&token)["sub"].as_str().unwrap().to_owned();
    for (method, path) in [
        ("GET", format!("/api/v1/user/{id}")),
        ("PATCH", format!("/api/v1/user/{id}")),
        ("DELETE", format!("/api/v1/user/{id}")),
        ("GET", format!("/api/v1/user/{id}/role")),
        ("GET", format!("/api/v1/user/{id}/login/history")),
        ("POST", format!("/api/v1/user/{id}/disable")),
        (
            "DELETE",
            format!("/api/v1/session/{}", claims(&token)["sid"].as_str().unwrap()),
        ),
    ] {
        let request = site.request(method, &path).bearer(&token);
        let request = if method == "PATCH" {
            request.json(&json!({}))
        } else {
            request
        };
        request.send().await.refused(404, "not-found");
    }
    let body = json!({"login": "neo", "password": "follow the white rabbit"});
    let register = site.post("/api/v1/user").bearer(&token).json(&body);
    register.send().await.refused(403, "already-signed-in");
}

/// The roles of a token, if the issuer takes it.
async fn roles(site: &Site, token: &str) -> Option<Value> {
    let answer = site.get("/api/v1/role").bearer(token).send().await;
    (answer.status == 200).then(|| claims(token)["roles"].clone())
}

async fn a_new_secret_ends_the_old_tokens(database: Database) {
    let site = Site::start(database).await;
    let (old, other) = (
        site.machine("film-etl", &["role_editor"]).await,
        site.machine("other", &[]).await,
    );
    let (token, others) = (site.machine_token(&old).await, site.machine_token(&other).await);
    let secret = site
        .service
        .rotate_client_secret(&"film-etl".parse().unwrap())
        .await
        .unwrap();
    let ask = || site.get("/api/v1/role").bearer(&token);
    ask().send().await.unauthorised("stale");
    let form = [("grant_type", "client_credentials")];
    site.oauth("token", &old, &form)
        .send()
        .await
        .oauth_error(401, "invalid_client");
    let new = Machine {
        secret: secrecy::ExposeSecret::expose_secret(secret.text()).to_owned(),
        ..old.clone()
    };
    let fresh = site.machine_token(&new).await;
    assert_eq!(roles(&site, &fresh).await, Some(json!(["role_editor"])));
    assert_eq!(claims(&fresh)["sub"], claims(&token)["sub"]);
    assert_eq!(roles(&site, &others).await, Some(json!([])));
}

async fn a_deleted_client_is_gone(database: Database) {
    let site = Site::start(database).await;
    let old = site.machine("film-etl", &["role_editor"]).await;
    let token = site.machine_token(&old).await;
    site.service
        .delete_client(&"film-etl".parse().unwrap())
        .await
        .unwrap();
    let rows = site.rows().await;
    assert_eq!((rows["clients"], rows["client_roles"]), (0, 0));
    site.get("/api/v1/role")
        .bearer(&token)
        .send()
        .await
        .unauthorised("revoked");
    let form = [("grant_type", "client_credentials")];
    site.oauth("token", &old, &form)
        .send()
        .await
        .oauth_error(401, "invalid_client");
    // Another of the name is another.
    let new = site.machine("film-etl", &[]).await;
    let fresh = site.machine_token(&new).await;
    assert_ne!(claims(&fresh)["sub"], claims(&token)["sub"]);
    site.get("/api/v1/role")
        .bearer(&token)
        .send()
        .await
        .unauthorised("revoked");
}

async fn a_role_follows_its_rename_and_goes_with_it(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    let role = site.role(&root, "importer").await;
    let machine = site.machine("film-etl", &["importer", "user"]).await;
    let first = site.machine_token(&machine).await;
    let path = format!("/api/v1/role/{role}");
    let renamed = site
        .put(&path)
        .bearer(&root.access)
        .json(&json!({"name": "loader"}));
    renamed.send().await.ok(200);
    site.get("/api/v1/role")
        .bearer(&first)
        .send()
        .await
        .unauthorised("stale");
    let second = site.machine_token(&machine).await;
    assert_eq!(roles(&site, &second).await, Some(json!(["loader", "user"])));
    site.delete(&path).bearer(&root.access).send().await.no_content();
    site.get("/api/v1/role")
        .bearer(&second)
        .send()
        .await
        .unauthorised("stale");
    let third = site.machine_token(&machine).await;
    assert_eq!(roles(&site, &third).await, Some(json!(["user"])));
}

async fn a_service_logs_out(database: Database) {
    let site = Site::start(database).await;
    let machine = site.machine("film-etl", &[]).await;
    let (one, two) = (
        site.machine_token(&machine).await,
        site.machine_token(&machine).await,
    );
    let out = |query: &str, token: &str| {
        let path = format!("/api/v1/user/logout{query}");
        site.post(&path).bearer(token).send()
    };
    out("", &one).await.no_content();
    out("", &one).await.no_content();
    assert_eq!(site.rows().await["outbox"], 1, "a logout twice is one fact");
    site.get("/api/v1/role")
        .bearer(&one)
        .send()
        .await
        .unauthorised("revoked");
    assert_eq!(roles(&site, &two).await, Some(json!([])));
    let three = site.machine_token(&machine).await;
    out("?all=true", &two).await.no_content();
    for token in [&two, &three] {
        site.get("/api/v1/role")
            .bearer(token)
            .send()
            .await
            .unauthorised("stale");
    }
    assert_eq!(
        roles(&site, &site.machine_token(&machine).await).await,
        Some(json!([]))
    );
}
