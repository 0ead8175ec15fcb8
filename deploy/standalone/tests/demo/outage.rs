//! The wire between nginx and the verifier: kept, and cut.

use std::net::SocketAddr;

use axum::Router;
use http::StatusCode;
use serde_json::json;
use tokio::net::TcpListener;

use crate::client::{Answer, Ask};
use crate::stand::{OPEN_FILM, SUBSCRIBER_FILM, Stand};

#[tokio::test]
async fn connections_to_the_verifier_are_kept() {
    let Some(stand) = Stand::start().await else { return };
    let user = stand.register("mouse").await;
    for _ in 0..50 {
        for ask in [
            Ask::get(OPEN_FILM),
            Ask::get(SUBSCRIBER_FILM).bearer(&user.access),
            // A body is not for the verifier: it would close the connection.
            Ask::post(OPEN_FILM).json(&json!({"a": 1})),
            Ask::post(SUBSCRIBER_FILM).chunked("body", "X-Trailer: a"),
        ] {
            stand.send(ask).await;
        }
    }
    // One for each worker of nginx that had anything to do; without keep-alive it would be 200.
    let (accepted, workers) = (stand.relay.accepted(), stand.nginx_workers());
    assert!(accepted <= workers, "{accepted} connections of {workers} workers");
}

fn assert_unavailable(answer: &Answer, retry_after: &str) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.text("type"), "/problems/unavailable");
    assert_eq!(answer.header("retry-after"), retry_after);
    assert_eq!(answer.header("content-type"), "application/problem+json");
}

/// Something that answers everything with a status, as the verifier does while it has no keys.
async fn always(status: StatusCode) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = Router::new().fallback(async move || (status, [("retry-after", "7")]));
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

#[tokio::test]
async fn a_verifier_that_is_away_or_undecided_is_503() {
    let Some(mut stand) = Stand::start().await else {
        return;
    };
    assert_eq!(stand.film(OPEN_FILM, None).await.status, 200);

    stand.relay.lay(always(StatusCode::SERVICE_UNAVAILABLE).await);
    assert_unavailable(&stand.film(OPEN_FILM, None).await, "7");

    stand.usher.kill().await.unwrap();
    stand.relay.cut().await;
    let answer = Ask::get(OPEN_FILM).send(stand.address).await;
    assert_unavailable(&answer, "1");
}

/// Attack: logs that somebody reads for tokens
/// Source: CWE-532
/// Result: there is none in them
#[tokio::test]
async fn logs_have_no_tokens() {
    let Some(mut stand) = Stand::start().await else {
        return;
    };
    let user = stand.register("switch").await;
    let secret = format!("{SUBSCRIBER_FILM}?access_token={}&code=hidden", user.access);
    let ask = Ask::get(&secret)
        .bearer(&user.access)
        .header("Cookie", &format!("__Host-access_token={}", user.access))
        .header(
            "Referer",
            &format!("http://movies.example.org/?t={}", user.access),
        );
    assert_eq!(stand.send(ask.clone()).await.status, 403);
    stand.usher.kill().await.unwrap();
    assert_eq!(stand.send(ask).await.status, 503);

    let logs = stand.logs();
    assert!(
        logs.contains(&format!("\"path\":\"{SUBSCRIBER_FILM}\",\"status\":403")),
        "{logs}"
    );
    assert!(
        logs.contains(&format!("\"path\":\"{SUBSCRIBER_FILM}\",\"status\":503")),
        "{logs}"
    );
    // Its last part alone would do to find it.
    let signature = user.access.rsplit('.').next().unwrap();
    for hidden in [signature, user.refresh.as_str(), "hidden", "eyJ"] {
        assert!(!logs.contains(hidden), "`{hidden}` in {logs}");
    }
}
