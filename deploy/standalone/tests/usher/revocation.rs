//! What is taken away is refused at the verifier when the issuer has answered, and not a request later.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::support::{PASSWORD, Person, Usher, command};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const OPEN: &str = "/api/v1/films/0f3b9a52-6f0e-4c1e-9a55-2d7b1c8e4a10";

async fn refused(usher: &Usher, person: &Person, reason: &str) {
    let verdict = usher.verdict(OPEN, Some(&person.access_token)).await;
    assert_eq!(verdict, (401, reason.to_owned()));
}

async fn allowed(usher: &Usher, person: &Person) {
    // Twice: the second answer comes from the cache.
    for _ in 0..2 {
        assert_eq!(usher.verdict(OPEN, Some(&person.access_token)).await.0, 200);
    }
}

/// Makes a role and gives its id.
async fn role(usher: &Usher, by: &Person, name: &str) -> String {
    let request = usher
        .api("POST", "/api/v1/role", Some(&by.access_token))
        .json(&json!({"name": name}));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 201);
    answer.json::<Value>().await.unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Attack: a token that is used again after a logout
/// Source: CWE-613
/// Result: 401 `revoked` at once
#[tokio::test(flavor = "multi_thread")]
async fn after_a_logout_was_answered_nobody_gets_a_200() {
    let folder = tempfile::tempdir().unwrap();
    let usher = Arc::new(Usher::start(folder.path()));
    for round in 0..5 {
        let person = usher.register(&format!("person-{round}")).await;
        allowed(&usher, &person).await;
        let (answered, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut askers = JoinSet::new();
        for _ in 0..100 {
            let (usher, person) = (Arc::clone(&usher), person.clone());
            let (answered, asked) = (Arc::clone(&answered), Arc::clone(&asked));
            askers.spawn(async move {
                loop {
                    // Read before the question is asked: whatever begins after the answer must be refused.
                    let logged_out = answered.load(Ordering::SeqCst);
                    let verdict = usher.verdict(OPEN, Some(&person.access_token)).await;
                    asked.fetch_add(1, Ordering::SeqCst);
                    assert!(
                        !logged_out || verdict == (401, "revoked".to_owned()),
                        "{verdict:?}"
                    );
                    if logged_out {
                        return;
                    }
                }
            });
        }
        // All of them are at it, with a hot cache, before the logout.
        while asked.load(Ordering::SeqCst) < 200 {
            tokio::task::yield_now().await;
        }
        usher
            .act("POST", "/api/v1/user/logout", &person.access_token)
            .await;
        answered.store(true, Ordering::SeqCst);
        while let Some(outcome) = askers.join_next().await {
            outcome.unwrap();
        }
    }
}

#[tokio::test]
async fn a_role_given_or_taken_makes_older_tokens_stale_until_the_next_refresh() {
    let folder = tempfile::tempdir().unwrap();
    let usher = Usher::start(folder.path());
    let root = usher.superuser().await;
    let person = usher.register("neo").await;
    let role = role(&usher, &root, "subscriber").await;
    let path = format!("/api/v1/user/{}/role/{role}", person.id);

    allowed(&usher, &person).await;
    usher.act("POST", &path, &root.access_token).await;
    refused(&usher, &person, "stale").await;
    let subscriber = usher.refresh(&person).await.unwrap();
    allowed(&usher, &subscriber).await;

    usher.act("DELETE", &path, &root.access_token).await;
    refused(&usher, &subscriber, "stale").await;
    let person = usher.refresh(&subscriber).await.unwrap();
    allowed(&usher, &person).await;
}

#[tokio::test]
async fn a_role_renamed_or_deleted_makes_the_tokens_with_its_name_stale() {
    let folder = tempfile::tempdir().unwrap();
    let usher = Usher::start(folder.path());
    let root = usher.superuser().await;
    let (person, other) = (usher.register("neo").await, usher.register("trinity").await);
    let role = role(&usher, &root, "subscriber").await;
    usher
        .act(
            "POST",
            &format!("/api/v1/user/{}/role/{role}", person.id),
            &root.access_token,
        )
        .await;
    let before = usher.refresh(&person).await.unwrap();
    allowed(&usher, &before).await;

    let rename = usher
        .api("PUT", &format!("/api/v1/role/{role}"), Some(&root.access_token))
        .json(&json!({"name": "patron"}));
    assert_eq!(rename.send().await.unwrap().status(), 200);
    refused(&usher, &before, "stale").await;
    allowed(&usher, &other).await;
    let renamed = usher.refresh(&before).await.unwrap();
    allowed(&usher, &renamed).await;

    usher
        .act("DELETE", &format!("/api/v1/role/{role}"), &root.access_token)
        .await;
    refused(&usher, &renamed, "stale").await;
    allowed(&usher, &other).await;
    let deleted = usher.refresh(&renamed).await.unwrap();
    allowed(&usher, &deleted).await;
}

#[tokio::test]
async fn a_changed_password_ends_every_other_session_and_keeps_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    let usher = Usher::start(folder.path());
    let here = usher.register("neo").await;
    let elsewhere = usher.login("neo", PASSWORD).await;
    allowed(&usher, &here).await;
    allowed(&usher, &elsewhere).await;

    let change = usher
        .api("PATCH", "/api/v1/user/me", Some(&here.access_token))
        .json(&json!({"password": "there is no spoon"}));
    assert_eq!(change.send().await.unwrap().status(), 200);
    refused(&usher, &here, "stale").await;
    refused(&usher, &elsewhere, "stale").await;
    let here = usher.refresh(&here).await.unwrap();
    allowed(&usher, &here).await;
    assert_eq!(usher.refresh(&elsewhere).await.unwrap_err(), 401);
    allowed(&usher, &usher.login("neo", "there is no spoon").await).await;
}

