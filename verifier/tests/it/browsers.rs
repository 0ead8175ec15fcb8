//! What is particular to browsers: cookies that are sent unasked, and pages to be sent to.

use shared::config::OneOrMany;
use verifier::http::Endpoint;

use crate::support::{Request, World};

const RULES: &str = "default = \"allow\"\n[[rule]]\npath = \"/me\"\nauthenticated = true\n";
const ORIGIN: &str = "https://movies.example.org";

async fn guarded() -> World {
    World::with(RULES, |settings| {
        settings.allowed_origins = OneOrMany(vec![ORIGIN.to_owned()]);
    })
    .await
}

/// Attack: a page of another site has a browser send what changes something, with the user's cookie
/// Source: CWE-352
/// Result: 403 `cross_site`
#[tokio::test]
async fn a_cookie_counts_for_more_than_reading_only_from_an_allowed_origin() {
    let world = guarded().await;
    let token = world.forge().token();
    for endpoint in Endpoint::ALL {
        for path in ["/me", "/open"] {
            for (method, origins, verdict) in [
                ("GET", &[][..], (200, "")),
                ("HEAD", &["https://evil.example.org"], (200, "")),
                ("OPTIONS", &[], (200, "")),
                ("POST", &[ORIGIN], (200, "")),
                ("POST", &[], (403, "cross_site")),
                ("POST", &["https://evil.example.org"], (403, "cross_site")),
                ("POST", &["null"], (403, "cross_site")),
                (
                    "POST",
                    &["https://movies.example.org.evil.org"],
                    (403, "cross_site"),
                ),
                ("POST", &["http://movies.example.org"], (403, "cross_site")),
                ("POST", &[ORIGIN, ORIGIN], (403, "cross_site")),
                ("DELETE", &[], (403, "cross_site")),
                ("PURGE", &[], (403, "cross_site")),
            ] {
                let request = Request::about(endpoint, method, path);
                let request = origins
                    .iter()
                    .fold(request, |request, origin| request.header("Origin", origin));
                let answer = world.ask(&request.clone().cookie(&token)).await;
                assert_eq!(
                    answer.verdict(),
                    (verdict.0, verdict.1.to_owned()),
                    "{endpoint} {method} {origins:?}"
                );
                assert_eq!(
                    world.ask(&request.bearer(&token)).await.status,
                    200,
                    "a header is not sent unasked"
                );
            }
        }
        let nobody = world.ask(&Request::about(endpoint, "POST", "/open")).await;
        assert_eq!(nobody.status, 200, "who has no cookie has nothing to lose");
    }
}

/// Attack: a page of another site opens a WebSocket with the user's cookie
/// Source: CWE-1385
/// Result: 403 `cross_site`
#[tokio::test]
async fn a_websocket_by_cookie_is_more_than_reading() {
    let world = guarded().await;
    let token = world.forge().token();
    for (name, value) in [("Upgrade", "websocket"), ("Sec-WebSocket-Key", "eA==")] {
        for endpoint in Endpoint::ALL {
            let request = Request::about(endpoint, "GET", "/me")
                .cookie(&token)
                .header(name, value);
            assert_eq!(
                world.ask(&request).await.verdict(),
                (403, "cross_site".to_owned()),
                "{endpoint} {name}"
            );
            assert_eq!(
                world.ask(&request.header("Origin", ORIGIN)).await.status,
                200,
                "{endpoint} {name}"
            );
        }
    }
    let traefik = Request::about(Endpoint::ForwardAuth, "GET", "/me")
        .cookie(&token)
        .header("X-Forwarded-Proto", "wss");
    assert_eq!(
        world.ask(&traefik).await.verdict(),
        (403, "cross_site".to_owned())
    );
}

#[tokio::test]
async fn without_allowed_origins_no_origin_is_asked_for() {
    let world = World::ready(RULES).await;
    let token = world.forge().token();
    let request = Request::about(Endpoint::ExtAuthz, "POST", "/me").cookie(&token);
    assert_eq!(world.ask(&request).await.status, 200);
}

