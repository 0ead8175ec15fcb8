//! What pages of other sites may try with a browser that is signed in here.

use serde_json::json;

use crate::support::{Database, PASSWORD, Site};

crate::on_both_databases!(
    no_page_has_an_answer_in_a_frame,
    nothing_personal_is_kept_by_a_cache,
    origins_that_are_nearly_allowed_read_nothing,
    a_form_of_another_site_signs_nobody_in,
    a_form_of_another_site_changes_nothing,
    a_line_break_in_an_address_makes_no_header,
);

/// Attack: a page has one of ours in a frame, and the user click on it
/// Source: CWE-1021, OWASP Clickjacking Defense
/// Result: `frame-ancestors 'none'` and `X-Frame-Options: DENY` on whatever is answered
async fn no_page_has_an_answer_in_a_frame(database: Database) {
    let site = Site::start(database).await;
    for path in [
        "/docs/",
        "/api/openapi.json",
        "/api/v1/user/me",
        "/api/v1/token/continue?return_to=/films",
        "/.well-known/jwks.json",
        "/nothing",
    ] {
        let answer = site.get(path).send().await;
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
    }
}

/// Attack: a cache between gives somebody's answer to another, or keeps it on a shared computer
/// Source: CWE-525, RFC 9111 section 5.2.2.5
/// Result: `no-store` on all but what is published, refusals included
async fn nothing_personal_is_kept_by_a_cache(database: Database) {
    let site = Site::start(database).await;
    site.superuser("root").await;
    let root = site.login("root").await.access;
    for path in [
        "/api/v1/user/me",
        "/api/v1/user",
        "/api/v1/session",
        "/api/v1/login/history",
        "/api/v1/role",
        "/api/v1/label",
        "/api/v1/film/label",
        "/api/v1/audit",
        "/api/v1/token/continue",
        "/api/v1/nothing",
    ] {
        for request in [
            site.get(path).bearer(&root),
            site.get(path),
            site.get(path).bearer("x"),
        ] {
            let answer = request.send().await;
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        }
    }
    let keys = site.get("/.well-known/jwks.json").send().await;
    assert!(keys.header("cache-control").unwrap().starts_with("public"));
}

/// Attack: a page of an origin that is nearly an allowed one reads answers with the user's credentials
/// Source: CWE-942, Fetch standard
/// Result: no CORS header for it, and never `*`
async fn origins_that_are_nearly_allowed_read_nothing(database: Database) {
    let site = Site::start(database).await;
    for origin in [
        "null",
        "*",
        "http://app.example.org",
        "https://app.example.org.evil.example",
        "https://evilapp.example.org",
        "https://app.example.org:8443",
        "https://APP.example.org",
        "https://app.example.org/",
        "https://evil.example/https://app.example.org",
    ] {
        for method in ["GET", "OPTIONS"] {
            let request = site
                .request(method, "/api/v1/user/me")
                .header("origin", origin)
                .header("access-control-request-method", "DELETE");
            let answer = request.send().await;
            assert_eq!(
                answer.header("access-control-allow-origin"),
                None,
                "{method} {origin}"
            );
        }
    }
}

/// Attack: a form of another site signs the user in as the attacker, to see what they do then
/// Source: CWE-352, OWASP Login CSRF
/// Result: 415: no form can send JSON without asking first
async fn a_form_of_another_site_signs_nobody_in(database: Database) {
    let site = Site::start(database).await;
    site.register("mallory").await;
    let body = json!({"login": "mallory", "password": PASSWORD}).to_string();
    for media_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=application/json",
        "text/plain; application/json",
    ] {
        let request = site
            .post("/api/v1/user/login?transport=cookie")
            .header("origin", "https://evil.example")
            .header("content-type", media_type)
            .body(body.clone());
        let answer = request.send().await;
        answer.refused(415, "unsupported-media-type");
        assert!(answer.all("set-cookie").is_empty(), "{media_type}");
    }
}

/// Attack: a form of another site posts to what needs no body, with the user's cookie
/// Source: CWE-352
/// Result: 403 `cross-site`, and the user is signed in as before
async fn a_form_of_another_site_changes_nothing(database: Database) {
    let site = Site::start(database).await;
    let own = site.register("neo").await.access;
    for path in ["/api/v1/user/logout", "/api/v1/user/logout?all=true"] {
        let request = site
            .post(path)
            .access_cookie(&own)
            .header("origin", "https://evil.example")
            .header("content-type", "application/x-www-form-urlencoded");
        request.send().await.refused(403, "cross-site");
    }
    for name in ["x-http-method-override", "x-method-override", "x-http-method"] {
        let request = site
            .get("/api/v1/user/me")
            .access_cookie(&own)
            .header(name, "DELETE");
        request.send().await.ok(200);
    }
    site.get("/api/v1/user/me").bearer(&own).send().await.ok(200);
}

/// Attack: a line break in `return_to`, which would end a header and begin another
/// Source: CWE-113, CWE-601
/// Result: it is not followed, and no header is added
async fn a_line_break_in_an_address_makes_no_header(database: Database) {
    let site = Site::start(database).await;
    for address in [
        "/films%0d%0aSet-Cookie:%20a=b",
        "/films%0aSet-Cookie:%20a=b",
        "/%250d%250aSet-Cookie:%20a=b",
        "%0a//evil.example",
        "/%09/evil.example",
        "/%5cevil.example",
    ] {
        let answer = site
            .get(&format!("/api/v1/token/continue?return_to={address}"))
            .send()
            .await;
        answer.is(303);
        let location = answer.header("location").unwrap();
        assert!(
            location.starts_with("https://auth.example.org/"),
            "{address}: {location}"
        );
        let cookies = answer.all("set-cookie");
        assert!(
            cookies.iter().all(|cookie| !cookie.starts_with("a=")),
            "{address}: {cookies:?}"
        );
    }
}
