//! The guards around power: who gives it, and who keeps it.

use serde_json::json;

use crate::roles::send;
use crate::shape::NOBODY;
use crate::support::{ADMIN, Answer, Database, Person, ROLE_EDITOR, Site, USER, claims};

crate::on_both_databases!(
    powers_are_given_by_superusers_alone,
    reserved_roles_are_for_superusers,
    no_calls_of_an_editor_gain_a_reserved_role,
    the_last_superuser_stays,
    superusers_are_made_and_unmade,
    an_admin_does_not_touch_a_superuser,
);

async fn powers_are_given_by_superusers_alone(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    let editor = site.register_with(&root, "editor", &[ROLE_EDITOR]).await;
    let admin = site.register_with(&root, "boss", &[ADMIN]).await;
    let neo = site.register("neo").await;
    let before = site.rows().await;
    for power in [ADMIN, ROLE_EDITOR] {
        for target in [&neo, &editor, &admin] {
            let path = format!("/api/v1/user/{}/role/{power}", target.id);
            for who in [&editor, &admin, &neo] {
                send(&site, "POST", &path, who, None)
                    .await
                    .refused(403, "forbidden");
                send(&site, "DELETE", &path, who, None)
                    .await
                    .refused(403, "forbidden");
            }
        }
    }
    for who in [&editor, &admin, &neo] {
        let path = format!("/api/v1/user/{}/superuser", who.id);
        send(&site, "PUT", &path, who, Some(json!({"superuser": true})))
            .await
            .refused(403, "forbidden");
    }
    assert_eq!(site.rows().await, before);
    // The role that everybody has is no power.
    let path = format!("/api/v1/user/{}/role/{USER}", neo.id);
    send(&site, "DELETE", &path, &editor, None).await.no_content();
    send(&site, "POST", &path, &editor, None).await.no_content();
}

async fn reserved_roles_are_for_superusers(database: Database) {
    let site = Site::start_with(database, "roles.reserved = [\"staff\"]").await;
    let root = site.superuser("root").await;
    let editor = site.register_with(&root, "editor", &[ROLE_EDITOR]).await;
    let neo = site.register("neo").await;
    let make = |who: &Person| {
        let body = json!({"name": "staff"});
        site.post("/api/v1/role").bearer(&who.access).json(&body).send()
    };
    make(&editor).await.refused(403, "forbidden");
    let other = site.role(&editor, "other").await;
    let to_it = json!({"name": "staff"});
    let other = format!("/api/v1/role/{other}");
    send(&site, "PUT", &other, &editor, Some(to_it))
        .await
        .refused(403, "forbidden");
    let staff = make(&root).await.ok(201)["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/role/{staff}");
    send(&site, "PUT", &path, &editor, Some(json!({"name": "mine"})))
        .await
        .refused(403, "forbidden");
    send(&site, "DELETE", &path, &editor, None)
        .await
        .refused(403, "forbidden");
    let grant = format!("/api/v1/user/{}/role/{staff}", neo.id);
    for method in ["POST", "DELETE"] {
        send(&site, method, &grant, &editor, None)
            .await
            .refused(403, "forbidden");
        send(&site, method, &grant, &root, None).await.no_content();
    }
    send(&site, "PUT", &path, &root, Some(json!({"name": "crew"})))
        .await
        .ok(200);
    send(&site, "PUT", &path, &root, Some(json!({"name": "staff"})))
        .await
        .ok(200);
    send(&site, "DELETE", &path, &root, None).await.no_content();
}

/// Calls of a `role_editor` in any order: whoever has power, or the reserved role, has it before and after, and nobody
/// else does.
async fn no_calls_of_an_editor_gain_a_reserved_role(database: Database) {
    const STEPS: usize = 400;
    const POWERFUL: &str = "SELECT u.login || ' ' || r.name FROM user_roles g JOIN users u ON u.id = g.user_id \
                            JOIN roles r ON r.id = g.role_id WHERE r.name IN ('staff', 'admin', 'role_editor') ORDER BY 1";
    const LABELS: &str =
        "SELECT l.label FROM label_roles l JOIN roles r ON r.id = l.role_id WHERE r.name = 'staff'";
    let site = Site::start_with(database, "roles.reserved = [\"staff\"]").await;
    let root = site.superuser("root").await;
    let staff = site.role(&root, "staff").await;
    let mut editor = site.register_with(&root, "editor", &[ROLE_EDITOR]).await;
    let holder = site.register_with(&root, "holder", &[&staff]).await;
    let before = site.database.texts(POWERFUL).await;
    assert_eq!(before, ["editor role_editor", "holder staff"]);
    let mut dice = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |count: usize| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        usize::try_from(dice % u64::try_from(count).unwrap()).unwrap()
    };
    let mut done = 0;
    for step in 0..STEPS {
        let roles = site
            .get("/api/v1/role?limit=100")
            .bearer(&editor.access)
            .send()
            .await
            .ok(200);
        let roles = roles["items"].as_array().unwrap();
        let role = roles[below(roles.len())]["id"].as_str().unwrap().to_owned();
        let name = ["staff", "crew", "admin", "other", "role_editor"][below(5)];
        let user = [&editor.id, &holder.id, &root.id][below(3)].clone();
        let (by_id, grant) = (
            format!("/api/v1/role/{role}"),
            format!("/api/v1/user/{user}/role/{role}"),
        );
        let (method, path, body) = match below(7) {
            0 => ("POST", "/api/v1/role".to_owned(), Some(json!({"name": name}))),
            1 => ("PUT", by_id, Some(json!({"name": name}))),
            2 => ("DELETE", by_id, None),
            3 | 4 => ("POST", grant, None),
            5 => ("DELETE", grant, None),
            _ => (
                "PUT",
                "/api/v1/label/any".to_owned(),
                Some(json!({"roles": [name], "anonymous": false})),
            ),
        };
        let answer = send(&site, method, &path, &editor, body.clone()).await;
        assert_eq!(
            site.database.texts(POWERFUL).await,
            before,
            "step {step}: {method} {path} {body:?}"
        );
        assert!(
            site.database.texts(LABELS).await.is_empty(),
            "step {step}: {method} {path} {body:?}"
        );
        done += usize::from(answer.status < 300);
        // What the editor gave itself is in force with the next token.
        editor = site.refresh(&editor).await;
    }
    assert!(done > STEPS / 10, "{done} of {STEPS} calls did something");
}

