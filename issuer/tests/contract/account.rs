//! Registering, signing in and out.

use serde_json::json;

use crate::support::{Database, PASSWORD, Site, claims};

crate::on_both_databases!(registering_signs_in);

async fn registering_signs_in(database: Database) {
    let site = Site::start(database).await;
    let answer = site.try_register("Neo", PASSWORD).await;
    let pair = answer.ok(201);
    let id = pair["user_id"].as_str().unwrap();
    assert_eq!(answer.header("location").unwrap(), format!("/api/v1/user/{id}"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.all("set-cookie"), [""; 0]);
    assert_eq!(pair.as_object().unwrap().len(), 6);
    assert_eq!(pair["token_type"], "Bearer");
    assert_eq!(pair["expires_in"], 900);
    assert_eq!(
        claims(pair["access_token"].as_str().unwrap())["roles"],
        json!(["user"])
    );
}
