//! What clients and services look up, and what holds for every answer.

use serde_json::{Value, json};
use shared::feed::key::FeedKeys;
use shared::keys::KeySet;
use shared::token::CompactToken;

use crate::shape::fields;
use crate::support::{Database, Site};

crate::on_both_databases!(
    the_keys_are_published,
    keys_come_and_go_in_what_is_published,
    the_feed_keys_are_published_apart_from_those_that_sign_tokens,
    the_metadata_is_published,
    the_document_is_openapi_3_1,
    the_docs_need_nothing_from_outside,
    a_request_id_is_taken_or_made,
    a_trailing_slash_makes_no_difference,
    unknown_paths_and_wrong_methods_are_problems,
);

async fn the_feed_keys_are_published_apart_from_those_that_sign_tokens(database: Database) {
    let site = Site::start(database).await;
    let answer = site.get("/.well-known/revocation-feed.json").send().await;
    answer.is(200);
    assert_eq!(answer.header("content-type"), Some("application/jwk-set+json"));
    assert!(!FeedKeys::from_jwks(&answer.body).unwrap().is_empty());
    let set: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(set["keys"].as_array().map(Vec::len), Some(1));
    let key = &set["keys"][0];
    assert_eq!((&key["kty"], &key["crv"]), (&"OKP".into(), &"Ed25519".into()));
    assert_eq!(key["d"], Value::Null);
    let tag = answer.header("etag").unwrap();
    let again = site
        .get("/.well-known/revocation-feed.json")
        .header("if-none-match", tag);
    again.send().await.is(304);
    let signing = site.get("/.well-known/jwks.json").send().await;
    assert!(FeedKeys::from_jwks(&signing.body).is_err());
    assert!(KeySet::from_jwks(&answer.body, 1).is_err());
}

/// Ids in the published set, its tag, and whether somebody who knew a tag would be told to keep what they have.
async fn published(site: &Site, known: Option<&str>) -> (u16, Vec<String>, String) {
    let mut request = site.get("/.well-known/jwks.json");
    if let Some(tag) = known {
        request = request.header("if-none-match", tag);
    }
    let answer = request.send().await;
    let set: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let keys = set["keys"].as_array().cloned().unwrap_or_default();
    let kids = keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned());
    (
        answer.status,
        kids.collect(),
        answer.header("etag").unwrap().to_owned(),
    )
}

async fn keys_come_and_go_in_what_is_published(database: Database) {
    let site = Site::start(database).await;
    let other = site.start_beside("").await;
    let neo = site.register("neo").await;
    let (_, first, tag) = published(&site, None).await;
    assert_eq!(first.len(), 1);

    // The next key is published by every issuer before it signs.
    let next = other.service.keys.rotate(false).await.unwrap().kid;
    let (status, kids, later) = loop {
        // What was seen a moment ago may be handed out.
        let seen = published(&site, Some(&tag)).await;
        if seen.0 != 304 {
            break seen;
        }
    };
    assert_eq!((status, kids), (200, vec![first[0].clone(), next.clone()]));
    assert_ne!(tag, later);
    assert_eq!(published(&site, Some(&later)).await.0, 304);
    let trinity = site.register("trinity").await;
    assert_eq!(CompactToken::parse(&trinity.access).unwrap().kid(), first[0]);

    // It signs, and both verify.
    other.service.keys.rotate(true).await.unwrap();
    let morpheus = site.register("morpheus").await;
    assert_eq!(CompactToken::parse(&morpheus.access).unwrap().kid(), next);
    for person in [&neo, &morpheus] {
        for site in [&site, &other] {
            site.get("/api/v1/user/me")
                .bearer(&person.access)
                .send()
                .await
                .is(200);
        }
    }

    // Revoked, it is published no more, and its tokens do nothing, logout included: others may sign with it.
    other.service.keys.revoke(&first[0]).await.unwrap();
    for site in [&site, &other] {
        site.get("/api/v1/user/me")
            .bearer(&neo.access)
            .send()
            .await
            .is(401);
        while published(site, None).await.1 != [next.clone()] {}
        site.post("/api/v1/user/logout")
            .bearer(&neo.access)
            .send()
            .await
            .refused(401, "invalid-token");
        site.get("/api/v1/user/me")
            .bearer(&morpheus.access)
            .send()
            .await
            .is(200);
    }
    let refreshed = json!({"refresh_token": neo.refresh});
    site.post("/api/v1/token/refresh")
        .json(&refreshed)
        .send()
        .await
        .is(200);
}

