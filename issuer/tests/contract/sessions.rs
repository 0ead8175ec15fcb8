//! Sessions and the login history.

use serde_json::{Value, json};

use crate::shape::{NOBODY, assert_id, assert_time, fields};
use crate::support::{ADMIN, Database, PASSWORD, Person, Site, claims};

crate::on_both_databases!(
    sessions_are_listed_and_ended,
    what_the_database_has_forgotten_can_be_ended,
    the_history_tells_every_attempt,
);

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
    let second = Person::of("neo", &second);
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

async fn what_the_database_has_forgotten_can_be_ended(database: Database) {
    let site = Site::start(database).await;
    let (neo, smith) = (site.register("neo").await, site.register("smith").await);
    let facts = async || site.rows().await["outbox"];
    // As after a return to an older backup.
    site.database
        .run("DELETE FROM refresh_tokens; DELETE FROM sessions; DELETE FROM users WHERE login = 'smith'")
        .await;
    for (path, token) in [
        ("/api/v1/user/logout", &neo.access),
        ("/api/v1/user/logout?all=true", &smith.access),
    ] {
        let before = facts().await;
        site.post(path).bearer(token).send().await.no_content();
        assert_eq!(
            facts().await,
            before + 1,
            "{path}: the edges still believe the token"
        );
        let expired = site.expired(token);
        site.post(path).bearer(&expired).send().await.no_content();
        assert_eq!(facts().await, before + 1, "{path}: nobody believes it any more");
    }
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
