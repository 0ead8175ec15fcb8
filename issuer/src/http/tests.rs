use super::*;

fn site() -> Site {
    Site {
        public_url: Url::parse("https://auth.example.org").unwrap(),
        cookies: CookieSettings {
            access_name: "__Host-access_token".into(),
            refresh_name: "__Secure-refresh_token".into(),
            domain: None,
            same_site: SameSite::Lax,
        },
        allowed_origins: vec!["https://app.example.org".into()],
        trusted_proxies: TrustedPeers::default(),
        login_url: Url::parse("https://auth.example.org/login").unwrap(),
        allowed_return_hosts: vec!["movies.example.org".into()],
    }
}

/// Attack: `return_to` with `//`, `/\`, a tab, a line break, user information, a suffix or another scheme
/// Source: CWE-601, OWASP Unvalidated Redirects
/// Result: it is not followed
#[test]
fn only_our_own_paths_and_allowed_hosts_are_returned_to() {
    let site = site();
    for (address, expected) in [
        ("/films?page=2", "https://auth.example.org/films?page=2"),
        (
            "https://movies.example.org/films",
            "https://movies.example.org/films",
        ),
        ("https://MOVIES.example.org/", "https://movies.example.org/"),
        ("https://auth.example.org/", "https://auth.example.org/"),
    ] {
        assert_eq!(
            site.return_address(address).as_deref(),
            Some(expected),
            "{address}"
        );
    }
    for address in [
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example/",
        "https://movies.example.org.evil.example/",
        "https://movies.example.org@evil.example/",
        "https://user:pw@movies.example.org/",
        "https:\t//evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://evilmovies.example.org/",
    ] {
        assert_eq!(site.return_address(address), None, "{address:?}");
    }
}

/// Attack: an origin that is nearly one of ours
/// Source: CWE-346
/// Result: it may not use cookies
#[test]
fn our_origin_and_those_allowed_may_use_cookies() {
    let site = site();
    assert!(site.allows_origin("https://auth.example.org"));
    assert!(site.allows_origin("https://app.example.org"));
    for origin in [
        "https://evil.example",
        "null",
        "",
        "http://auth.example.org",
        "https://auth.example.org:444",
    ] {
        assert!(!site.allows_origin(origin), "{origin}");
    }
}

#[test]
fn the_document_says_what_operations_have_in_common() {
    let document: serde_json::Value = serde_json::from_str(&openapi_document()).unwrap();
    let role = &document["paths"]["/api/v1/role/{id}"]["put"]["responses"];
    for status in ["400", "401", "403", "404", "409", "413", "415", "422", "503"] {
        let schema = &role[status]["content"]["application/problem+json"]["schema"]["$ref"];
        assert_eq!(schema, "#/components/schemas/Problem", "{status}");
    }
    assert!(role["200"]["content"]["application/json"].is_object());
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["RoleDraft"]["additionalProperties"], false);
    assert_eq!(schemas["TokenRequest"]["additionalProperties"]["type"], "string");
    let refresh = &document["paths"]["/api/v1/token/refresh"]["post"]["requestBody"];
    let schema = &refresh["content"]["application/json"]["schema"]["$ref"];
    assert_eq!(
        (schema, &refresh["required"]),
        (&"#/components/schemas/Refresh".into(), &false.into())
    );
    let oauth = &document["paths"]["/oauth2/token"]["post"]["responses"]["400"]["content"];
    assert!(oauth["application/json"].is_object());
}

#[test]
fn the_document_names_every_route_and_is_openapi_3_1() {
    let document: serde_json::Value = serde_json::from_str(&openapi_document()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.contains_key("/api/v1/user/{id}/login/history"));
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            let problem = ["Problem", "OauthError"].iter().any(|schema| {
                let reference = format!("\"#/components/schemas/{schema}\"");
                operation.to_string().contains(&reference)
            });
            let open = path.starts_with("/.well-known/") || path == "/api/v1/token/continue";
            assert!(problem || open, "{method} {path} says nothing of its refusals");
        }
    }
}
