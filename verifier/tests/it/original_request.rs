//! What the verifier takes for the original request, and what it refuses to take for one.

use shared::config::{ListenAddress, OneOrMany};
use verifier::http::Endpoint;

use crate::support::{HTTP, Request, World};

const RULES: &str = "default = \"allow\"\n\
    [[rule]]\npath = \"/admin/{*rest}\"\nroles = [\"admin\"]\n\
    [[rule]]\npath = \"/films/{film_id}\"\nauthenticated = true\n";

#[tokio::test]
async fn one_path_means_one_thing_however_it_is_spelt() {
    let world = World::ready(RULES).await;
    for endpoint in Endpoint::ALL {
        let mut client = world.connect().await;
        for (target, status) in [
            ("/admin", 401),
            ("/admin/", 401),
            ("/admin/x/y", 401),
            ("/%61dmin/x", 401),
            ("/admin?x=/../open", 401),
            ("/films/1", 401),
            ("/films/1/", 401),
            ("/films", 200),
            ("/films/1/2", 200),
            ("/Admin", 200),
            ("/open?next=//admin/../;", 200),
            ("/", 200),
        ] {
            let answer = client.ask(&Request::about(endpoint, "GET", target)).await;
            assert_eq!(answer.status, status, "{endpoint} {target}");
        }
    }
}

/// Attack: a path with more than one reading, at each endpoint
/// Source: CWE-22, CWE-180
/// Result: 403 `request`
#[tokio::test]
async fn a_path_with_more_than_one_reading_is_refused_whatever_the_rules_say() {
    let world = World::ready(RULES).await;
    for endpoint in Endpoint::ALL {
        let mut client = world.connect().await;
        for target in [
            "//admin",
            "/open/../admin",
            "/open/..",
            "/./admin",
            "/open//admin",
            "/open/%2e%2e/admin",
            "/open/%2E./admin",
            "/open%2f..%2fadmin",
            "/open%5c..%5cadmin",
            "/open/..;/admin",
            "/admin;x",
            "/admin%3bx",
            "/%2561dmin",
            "/%25%36%31dmin",
            "/admin%00",
            "/admin%0a",
            "/admin%7f",
            "/admin%c0%afx",
            "/admin%e0%80%af",
            "/admin%ff",
            "/admin%",
            "/admin%zz",
            "/admin%u002f",
        ] {
            let answer = client.ask(&Request::about(endpoint, "GET", target)).await;
            assert_eq!(
                answer.verdict(),
                (403, "request".to_owned()),
                "{endpoint} {target}"
            );
        }
    }
    for endpoint in [Endpoint::AuthRequest, Endpoint::ForwardAuth, Endpoint::Grpc] {
        for target in [
            "/open#x",
            "/open#/../admin",
            "",
            "admin",
            "*",
            "http://movies.example.org/open",
            "/кино",
            "/a b",
            "/a\tb",
            "/a\\b",
        ] {
            let answer = world.ask(&Request::about(endpoint, "GET", target)).await;
            assert_eq!(
                answer.verdict(),
                (403, "request".to_owned()),
                "{endpoint} {target}"
            );
        }
    }
}

/// Attack: a client that sends the headers of another proxy's family
/// Source: CWE-345
/// Result: they are not looked at
#[tokio::test]
async fn headers_of_another_family_have_no_effect() {
    let world = World::ready(RULES).await;
    for endpoint in [Endpoint::AuthRequest, Endpoint::ForwardAuth] {
        let mut client = world.connect().await;
        let request = Request::about(endpoint, "GET", "/admin")
            .header("X-Rewrite-URL", "/open")
            .header("X-Original-URL", "/open")
            .header("X_Original_URI", "/open")
            .header("X-Forwarded-Prefix", "/open");
        assert_eq!(client.ask(&request).await.status, 401, "{endpoint}");
    }
    for (endpoint, foreign) in [
        (
            Endpoint::AuthRequest,
            [("X-Forwarded-Uri", "/open"), ("X-Forwarded-Method", "GET")],
        ),
        (
            Endpoint::ForwardAuth,
            [("X-Original-URI", "/open"), ("X-Original-Method", "GET")],
        ),
        (
            Endpoint::ExtAuthz,
            [("X-Original-URI", "/open"), ("X-Forwarded-Uri", "/open")],
        ),
    ] {
        let spoofed = foreign.iter().fold(
            Request::about(endpoint, "GET", "/admin"),
            |request, (name, value)| request.header(name, value),
        );
        assert_eq!(world.ask(&spoofed).await.status, 401, "{endpoint}");
    }
    let alone = Request::raw("GET", "/authz/forward-auth")
        .header("X-Original-URI", "/open")
        .header("X-Original-Method", "GET");
    assert_eq!(world.ask(&alone).await.verdict(), (403, "request".to_owned()));
}

