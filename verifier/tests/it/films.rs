//! The labels of films, at every endpoint.

use std::time::Duration;

use verifier::http::Endpoint;

use crate::support::{Answer, Request, World, film, film_id, label};

const RULES: &str = r#"
default = "allow"

[[rule]]
path = "/films/{film_id}"
methods = ["GET"]
film = "{film_id}"

[[rule]]
path = "/stale/{film_id}"
film = "{film_id}"
on_stale = "allow"
"#;

const OPEN: u128 = 1;
const KIDS: u128 = 2;
const PREMIUM: u128 = 3;

async fn world() -> World {
    let mut world = World::ready(RULES).await;
    let labels = vec![
        label("kids", &[], true),
        label("premium", &["subscriber", "editor"], false),
        film(KIDS, &["kids"]),
        film(PREMIUM, &["kids", "premium"]),
    ];
    world.tell_labels(labels).await;
    world
}

/// Asks about a film, with this token or none.
async fn ask(world: &World, endpoint: Endpoint, path: &str, token: Option<&str>) -> Answer {
    let mut request = Request::about(endpoint, "GET", path);
    if let Some(token) = token {
        request = request.bearer(token);
    }
    world.ask(&request).await
}

fn at(folder: &str, film: u128) -> String {
    format!("/{folder}/{}", film_id(film))
}

#[tokio::test]
async fn the_labels_decide_and_are_told() {
    let world = world().await;
    let plain = world.forge().token();
    let subscriber = world.forge().roles(&["subscriber"]).token();
    let superuser = world.forge().claim("superuser", true).token();
    for endpoint in Endpoint::ALL {
        for (token, premium, labels) in [
            (None, (401, "missing"), "kids"),
            (Some(&plain), (403, "label"), "kids"),
            (Some(&subscriber), (200, ""), "kids,premium"),
            (Some(&superuser), (200, ""), "kids,premium"),
        ] {
            let token = token.map(String::as_str);
            for film in [OPEN, KIDS] {
                let answer = ask(&world, endpoint, &at("films", film), token).await;
                assert_eq!(answer.status, 200, "{endpoint}: {}", answer.reason());
                assert_eq!(answer.header("x-auth-labels"), Some(labels), "{endpoint}");
            }
            let answer = ask(&world, endpoint, &at("films", PREMIUM), token).await;
            assert_eq!(answer.verdict(), (premium.0, premium.1.to_owned()), "{endpoint}");
            if premium.0 == 403 {
                let challenge = answer.header("www-authenticate").unwrap();
                assert!(challenge.contains("error=\"insufficient_scope\", error_description=\"label: "));
            }
            let malformed = ask(&world, endpoint, "/films/1", token).await;
            assert_eq!(malformed.verdict(), (403, "request".to_owned()), "{endpoint}");
            let other = ask(&world, endpoint, "/actors/1", token).await;
            assert_eq!(other.header("x-auth-labels"), Some(labels), "{endpoint}");
        }
        let spoofed =
            Request::about(endpoint, "GET", &at("films", PREMIUM)).header("X-Auth-Labels", "premium");
        assert_eq!(world.ask(&spoofed).await.verdict(), (401, "missing".to_owned()));
        let posted = Request::about(endpoint, "POST", &at("films", PREMIUM));
        assert_eq!(world.ask(&posted).await.status, 200, "no rule is about it");
    }
}

#[tokio::test]
async fn changes_are_in_force_at_once() {
    let mut world = world().await;
    let subscriber = world.forge().roles(&["subscriber"]).token();
    let path = at("films", PREMIUM);
    let endpoint = Endpoint::AuthRequest;
    assert_eq!(ask(&world, endpoint, &path, Some(&subscriber)).await.status, 200);
    world
        .tell_labels(vec![label("premium", &["editor"], false)])
        .await;
    let answer = ask(&world, endpoint, &path, Some(&subscriber)).await;
    assert_eq!(answer.verdict(), (403, "label".to_owned()));
    let told = ask(&world, endpoint, &at("films", OPEN), Some(&subscriber)).await;
    assert_eq!(told.header("x-auth-labels"), Some("kids"));
    world.tell_labels(vec![film(PREMIUM, &[])]).await;
    assert_eq!(ask(&world, endpoint, &path, None).await.status, 200);
    for (sample, value) in [
        ("verifier_labels", 2.0),
        ("verifier_labelled_films", 1.0),
        ("verifier_label_entries_total{kind=\"film\"}", 3.0),
        ("verifier_label_entries_total{kind=\"definition\"}", 3.0),
        ("verifier_label_replica_state{state=\"fresh\"}", 1.0),
        ("verifier_label_replica_age_seconds", 0.0),
    ] {
        assert_eq!(world.metric(sample), Some(value), "{sample}");
    }
    assert!(world.metric("verifier_labels_bytes").unwrap() > 0.0);
}

#[tokio::test]
async fn without_fresh_labels_a_film_rule_answers_503_to_anybody() {
    let mut world = world().await;
    world.clock.advance(Duration::from_secs(31));
    world.heartbeat().await;
    let token = world.forge().roles(&["subscriber"]).token();
    for endpoint in Endpoint::ALL {
        for token in [None, Some(token.as_str())] {
            let answer = ask(&world, endpoint, &at("films", OPEN), token).await;
            assert_eq!(answer.verdict(), (503, "stale_replica".to_owned()), "{endpoint}");
            assert!(answer.header("retry-after").is_some());
            let answer = ask(&world, endpoint, &at("stale", KIDS), token).await;
            assert_eq!(answer.status, 200, "{endpoint}");
            let answer = ask(&world, endpoint, "/actors", token).await;
            assert_eq!(answer.header("x-auth-labels"), Some(""), "{endpoint}");
        }
        let closed = ask(&world, endpoint, &at("stale", PREMIUM), None).await;
        assert_eq!(closed.verdict(), (401, "missing".to_owned()));
    }
    assert_eq!(
        world.metric("verifier_label_replica_state{state=\"stale\"}"),
        Some(1.0)
    );
    assert_eq!(
        world.metric("verifier_revocation_replica_state{state=\"fresh\"}"),
        Some(1.0)
    );
}

#[tokio::test]
async fn it_is_not_ready_before_labels_that_a_rule_asks_for() {
    for (rules, is_ready) in [(RULES, false), ("default = \"allow\"\n", true)] {
        let mut world = World::bare(rules, |_| {}).await;
        world.set_keys(&[0]);
        world.heartbeat().await;
        let is_waiting = |world: &World| world.failed_checks().contains(&"verifier_labels");
        assert_eq!(is_waiting(&world), !is_ready);
        let answer = ask(&world, Endpoint::AuthRequest, &at("stale", OPEN), None).await;
        assert_eq!(answer.status, if is_ready { 200 } else { 503 });
        world.tell_labels(Vec::new()).await;
        world.is_ready().await;
        assert!(!is_waiting(&world));
        let answer = ask(&world, Endpoint::AuthRequest, &at("films", OPEN), None).await;
        assert_eq!(answer.status, 200);
    }
}
