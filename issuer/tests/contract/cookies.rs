//! Tokens that travel as cookies.

use serde_json::json;

use crate::shape::{escaped, fields};
use crate::support::{Answer, Database, PASSWORD, Site};

crate::on_both_databases!(
    cookies_are_bounded_and_the_body_is_without_tokens,
    a_browser_refreshes_by_its_cookie,
    a_browser_logs_out_by_its_cookie,
    a_refresh_by_cookie_comes_from_an_allowed_origin,
    a_browser_is_sent_back_where_it_came_from,
    a_browser_is_sent_nowhere_else,
    cookies_are_named_as_configured,
    other_origins_read_answers_where_allowed,
);

/// The value of a cookie that an answer sets.
fn value(answer: &Answer, name: &str) -> String {
    let prefix = format!("{name}=");
    let cookies = answer.all("set-cookie");
    let cookie = cookies.iter().find_map(|cookie| cookie.strip_prefix(&prefix));
    cookie.unwrap().split(';').next().unwrap().to_owned()
}

/// What stands behind the value of each cookie.
fn attributes(answer: &Answer) -> Vec<String> {
    let cookies = answer.all("set-cookie").into_iter();
    cookies
        .map(|cookie| {
            let (name, rest) = cookie.split_once('=').unwrap();
            format!("{name} {}", rest.split_once("; ").unwrap().1)
        })
        .collect()
}

const ACCESS: &str = "__Host-access_token";
const REFRESH: &str = "__Secure-refresh_token";

async fn signed_in(site: &Site) -> Answer {
    let body = json!({"login": "neo", "password": PASSWORD});
    site.post("/api/v1/user?transport=cookie")
        .json(&body)
        .send()
        .await
}

