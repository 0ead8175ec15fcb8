//! Access labels, and the films that carry them.

use serde_json::{Value, json};

use crate::roles::send;
use crate::shape::{assert_time, fields};
use crate::support::{Answer, Database, Person, ROLE_EDITOR, Site};

crate::on_both_databases!(
    a_label_is_made_seen_changed_and_deleted,
    what_a_label_cannot_be,
    a_film_carries_labels,
    a_label_in_use_stays_unless_forced,
    reserved_roles_are_for_superusers,
    labels_follow_their_roles,
    films_come_in_bulk,
    bulk_bodies_are_bounded_and_of_their_type,
    films_are_exported_whole,
    as_many_labels_as_fit_a_header,
);

const STALKER: &str = "7c9e6679-7425-40de-944b-e07fc1f90ae7";

fn film(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

/// A line of a bulk request.
fn film_line(number: usize, labels: &str) -> String {
    format!("{{\"film_id\":\"{}\",\"labels\":{labels}}}\n", film(number))
}

async fn put_label(site: &Site, who: &Person, name: &str, roles: &[&str]) -> Answer {
    let body = json!({"roles": roles, "anonymous": false});
    send(site, "PUT", &format!("/api/v1/label/{name}"), who, Some(body)).await
}

async fn put_film(site: &Site, who: &Person, film: &str, labels: &[&str]) -> Answer {
    let body = json!({ "labels": labels });
    send(
        site,
        "PUT",
        &format!("/api/v1/film/{film}/label"),
        who,
        Some(body),
    )
    .await
}

async fn labels_of(site: &Site, who: &Person, film: &str) -> Value {
    let seen = send(site, "GET", &format!("/api/v1/film/{film}/label"), who, None).await;
    seen.ok(200)["labels"].clone()
}

async fn bulk(site: &Site, who: &Person, lines: impl Into<Vec<u8>>) -> Answer {
    let request = site.post("/api/v1/film/label").bearer(&who.access);
    let request = request.header("content-type", "application/x-ndjson");
    request.body(lines).send().await
}

/// A superuser and somebody who edits roles.
async fn editors(site: &Site) -> (Person, Person) {
    let root = site.superuser("root").await;
    let editor = site.register_with(&root, "editor", &[ROLE_EDITOR]).await;
    (root, editor)
}

async fn a_label_is_made_seen_changed_and_deleted(database: Database) {
    let site = Site::start(database).await;
    let (_, editor) = editors(&site).await;
    let plain = site.register("plain").await;
    site.role(&editor, "subscriber").await;
    let draft = json!({"roles": ["user", "subscriber"], "anonymous": false, "description": "Who pays"});
    let put = |body: Value| send(&site, "PUT", "/api/v1/label/paid", &editor, Some(body));
    let label = put(draft.clone()).await.ok(201);
    assert_eq!(
        fields(&label),
        [
            "anonymous",
            "created_at",
            "description",
            "name",
            "roles",
            "updated_at"
        ]
    );
    assert_eq!(
        (
            &label["name"],
            &label["roles"],
            &label["anonymous"],
            &label["description"]
        ),
        (
            &json!("paid"),
            &json!(["subscriber", "user"]),
            &json!(false),
            &json!("Who pays")
        )
    );
    assert_time(&label["created_at"]);
    put(draft).await.ok(200);
    // PUT is the whole of it.
    let changed = put(json!({"roles": [], "anonymous": true})).await.ok(200);
    assert_eq!(
        (&changed["roles"], &changed["anonymous"], &changed["description"]),
        (&json!([]), &json!(true), &Value::Null)
    );
    assert_eq!(changed["created_at"], label["created_at"]);
    put_label(&site, &editor, "newer", &["user"]).await.ok(201);

    let seen = send(&site, "GET", "/api/v1/label/paid", &plain, None).await;
    assert_eq!(seen.ok(200), changed);
    let page = send(&site, "GET", "/api/v1/label?limit=1", &plain, None)
        .await
        .ok(200);
    assert_eq!(page["items"][0]["name"], "newer");
    let next = format!("/api/v1/label?cursor={}", page["next_cursor"].as_str().unwrap());
    let page = send(&site, "GET", &next, &plain, None).await.ok(200);
    assert_eq!(
        (&page["items"], &page["next_cursor"]),
        (&json!([changed]), &Value::Null)
    );

    put_label(&site, &plain, "mine", &[])
        .await
        .refused(403, "forbidden");
    let delete = |who: &Person| site.delete("/api/v1/label/paid").bearer(&who.access).send();
    delete(&plain).await.refused(403, "forbidden");
    delete(&editor).await.no_content();
    delete(&editor).await.refused(404, "not-found");
    send(&site, "GET", "/api/v1/label/paid", &plain, None)
        .await
        .refused(404, "not-found");
    // Made again, it is another one, and the newest.
    let again = put_label(&site, &editor, "paid", &["user"]).await.ok(201);
    assert!(again["created_at"].as_str() >= changed["created_at"].as_str());
    let page = send(&site, "GET", "/api/v1/label", &plain, None).await.ok(200);
    assert_eq!(page["items"][0]["name"], "paid");
}

async fn what_a_label_cannot_be(database: Database) {
    let site = Site::start(database).await;
    let (_, editor) = editors(&site).await;
    for name in ["P", "x", "1st", "a,b", "a%20b", &"x".repeat(65)] {
        put_label(&site, &editor, name, &[])
            .await
            .invalid(&[("name", "invalid")]);
    }
    put_label(&site, &editor, "paid", &["user", "ghost"])
        .await
        .invalid(&[("roles", "unknown_role")]);
    let put = |body: Value| send(&site, "PUT", "/api/v1/label/paid", &editor, Some(body));
    put(json!({}))
        .await
        .invalid(&[("roles", "missing"), ("anonymous", "missing")]);
    put(json!({"roles": "user", "anonymous": 1}))
        .await
        .invalid(&[("roles", "wrong_type"), ("anonymous", "wrong_type")]);
    put(json!({"roles": [1], "anonymous": true, "colour": "red"}))
        .await
        .invalid(&[("roles", "wrong_type"), ("colour", "unknown_field")]);
    put(json!({"roles": [], "anonymous": true, "description": "a\nb"}))
        .await
        .invalid(&[("description", "invalid")]);
    put(json!({"roles": vec!["user"; 129], "anonymous": true}))
        .await
        .invalid(&[("roles", "too_many")]);
    let page = send(&site, "GET", "/api/v1/label", &editor, None).await.ok(200);
    assert_eq!(page["items"], json!([]));
}

async fn a_film_carries_labels(database: Database) {
    let site = Site::start(database).await;
    let (_, editor) = editors(&site).await;
    let plain = site.register("plain").await;
    for name in ["paid", "adult"] {
        put_label(&site, &editor, name, &["user"]).await.ok(201);
    }
    assert_eq!(labels_of(&site, &plain, STALKER).await, json!([]));
    let put = put_film(
        &site,
        &editor,
        &STALKER.to_uppercase(),
        &["paid", "adult", "paid"],
    )
    .await;
    assert_eq!(
        put.ok(200),
        json!({"film_id": STALKER, "labels": ["adult", "paid"]})
    );
    assert_eq!(
        labels_of(&site, &plain, &STALKER.to_uppercase()).await,
        json!(["adult", "paid"])
    );
    put_film(&site, &editor, STALKER, &["paid", "ghost"])
        .await
        .invalid(&[("labels", "unknown_label")]);
    put_film(&site, &editor, STALKER, &["No name"])
        .await
        .invalid(&[("labels", "unknown_label")]);
    put_film(&site, &plain, STALKER, &[])
        .await
        .refused(403, "forbidden");
    for id in ["stalker", "7c9e6679742540de944be07fc1f90ae7"] {
        put_film(&site, &editor, id, &[]).await.refused(404, "not-found");
    }
    assert_eq!(labels_of(&site, &plain, STALKER).await, json!(["adult", "paid"]));
    let clear = |who: &Person| {
        site.delete(&format!("/api/v1/film/{STALKER}/label"))
            .bearer(&who.access)
            .send()
    };
    clear(&plain).await.refused(403, "forbidden");
    clear(&editor).await.no_content();
    clear(&editor).await.no_content();
    assert_eq!(labels_of(&site, &plain, STALKER).await, json!([]));
}

async fn a_label_in_use_stays_unless_forced(database: Database) {
    let site = Site::start(database).await;
    let (_, editor) = editors(&site).await;
    for name in ["paid", "adult"] {
        put_label(&site, &editor, name, &["user"]).await.ok(201);
    }
    let lines = (0..6000).fold(String::new(), |lines, number| {
        lines + &film_line(number, "[\"paid\"]")
    });
    assert_eq!(bulk(&site, &editor, lines).await.ok(200)["accepted"], 6000);
    put_film(&site, &editor, STALKER, &["paid", "adult"])
        .await
        .ok(200);
    let delete = |query: &str| {
        site.delete(&format!("/api/v1/label/paid{query}"))
            .bearer(&editor.access)
            .send()
    };
    delete("").await.refused(409, "label-in-use");
    delete("?force=false").await.refused(409, "label-in-use");
    delete("?force=yes").await.invalid(&[("force", "invalid")]);
    delete("?force=true").await.no_content();
    assert_eq!(labels_of(&site, &editor, STALKER).await, json!(["adult"]));
    assert_eq!(labels_of(&site, &editor, &film(5999)).await, json!([]));
    delete("?force=true").await.refused(404, "not-found");
    let left = "SELECT COUNT(*) FROM film_labels WHERE set_id <> 0";
    assert_eq!(site.database.number(left).await, 1);
}

async fn reserved_roles_are_for_superusers(database: Database) {
    let site = Site::start_with(database, "roles.reserved = [\"vip\"]").await;
    let (root, editor) = editors(&site).await;
    site.role(&root, "vip").await;
    put_label(&site, &editor, "paid", &["user", "vip"])
        .await
        .refused(403, "forbidden");
    put_label(&site, &root, "paid", &["user", "vip"]).await.ok(201);
    put_label(&site, &editor, "paid", &["vip"])
        .await
        .refused(403, "forbidden");
    // To put the label on a film is to ask for more, and theirs.
    put_film(&site, &editor, STALKER, &["paid"]).await.ok(200);
    put_label(&site, &editor, "paid", &["user"]).await.ok(200);
}

async fn labels_follow_their_roles(database: Database) {
    let site = Site::start(database).await;
    let (_, editor) = editors(&site).await;
    let role = site.role(&editor, "subscriber").await;
    put_label(&site, &editor, "paid", &["user", "subscriber"])
        .await
        .ok(201);
    let change = "SELECT change FROM labels WHERE name = 'paid'";
    let before = site.database.number(change).await;
    let path = format!("/api/v1/role/{role}");
    send(&site, "PUT", &path, &editor, Some(json!({"name": "member"})))
        .await
        .ok(200);
    let seen = || send(&site, "GET", "/api/v1/label/paid", &editor, None);
    assert_eq!(seen().await.ok(200)["roles"], json!(["member", "user"]));
    assert!(
        site.database.number(change).await > before,
        "verifiers have to hear of it"
    );
    let before = site.database.number(change).await;
    send(&site, "DELETE", &path, &editor, None).await.no_content();
    assert_eq!(seen().await.ok(200)["roles"], json!(["user"]));
    assert!(site.database.number(change).await > before);
}

async fn films_come_in_bulk(database: Database) {
    let site = Site::start(database).await;
    let (_, editor) = editors(&site).await;
    let plain = site.register("plain").await;
    put_label(&site, &editor, "paid", &["user"]).await.ok(201);
    let mut lines = String::new();
    for number in 0..2500 {
        lines += &film_line(number, "[\"paid\"]").replace('\n', "\r\n");
    }
    lines += "\n";
    lines += "no json\n";
    lines += &film_line(0, "[\"ghost\"]");
    lines += &film_line(1, "[]");
    lines += "{\"film_id\":\"x\",\"labels\":[]}";
    let answer = bulk(&site, &editor, lines.clone()).await.ok(200);
    assert_eq!(fields(&answer), ["accepted", "refused", "refused_count"]);
    assert_eq!(
        (&answer["accepted"], &answer["refused_count"]),
        (&json!(2501), &json!(3))
    );
    let refused = answer["refused"].as_array().unwrap();
    let numbers: Vec<i64> = refused
        .iter()
        .map(|line| line["line"].as_i64().unwrap())
        .collect();
    assert_eq!(numbers, [2502, 2503, 2505]);
    assert_eq!(refused[1]["reason"], "there is no label \"ghost\"");
    assert_eq!(labels_of(&site, &plain, &film(0)).await, json!(["paid"]));
    assert_eq!(labels_of(&site, &plain, &film(1)).await, json!([]));
    assert_eq!(labels_of(&site, &plain, &film(2499)).await, json!(["paid"]));
    // Again, it changes nothing, so that verifiers have nothing to hear of.
    let sum = || {
        site.database
            .number("SELECT CAST(SUM(change) AS BIGINT) FROM film_labels WHERE set_id <> 0")
    };
    let before = sum().await;
    bulk(
        &site,
        &editor,
        lines.lines().skip(2).take(2000).collect::<Vec<_>>().join("\n"),
    )
    .await
    .ok(200);
    assert_eq!(sum().await, before);
    bulk(&site, &plain, lines).await.refused(403, "forbidden");
}

async fn bulk_bodies_are_bounded_and_of_their_type(database: Database) {
    let site = Site::start(database).await;
    let (_, editor) = editors(&site).await;
    let post = || site.post("/api/v1/film/label").bearer(&editor.access);
    post()
        .body("{}")
        .send()
        .await
        .refused(415, "unsupported-media-type");
    post()
        .json(&json!({}))
        .send()
        .await
        .refused(415, "unsupported-media-type");
    let lines = || post().header("content-type", "application/x-ndjson; charset=utf-8");
    assert_eq!(lines().body("").send().await.ok(200)["accepted"], 0);
    lines()
        .header("content-length", "67108865")
        .send()
        .await
        .refused(413, "body-too-large");
    // More bad lines than are listed.
    let answer = lines().body("x\n".repeat(1500)).send().await.ok(200);
    assert_eq!(answer["refused"].as_array().unwrap().len(), 1000);
    assert_eq!(answer["refused_count"], 1500);
}

async fn films_are_exported_whole(database: Database) {
    let site = Site::start(database).await;
    let (_, editor) = editors(&site).await;
    let plain = site.register("plain").await;
    for name in ["paid", "adult"] {
        put_label(&site, &editor, name, &["user"]).await.ok(201);
    }
    let export = |who: &Person| site.get("/api/v1/film/label").bearer(&who.access).send();
    let empty = export(&editor).await;
    assert_eq!((empty.status, empty.text().as_str()), (200, ""));
    let line = |number: usize| {
        let labels = if number.is_multiple_of(3) {
            "\"adult\",\"paid\""
        } else {
            "\"paid\""
        };
        format!("{{\"film_id\":\"{}\",\"labels\":[{labels}]}}\n", film(number))
    };
    let lines: String = (0..2300).map(line).collect();
    bulk(&site, &editor, lines.clone()).await.ok(200);
    put_film(&site, &editor, STALKER, &["paid"]).await.ok(200);
    site.delete(&format!("/api/v1/film/{STALKER}/label"))
        .bearer(&editor.access)
        .send()
        .await
        .no_content();
    let answer = export(&editor).await;
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.text(), lines);
    export(&plain).await.refused(403, "forbidden");
}

async fn as_many_labels_as_fit_a_header(database: Database) {
    let site = Site::start(database).await;
    let (_, editor) = editors(&site).await;
    for number in 0..120 {
        put_label(&site, &editor, &format!("label-{number}"), &[])
            .await
            .ok(201);
    }
    put_label(&site, &editor, "one-more", &[])
        .await
        .invalid(&[("name", "too_many")]);
    put_label(&site, &editor, "label-7", &["user"]).await.ok(200);
    site.delete("/api/v1/label/label-9")
        .bearer(&editor.access)
        .send()
        .await
        .no_content();
    put_label(&site, &editor, "one-more", &[]).await.ok(201);
}
