//! Where somebody goes on to after signing in: allowed hosts, and no others.

use super::browser::{ACCESS, Browser, Page};
use crate::shape::escaped;
use crate::support::{Database, PASSWORD, Site};

crate::on_both_databases!(somebody_goes_on_to_an_allowed_host, somebody_goes_nowhere_else);

async fn somebody_goes_on_to_an_allowed_host(database: Database) {
    let site = Site::start(database).await;
    site.register("neo").await;
    for (asked, target, form_action) in [
        (
            "https://movies.example.org/films?page=2",
            "https://movies.example.org/films?page=2",
            "form-action 'self' https://movies.example.org;",
        ),
        (
            "http://movies.example.org:8443/",
            "http://movies.example.org:8443/",
            "form-action 'self' http://movies.example.org:8443;",
        ),
        ("/docs/", "https://auth.example.org/docs/", "form-action 'self';"),
    ] {
        let mut browser = Browser::new(&site);
        let page = browser.get(&format!("/login?return_to={}", escaped(asked))).await;
        page.says(200, &format!("name=\"return_to\" value=\"{target}\""));
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains(form_action), "{policy}");
        let fields = [
            ("login", "neo"),
            ("password", "no such password"),
            ("return_to", asked),
        ];
        let page = browser.submit("/login", &fields).await;
        page.says(401, &format!("name=\"return_to\" value=\"{target}\""));
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains(form_action), "{policy}");
        let fields = [("login", "neo"), ("password", PASSWORD), ("return_to", asked)];
        browser.submit("/login", &fields).await.leads_to(target);
        // Somebody who is signed in goes on at once.
        let page = browser.get(&format!("/login?return_to={}", escaped(asked))).await;
        page.leads_to(target);
    }
    // By way of the registration too.
    let mut browser = Browser::new(&site);
    let asked = escaped("https://movies.example.org/films");
    let page = browser.get(&format!("/login?return_to={asked}")).await;
    page.says(
        200,
        "href=\"/account/register?return_to=https%3A%2F%2Fmovies.example.org%2Ffilms\"",
    );
    let fields = [
        ("login", "trinity"),
        ("password", PASSWORD),
        ("return_to", "https://movies.example.org/films"),
    ];
    let answer = browser.submit("/account/register", &fields).await;
    answer.leads_to("https://movies.example.org/films");
}

async fn somebody_goes_nowhere_else(database: Database) {
    let site = Site::start(database).await;
    site.register("neo").await;
    for asked in [
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "\\/evil.example",
        "https://evil.example/",
        "https:/\\evil.example",
        "https://movies.example.org.evil.example/",
        "https://evilmovies.example.org/",
        "https://movies.example.org@evil.example/",
        "https://movies.example.org%40evil.example/",
        "https://evil.example#@movies.example.org",
        "https://user:pw@movies.example.org/",
        "https:\t//evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/films\r\nlocation: https://evil.example",
        "\u{1}https://evil.example",
        " https://evil.example",
        "javascript:alert(1)",
        "data:text/html,evil",
        "https://",
        "/\u{0}evil",
        "",
    ] {
        let mut browser = Browser::new(&site);
        let page = browser.get(&format!("/login?return_to={}", escaped(asked))).await;
        page.is(200);
        let text = page.text();
        assert!(!text.contains("name=\"return_to\""), "{asked:?}: {text}");
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("form-action 'self';"), "{asked:?}: {policy}");
        let fields = [("login", "neo"), ("password", PASSWORD), ("return_to", asked)];
        browser.submit("/login", &fields).await.leads_to("/account");
        assert!(browser.cookies.contains_key(ACCESS));
        let page = browser.get(&format!("/login?return_to={}", escaped(asked))).await;
        page.leads_to("/account");
    }
    // What stands twice is none.
    let mut browser = Browser::new(&site);
    let page = browser
        .get("/login?return_to=/films&return_to=//evil.example")
        .await;
    assert!(!page.text().contains("name=\"return_to\""));
    // What browsers take for a path of ours is one, in its one spelling.
    let page = browser.get("/login?return_to=https:evil.example").await;
    page.says(200, "value=\"https://auth.example.org/evil.example\"");
    let page = browser.get("/login?return_to=/%250a/evil.example").await;
    page.says(200, "value=\"https://auth.example.org/%0a/evil.example\"");
}