/// Attack: a request that would have the login lead to another site
/// Source: CWE-601
/// Result: no redirect
#[tokio::test]
async fn a_browser_without_a_session_is_sent_to_log_in() {
    let world = World::with(RULES, |settings| {
        settings.login_url = Some("https://issuer.example.org/login".to_owned());
        settings.allowed_return_hosts = OneOrMany(vec!["movies.example.org".to_owned()]);
    })
    .await;
    let navigation = |target: &str, path: &str| {
        Request::raw("GET", target)
            .header("X-Forwarded-Method", "GET")
            .header("X-Forwarded-Proto", "https")
            .header("X-Forwarded-Host", "movies.example.org")
            .header("X-Forwarded-Uri", path)
            .header("Accept", "text/html")
    };
    let asked = "/authz/forward-auth?on_401=redirect";
    let expected = "https://issuer.example.org/login?return_to=https%3A%2F%2Fmovies.example.org%2Fme%3Fa%3Db";
    for request in [
        navigation(asked, "/me?a=b"),
        navigation(asked, "/me?a=b").cookie("expired"),
    ] {
        let answer = world.ask(&request).await;
        assert_eq!((answer.status, answer.header("location")), (302, Some(expected)));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    for (request, status) in [
        (navigation("/authz/forward-auth", "/me"), 401),
        (navigation(asked, "/open"), 200),
        (navigation(asked, "/me/../open"), 403),
        (navigation("/authz/ext-authz/me?on_401=redirect", "/me"), 401),
        (Request::about(Endpoint::ForwardAuth, "GET", "/me"), 401),
    ] {
        let answer = world.ask(&request).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (status, None),
            "{request:?}"
        );
    }
}

#[tokio::test]
async fn a_proxy_that_redirects_by_itself_is_told_where_to() {
    let world = World::with(RULES, |settings| {
        settings.login_url = Some("https://issuer.example.org/api/v1/token/continue".to_owned());
        settings.allowed_return_hosts = OneOrMany(vec!["movies.example.org".to_owned()]);
    })
    .await;
    let asked = |method: &str, target: &str, host: &str, accept: &str| {
        Request::about(Endpoint::AuthRequest, method, target)
            .host(Endpoint::AuthRequest, host)
            .header("Accept", accept)
    };
    let (host, html) = ("movies.example.org", "text/html,*/*;q=0.8");
    let answer = world
        .ask(&asked(
            "GET",
            "/me?a=b&return_to=https://evil.org#c\"",
            host,
            html,
        ))
        .await;
    assert_eq!(answer.verdict(), (401, "missing".to_owned()));
    assert_eq!(
        answer.header("x-auth-login"),
        Some(
            "https://issuer.example.org/api/v1/token/continue?return_to=https%3A%2F%2Fmovies.example.org%2Fme\
             %3Fa%3Db%26return_to%3Dhttps%3A%2F%2Fevil.org"
        )
    );
    assert_eq!(answer.header("x-auth-reason"), Some("missing"));
    for (request, status) in [
        (asked("POST", "/me", host, html), 401),
        (asked("GET", "/me", "evil.org", html), 401),
        (asked("GET", "/me", "movies.example.org.evil.org", html), 401),
        (asked("GET", "/me", host, "application/json"), 401),
        (asked("GET", "/me/../a", host, html), 403),
        (asked("GET", "/open", host, html), 200),
        (
            Request::about(Endpoint::AuthRequest, "GET", "/me").header("Accept", html),
            401,
        ),
    ] {
        let answer = world.ask(&request).await;
        assert_eq!(
            (answer.status, answer.header("x-auth-login")),
            (status, None),
            "{request:?}"
        );
    }
}

#[tokio::test]
async fn cookie_and_realm_are_settings() {
    let world = World::with(RULES, |settings| {
        settings.cookie = "token".to_owned();
        settings.realm = "films".to_owned();
    })
    .await;
    let token = world.forge().token();
    let request = Request::about(Endpoint::AuthRequest, "GET", "/me");
    let theirs = world.ask(&request.clone().cookie(&token)).await;
    assert_eq!(
        (theirs.status, theirs.header("www-authenticate")),
        (401, Some("Bearer realm=\"films\""))
    );
    assert_eq!(
        world
            .ask(&request.header("Cookie", &format!("token={token}")))
            .await
            .status,
        200
    );
}
