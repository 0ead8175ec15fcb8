//! The page that shows how the verifier is, in the process that it is about.

use reqwest::StatusCode;
use reqwest::header::COOKIE;

use crate::support::Usher;

impl Usher {
    async fn page(&self, path: &str, token: &str) -> String {
        let request = self.api("GET", path, None);
        let request = request.header(COOKIE, format!("__Host-access_token={token}"));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.text().await.unwrap()
    }
}

#[tokio::test]
async fn the_verifier_is_shown_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let usher = Usher::start(folder.path());
    let root = usher.superuser().await;
    let page = usher.page("/account/verifiers", &root.access_token).await;
    assert!(page.contains("<span class=\"mark\">fresh</span>"), "{page}");
    assert!(page.contains("<dt>Allowed</dt><dd>0</dd>"), "{page}");
    assert!(
        page.contains("<dt>Found in the cache</dt><dd>unknown</dd>"),
        "{page}"
    );
    let ask = |token: &str| {
        let question = usher.client.get(format!("{}/authz/auth-request", usher.verifier));
        let question = question.bearer_auth(token).header("X-Original-Method", "GET");
        question
            .header("X-Original-URI", "/")
            .header("X-Original-Host", "movies.example.org")
            .send()
    };
    for _ in 0..4 {
        assert_eq!(ask(&root.access_token).await.unwrap().status(), StatusCode::OK);
    }
    assert_eq!(ask("garbage").await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let page = usher.page("/account/verifiers", &root.access_token).await;
    assert!(page.contains("<dt>Allowed</dt><dd>4</dd>"), "{page}");
    assert!(
        page.contains("<dt>Refused</dt><dd>1 (malformed 1)</dd>"),
        "{page}"
    );
    assert!(page.contains(" s</dd>") && page.contains(" %</dd>"), "{page}");
    assert!(usher.stop().success());
}