async fn the_last_superuser_stays(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    let by_id = format!("/api/v1/user/{}", root.id);
    let (rank, disable) = (format!("{by_id}/superuser"), format!("{by_id}/disable"));
    let last = |answer: Answer| answer.refused(409, "last-superuser");
    let demote = || Some(json!({"superuser": false}));
    last(send(&site, "PUT", &rank, &root, demote()).await);
    last(send(&site, "POST", &disable, &root, None).await);
    last(send(&site, "DELETE", &by_id, &root, None).await);
    last(send(&site, "DELETE", "/api/v1/user/me", &root, None).await);
    // One who is disabled does not count.
    let second = site.superuser("second").await;
    send(
        &site,
        "POST",
        &format!("/api/v1/user/{}/disable", second.id),
        &root,
        None,
    )
    .await
    .no_content();
    last(send(&site, "PUT", &rank, &root, demote()).await);
    last(send(&site, "DELETE", "/api/v1/user/me", &root, None).await);
    site.get("/api/v1/user/me")
        .bearer(&root.access)
        .send()
        .await
        .ok(200);
    send(
        &site,
        "DELETE",
        &format!("/api/v1/user/{}", second.id),
        &root,
        None,
    )
    .await
    .no_content();
    let third = site.superuser("third").await;
    send(&site, "PUT", &rank, &third, demote()).await.no_content();
    let rank = format!("/api/v1/user/{}/superuser", third.id);
    last(send(&site, "PUT", &rank, &third, demote()).await);
}

async fn superusers_are_made_and_unmade(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    let neo = site.register("neo").await;
    let rank = format!("/api/v1/user/{}/superuser", neo.id);
    let set = |superuser: bool| {
        send(
            &site,
            "PUT",
            &rank,
            &root,
            Some(json!({ "superuser": superuser })),
        )
    };
    set(true).await.no_content();
    site.get("/api/v1/user")
        .bearer(&neo.access)
        .send()
        .await
        .unauthorised("stale");
    let neo = site.refresh(&neo).await;
    assert_eq!(claims(&neo.access)["superuser"], true);
    site.get("/api/v1/user").bearer(&neo.access).send().await.ok(200);
    set(true).await.no_content();
    site.get("/api/v1/user").bearer(&neo.access).send().await.ok(200);
    set(false).await.no_content();
    site.get("/api/v1/user")
        .bearer(&neo.access)
        .send()
        .await
        .unauthorised("stale");
    let neo = site.refresh(&neo).await;
    site.get("/api/v1/user")
        .bearer(&neo.access)
        .send()
        .await
        .refused(403, "forbidden");
    let nobody = format!("/api/v1/user/{NOBODY}/superuser");
    let body = Some(json!({"superuser": true}));
    send(&site, "PUT", &nobody, &root, body)
        .await
        .refused(404, "not-found");
}

async fn an_admin_does_not_touch_a_superuser(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    let admin = site.register_with(&root, "boss", &[ADMIN]).await;
    let by_id = format!("/api/v1/user/{}", root.id);
    for what in ["disable", "enable"] {
        let path = format!("{by_id}/{what}");
        send(&site, "POST", &path, &admin, None)
            .await
            .refused(403, "forbidden");
    }
    let session = format!("/api/v1/session/{}", root.session());
    send(&site, "DELETE", &session, &admin, None)
        .await
        .refused(404, "not-found");
    send(&site, "DELETE", &by_id, &admin, None)
        .await
        .refused(403, "forbidden");
    send(&site, "PATCH", &by_id, &admin, Some(json!({"login": "mine"})))
        .await
        .refused(403, "forbidden");
    send(&site, "GET", &by_id, &admin, None).await.ok(200);
    site.get("/api/v1/user/me")
        .bearer(&root.access)
        .send()
        .await
        .ok(200);
}