/// Attack: a script that reads tokens, from cookies or from the body
/// Source: CWE-1004, CWE-614
/// Result: `HttpOnly`, `Secure`, `SameSite`, and no token in the body
async fn cookies_are_bounded_and_the_body_is_without_tokens(database: Database) {
    let site = Site::start(database).await;
    let registered = signed_in(&site).await;
    let body = registered.ok(201);
    assert!(registered.header("location").is_some());
    let login = json!({"login": "neo", "password": PASSWORD});
    let login = site
        .post("/api/v1/user/login?transport=cookie")
        .json(&login)
        .send()
        .await;
    let again = login.ok(200);
    for (answer, body) in [(registered, body), (login, again)] {
        assert_eq!(
            fields(&body),
            ["expires_in", "refresh_expires_in", "token_type", "user_id"]
        );
        let month_s = body["refresh_expires_in"].as_i64().unwrap();
        assert_eq!(
            attributes(&answer),
            [
                format!("{ACCESS} Max-Age=900; Path=/; Secure; HttpOnly; SameSite=Lax"),
                format!("{REFRESH} Max-Age={month_s}; Path=/api/v1/token; Secure; HttpOnly; SameSite=Strict"),
            ]
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let me = site.get("/api/v1/user/me").access_cookie(&value(&answer, ACCESS));
        assert_eq!(me.send().await.ok(200)["login"], "neo");
    }
    let login = json!({"login": "neo", "password": PASSWORD});
    let odd = site
        .post("/api/v1/user/login?transport=pigeon")
        .json(&login)
        .send()
        .await;
    odd.invalid(&[("transport", "invalid")]);
    let body = site
        .post("/api/v1/user/login?transport=body")
        .json(&login)
        .send()
        .await;
    assert!(body.ok(200)["access_token"].is_string());
    assert_eq!(body.all("set-cookie"), [""; 0]);
}

async fn a_browser_refreshes_by_its_cookie(database: Database) {
    let site = Site::start(database).await;
    let first = signed_in(&site).await;
    let old = value(&first, REFRESH);
    let refresh = || {
        site.post("/api/v1/token/refresh")
            .refresh_cookie(&old)
            .own_origin()
    };
    let answer = refresh().send().await;
    assert_eq!(
        fields(&answer.ok(200)),
        ["expires_in", "refresh_expires_in", "token_type", "user_id"]
    );
    let new = value(&answer, REFRESH);
    assert_ne!(new, old);
    assert_eq!(attributes(&answer).len(), 2);
    // Asked for in the body, it comes there; a token in the body goes before the cookie.
    let asked = site
        .post("/api/v1/token/refresh?transport=body")
        .refresh_cookie(&new)
        .own_origin();
    let asked = asked.send().await;
    assert_eq!(asked.all("set-cookie"), [""; 0]);
    let newest = asked.ok(200)["refresh_token"].as_str().unwrap().to_owned();
    let both = site
        .post("/api/v1/token/refresh?transport=cookie")
        .refresh_cookie("garbage")
        .json(&json!({"refresh_token": newest}));
    assert_eq!(attributes(&both.send().await).len(), 2);
    let two = site
        .post("/api/v1/token/refresh")
        .refresh_cookie(&new)
        .refresh_cookie("other")
        .own_origin();
    two.send().await.unauthorised("ambiguous_credentials");
}

async fn a_browser_logs_out_by_its_cookie(database: Database) {
    let site = Site::start(database).await;
    let first = signed_in(&site).await;
    let (access, refresh) = (value(&first, ACCESS), value(&first, REFRESH));
    let out = || site.post("/api/v1/user/logout").access_cookie(&access);
    out().send().await.refused(403, "cross-site");
    let answer = out().own_origin().send().await;
    answer.no_content();
    assert_eq!(
        attributes(&answer),
        [
            format!("{ACCESS} Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax"),
            format!("{REFRESH} Max-Age=0; Path=/api/v1/token; Secure; HttpOnly; SameSite=Strict"),
        ]
    );
    assert_eq!(
        (value(&answer, ACCESS), value(&answer, REFRESH)),
        Default::default()
    );
    let me = site.get("/api/v1/user/me").access_cookie(&access);
    me.send().await.unauthorised("revoked");
    let refresh = site
        .post("/api/v1/token/refresh")
        .refresh_cookie(&refresh)
        .own_origin();
    refresh.send().await.refused(401, "invalid-refresh-token");
}

/// Attack: a page of another site refreshes by the user's cookie
/// Source: CWE-352
/// Result: 403 `cross-site`
async fn a_refresh_by_cookie_comes_from_an_allowed_origin(database: Database) {
    let site = Site::start(database).await;
    let token = value(&signed_in(&site).await, REFRESH);
    let before = site.rows().await;
    let refresh = || site.post("/api/v1/token/refresh").refresh_cookie(&token);
    refresh().send().await.refused(403, "cross-site");
    for origin in [
        "https://evil.example",
        "null",
        "https://app.example.org.evil.example",
    ] {
        let answer = refresh().header("origin", origin).send().await;
        assert_eq!(answer.refused(403, "cross-site")["reason"], "cross_site");
        assert_eq!(answer.all("set-cookie"), [""; 0]);
    }
    assert_eq!(site.rows().await, before);
    refresh()
        .header("origin", "https://app.example.org")
        .send()
        .await
        .ok(200);
    refresh()
        .header("sec-fetch-site", "same-origin")
        .send()
        .await
        .ok(200);
}

async fn a_browser_is_sent_back_where_it_came_from(database: Database) {
    let site = Site::start(database).await;
    let mut token = value(&signed_in(&site).await, REFRESH);
    for (return_to, target) in [
        ("/films?page=2", "https://auth.example.org/films?page=2"),
        (
            "https://movies.example.org/films",
            "https://movies.example.org/films",
        ),
        ("https://MOVIES.example.org", "https://movies.example.org/"),
    ] {
        let path = format!("/api/v1/token/continue?return_to={}", escaped(return_to));
        let answer = site.get(&path).refresh_cookie(&token).send().await;
        answer.is(303);
        assert_eq!(answer.header("location"), Some(target));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(attributes(&answer).len(), 2);
        token = value(&answer, REFRESH);
        let me = site.get("/api/v1/user/me").access_cookie(&value(&answer, ACCESS));
        me.send().await.ok(200);
    }
    // Without a session, by way of the login page.
    for cookie in ["", "garbage"] {
        let path = "/api/v1/token/continue?return_to=https://movies.example.org/films?page=2";
        let answer = site.get(path).refresh_cookie(cookie).send().await;
        answer.is(303);
        let login =
            "https://auth.example.org/login?return_to=https%3A%2F%2Fmovies.example.org%2Ffilms%3Fpage%3D2";
        assert_eq!(answer.header("location"), Some(login));
        assert_eq!(answer.all("set-cookie"), [""; 0]);
    }
}

/// Attack: `return_to` that leads to another site
/// Source: CWE-601
/// Result: 303 to the login page
async fn a_browser_is_sent_nowhere_else(database: Database) {
    let site = Site::start(database).await;
    let token = value(&signed_in(&site).await, REFRESH);
    let before = site.rows().await;
    let queries = [
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example/",
        "https://movies.example.org.evil.example/",
        "https://evilmovies.example.org/",
        "https://movies.example.org@evil.example/",
        "https://evil.example#@movies.example.org",
        "https://user:pw@movies.example.org/",
        "https:\t//evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "\u{1}https://evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://",
        "/\u{0}",
    ]
    .map(|address| format!("?return_to={}", escaped(address)))
    .into_iter()
    .chain([
        String::new(),
        "?return_to=".to_owned(),
        "?return_to=%FF%FE".to_owned(),
        "?return_to=https://evil.example/&return_to=/films".to_owned(),
        "?%FF=1".to_owned(),
    ]);
    for query in queries {
        let path = format!("/api/v1/token/continue{query}");
        let answer = site.get(&path).refresh_cookie(&token).send().await;
        answer.is(303);
        let target = answer.header("location").unwrap();
        let url: url::Url = target.parse().unwrap();
        assert_eq!(url.host_str(), Some("auth.example.org"), "{query}: {target}");
        assert!(!target.contains("evil"), "{query}: {target}");
        assert_eq!(site.rows().await["sessions"], before["sessions"]);
    }
}

async fn cookies_are_named_as_configured(database: Database) {
    let settings = "cookies.access_name = \"at\"\ncookies.refresh_name = \"rt\"\n\
                    cookies.domain = \"example.org\"\ncookies.same_site = \"strict\"";
    let site = Site::start_with(database, settings).await;
    let answer = signed_in(&site).await;
    let body = answer.ok(201);
    assert_eq!(
        attributes(&answer),
        [
            "at Max-Age=900; Path=/; Domain=example.org; Secure; HttpOnly; SameSite=Strict".to_owned(),
            format!(
                "rt Max-Age={}; Path=/api/v1/token; Domain=example.org; Secure; HttpOnly; SameSite=Strict",
                body["refresh_expires_in"]
            ),
        ]
    );
    let me = || site.get("/api/v1/user/me");
    me().cookie("at", &value(&answer, "at")).send().await.ok(200);
    me().access_cookie(&value(&answer, "at"))
        .send()
        .await
        .unauthorised("missing");
}

/// Attack: a page of another origin reads answers
/// Source: CWE-942, Fetch standard
/// Result: no CORS header for it
async fn other_origins_read_answers_where_allowed(database: Database) {
    let site = Site::start(database).await;
    let ask = |origin: &str| {
        site.request("OPTIONS", "/api/v1/user/me")
            .header("origin", origin)
            .header("access-control-request-method", "PATCH")
            .header("access-control-request-headers", "authorization")
            .send()
    };
    let allowed = ask("https://app.example.org").await;
    allowed.is(200);
    assert_eq!(
        allowed.header("access-control-allow-origin"),
        Some("https://app.example.org")
    );
    assert_eq!(allowed.header("access-control-allow-credentials"), Some("true"));
    assert!(
        allowed
            .header("access-control-allow-methods")
            .unwrap()
            .contains("PATCH")
    );
    let refused = ask("https://evil.example").await;
    assert_eq!(refused.header("access-control-allow-origin"), None);
    let me = site
        .get("/api/v1/user/me")
        .header("origin", "https://app.example.org")
        .send()
        .await;
    assert_eq!(
        me.header("access-control-allow-origin"),
        Some("https://app.example.org")
    );
    assert!(me.header("vary").unwrap().to_lowercase().contains("origin"));
}
