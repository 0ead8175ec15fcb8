//! OAuth's endpoints, the audit trail and the pages are the issuer's behind every front end, with the credentials as they
//! came.

use crate::client::Ask;
use crate::front_end::{FrontEnd, Kind};
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
        pages_are_the_issuers(front_end).await;
    }
    assert!(stand.echo.take_seen().is_empty(), "the service was asked");
}

/// The sign-in, from its page to its answer: with the cookie of the form, and what the browser says of its origin.
async fn pages_are_the_issuers(front_end: &FrontEnd) {
    let page = front_end.send(&Ask::new("GET", "/login")).await;
    let what = format!("{}: {page:?}", front_end.kind);
    assert!(
        page.status == 200 && page.body.contains("<h1>Sign in</h1>"),
        "{what}"
    );
    let cookie = page.header("set-cookie").split(';').next().unwrap().to_owned();
    let (_, token) = cookie.split_once('=').unwrap();
    let form = Ask::new("POST", "/login")
        .header("Cookie", &cookie)
        .header("Sec-Fetch-Site", "same-origin")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(&format!(
            "form_token={token}&login=nobody&password=no-such-password"
        ));
    let answer = front_end.send(&form).await;
    let what = format!("{}: {answer:?}", front_end.kind);
    assert!(
        answer.status == 401 && answer.body.contains("Wrong login or password."),
        "{what}"
    );
    let style = page
        .body
        .split('"')
        .find(|part| part.starts_with("/account/assets/"))
        .unwrap();
    let answer = front_end.send(&Ask::new("GET", style)).await;
    assert!(
        answer.status == 200 && answer.header("content-type").starts_with("text/css"),
        "{}: {answer:?}",
        front_end.kind
    );
    let answer = front_end.send(&Ask::new("GET", "/account/users")).await;
    let what = format!("{}: {answer:?}", front_end.kind);
    assert_eq!(answer.status, 303, "{what}");
    assert!(
        answer
            .header("location")
            .starts_with("/api/v1/token/continue?return_to="),
        "{what}"
    );
}
