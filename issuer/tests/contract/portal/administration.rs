//! The pages of those who administer: what the API allows them, and nothing else.

use super::browser::{Browser, Page};
use crate::shape::NOBODY;
use crate::support::{ADMIN, Database, PASSWORD, ROLE_EDITOR, Site};

crate::on_both_databases!(
    pages_are_for_those_who_may,
    an_administrator_finds_and_disables_users,
    roles_are_given_and_taken,
    a_role_is_made_changed_and_deleted,
    a_label_is_made_changed_and_deleted,
    a_film_is_given_its_labels,
    keys_and_audit_are_shown,
    a_verifier_that_is_away_is_told,
    what_administrators_write_is_text,
);

/// Every page, and whether `admin` and `role_editor` may see it.
const PAGES: [(&str, bool, bool); 10] = [
    ("/account/users", true, true),
    ("/account/users/{id}", true, true),
    ("/account/roles", false, true),
    ("/account/roles/00000000-0000-7000-8000-000000000001", false, true),
    ("/account/labels", false, true),
    ("/account/labels/paid", false, true),
    ("/account/films", false, true),
    ("/account/keys", true, false),
    ("/account/audit", true, false),
    ("/account/verifiers", true, false),
];

async fn pages_are_for_those_who_may(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    let admin = site.register_with(&root, "some_admin", &[ADMIN]).await;
    site.register_with(&root, "some_editor", &[ROLE_EDITOR]).await;
    site.register("plain").await;
    let label = site.put("/api/v1/label/paid").bearer(&root.access);
    label
        .json(&serde_json::json!({"roles": ["user"], "anonymous": false}))
        .send()
        .await
        .is(201);
    let before = site.rows().await;
    for (page, for_admin, for_editor) in PAGES {
        let page = page.replace("{id}", &admin.id);
        for (login, may) in [
            ("root", true),
            ("some_admin", for_admin),
            ("some_editor", for_editor),
            ("plain", false),
        ] {
            let mut browser = Browser::signed_in(&site, login).await;
            let answer = browser.get(&page).await;
            if may {
                answer.says(200, "</html>");
            } else {
                answer.says(403, "You are not allowed to do this.");
            }
            // The navigation shows what is there to be seen.
            let place = format!(
                "href=\"{}\"",
                page.split('/').take(3).collect::<Vec<_>>().join("/")
            );
            let account = browser.get("/account").await.text();
            assert_eq!(account.contains(&place), may, "{place} for {login}");
        }
        // Nobody, to the sign-in.
        site.get(&page).send().await.is(303);
    }
    // Forms are refused where their page is.
    let mut plain = Browser::signed_in(&site, "plain").await;
    plain.get("/account").await.is(200);
    for (path, act) in [
        (format!("/account/users/{}", admin.id), "disable"),
        (format!("/account/users/{}", admin.id), "promote"),
        ("/account/roles".to_owned(), "create"),
        ("/account/labels".to_owned(), "create"),
        ("/account/films".to_owned(), "save"),
    ] {
        let fields = [("act", act), ("name", "mine"), ("film_id", NOBODY)];
        plain
            .submit(&path, &fields)
            .await
            .says(403, "You are not allowed to do this.");
    }
    let after = site.rows().await;
    for table in ["users", "roles", "user_roles"] {
        assert_eq!(after[table], before[table], "{table}");
    }
}

