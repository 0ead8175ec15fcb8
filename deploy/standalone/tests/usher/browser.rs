//! A browser whose access token has run out comes back to where it was, without a login.

use reqwest::header::{ACCEPT, COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use serde_json::json;

use crate::support::{PASSWORD, Usher, command};

const RULES: &str = "default = \"allow\"\n[[rule]]\npath = \"/me\"\nauthenticated = true\n";
const PAGE: &str = "/me?page=2&sort=a%20b";

/// The cookies that an answer sets, as a browser sends them.
fn cookies(answer: &Response) -> String {
    let values = answer.headers().get_all(SET_COOKIE).iter();
    let pairs: Vec<&str> = values
        .map(|value| value.to_str().unwrap().split(';').next().unwrap())
        .collect();
    pairs.join("; ")
}

fn location(answer: &Response) -> String {
    answer.headers()[LOCATION].to_str().unwrap().to_owned()
}

impl Usher {
    /// Asks about the page as a proxy in front of a browser with these cookies, on 127.0.0.1.
    async fn navigate(&self, endpoint: &str, cookies: &str) -> Response {
        let request = self
            .client
            .get(format!("{}/authz/{endpoint}", self.verifier))
            .header(ACCEPT, "text/html,*/*;q=0.8")
            .header(COOKIE, cookies);
        let request = if endpoint.starts_with("forward-auth") {
            request
                .header("X-Forwarded-Method", "GET")
                .header("X-Forwarded-Uri", PAGE)
                .header("X-Forwarded-Host", "127.0.0.1")
                .header("X-Forwarded-Proto", "http")
        } else {
            request
                .header("X-Original-Method", "GET")
                .header("X-Original-URI", PAGE)
                .header("X-Original-Host", "127.0.0.1")
        };
        request.send().await.unwrap()
    }
}

#[tokio::test]
async fn a_session_is_renewed_without_a_login() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.toml");
    std::fs::write(&rules, RULES).unwrap();
    // The name by which browsers would reach the issuer, whose port is free until it has been chosen.
    let public = "http://issuer.test";
    let mut command = command(folder.path());
    command
        .arg("--rules")
        .arg(&rules)
        .env("VERIFIER__LOGIN_URL", format!("{public}/api/v1/token/continue"))
        .env("VERIFIER__ALLOWED_RETURN_HOSTS", "127.0.0.1")
        .env("ISSUER__PORTAL__ALLOWED_RETURN_HOSTS", "127.0.0.1");
    let mut usher = Usher::start_with(&mut command);
    usher.client = Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .build()
        .unwrap();
    usher.register("alice").await;
    let login = usher
        .client
        .post(format!("{}/api/v1/user/login?transport=cookie", usher.issuer))
        .json(&json!({"login": "alice", "password": PASSWORD}))
        .send()
        .await
        .unwrap();
    assert_eq!(login.status(), StatusCode::OK);
    let mut held = cookies(&login);
    assert!(held.contains("__Host-access_token=") && held.contains("__Secure-refresh_token="));

    for endpoint in ["forward-auth?on_401=redirect", "auth-request"] {
        // The access cookie has gone; that of the refresh token is not for this path.
        let refused = usher.navigate(endpoint, "").await;
        let next = if endpoint == "auth-request" {
            assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
            refused.headers()["x-auth-login"].to_str().unwrap().to_owned()
        } else {
            assert_eq!(refused.status(), StatusCode::FOUND);
            location(&refused)
        };
        let next = format!("{}{}", usher.issuer, next.strip_prefix(public).unwrap());
        assert!(next.contains("/api/v1/token/continue?return_to=http%3A%2F%2F127.0.0.1%2F"));

        let renewed = usher
            .client
            .get(&next)
            .header(COOKIE, &held)
            .send()
            .await
            .unwrap();
        assert_eq!(renewed.status(), StatusCode::SEE_OTHER);
        assert_eq!(location(&renewed), format!("http://127.0.0.1{PAGE}"));
        held = cookies(&renewed);
        assert_eq!(usher.navigate(endpoint, &held).await.status(), StatusCode::OK);

        // Whoever has no session comes to the login page, and from there to the same place.
        let nobody = usher.client.get(&next).send().await.unwrap();
        assert_eq!(nobody.status(), StatusCode::SEE_OTHER);
        assert!(location(&nobody).contains("return_to=http%3A%2F%2F127.0.0.1%2Fme%3Fpage%3D2"));
        assert!(cookies(&nobody).is_empty());
    }
    assert!(usher.stop().success());
}
