//! Who may see which film, from registration to logout.

use serde_json::json;

use crate::client::Ask;
use crate::stand::{OPEN_FILM, SUBSCRIBER_FILM, Stand};

#[tokio::test]
async fn films_are_for_whom_their_labels_say() {
    let Some(stand) = Stand::start().await else { return };

    // An anonymous caller sees the list and the open films.
    let list = stand.film("/api/v1/films", None).await;
    assert_eq!(list.status, 200, "{list:?}");
    assert!(list.value()["films"].as_array().unwrap().len() >= 30);
    let open = stand.film(OPEN_FILM, None).await;
    assert_eq!(open.status, 200, "{open:?}");
    assert_eq!(open.value()["film"]["title"], "The General");
    assert_eq!(
        open.value()["viewer"],
        json!({"subject": null, "roles": [], "superuser": false, "labels": []})
    );
    let closed = stand.film(SUBSCRIBER_FILM, None).await;
    assert_eq!(closed.refusal(), (401, "missing".into()), "{closed:?}");
    assert_eq!(closed.headers.get_all("www-authenticate").iter().count(), 1);
    assert!(
        closed.header("www-authenticate").starts_with("Bearer realm="),
        "{closed:?}"
    );
    assert!(!closed.header("www-authenticate").contains("error"), "{closed:?}");
    assert_eq!(closed.header("content-type"), "application/problem+json");
    assert_eq!(closed.header("cache-control"), "no-store");

    // Somebody without the role that the label asks for.
    let user = stand.register("neo").await;
    let open = stand.film(OPEN_FILM, Some(&user.access)).await;
    assert_eq!(
        open.value()["viewer"],
        json!({"subject": user.id, "roles": ["user"], "superuser": false, "labels": []})
    );
    let closed = stand.film(SUBSCRIBER_FILM, Some(&user.access)).await;
    assert_eq!(closed.refusal(), (403, "label".into()), "{closed:?}");
    assert!(
        closed.header("www-authenticate").contains("insufficient_scope"),
        "{closed:?}"
    );

    // A superuser grants it: the old token is stale, a fresh one will do.
    stand.subscribe(&user).await;
    let stale = stand.film(SUBSCRIBER_FILM, Some(&user.access)).await;
    assert_eq!(stale.refusal(), (401, "stale".into()), "{stale:?}");
    assert_eq!(stale.headers.get_all("www-authenticate").iter().count(), 1);
    assert!(
        stale.header("www-authenticate").contains("invalid_token"),
        "{stale:?}"
    );
    let user = stand.refresh(&user).await;
    let seen = stand.film(SUBSCRIBER_FILM, Some(&user.access)).await;
    assert_eq!(seen.status, 200, "{seen:?}");
    assert_eq!(seen.value()["film"]["title"], "Stalker");
    assert_eq!(
        seen.value()["viewer"],
        json!({
            "subject": user.id,
            "roles": ["subscriber", "user"],
            "superuser": false,
            "labels": ["subscribers"],
        })
    );

    // After logout the very same token is refused at once, on an open film too.
    let logout = stand
        .send(Ask::post("/api/v1/user/logout").bearer(&user.access))
        .await;
    assert_eq!(logout.status, 204, "{logout:?}");
    for film in [SUBSCRIBER_FILM, OPEN_FILM] {
        let refused = stand.film(film, Some(&user.access)).await;
        assert_eq!(refused.refusal(), (401, "revoked".into()), "{film}: {refused:?}");
    }
}

#[tokio::test]
async fn a_label_put_on_a_film_or_taken_away_counts_at_once() {
    let Some(stand) = Stand::start().await else { return };
    let user = stand.register("neo").await;
    let superuser = stand.superuser().await;
    for _ in 0..3 {
        for (labels, anonymous, signed_in) in [(json!(["subscribers"]), 401, 403), (json!([]), 200, 200)] {
            let path = OPEN_FILM.replace("films", "film") + "/label";
            let ask = Ask::new("PUT", &path).bearer(&superuser.access);
            let put = stand.send(ask.json(&json!({"labels": labels}))).await;
            assert_eq!(put.status, 200, "{put:?}");
            assert_eq!(stand.film(OPEN_FILM, None).await.status, anonymous, "{labels}");
            let seen = stand.film(OPEN_FILM, Some(&user.access)).await;
            assert_eq!(seen.status, signed_in, "{labels}");
            assert_eq!(stand.film(OPEN_FILM, Some(&superuser.access)).await.status, 200);
        }
    }
}

#[tokio::test]
async fn the_other_rules_of_the_demo_hold() {
    let Some(stand) = Stand::start().await else { return };
    let user = stand.register("trinity").await;
    let superuser = stand.superuser().await;
    // The movie service has nothing at either place, so whoever comes through gets 404.
    for (path, [anonymous, signed_in, above_all]) in [
        ("/api/v1/admin/reports", [401, 403, 404]),
        ("/api/v1/admin", [401, 403, 404]),
        ("/api/v1/profile/me", [401, 404, 404]),
        ("/anything", [404, 404, 404]),
    ] {
        for (token, expected) in [
            (None, anonymous),
            (Some(user.access.as_str()), signed_in),
            (Some(superuser.access.as_str()), above_all),
        ] {
            let answer = stand.film(path, token).await;
            assert_eq!(answer.status, expected, "{path} {answer:?}");
        }
    }
    let seen = stand.film(SUBSCRIBER_FILM, Some(&superuser.access)).await;
    assert_eq!(seen.value()["viewer"]["superuser"], true);
    assert_eq!(seen.value()["viewer"]["labels"], json!(["subscribers"]));
}

#[tokio::test]
async fn the_issuer_is_there_and_sees_who_is_calling() {
    let Some(stand) = Stand::start().await else { return };
    let jwks = stand.send(Ask::get("/.well-known/jwks.json")).await;
    assert!(
        jwks.status == 200 && !jwks.value()["keys"].as_array().unwrap().is_empty(),
        "{jwks:?}"
    );
    let user = stand.register("morpheus").await;
    let again = json!({"login": "morpheus", "password": "follow the white rabbit"});
    let login = Ask::post("/api/v1/user/login")
        .header("X-Forwarded-For", "203.0.113.66")
        .header("Forwarded", "for=203.0.113.66");
    assert_eq!(stand.send(login.json(&again)).await.status, 200);
    let history = stand.film("/api/v1/login/history", Some(&user.access)).await;
    for attempt in history.value()["items"].as_array().unwrap() {
        assert_eq!(attempt["ip"], "127.0.0.1", "{history:?}");
    }
    for path in ["/api/v1/role", "/api/v1/session", "/api/v1/user/me"] {
        let answer = stand.film(path, Some(&user.access)).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    // None of it went past the movie service.
    assert!(stand.take_seen().is_empty());
}

#[tokio::test]
async fn a_cookie_will_do() {
    let Some(stand) = Stand::start().await else { return };
    let user = stand.register("niobe").await;
    let cookie = format!("theme=dark; __Host-access_token={}; size=2", user.access);
    let answer = stand.send(Ask::get(OPEN_FILM).header("Cookie", &cookie)).await;
    assert_eq!(answer.value()["viewer"]["subject"], user.id.as_str());
}
