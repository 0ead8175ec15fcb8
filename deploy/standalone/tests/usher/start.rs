//! `usher` as a newcomer meets it: a real process, its printed lines, its restarts and its end.

use std::process::Command;

use crate::support::{PASSWORD, Usher, command, ended};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const OPEN_FILM: &str = "/api/v1/films/0f3b9a52-6f0e-4c1e-9a55-2d7b1c8e4a10";

#[test]
fn the_printed_lines_work_when_pasted() {
    let folder = tempfile::tempdir().unwrap();
    let usher = Usher::start(folder.path());
    let lines: Vec<&String> = usher
        .greeting
        .iter()
        .filter(|line| line.starts_with("TOKEN=") || line.starts_with("curl"))
        .collect();
    assert_eq!(lines.len(), 3, "{:?}", usher.greeting);
    let script = lines
        .into_iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join("\necho ======\n");
    let output = Command::new("bash").arg("-c").arg(script).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let parts: Vec<&str> = said.split("======").collect();
    assert!(parts[0].trim().starts_with("eyJ"), "{}", parts[0]);
    assert!(
        parts[1].contains("HTTP/1.1 200 OK") && parts[1].contains("x-auth-subject: 0"),
        "{}",
        parts[1]
    );
    let (logout, refused) = parts[2].split_once("HTTP/1.1 401 Unauthorized").unwrap();
    assert!(logout.contains("HTTP/1.1 204 No Content"), "{logout}");
    assert!(refused.contains("\"reason\":\"revoked\""), "{refused}");
}

#[tokio::test]
async fn state_survives_a_restart_and_the_superuser_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let usher = Usher::start(folder.path());
    assert!(usher.greeting.iter().any(|line| line.contains("root-of-tests")));
    let neo = usher.register("neo").await;
    let trinity = usher.register("trinity").await;
    usher
        .act("POST", "/api/v1/user/logout", &trinity.access_token)
        .await;
    let address = usher.issuer.clone();
    assert!(usher.stop().success());

    // Its name, and so every token's `iss`, follows the address: the same one again.
    let listen = address.strip_prefix("http://").unwrap();
    let mut again = command(folder.path());
    again
        .env("ISSUER__PUBLIC_URL", &address)
        .args(["--issuer-listen", listen]);
    let usher = Usher::start_with(&mut again);
    assert!(
        !usher.greeting.iter().any(|line| line.contains("superuser")),
        "{:?}",
        usher.greeting
    );
    assert_eq!(usher.verdict(OPEN_FILM, Some(&neo.access_token)).await.0, 200);
    assert_eq!(
        usher.verdict(OPEN_FILM, Some(&trinity.access_token)).await,
        (401, "revoked".to_owned())
    );
    usher.login("neo", PASSWORD).await;
    assert!(usher.refresh(&neo).await.is_ok());
    usher.superuser().await;
}

#[test]
fn a_broken_setting_is_told_by_key_fault_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("usher.toml");
    for (toml, words) in [
        (
            "[issuer.tokens]\naccess_ttl = \"soon\"",
            ["issuer.tokens.access_ttl", "soon", "15m"],
        ),
        (
            "[issuer.tokens]\naces_ttl = \"5m\"",
            ["aces_ttl", "unknown", "access_ttl"],
        ),
        (
            "[verifier]\nmax_staleness = 30",
            ["verifier.max_staleness", "30", "15m"],
        ),
    ] {
        std::fs::write(&file, toml).unwrap();
        let (status, said) = ended(command(folder.path()).arg("--config").arg(&file));
        assert_eq!(status, Some(2), "{said}");
        for word in words {
            assert!(said.contains(word), "{word} is not in: {said}");
        }
    }
    let (status, said) = ended(
        Command::new(env!("CARGO_BIN_EXE_usher"))
            .env("ISSUER__DATABASE__URL", "postgres://u:secret@127.0.0.1:1/d")
            .env("ISSUER__KEYS__ENCRYPTION_KEY_FILE", "key"),
    );
    assert_eq!(status, Some(2), "{said}");
    assert!(
        said.contains("ISSUER__DATABASE__URL") && said.contains("sqlite:PATH"),
        "{said}"
    );
    assert!(!said.contains("secret"), "{said}");
    let (status, said) = ended(command(folder.path()).env("ISSUER__AUDIENCES", "x"));
    assert_eq!(status, Some(2), "{said}");
    assert!(
        said.contains("ISSUER__AUDIENCES") && said.contains("audience"),
        "{said}"
    );
    let (status, said) = ended(command(folder.path()).env("USHER_SUPERUSER_PASSWORD", "short"));
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("USHER_SUPERUSER_PASSWORD"), "{said}");
}

#[test]
fn a_second_usher_leaves_the_data_of_the_first_alone() {
    let folder = tempfile::tempdir().unwrap();
    let _usher = Usher::start(folder.path());
    let (status, said) = ended(&mut command(folder.path()));
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("another usher"), "{said}");
}

#[tokio::test]
async fn a_superuser_made_beside_a_running_usher_can_sign_in() {
    let folder = tempfile::tempdir().unwrap();
    let usher = Usher::start(folder.path());
    usher.register("morpheus").await;
    let create = format!(
        "printf 'another long password\\n' | {} --data-dir {} superuser create --login Morpheus --password-stdin",
        env!("CARGO_BIN_EXE_usher"),
        folder.path().display()
    );
    let output = Command::new("bash").arg("-c").arg(create).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let morpheus = usher.login("morpheus", "another long password").await;
    let me: Value = usher
        .api("GET", "/api/v1/user/me", Some(&morpheus.access_token))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(me["superuser"], true);
}

#[tokio::test]
async fn every_registration_that_was_answered_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let usher = Usher::start(folder.path());
    let mut registrations = JoinSet::new();
    for number in 0..200 {
        let request = usher
            .api("POST", "/api/v1/user", None)
            .json(&json!({"login": format!("person-{number}"), "password": PASSWORD}));
        registrations.spawn(async move {
            let answer = request.send().await.ok()?;
            (answer.status() == 201).then_some(number)
        });
    }
    let mut answered = Vec::new();
    let mut usher = Some(usher);
    while let Some(outcome) = registrations.join_next().await {
        answered.extend(outcome.unwrap());
        if answered.len() == 20
            && let Some(usher) = usher.take()
        {
            usher.kill();
        }
    }
    assert!(usher.is_none(), "all were answered before the kill");
    assert!(
        (20..200).contains(&answered.len()),
        "{} were answered",
        answered.len()
    );
    let usher = Usher::start(folder.path());
    for number in answered {
        usher.login(&format!("person-{number}"), PASSWORD).await;
    }
}