#[tokio::test]
async fn a_disabled_account_is_out_at_once_and_cannot_refresh() {
    let folder = tempfile::tempdir().unwrap();
    let usher = Usher::start(folder.path());
    let root = usher.superuser().await;
    let person = usher.register("cypher").await;
    allowed(&usher, &person).await;
    usher
        .act(
            "POST",
            &format!("/api/v1/user/{}/disable", person.id),
            &root.access_token,
        )
        .await;
    refused(&usher, &person, "stale").await;
    assert_eq!(usher.refresh(&person).await.unwrap_err(), 401);
    usher
        .act(
            "POST",
            &format!("/api/v1/user/{}/enable", person.id),
            &root.access_token,
        )
        .await;
    refused(&usher, &person, "stale").await;
    allowed(&usher, &usher.login("cypher", PASSWORD).await).await;
}

#[tokio::test]
async fn a_deleted_user_an_ended_session_and_a_reused_refresh_token_are_out_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let usher = Usher::start(folder.path());

    let person = usher.register("mouse").await;
    allowed(&usher, &person).await;
    usher
        .act(
            "DELETE",
            &format!("/api/v1/user/{}", person.id),
            &person.access_token,
        )
        .await;
    refused(&usher, &person, "stale").await;

    let here = usher.register("tank").await;
    let elsewhere = usher.login("tank", PASSWORD).await;
    let sessions: Value = usher
        .api("GET", "/api/v1/session", Some(&here.access_token))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let other = sessions["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["current"] == false)
        .unwrap();
    allowed(&usher, &elsewhere).await;
    usher
        .act(
            "DELETE",
            &format!("/api/v1/session/{}", other["id"].as_str().unwrap()),
            &here.access_token,
        )
        .await;
    refused(&usher, &elsewhere, "revoked").await;
    allowed(&usher, &here).await;

    usher
        .act("POST", "/api/v1/user/logout?all=true", &here.access_token)
        .await;
    refused(&usher, &here, "stale").await;
    assert_eq!(usher.refresh(&here).await.unwrap_err(), 401);
}

/// Attack: a stolen refresh token
/// Source: RFC 9700 section 4.14.2
/// Result: the session is revoked everywhere
#[tokio::test]
async fn a_refresh_token_that_comes_back_after_its_grace_ends_the_session_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let usher = Usher::start_with(command(folder.path()).env("ISSUER__TOKENS__REFRESH_GRACE", "0s"));
    let first = usher.register("dozer").await;
    let second = usher.refresh(&first).await.unwrap();
    let third = usher.refresh(&second).await.unwrap();
    allowed(&usher, &third).await;
    // A millisecond has passed since the second token was used: its grace of none is over.
    while usher.refresh(&first).await.is_ok() {}
    refused(&usher, &third, "revoked").await;
    assert_eq!(usher.refresh(&third).await.unwrap_err(), 401);
}