async fn the_keys_are_published(database: Database) {
    let site = Site::start(database).await;
    let keys = || site.get("/.well-known/jwks.json");
    let answer = keys().send().await;
    answer.is(200);
    assert_eq!(answer.header("content-type"), Some("application/jwk-set+json"));
    let cache = answer.header("cache-control").unwrap();
    assert!(cache.starts_with("public, max-age="), "{cache}");
    let set: Value = serde_json::from_slice(&answer.body).unwrap();
    for key in set["keys"].as_array().unwrap() {
        assert_eq!(key["kty"], "RSA");
        assert_eq!(key["alg"], "RS256");
        assert_eq!(key["use"], "sig");
        for private in ["d", "p", "q", "dp", "dq", "qi"] {
            assert_eq!(key[private], Value::Null, "{private}");
        }
    }
    let neo = site.register("neo").await;
    let set = KeySet::from_jwks(&answer.body, 1).unwrap();
    let token = CompactToken::parse(&neo.access).unwrap();
    let key = set.get(token.kid()).unwrap();
    token.verify(key).unwrap();

    let tag = answer.header("etag").unwrap().to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    for known in [
        tag.clone(),
        format!("W/{tag}"),
        format!("\"other\", {tag}"),
        "*".to_owned(),
    ] {
        let again = keys().header("if-none-match", &known).send().await;
        again.is(304);
        assert_eq!(again.header("etag"), Some(tag.as_str()), "{known}");
        assert_eq!(again.header("cache-control"), answer.header("cache-control"));
    }
    for unknown in ["\"other\"", "", tag.trim_matches('"')] {
        keys().header("if-none-match", unknown).send().await.is(200);
    }
    let head = site.request("HEAD", "/.well-known/jwks.json").send().await;
    head.is(200);
    assert_eq!(head.header("etag"), Some(tag.as_str()));
}

async fn the_metadata_is_published(database: Database) {
    let site = Site::start(database).await;
    let one = site.get("/.well-known/oauth-authorization-server").send().await;
    let two = site.get("/.well-known/openid-configuration").send().await;
    let metadata = one.ok(200);
    assert_eq!(two.ok(200), metadata);
    for answer in [one, two] {
        assert!(
            answer
                .header("cache-control")
                .unwrap()
                .starts_with("public, max-age=")
        );
    }
    assert_eq!(metadata["issuer"], "https://auth.example.org");
    assert_eq!(
        metadata["jwks_uri"],
        "https://auth.example.org/.well-known/jwks.json"
    );
    // RFC 8414 section 2: required, and there is no authorization endpoint.
    assert_eq!(metadata["response_types_supported"], json!([]));
    assert_eq!(
        metadata["grant_types_supported"],
        json!(["client_credentials", "refresh_token"])
    );
    let with_secret = json!(["client_secret_basic", "client_secret_post"]);
    let or_none = json!(["client_secret_basic", "client_secret_post", "none"]);
    for (endpoint, path, methods) in [
        ("token", "/oauth2/token", &or_none),
        ("introspection", "/oauth2/introspect", &with_secret),
        ("revocation", "/oauth2/revoke", &or_none),
    ] {
        let address = metadata[format!("{endpoint}_endpoint")].as_str().unwrap();
        assert_eq!(address, format!("https://auth.example.org{path}"));
        site.post(path).send().await.oauth_error(401, "invalid_client");
        let said = &metadata[format!("{endpoint}_endpoint_auth_methods_supported")];
        assert_eq!(said, methods, "{endpoint}");
    }
}

async fn the_document_is_openapi_3_1(database: Database) {
    let site = Site::start(database).await;
    let document = site.get("/api/openapi.json").send().await.ok(200);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    assert_eq!(document.to_string(), {
        let printed: Value = serde_json::from_str(&issuer::http::openapi_document()).unwrap();
        printed.to_string()
    });
    let text = document.to_string();
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(
            document["components"]["schemas"][name].is_object(),
            "{name} is not there"
        );
    }
    let pair = &document["components"]["schemas"]["TokenPair"]["properties"];
    assert_eq!(
        fields(pair),
        [
            "access_token",
            "expires_in",
            "refresh_expires_in",
            "refresh_token",
            "token_type",
            "user_id"
        ]
    );
}

async fn the_docs_need_nothing_from_outside(database: Database) {
    let site = Site::start(database).await;
    let moved = site.get("/docs").send().await;
    moved.is(308);
    assert_eq!(moved.header("location"), Some("/docs/"));
    let page = site.get("/docs/").send().await;
    page.is(200);
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'self'"), "{policy}");
    let html = page.text();
    let mut parts = 0;
    for attribute in ["src=\"", "href=\""] {
        for part in html.split(attribute).skip(1) {
            let address = part.split('"').next().unwrap();
            assert!(!address.contains("//"), "{address} is outside");
            let path = format!("/docs/{}", address.trim_start_matches("./"));
            site.get(&path).send().await.is(200);
            parts += 1;
        }
    }
    assert!(parts >= 3, "{html}");
    let initializer = site.get("/docs/swagger-initializer.js").send().await;
    initializer.is(200);
    assert!(initializer.text().contains("/api/openapi.json"));
    for path in ["/docs/none.js", "/docs/../Cargo.toml", "/docs/%2e%2e/Cargo.toml"] {
        site.get(path).send().await.refused(404, "not-found");
    }
}