async fn an_administrator_finds_and_disables_users(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    site.register_with(&root, "boss", &[ADMIN]).await;
    let neo = site.register("neo").await;
    site.register("trinity").await;
    let mut browser = Browser::signed_in(&site, "boss").await;
    let page = browser.get("/account/users?login=N").await;
    page.says(200, ">neo</a>");
    assert!(!page.text().contains(">trinity</a>"));
    browser
        .get("/account/users?login=zzz")
        .await
        .says(200, "Nobody has such a login.");
    let path = format!("/account/users/{}", neo.id);
    let page = browser.get(&path).await;
    page.says(200, "Disable the account");
    assert!(
        !page.text().contains("Make a superuser"),
        "that is a superuser's to do"
    );
    browser
        .submit(&path, &[("act", "disable")])
        .await
        .leads_to(&format!("{path}?done=saved"));
    site.get("/api/v1/user/me")
        .bearer(&neo.access)
        .send()
        .await
        .unauthorised("revoked");
    browser.get(&path).await.says(200, "Enable the account");
    browser.submit(&path, &[("act", "enable")]).await.is(303);
    site.try_login("neo", PASSWORD).await.ok(200);
    browser
        .submit(&path, &[("act", "promote")])
        .await
        .says(403, "You are not allowed to do this.");
    // Nobody disables a superuser but another.
    let path = format!("/account/users/{}", root.id);
    assert!(!browser.get(&path).await.text().contains("Disable the account"));
    browser
        .submit(&path, &[("act", "disable")])
        .await
        .says(403, "You are not allowed to do this.");
    let mut browser = Browser::signed_in(&site, "root").await;
    browser.get(&path).await.says(200, "No longer a superuser");
    browser
        .submit(&path, &[("act", "demote")])
        .await
        .says(409, "The last superuser must stay one.");
    browser
        .submit(&path, &[("act", "disable")])
        .await
        .says(409, "The last superuser must stay one.");
    let path = format!("/account/users/{}", neo.id);
    browser.submit(&path, &[("act", "promote")]).await.is(303);
    browser.get(&path).await.says(200, "No longer a superuser");
    browser
        .get(&format!("/account/users/{NOBODY}"))
        .await
        .says(404, "Nothing here");
    browser.get("/account/users/x").await.says(404, "Nothing here");
}

async fn roles_are_given_and_taken(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    site.register_with(&root, "editor", &[ROLE_EDITOR]).await;
    let critic = site.role(&root, "critic").await;
    let neo = site.register("neo").await;
    let mut browser = Browser::signed_in(&site, "editor").await;
    // An editor knows nobody's login.
    browser.get("/account/users").await.says(200, "User id");
    browser
        .get("/account/users?id=x")
        .await
        .says(422, "This cannot be taken.");
    let path = format!("/account/users/{}", neo.id);
    browser
        .get(&format!("/account/users?id={}", neo.id))
        .await
        .leads_to(&path);
    let page = browser.get(&path).await;
    page.says(200, ">critic</option>");
    assert!(
        !page.text().contains(">admin</option>"),
        "that is a superuser's to give"
    );
    assert!(!page.text().contains("neo"), "an editor sees no account");
    browser
        .submit(&path, &[("act", "grant"), ("role", &critic)])
        .await
        .is(303);
    site.get("/api/v1/user/me")
        .bearer(&neo.access)
        .send()
        .await
        .unauthorised("stale");
    let neo = site.refresh(&neo).await;
    let me = site
        .get("/api/v1/user/me")
        .bearer(&neo.access)
        .send()
        .await
        .ok(200);
    assert_eq!(me["roles"], serde_json::json!(["critic", "user"]));
    browser
        .get(&path)
        .await
        .says(200, "Take away<span class=\"unseen\"> critic</span>");
    browser
        .submit(&path, &[("act", "take"), ("role", &critic)])
        .await
        .is(303);
    site.get("/api/v1/user/me")
        .bearer(&neo.access)
        .send()
        .await
        .unauthorised("stale");
    browser
        .submit(&path, &[("act", "grant"), ("role", ADMIN)])
        .await
        .says(403, "You are not allowed to do this.");
    browser
        .submit(&path, &[("act", "grant"), ("role", NOBODY)])
        .await
        .says(404, "Nothing here");
}

