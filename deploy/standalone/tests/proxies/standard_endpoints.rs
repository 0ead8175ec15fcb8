//! OAuth's endpoints and the audit trail are the issuer's behind every front end, with the credentials as they came.

use crate::client::Ask;
use crate::front_end::Kind;
use crate::stand::{RULES, Stand};

/// A client that there is not: `nobody:x`.
const NOBODY: &str = "Basic bm9ib2R5Ong=";

#[tokio::test]
async fn every_front_end_sends_what_is_the_issuers_to_it() {
    let stand = Stand::start(&Kind::ALL, RULES).await;
    stand.echo.take_seen();
    for front_end in &stand.front_ends {
        for path in ["/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"] {
            let ask = Ask::new("POST", path)
                .header("Authorization", NOBODY)
                .header("Content-Type", "application/x-www-form-urlencoded")
                .body("grant_type=client_credentials&token=x");
            let answer = front_end.send(&ask).await;
            let what = format!("{}: {path}: {answer:?}", front_end.kind);
            assert_eq!(answer.status, 401, "{what}");
            assert!(answer.body.contains("\"invalid_client\""), "{what}");
            assert!(answer.header("www-authenticate").starts_with("Basic "), "{what}");
        }
        let answer = front_end.send(&Ask::new("GET", "/api/v1/audit")).await;
        let what = format!("{}: the audit trail: {answer:?}", front_end.kind);
        assert!(
            answer.status == 401 && answer.body.contains("/problems/not-signed-in"),
            "{what}"
        );
    }
    assert!(stand.echo.take_seen().is_empty(), "the service was asked");
}