async fn a_request_id_is_taken_or_made(database: Database) {
    let site = Site::start(database).await;
    let ask = || site.get("/api/v1/user/me");
    let taken = ask().header("x-request-id", "from-the-proxy_1.2").send().await;
    taken.unauthorised("missing");
    assert_eq!(taken.header("x-request-id"), Some("from-the-proxy_1.2"));
    let long = "x".repeat(1000);
    for odd in ["", "two words", "<script>", "\u{e9}", long.as_str()] {
        let answer = ask().header("x-request-id", odd).send().await;
        answer.unauthorised("missing");
        let made = answer.header("x-request-id").unwrap();
        assert!(made != odd && !made.is_empty(), "{odd}");
        assert_eq!(answer.all("x-request-id").len(), 1);
    }
    let ids: Vec<_> = [ask().send().await, ask().send().await]
        .map(|answer| answer.header("x-request-id").unwrap().to_owned())
        .into();
    assert_ne!(ids[0], ids[1]);
    site.get("/.well-known/jwks.json")
        .header("x-request-id", "a-b")
        .send()
        .await
        .is(200);
}

async fn a_trailing_slash_makes_no_difference(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    for path in [
        "/api/v1/user/me/",
        "/api/v1/user/",
        "/api/v1/user/?limit=1",
        "/api/v1/role/",
        "/api/v1/session/",
        "/api/v1/login/history/",
        "/.well-known/jwks.json/",
        "/.well-known/openid-configuration/",
        "/api/openapi.json/",
    ] {
        site.get(path).bearer(&root.access).send().await.is(200);
    }
    let id = site.role(&root, "subscriber").await;
    let made = site.post("/api/v1/role/").bearer(&root.access);
    made.json(&json!({"name": "member"})).send().await.ok(201);
    site.delete(&format!("/api/v1/role/{id}/"))
        .bearer(&root.access)
        .send()
        .await
        .no_content();
    for path in ["/api/v1/role//", "//api/v1/role", "/api/v1//role", "/API/v1/role"] {
        site.get(path)
            .bearer(&root.access)
            .send()
            .await
            .refused(404, "not-found");
    }
}

async fn unknown_paths_and_wrong_methods_are_problems(database: Database) {
    let site = Site::start(database).await;
    let root = site.superuser("root").await;
    for path in [
        "/nope",
        "/api",
        "/api/v1",
        "/api/v2/user",
        "/healthz",
        "/readyz",
        "/metrics",
        "/%00",
        "/api/v1/user/%FF",
    ] {
        site.get(path)
            .bearer(&root.access)
            .send()
            .await
            .refused(404, "not-found");
    }
    for id in [
        "me2",
        "1",
        "%20",
        "01890000000070008000000000000dead",
        "01890000000070008000",
        "{01890000-0000-7000-8000-00000000dead}",
        "urn:uuid:01890000-0000-7000-8000-00000000dead",
    ] {
        for (method, path) in [
            ("GET", format!("/api/v1/user/{id}")),
            ("GET", format!("/api/v1/role/{id}")),
            ("DELETE", format!("/api/v1/role/{id}")),
            ("DELETE", format!("/api/v1/session/{id}")),
            ("POST", format!("/api/v1/user/{id}/disable")),
            ("GET", format!("/api/v1/user/{id}/role")),
            ("POST", format!("/api/v1/user/{id}/role/{id}")),
            ("GET", format!("/api/v1/user/{id}/login/history")),
        ] {
            site.request(method, &path)
                .bearer(&root.access)
                .send()
                .await
                .refused(404, "not-found");
        }
    }
    for (method, path, allow) in [
        ("PUT", "/api/v1/user", "GET, HEAD, POST"),
        ("GET", "/api/v1/user/login", "POST"),
        ("HEAD", "/api/v1/user/login", "POST"),
        ("DELETE", "/api/v1/user/logout", "POST"),
        ("POST", "/api/v1/user/me", "DELETE, GET, HEAD, PATCH"),
        ("PATCH", "/api/v1/role", "GET, HEAD, POST"),
        ("POST", "/.well-known/jwks.json", "GET, HEAD"),
        ("POST", "/api/openapi.json", "GET, HEAD"),
        ("BREW", "/api/v1/session", "GET, HEAD"),
        ("TRACE", "/api/v1/session", "GET, HEAD"),
    ] {
        let answer = site.request(method, path).bearer(&root.access).send().await;
        if method == "HEAD" {
            answer.is(405);
        } else {
            answer.refused(405, "method-not-allowed");
        }
        let mut allowed: Vec<&str> = answer
            .header("allow")
            .unwrap()
            .split(',')
            .map(str::trim)
            .collect();
        allowed.sort_unstable();
        assert_eq!(allowed.join(", "), allow, "{method} {path}");
    }
    let head = site
        .request("HEAD", "/api/v1/user/me")
        .bearer(&root.access)
        .send()
        .await;
    head.is(200);
    let head = site.request("HEAD", "/api/v1/user/me").send().await;
    head.is(401);
    assert_eq!(head.header("content-type"), Some("application/problem+json"));
}
