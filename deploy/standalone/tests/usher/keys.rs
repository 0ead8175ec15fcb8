//! Signing keys come and go under a running `usher`.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use shared::encoding::base64url_decode;
use tokio::task::JoinSet;

use crate::support::{Person, Usher, command, ended};

const PATH: &str = "/api/v1/profile/me";

/// People who go on all the while.
const PEOPLE: usize = 4;

/// Rotations to live through.
const ROTATIONS: usize = 3;

/// A token is asked about for this long; it lives a little longer.
const ASKED_FOR: Duration = Duration::from_secs(4);

/// It takes some 16 s, and on a slow machine longer.
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) fn kid(token: &str) -> String {
    let header = base64url_decode(token.split('.').next().unwrap().as_bytes()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// What an operator's command says, which succeeds.
pub(crate) fn operate(folder: &Path, arguments: &[&str]) -> String {
    let (status, said) = ended(command(folder).args(arguments));
    assert_eq!(status, Some(0), "{arguments:?}: {said}");
    said
}

async fn judged(usher: &Usher, person: &Person) -> (u16, String) {
    usher.verdict(PATH, Some(&person.access_token)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_good_token_is_refused_while_keys_rotate_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let usher = Usher::start_with(
        command(folder.path())
            .env("ISSUER__KEYS__ROTATE_EVERY", "5s")
            .env("ISSUER__KEYS__PUBLISH_AHEAD", "1s")
            .env("ISSUER__TOKENS__ACCESS_TTL", "5s"),
    );
    let (usher, kids) = (Arc::new(usher), Arc::new(Mutex::new(BTreeSet::new())));
    let mut people = JoinSet::new();
    for number in 0..PEOPLE {
        let (usher, kids) = (Arc::clone(&usher), Arc::clone(&kids));
        people.spawn(async move {
            let mut person = usher.register(&format!("person-{number}")).await;
            let mut held: Vec<(Instant, Person)> = Vec::new();
            let mut asked = 0_u64;
            while kids.lock().unwrap().len() <= ROTATIONS {
                #[expect(clippy::disallowed_methods, reason = "a test has the time that it takes")]
                let now = Instant::now();
                person = usher.refresh(&person).await.unwrap();
                kids.lock().unwrap().insert(kid(&person.access_token));
                held.retain(|(since, _)| now.duration_since(*since) < ASKED_FOR);
                // The newest at once, and one of those before.
                held.push((now, person.clone()));
                let older = &held[usize::try_from(asked).unwrap() % held.len()].1;
                assert_eq!(judged(&usher, &person).await.0, 200, "a fresh token");
                let verdict = judged(&usher, older).await;
                assert_eq!(
                    verdict.0,
                    200,
                    "{verdict:?}, signed with {}",
                    kid(&older.access_token)
                );
                asked += 2;
            }
            asked
        });
    }
    let asked: u64 = tokio::time::timeout(PATIENCE, people.join_all())
        .await
        .unwrap()
        .iter()
        .sum();
    println!("{asked} tokens were taken over {ROTATIONS} rotations, none refused");
    let listed = operate(folder.path(), &["keys", "list"]);
    assert_eq!(listed.matches(" active ").count(), 1, "{listed}");
    assert!(listed.matches(" retired ").count() >= ROTATIONS, "{listed}");
}

#[tokio::test]
async fn a_revoked_key_is_out_and_people_go_on_with_another() {
    let folder = tempfile::tempdir().unwrap();
    // Its name must not follow its port, which changes with the start.
    let start =
        || Usher::start_with(command(folder.path()).env("ISSUER__PUBLIC_URL", "http://usher.example.org"));
    let usher = start();
    let person = usher.register("neo").await;
    assert_eq!(judged(&usher, &person).await.0, 200);
    let first = kid(&person.access_token);

    // Rotated, the old key's tokens stay good.
    operate(folder.path(), &["keys", "rotate", "--now"]);
    let second = usher.refresh(&person).await.unwrap();
    assert_ne!(kid(&second.access_token), first);
    while judged(&usher, &second).await.0 != 200 {}
    assert_eq!(judged(&usher, &person).await.0, 200);

    let said = operate(folder.path(), &["keys", "revoke", &first]);
    assert!(said.contains(&format!("{first} is revoked.")), "{said}");
    while judged(&usher, &person).await.0 == 200 {}
    assert_eq!(judged(&usher, &second).await.0, 200);

    operate(folder.path(), &["keys", "revoke", &kid(&second.access_token)]);
    let third = usher.refresh(&second).await.unwrap();
    while judged(&usher, &third).await.0 != 200 {}
    for out in [&person, &second] {
        assert_eq!(judged(&usher, out).await.0, 401);
    }
    // After a start it is as it was.
    assert!(usher.stop().success());
    let usher = start();
    assert_eq!(judged(&usher, &third).await.0, 200);
    for out in [&person, &second] {
        assert_eq!(judged(&usher, out).await.0, 401);
    }
}
