//! The audit trail, as those see it who may.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{ADMIN, Database, PASSWORD, Person, Site};

crate::on_both_databases!(
    the_trail_says_who_did_what_to_whom_and_from_where,
    the_trail_is_read_by_pages,
    what_was_refused_is_not_in_it,
    a_deleted_user_leaves_acts_and_nothing_personal,
    a_token_that_comes_back_is_in_it,
);

async fn trail(site: &Site, by: &Person, query: &str) -> Vec<Value> {
    let path = format!("/api/v1/audit?limit=100&{query}");
    let page = site.get(&path).bearer(&by.access).send().await.ok(200);
    page["items"].as_array().unwrap().clone()
}

fn actions(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["action"].as_str().unwrap())
        .collect()
}

async fn the_trail_says_who_did_what_to_whom_and_from_where(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    let admin = site.register_with(&root, "boss", &[ADMIN]).await;
    let neo = site.register("neo").await;
    let answer = site
        .post(&format!("/api/v1/user/{}/disable", neo.id))
        .bearer(&admin.access)
        .header("x-request-id", "ask-me-about-this")
        .header("x-forwarded-for", "192.0.2.7")
        .send()
        .await;
    answer.no_content();
    let events = trail(&site, &admin, &format!("subject={}&action=user.disable", neo.id)).await;
    assert_eq!(events.len(), 1, "{events:?}");
    let event = &events[0];
    let shown: BTreeSet<&str> = event.as_object().unwrap().keys().map(String::as_str).collect();
    let fields = [
        "id",
        "at",
        "actor",
        "action",
        "subject",
        "ip",
        "request_id",
        "detail",
    ];
    assert_eq!(shown, BTreeSet::from(fields));
    assert_eq!(event["actor"], admin.id);
    assert_eq!(event["subject"], neo.id);
    assert_eq!(event["ip"], "192.0.2.7");
    assert_eq!(event["request_id"], "ask-me-about-this");
    assert_eq!(event["detail"], json!({}));
    assert!(event["at"].as_str().unwrap().ends_with('Z'));
    // By each filter, and by several.
    assert_eq!(
        actions(&trail(&site, &root, &format!("subject={}", neo.id)).await),
        ["user.disable", "user.register"]
    );
    assert_eq!(
        actions(&trail(&site, &root, &format!("actor={}", admin.id)).await),
        ["user.disable", "user.register"]
    );
    let granted = trail(&site, &root, &format!("actor={}&action=role.grant", root.id)).await;
    assert_eq!(granted[0]["subject"], admin.id);
    assert_eq!(granted[0]["detail"], json!({"role": "admin"}));
    let both = format!("actor={}&subject={}&action=user.disable", root.id, neo.id);
    assert!(trail(&site, &root, &both).await.is_empty());
    assert!(trail(&site, &root, "actor=nobody").await.is_empty());
    let operator = trail(&site, &root, "actor=operator").await;
    assert_eq!(operator[0]["detail"], json!({"created": true}));
    assert_eq!(operator[0]["ip"], Value::Null);
    // The issuer's own: the first signing key.
    assert_eq!(
        actions(&trail(&site, &root, "actor=issuer").await),
        ["key.activate"]
    );
    let empty = trail(&site, &root, "actor=&subject=&action=").await;
    assert_eq!(empty, trail(&site, &root, "").await);
    let unknown = site.get("/api/v1/audit?action=user.dance").bearer(&root.access);
    unknown.send().await.invalid(&[("action", "unknown_action")]);
}

