use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use super::*;

async fn ask(path: &str, headers: &[(&str, &str)]) -> (StatusCode, Value) {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = router(Films::built_in().unwrap())
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn the_list_has_titles_and_years() {
    let (status, body) = ask("/api/v1/films", &[]).await;
    assert_eq!(status, StatusCode::OK);
    let films = body["films"].as_array().unwrap();
    assert!(
        films
            .iter()
            .any(|film| film["title"] == "The General" && film["year"] == 1926)
    );
    assert_eq!(
        body["viewer"],
        json!({"subject": null, "roles": [], "superuser": false, "labels": []})
    );
}

#[tokio::test]
async fn a_film_says_who_is_looking() {
    let (status, body) = ask(
        "/api/v1/films/7c9e6679-7425-40de-944b-e07fc1f90ae7/",
        &[
            ("x-auth-subject", "somebody"),
            ("x-auth-roles", "editor,subscriber"),
            ("x-auth-superuser", "true"),
            ("x-auth-labels", "kids,subscribers"),
        ],
    )
    .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body["film"]["title"], "Stalker");
    assert_eq!(
        body["viewer"],
        json!({
            "subject": "somebody",
            "roles": ["editor", "subscriber"],
            "superuser": true,
            "labels": ["kids", "subscribers"],
        })
    );
}

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    for path in [
        "/",
        "/api/v1/films/7C9E6679-7425-40DE-944B-E07FC1F90AE7",
        "/api/v1/films/x",
    ] {
        let (status, body) = ask(path, &[]).await;
        assert_eq!(
            (status, &body["status"]),
            (StatusCode::NOT_FOUND, &json!(404)),
            "{path}"
        );
    }
}