async fn a_role_is_made_changed_and_deleted(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    site.register_with(&root, "editor", &[ROLE_EDITOR]).await;
    let mut browser = Browser::signed_in(&site, "editor").await;
    let create = [
        ("act", "create"),
        ("name", "critic"),
        ("description", "Writes <reviews>"),
    ];
    browser.submit("/account/roles", &create).await.is(403);
    browser.get("/account/roles").await.says(200, "New role");
    browser
        .submit("/account/roles", &create)
        .await
        .leads_to("/account/roles?done=saved");
    let page = browser.get("/account/roles").await;
    page.says(200, "Writes &#60;reviews&#62;");
    browser
        .submit("/account/roles", &create)
        .await
        .says(409, "Another role has this name.");
    let create = [("act", "create"), ("name", "No Name")];
    browser
        .submit("/account/roles", &create)
        .await
        .says(422, "value=\"No Name\"");
    let text = page.text();
    let id = text
        .split("href=\"/account/roles/")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let path = format!("/account/roles/{id}");
    let change = [("act", "change"), ("name", "reviewer"), ("description", "")];
    browser
        .submit(&path, &change)
        .await
        .leads_to(&format!("{path}?done=saved"));
    browser.get(&path).await.says(200, "Role reviewer");
    browser
        .submit(&path, &[("act", "delete")])
        .await
        .leads_to("/account/roles?done=deleted");
    browser.get(&path).await.says(404, "Nothing here");
    let built_in = "/account/roles/00000000-0000-7000-8000-000000000001";
    browser
        .get(built_in)
        .await
        .says(200, "A built-in role stays as it is.");
    browser
        .submit(built_in, &[("act", "delete")])
        .await
        .says(409, "A built-in role stays as it is.");
}

async fn a_label_is_made_changed_and_deleted(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    site.register_with(&root, "editor", &[ROLE_EDITOR]).await;
    let mut browser = Browser::signed_in(&site, "editor").await;
    browser.get("/account/labels").await.says(200, "New label");
    let create = [
        ("act", "create"),
        ("name", "paid"),
        ("roles", "user"),
        ("roles", "admin"),
    ];
    browser
        .submit("/account/labels", &create)
        .await
        .leads_to("/account/labels?done=saved");
    let label = async || {
        site.get("/api/v1/label/paid")
            .bearer(&root.access)
            .send()
            .await
            .ok(200)
    };
    assert_eq!(label().await["roles"], serde_json::json!(["admin", "user"]));
    browser
        .submit("/account/labels", &create)
        .await
        .says(422, "Another label has this name.");
    let unknown = [("act", "create"), ("name", "new"), ("roles", "nobody")];
    browser
        .submit("/account/labels", &unknown)
        .await
        .says(422, "One of these roles does not exist.");
    browser
        .get("/account/labels/paid")
        .await
        .says(200, "value=\"user\" checked");
    let change = [("act", "change"), ("anonymous", "yes")];
    browser.submit("/account/labels/paid", &change).await.is(303);
    assert_eq!(label().await["anonymous"], true);
    assert_eq!(label().await["roles"], serde_json::json!([]));
    // While films carry it, it goes only when asked for twice.
    let film = site
        .put(&format!("/api/v1/film/{NOBODY}/label"))
        .bearer(&root.access);
    film.json(&serde_json::json!({"labels": ["paid"]}))
        .send()
        .await
        .ok(200);
    let page = browser.submit("/account/labels/paid", &[("act", "delete")]).await;
    page.says(409, "name=\"force\"");
    let delete = [("act", "delete"), ("force", "yes")];
    browser
        .submit("/account/labels/paid", &delete)
        .await
        .leads_to("/account/labels?done=deleted");
    browser
        .get("/account/labels/paid")
        .await
        .says(404, "Nothing here");
}

