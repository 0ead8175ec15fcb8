//! Registering, and what becomes of an account.

use serde_json::{Value, json};

use crate::shape::{NOBODY, assert_time, fields};
use crate::support::{ADMIN, Database, PASSWORD, Site};

crate::on_both_databases!(
    people_see_themselves_and_admins_see_all,
    an_account_is_deleted_with_what_is_personal,
    disabling_ends_every_session_at_once,
    users_are_listed_newest_first_by_prefix,
);

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