async fn the_trail_is_read_by_pages(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    for number in 0..5 {
        site.role(&root, &format!("role{number}")).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/audit?action=role.create&limit=2{cursor}");
        let page = site.get(&path).bearer(&root.access).send().await.ok(200);
        let items = page["items"].as_array().unwrap();
        seen.extend(
            items
                .iter()
                .map(|event| event["detail"]["name"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next_cursor"].as_str() else {
            break;
        };
        assert_eq!(items.len(), 2);
        cursor = format!("&cursor={next}");
    }
    seen.sort();
    assert_eq!(seen, ["role0", "role1", "role2", "role3", "role4"]);
}

async fn what_was_refused_is_not_in_it(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    let neo = site.register("neo").await;
    let before = trail(&site, &root, "").await;
    let itself = format!("/api/v1/user/{}/superuser", root.id);
    let last = site
        .put(&itself)
        .bearer(&root.access)
        .json(&json!({"superuser": false}));
    last.send().await.refused(409, "last-superuser");
    let taken = json!({"login": "root"});
    let rename = site.patch("/api/v1/user/me").bearer(&neo.access).json(&taken);
    rename.send().await.refused(409, "login-taken");
    site.try_register("neo", PASSWORD)
        .await
        .refused(409, "login-taken");
    let role = site
        .post("/api/v1/role")
        .bearer(&neo.access)
        .json(&json!({"name": "mine"}));
    role.send().await.refused(403, "forbidden");
    assert_eq!(trail(&site, &root, "").await, before);
}

async fn a_deleted_user_leaves_acts_and_nothing_personal(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    let neo = site.register_with(&root, "mr_anderson", &[ADMIN]).await;
    let rename = site.patch("/api/v1/user/me").bearer(&neo.access);
    let renamed = rename.json(&json!({"login": "the_chosen_one", "password": "There is no spoon!"}));
    renamed.send().await.ok(200);
    let own = format!("actor={}", neo.id);
    let acts = ["user.change_password", "user.register", "user.rename"];
    let sorted = |events: &[Value]| {
        let mut actions: Vec<String> = actions(events).into_iter().map(str::to_owned).collect();
        actions.sort();
        actions
    };
    let events = trail(&site, &root, &own).await;
    assert_eq!(sorted(&events), acts);
    assert!(events.iter().all(|event| event["ip"] == "127.0.0.1"));
    let path = format!("/api/v1/user/{}", neo.id);
    site.delete(&path).bearer(&root.access).send().await.no_content();
    let events = trail(&site, &root, &own).await;
    assert_eq!(sorted(&events), acts);
    assert!(events.iter().all(|event| event["ip"].is_null()));
    let whole = Value::Array(trail(&site, &root, "").await).to_string();
    for personal in ["mr_anderson", "the_chosen_one", "spoon"] {
        assert!(!whole.contains(personal), "{whole}");
    }
    let deleted = trail(&site, &root, &format!("subject={}&action=user.delete", neo.id)).await;
    assert_eq!(deleted[0]["actor"], root.id);
    assert_eq!(deleted[0]["ip"], "127.0.0.1");
}

async fn a_token_that_comes_back_is_in_it(database: Database) {
    let site = Site::start_with(database, "tokens.refresh_grace = \"0s\"").await;
    let root = site.superuser("root").await;
    let neo = site.register("neo").await;
    let second = site.refresh(&neo).await;
    site.refresh(&second).await;
    // Time by which the successor's use is surely past.
    let used_at = site.now();
    while site.now() <= used_at.plus(Duration::from_millis(2)) {
        tokio::task::yield_now().await;
    }
    site.try_refresh(&neo.refresh)
        .await
        .refused(401, "refresh-token-reused");
    let events = trail(&site, &root, &format!("subject={}&action=session.reuse", neo.id)).await;
    assert_eq!(events[0]["actor"], "anonymous");
    assert_eq!(events[0]["ip"], "127.0.0.1");
    assert_eq!(events[0]["detail"], json!({"session": neo.session()}));
    // It may have been the user's own, and goes with the user.
    let path = format!("/api/v1/user/{}", neo.id);
    site.delete(&path).bearer(&root.access).send().await.no_content();
    let events = trail(&site, &root, &format!("subject={}&action=session.reuse", neo.id)).await;
    assert_eq!(events[0]["ip"], Value::Null);
}