/// Attack: the proxy's headers missing or twice
/// Source: CWE-345, CWE-444
/// Result: 403 `request`
#[tokio::test]
async fn what_is_missing_or_stands_twice_is_refused() {
    let world = World::ready(RULES).await;
    for (target, headers) in [
        ("/authz/auth-request", vec![]),
        ("/authz/auth-request", vec![("X-Original-URI", "/open")]),
        ("/authz/auth-request", vec![("X-Original-Method", "GET")]),
        (
            "/authz/auth-request",
            vec![
                ("X-Original-URI", "/open"),
                ("X-Original-URI", "/open"),
                ("X-Original-Method", "GET"),
            ],
        ),
        (
            "/authz/auth-request",
            vec![("X-Original-URI", "/open"), ("X-Original-Method", "get")],
        ),
        (
            "/authz/auth-request",
            vec![
                ("X-Original-URI", "/"),
                ("X-Original-Method", "GET"),
                ("X-Original-Host", "a"),
                ("X-Original-Host", "b"),
            ],
        ),
        ("/authz/forward-auth", vec![("X-Forwarded-Uri", "/open")]),
        (
            "/authz/forward-auth",
            vec![
                ("X-Forwarded-Uri", "/open"),
                ("X-Forwarded-Method", "GET"),
                ("X-Forwarded-Proto", "gopher"),
            ],
        ),
        ("/authz/ext-authz", vec![]),
        ("/authz/ext-authz?/open", vec![]),
        ("/authz/ext-authzopen", vec![]),
        (
            "/authz/ext-authz/open",
            vec![("Host", "a.org"), ("Host", "b.org")],
        ),
        ("http://a.org/authz/ext-authz/open", vec![("Host", "b.org")]),
    ] {
        let request = headers
            .iter()
            .fold(Request::raw("GET", target), |request, (name, value)| {
                request.header(name, value)
            });
        assert_eq!(
            world.ask(&request).await.verdict(),
            (403, "request".to_owned()),
            "{target} {headers:?}"
        );
    }
}

#[tokio::test]
async fn there_is_nothing_elsewhere() {
    let world = World::ready(RULES).await;
    for target in [
        "/",
        "/authz",
        "/authz/",
        "/authz/other",
        "/authz%2Fauth-request",
        "/authz/auth-reques%74",
        "/metrics",
    ] {
        let answer = world.ask(&Request::raw("GET", target)).await;
        assert_eq!(
            (answer.status, answer.header("cache-control")),
            (404, Some("no-store")),
            "{target}"
        );
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json"),
            "{target}"
        );
    }
    assert_eq!(world.metric("verifier_requests_not_found_total"), Some(7.0));
}

/// Attack: a peer that is no proxy of ours asks in the name of others
/// Source: CWE-290
/// Result: 403 `untrusted_proxy`
#[tokio::test]
async fn a_peer_that_is_not_trusted_may_not_ask() {
    let world = World::with(RULES, |settings| {
        settings.trusted_proxies = "10.0.0.0/8,unix".parse().unwrap();
    })
    .await;
    for endpoint in Endpoint::ALL {
        let answer = world.ask(&Request::about(endpoint, "GET", "/open")).await;
        assert_eq!(
            answer.verdict(),
            (403, "untrusted_proxy".to_owned()),
            "{endpoint}"
        );
        assert!(answer.header("www-authenticate").is_none());
    }
}

