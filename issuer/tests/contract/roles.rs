//! Roles, and who has them.

use serde_json::{Value, json};

use crate::shape::{NOBODY, assert_id, assert_time, fields};
use crate::support::{ADMIN, Answer, Database, Person, ROLE_EDITOR, Site, USER, claims};

crate::on_both_databases!(
    a_role_is_made_seen_changed_and_deleted,
    names_that_cannot_be,
    built_in_roles_stay_as_they_are,
    a_rename_and_a_deletion_outdate_tokens,
    roles_are_granted_and_taken,
    roles_are_asked_about,
);

/// A request of somebody.
pub(crate) async fn send(site: &Site, method: &str, path: &str, who: &Person, body: Option<Value>) -> Answer {
    let request = site.request(method, path).bearer(&who.access);
    match body {
        Some(body) => request.json(&body).send().await,
        None => request.send().await,
    }
}

async fn a_role_is_made_seen_changed_and_deleted(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    let editor = site.register_with(&root, "editor", &[ROLE_EDITOR]).await;
    let plain = site.register("plain").await;
    let draft = json!({"name": "subscriber", "description": "Pays"});
    let answer = send(&site, "POST", "/api/v1/role", &editor, Some(draft.clone())).await;
    let role = answer.ok(201);
    assert_eq!(
        fields(&role),
        [
            "built_in",
            "created_at",
            "description",
            "id",
            "name",
            "updated_at"
        ]
    );
    assert_id(&role["id"]);
    assert_time(&role["created_at"]);
    assert_time(&role["updated_at"]);
    assert_eq!(
        (&role["name"], &role["description"]),
        (&json!("subscriber"), &json!("Pays"))
    );
    assert_eq!(role["built_in"], false);
    let path = format!("/api/v1/role/{}", role["id"].as_str().unwrap());
    assert_eq!(answer.header("location"), Some(path.as_str()));
    send(&site, "POST", "/api/v1/role", &root, Some(draft.clone()))
        .await
        .refused(409, "role-name-taken");
    send(&site, "POST", "/api/v1/role", &plain, Some(draft))
        .await
        .refused(403, "forbidden");

    assert_eq!(send(&site, "GET", &path, &plain, None).await.ok(200), role);
    let page = send(&site, "GET", "/api/v1/role", &plain, None).await.ok(200);
    let names: Vec<&str> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|role| role["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["subscriber", "admin", "role_editor", "user"]);
    assert_eq!(page["next_cursor"], Value::Null);
    let one = send(&site, "GET", "/api/v1/role?limit=1", &plain, None)
        .await
        .ok(200);
    let rest = format!(
        "/api/v1/role?limit=3&cursor={}",
        one["next_cursor"].as_str().unwrap()
    );
    let rest = send(&site, "GET", &rest, &plain, None).await.ok(200);
    assert_eq!(rest["items"].as_array().unwrap().len(), 3);
    assert_eq!(rest["next_cursor"], Value::Null);

    // PUT is the whole of it: what is left out is gone.
    let changed = send(&site, "PUT", &path, &editor, Some(json!({"name": "member"})))
        .await
        .ok(200);
    assert_eq!(
        (&changed["name"], &changed["description"]),
        (&json!("member"), &Value::Null)
    );
    assert_eq!(
        (&changed["id"], &changed["created_at"]),
        (&role["id"], &role["created_at"])
    );
    let same = json!({"name": "member", "description": null});
    send(&site, "PUT", &path, &editor, Some(same)).await.ok(200);
    send(&site, "PUT", &path, &editor, Some(json!({"name": "admin"})))
        .await
        .refused(409, "role-name-taken");
    send(&site, "PUT", &path, &plain, Some(json!({"name": "mine"})))
        .await
        .refused(403, "forbidden");
    let nobody = format!("/api/v1/role/{NOBODY}");
    send(&site, "PUT", &nobody, &editor, Some(json!({"name": "ghost"})))
        .await
        .refused(404, "not-found");
    send(&site, "GET", &nobody, &editor, None)
        .await
        .refused(404, "not-found");
    send(&site, "DELETE", &nobody, &editor, None)
        .await
        .refused(404, "not-found");
    send(&site, "DELETE", &path, &plain, None)
        .await
        .refused(403, "forbidden");
    send(&site, "DELETE", &path, &editor, None).await.no_content();
    send(&site, "DELETE", &path, &editor, None)
        .await
        .refused(404, "not-found");
    send(&site, "GET", &path, &plain, None)
        .await
        .refused(404, "not-found");
}

async fn names_that_cannot_be(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    let before = site.rows().await;
    let long = "x".repeat(65);
    for (name, code) in [
        ("", "invalid"),
        ("x", "invalid"),
        ("Admin", "invalid"),
        ("1st", "invalid"),
        ("_x", "invalid"),
        ("a b", "invalid"),
        ("a,b", "invalid"),
        ("rôle", "invalid"),
        ("ab\n", "invalid"),
        ("ab\0", "invalid"),
        (long.as_str(), "invalid"),
        ("superuser", "reserved"),
        ("anonymous", "reserved"),
    ] {
        let made = send(
            &site,
            "POST",
            "/api/v1/role",
            &root,
            Some(json!({ "name": name })),
        )
        .await;
        made.invalid(&[("name", code)]);
    }
    for description in ["x".repeat(501), "with\0nothing".to_owned()] {
        let draft = json!({"name": "fine", "description": description});
        send(&site, "POST", "/api/v1/role", &root, Some(draft))
            .await
            .invalid(&[("description", "invalid")]);
    }
    assert_eq!(site.rows().await, before);
    site.role(&root, &"x".repeat(64)).await;
    let id = site.role(&root, "a-1_").await;
    let rename = json!({"name": "superuser"});
    send(&site, "PUT", &format!("/api/v1/role/{id}"), &root, Some(rename))
        .await
        .invalid(&[("name", "reserved")]);
}

async fn built_in_roles_stay_as_they_are(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    for (id, name) in [(USER, "user"), (ROLE_EDITOR, "role_editor"), (ADMIN, "admin")] {
        let path = format!("/api/v1/role/{id}");
        for body in [json!({"name": name}), json!({"name": "other"})] {
            send(&site, "PUT", &path, &root, Some(body))
                .await
                .refused(409, "built-in-role");
        }
        send(&site, "DELETE", &path, &root, None)
            .await
            .refused(409, "built-in-role");
        let made = send(&site, "POST", "/api/v1/role", &root, Some(json!({"name": name}))).await;
        made.refused(409, "role-name-taken");
        let role = send(&site, "GET", &path, &root, None).await.ok(200);
        assert_eq!((&role["name"], &role["built_in"]), (&json!(name), &json!(true)));
    }
}

async fn a_rename_and_a_deletion_outdate_tokens(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    let id = site.role(&root, "subscriber").await;
    let path = format!("/api/v1/role/{id}");
    let neo = site.register_with(&root, "neo", &[&id]).await;
    let smith = site.register("smith").await;
    let me = |token: &str| site.get("/api/v1/user/me").bearer(token).send();
    me(&neo.access).await.ok(200);
    send(
        &site,
        "PUT",
        &path,
        &root,
        Some(json!({"name": "subscriber", "description": "same"})),
    )
    .await
    .ok(200);
    me(&neo.access).await.ok(200);
    send(&site, "PUT", &path, &root, Some(json!({"name": "member"})))
        .await
        .ok(200);
    me(&neo.access).await.unauthorised("stale");
    me(&smith.access).await.ok(200);
    let neo = site.refresh(&neo).await;
    assert_eq!(claims(&neo.access)["roles"], json!(["member", "user"]));
    assert_eq!(me(&neo.access).await.ok(200)["roles"], json!(["member", "user"]));
    send(&site, "DELETE", &path, &root, None).await.no_content();
    me(&neo.access).await.unauthorised("stale");
    let neo = site.refresh(&neo).await;
    assert_eq!(me(&neo.access).await.ok(200)["roles"], json!(["user"]));
    me(&smith.access).await.ok(200);
}

async fn roles_are_granted_and_taken(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    let editor = site.register_with(&root, "editor", &[ROLE_EDITOR]).await;
    let (id, neo) = (site.role(&editor, "subscriber").await, site.register("neo").await);
    let path = format!("/api/v1/user/{}/role/{id}", neo.id);
    let me = |token: &str| site.get("/api/v1/user/me").bearer(token).send();
    send(&site, "POST", &path, &neo, None)
        .await
        .refused(403, "forbidden");
    send(&site, "POST", &path, &editor, None).await.no_content();
    me(&neo.access).await.unauthorised("stale");
    let neo = site.refresh(&neo).await;
    assert_eq!(claims(&neo.access)["roles"], json!(["subscriber", "user"]));
    // Again changes nothing.
    send(&site, "POST", &path, &editor, None).await.no_content();
    me(&neo.access).await.ok(200);
    send(&site, "DELETE", &path, &editor, None).await.no_content();
    me(&neo.access).await.unauthorised("stale");
    let neo = site.refresh(&neo).await;
    assert_eq!(claims(&neo.access)["roles"], json!(["user"]));
    send(&site, "DELETE", &path, &editor, None).await.no_content();
    me(&neo.access).await.ok(200);
    for method in ["POST", "DELETE"] {
        for path in [
            format!("/api/v1/user/{}/role/{NOBODY}", neo.id),
            format!("/api/v1/user/{NOBODY}/role/{id}"),
            format!("/api/v1/user/{}/role/subscriber", neo.id),
            format!("/api/v1/user/me/role/{id}"),
        ] {
            send(&site, method, &path, &editor, None)
                .await
                .refused(404, "not-found");
        }
    }
}

async fn roles_are_asked_about(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    let admin = site.register_with(&root, "boss", &[ADMIN]).await;
    let editor = site.register_with(&root, "editor", &[ROLE_EDITOR]).await;
    let id = site.role(&root, "subscriber").await;
    let neo = site.register_with(&root, "neo", &[&id]).await;
    let smith = site.register("smith").await;
    let path = format!("/api/v1/user/{}/role", neo.id);
    let answer = send(&site, "GET", &path, &neo, None).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let held = answer.ok(200);
    assert_eq!(fields(&held), ["roles", "superuser", "user_id"]);
    assert_eq!(
        (&held["user_id"], &held["superuser"]),
        (&json!(neo.id), &json!(false))
    );
    let names: Vec<&Value> = held["roles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|role| &role["name"])
        .collect();
    assert_eq!(names, ["subscriber", "user"]);
    assert_eq!(
        fields(&held["roles"][0]),
        [
            "built_in",
            "created_at",
            "description",
            "id",
            "name",
            "updated_at"
        ]
    );
    for who in [&admin, &editor, &root] {
        assert_eq!(send(&site, "GET", &path, who, None).await.ok(200), held);
    }
    send(&site, "GET", &path, &smith, None)
        .await
        .refused(403, "forbidden");
    let nobody = format!("/api/v1/user/{NOBODY}/role");
    send(&site, "GET", &nobody, &admin, None)
        .await
        .refused(404, "not-found");
    for (query, granted) in [
        ("name=subscriber", true),
        ("name=subscriber&name=user", true),
        ("name=subscriber&name=admin", false),
        ("name=admin", false),
        ("name=no_such_role", false),
        ("name=Not%20A%20Name", false),
        ("name=", false),
    ] {
        let asked = send(&site, "GET", &format!("{path}?{query}"), &neo, None)
            .await
            .ok(200);
        assert_eq!(asked["granted"], granted, "{query}");
    }
    let of_root = format!("/api/v1/user/{}/role?name=admin&name=no_such_role", root.id);
    assert_eq!(
        send(&site, "GET", &of_root, &admin, None).await.ok(200)["granted"],
        true
    );
}
