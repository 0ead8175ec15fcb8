//! Forms are taken from pages of ours alone.

use super::browser::{ACCESS, Browser, FORM, Page};
use crate::support::{Database, PASSWORD, Request, Site};

crate::on_both_databases!(
    forms_from_elsewhere_are_refused,
    forms_without_their_token_are_refused,
    a_link_changes_nothing,
    bodies_have_bounds,
);

/// Every form, with what it would need to do something.
const FORMS: [(&str, &[(&str, &str)]); 5] = [
    ("/login", &[("login", "neo"), ("password", PASSWORD)]),
    (
        "/account/register",
        &[("login", "mallory"), ("password", PASSWORD)],
    ),
    ("/account/logout", &[("act", "all")]),
    (
        "/account",
        &[
            ("act", "login"),
            ("login", "mallory"),
            ("current_password", PASSWORD),
        ],
    ),
    ("/account/sessions", &[("act", "end")]),
];

async fn refused(request: Request, what: &str) {
    let answer = request.send().await;
    answer.says(403, "This form is out of date");
    assert!(
        answer
            .all("set-cookie")
            .iter()
            .all(|cookie| cookie.starts_with("__Host-form=")),
        "{what}: a cookie"
    );
}

async fn forms_from_elsewhere_are_refused(database: Database) {
    let site = Site::start(database).await;
    let mut browser = Browser::registered(&site, "neo").await;
    browser.get("/account").await.is(200);
    let token = browser.cookies[FORM].clone();
    let before = site.rows().await;
    let from: [&[(&str, &str)]; 8] = [
        &[],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        // It may call the API, but has no page of ours.
        &[("origin", "https://app.example.org")],
        &[("origin", "https://auth.example.org.evil.example")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[
            ("sec-fetch-site", "cross-site"),
            ("origin", "https://auth.example.org"),
        ],
    ];
    for (path, fields) in FORMS {
        for headers in from {
            let fields = [&[("form_token", token.as_str())], fields].concat();
            let mut request = browser.request("POST", path).form(&fields);
            for (name, value) in headers {
                request = request.header(name, value);
            }
            refused(request, &format!("{path} {headers:?}")).await;
        }
    }
    assert_eq!(site.rows().await, before);
    // One of the two is enough.
    for header in [
        ("origin", "https://auth.example.org"),
        ("sec-fetch-site", "same-origin"),
    ] {
        let fields = [("form_token", token.as_str()), ("act", "nothing")];
        let request = browser.request("POST", "/account").form(&fields);
        request.header(header.0, header.1).send().await.is(422);
    }
}

async fn forms_without_their_token_are_refused(database: Database) {
    let site = Site::start(database).await;
    let mut browser = Browser::registered(&site, "neo").await;
    browser.get("/account").await.is(200);
    let mut other = Browser::new(&site);
    other.get("/login").await.is(200);
    let own = browser.cookies[FORM].clone();
    let before = site.rows().await;
    for (path, fields) in FORMS {
        for token in ["", "x", &own[1..], other.cookies[FORM].as_str()] {
            let fields = [&[("form_token", token)], fields].concat();
            let request = browser.request("POST", path).own_origin().form(&fields);
            refused(request, &format!("{path} {token:?}")).await;
        }
        refused(browser.request("POST", path).own_origin().form(fields), path).await;
        // Without the cookie no token is right, least of all one that the sender made up.
        let access = browser.cookies[ACCESS].clone();
        let fields = [&[("form_token", own.as_str())], fields].concat();
        let request = site.post(path).access_cookie(&access).own_origin().form(&fields);
        refused(request, path).await;
    }
    assert_eq!(site.rows().await, before);
    // Who signs out begins anew.
    browser
        .submit("/account/logout", &[("act", "this")])
        .await
        .leads_to("/login?done=signed_out");
    browser.get("/login").await.is(200);
    assert_ne!(browser.cookies[FORM], own);
}

async fn a_link_changes_nothing(database: Database) {
    let site = Site::start(database).await;
    let mut browser = Browser::registered(&site, "neo").await;
    let before = site.rows().await;
    for (path, fields) in FORMS {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        browser.get(&format!("{path}?{query}")).await;
    }
    assert_eq!(site.rows().await, before);
    browser.get("/account").await.says(200, "<dd>neo</dd>");
}

async fn bodies_have_bounds(database: Database) {
    let site = Site::start(database).await;
    let mut browser = Browser::new(&site);
    browser.get("/login").await.is(200);
    let long = "a".repeat(70_000);
    browser
        .submit("/login", &[("login", &long)])
        .await
        .says(413, "This cannot be read");
    let json = browser.request("POST", "/login").own_origin();
    json.json(&serde_json::json!({"login": "neo"}))
        .send()
        .await
        .says(415, "This cannot be read");
    browser
        .request("PUT", "/login")
        .send()
        .await
        .refused(405, "method-not-allowed");
}