async fn a_film_is_given_its_labels(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    for name in ["new", "paid"] {
        let label = site.put(&format!("/api/v1/label/{name}")).bearer(&root.access);
        label
            .json(&serde_json::json!({"roles": [], "anonymous": true}))
            .send()
            .await
            .is(201);
    }
    let mut browser = Browser::signed_in(&site, "root").await;
    browser.get("/account/films").await.says(200, "Film id");
    browser
        .get("/account/films?film_id=x")
        .await
        .says(422, "a UUID is expected");
    let path = format!("/account/films?film_id={NOBODY}");
    browser.get(&path).await.says(200, "value=\"paid\">");
    let save = [("act", "save"), ("film_id", NOBODY), ("labels", "paid")];
    browser
        .submit("/account/films", &save)
        .await
        .leads_to(&format!("{path}&done=saved"));
    browser.get(&path).await.says(200, "value=\"paid\" checked");
    let film = site
        .get(&format!("/api/v1/film/{NOBODY}/label"))
        .bearer(&root.access)
        .send()
        .await;
    assert_eq!(film.ok(200)["labels"], serde_json::json!(["paid"]));
    let unknown = [("act", "save"), ("film_id", NOBODY), ("labels", "no-such")];
    browser
        .submit("/account/films", &unknown)
        .await
        .says(422, "One of these labels does not exist.");
    let none = [("act", "save"), ("film_id", NOBODY)];
    browser.submit("/account/films", &none).await.is(303);
    let film = site
        .get(&format!("/api/v1/film/{NOBODY}/label"))
        .bearer(&root.access)
        .send()
        .await;
    assert_eq!(film.ok(200)["labels"], serde_json::json!([]));
}

async fn keys_and_audit_are_shown(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    let mut browser = Browser::signed_in(&site, "root").await;
    let kid = site.header()["kid"].as_str().unwrap().to_owned();
    browser.get("/account/keys").await.says(200, &kid);
    let role = site.role(&root, "critic").await;
    let page = browser.get("/account/audit?action=role.create").await;
    page.says(200, &role);
    page.says(200, &root.id);
    assert!(!page.text().contains("superuser.grant"));
    browser
        .get("/account/audit?subject=nobody")
        .await
        .says(200, "Nothing yet.");
    browser
        .get("/account/audit?action=x")
        .await
        .says(422, "There is no such action.");
    // Older events lie behind the filter that was asked for.
    for number in 0..25 {
        site.role(&root, &format!("role-{number}")).await;
    }
    let page = browser.get("/account/audit?action=role.create&done=saved").await;
    let text = page.text();
    let next = text
        .split("class=\"pager\"><a href=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let next = next.replace("&#38;", "&");
    assert!(
        next.starts_with("/account/audit?action=role.create&cursor="),
        "{next}"
    );
    browser.get(&next).await.says(200, &role);
}

async fn a_verifier_that_is_away_is_told(database: Database) {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", taken.local_addr().unwrap());
    drop(taken);
    let settings = format!("portal.verifiers = [{address:?}]");
    let site = Site::start_with(database, &settings).await;
    site.superuser("root").await;
    let mut browser = Browser::signed_in(&site, "root").await;
    let page = browser.get("/account/verifiers").await;
    page.says(200, &address);
    page.says(200, "does not answer");
}

async fn what_administrators_write_is_text(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    let hostile = "\"><script>alert(1)</script>";
    let mut browser = Browser::signed_in(&site, "root").await;
    browser.get("/account/roles").await.is(200);
    let create = [("act", "create"), ("name", "critic"), ("description", hostile)];
    browser.submit("/account/roles", &create).await.is(303);
    let create = [("act", "create"), ("name", "paid"), ("description", hostile)];
    browser.submit("/account/labels", &create).await.is(303);
    let role = site.role(&root, "other").await;
    let query = url::form_urlencoded::byte_serialize(hostile.as_bytes()).collect::<String>();
    for page in [
        "/account/roles".to_owned(),
        "/account/labels".to_owned(),
        "/account/labels/paid".to_owned(),
        format!("/account/roles/{role}"),
        format!("/account/users?login={query}"),
        format!("/account/films?film_id={query}"),
        format!("/account/audit?actor={query}"),
        format!("/account/labels/{query}"),
    ] {
        let answer = browser.get(&page).await;
        let text = answer.text();
        assert!(text.contains("</html>"), "{page}: {text}");
        assert!(!text.contains("<script>"), "{page}: {text}");
    }
}
