//! Services in front of a running `usher`: clients made beside it, their tokens at the verifier.

use std::path::Path;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::keys::operate;
use crate::support::Usher;

const PATH: &str = "/api/v1/profile/me";

/// A client and its secret.
pub(crate) struct Machine {
    pub(crate) name: String,
    pub(crate) secret: String,
}

impl Machine {
    /// What `client create` and `client rotate-secret` print.
    fn of(said: &str) -> Self {
        let value = |name: &str| {
            let line = said.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} in {said}")).to_owned()
        };
        Self {
            name: value("client_id: "),
            secret: value("client_secret: "),
        }
    }
}

/// Makes a client.
pub(crate) fn create_client(folder: &Path, name: &str, roles: &[&str]) -> Machine {
    let roles = roles.iter().flat_map(|role| ["--role", *role]);
    let arguments: Vec<&str> = ["client", "create", "--name", name]
        .into_iter()
        .chain(roles)
        .collect();
    Machine::of(&operate(folder, &arguments))
}

impl Usher {
    /// Asks as a client.
    async fn oauth(&self, endpoint: &str, machine: &Machine, form: &[(&str, &str)]) -> (StatusCode, Value) {
        let form = form.iter().map(|(name, value)| format!("{name}={value}"));
        let answer = self
            .api("POST", &format!("/oauth2/{endpoint}"), None)
            .basic_auth(&machine.name, Some(&machine.secret))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.collect::<Vec<_>>().join("&"))
            .send()
            .await
            .unwrap();
        let status = answer.status();
        let body = answer.text().await.unwrap();
        (status, serde_json::from_str(&body).unwrap_or_default())
    }

    /// A token in a client's own name.
    pub(crate) async fn client_token(&self, machine: &Machine) -> String {
        let asked = self.oauth("token", machine, &[("grant_type", "client_credentials")]);
        let (status, tokens) = asked.await;
        assert_eq!(status, StatusCode::OK, "{tokens}");
        tokens["access_token"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_services_tokens_hold_at_the_verifier_until_they_are_ended() {
    let folder = tempfile::tempdir().unwrap();
    let usher = Usher::start(folder.path());
    let judged = |token: String| {
        let usher = &usher;
        async move { usher.verdict(PATH, Some(&token)).await }
    };
    let machine = create_client(folder.path(), "film-etl", &["role_editor"]);
    let (one, two) = (
        usher.client_token(&machine).await,
        usher.client_token(&machine).await,
    );
    assert_eq!(judged(one.clone()).await.0, 200);

    // Revoked, it is out at the verifier when the issuer has answered.
    let (status, _) = usher.oauth("revoke", &machine, &[("token", &one)]).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(judged(one).await, (401, "revoked".to_owned()));
    assert_eq!(judged(two.clone()).await.0, 200);

    // A new secret works at once, and ends what the old one was given.
    let said = operate(folder.path(), &["client", "rotate-secret", "--name", "film-etl"]);
    let renewed = Machine::of(&said);
    let three = usher.client_token(&renewed).await;
    let (status, error) = usher
        .oauth("token", &machine, &[("grant_type", "client_credentials")])
        .await;
    assert_eq!(
        (status, &error["error"]),
        (StatusCode::UNAUTHORIZED, &json!("invalid_client"))
    );
    while judged(two.clone()).await.0 == 200 {}
    assert_eq!(judged(two).await, (401, "stale".to_owned()));
    assert_eq!(judged(three.clone()).await.0, 200);

    operate(folder.path(), &["client", "delete", "--name", "film-etl"]);
    while judged(three.clone()).await.0 == 200 {}
    assert_eq!(judged(three).await, (401, "stale".to_owned()));
    let (status, _) = usher
        .oauth("token", &renewed, &[("grant_type", "client_credentials")])
        .await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}