#[tokio::test]
async fn a_unix_socket_is_answered_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("verifier.sock");
    let world = World::with(RULES, |settings| {
        settings.listen = OneOrMany(vec![ListenAddress::Unix(path)]);
    })
    .await;
    let token = world.forge().roles(&["admin"]).token();
    for endpoint in Endpoint::ALL {
        let answer = world
            .ask(&Request::about(endpoint, "GET", "/admin").bearer(&token))
            .await;
        assert_eq!(answer.status, 200, "{endpoint}");
    }
    world.stop().await;
}

/// Attack: a request that says it has a body
/// Source: CWE-444
/// Result: it is answered, nothing of a body is read, and the connection is closed
#[tokio::test]
async fn a_declared_body_is_not_read_and_ends_the_connection() {
    let world = World::ready(RULES).await;
    let smuggled = Request::about(Endpoint::AuthRequest, "GET", "/open").to_bytes();
    for declared in [
        ("Content-Length", smuggled.len().to_string()),
        ("Transfer-Encoding", "chunked".to_owned()),
    ] {
        for endpoint in HTTP {
            let mut client = world.connect().await;
            let request = Request::about(endpoint, "POST", "/admin").header(declared.0, &declared.1);
            client
                .send(&[request.to_bytes(), smuggled.clone()].concat())
                .await
                .unwrap();
            let answer = client.answer().await.unwrap();
            assert_eq!(
                (answer.status, answer.is_kept()),
                (401, false),
                "{endpoint} {declared:?}"
            );
            assert!(client.is_closed().await, "what follows is no request");
        }
    }
    let mut client = world.connect().await;
    let expecting = Request::about(Endpoint::ForwardAuth, "POST", "/open")
        .header("Content-Length", "5")
        .header("Expect", "100-continue");
    assert_eq!(
        client.ask(&expecting).await.status,
        200,
        "nobody is told to go on"
    );
    let mut client = world.connect().await;
    let empty = Request::about(Endpoint::ForwardAuth, "POST", "/open").header("Content-Length", "0");
    assert!(client.ask(&empty).await.is_kept());
    assert!(client.ask(&empty).await.is_kept());
}

/// Attack: an upgrade to HTTP/2 or to a WebSocket, to get past the proxy
/// Source: CWE-444
/// Result: it is answered as a plain request
#[tokio::test]
async fn no_upgrade_is_accepted() {
    let world = World::ready(RULES).await;
    for (upgrade, more) in [
        ("websocket", ("Sec-WebSocket-Key", "eA==")),
        ("h2c", ("HTTP2-Settings", "AAMAAABk")),
    ] {
        for endpoint in HTTP {
            let mut client = world.connect().await;
            let request = Request::about(endpoint, "GET", "/open")
                .header("Connection", "Upgrade")
                .header("Upgrade", upgrade)
                .header(more.0, more.1);
            assert_eq!(client.ask(&request).await.status, 200, "{endpoint} {upgrade}");
            let again = client.ask(&Request::about(endpoint, "GET", "/admin")).await;
            assert_eq!(again.status, 401, "the connection is what it was");
        }
    }
    let connect = Request::raw("CONNECT", "/authz/ext-authz/open");
    let answer = world.ask(&connect).await;
    assert!(matches!(answer.status, 400 | 403 | 404), "{}", answer.status);
}

#[tokio::test]
async fn http_2_is_answered_alike() {
    let world = World::ready(RULES).await;
    let token = world.forge().roles(&["admin"]).token();
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .no_proxy()
        .tls_certs_only([])
        .build()
        .unwrap();
    let base = format!("http://{}/authz/ext-authz", world.address());
    for (target, bearer, status) in [
        ("/open", None, 200),
        ("/admin", None, 401),
        ("/admin", Some(&token), 200),
        ("/admin", Some(&"x".to_owned()), 401),
        ("/a%2fb", None, 403),
    ] {
        let mut request = client.get(format!("{base}{target}"));
        if let Some(token) = bearer {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.version()),
            (status, http::Version::HTTP_2),
            "{target}"
        );
    }
    let body = client
        .post(format!("{base}/open"))
        .body("x")
        .send()
        .await
        .unwrap();
    assert_eq!(body.status(), 200);
}
