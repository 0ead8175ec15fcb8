use http::Request;

use super::*;
use crate::http::Endpoint;

const BROWSER: &str = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8";

fn location(uri: &str, headers: &[(&str, &str)]) -> Option<String> {
    let redirect = LoginRedirect {
        login_url: Url::parse("https://login.example.org/in").unwrap(),
        allowed_return_hosts: Box::new(["movies.example.org".into()]),
    };
    let usual = [
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "movies.example.org"),
        ("X-Forwarded-Uri", "/films?q=a b&x=é#top"),
        ("Accept", BROWSER),
    ];
    let mut request = Request::builder().uri(uri);
    for (name, value) in usual {
        let own = headers
            .iter()
            .find(|(own, _)| *own == name)
            .map_or(value, |(_, own)| own);
        if !own.is_empty() {
            request = request.header(name, own.as_bytes());
        }
    }
    let parts = request.body(()).unwrap().into_parts().0;
    let original = Original::read(Endpoint::ForwardAuth, &parts).unwrap();
    is_asked_for(&parts)
        .then(|| redirect.location(&parts.headers, &original))
        .flatten()
        .map(|location| location.to_str().unwrap().to_owned())
}

const ASKED: &str = "/authz/forward-auth?on_401=redirect";

#[test]
fn a_browser_is_led_back_to_where_it_was() {
    let expected = "https://login.example.org/in?return_to=https%3A%2F%2Fmovies.example.org%2Ffilms%3Fq%3Da+b%26x%3D%C3%A9";
    assert_eq!(location(ASKED, &[]).as_deref(), Some(expected));
    let with_port = location(
        ASKED,
        &[
            ("X-Forwarded-Host", "Movies.example.org:8443"),
            ("X-Forwarded-Uri", "/"),
        ],
    );
    let expected = "https://login.example.org/in?return_to=https%3A%2F%2FMovies.example.org%3A8443%2F";
    assert_eq!(with_port.as_deref(), Some(expected));
}

/// Attack: a host, scheme or method that a login must not lead back to
/// Source: CWE-601
/// Result: no redirect
#[test]
fn nobody_else_is_redirected() {
    for (uri, headers) in [
        ("/authz/forward-auth", &[][..]),
        ("/authz/forward-auth?on_401=other", &[]),
        ("/authz/forward-auth?xon_401=redirect", &[]),
        (ASKED, &[("Accept", "application/json")]),
        (ASKED, &[("Accept", "text/htmlx")]),
        (ASKED, &[("Accept", "")]),
        (ASKED, &[("X-Forwarded-Method", "POST")]),
        (ASKED, &[("X-Forwarded-Method", "HEAD")]),
        (ASKED, &[("X-Forwarded-Proto", "wss")]),
        (ASKED, &[("X-Forwarded-Proto", "")]),
        (ASKED, &[("X-Forwarded-Host", "")]),
        (ASKED, &[("X-Forwarded-Host", "evil.example.org")]),
        (ASKED, &[("X-Forwarded-Host", "movies.example.org.evil.org")]),
    ] {
        assert_eq!(location(uri, headers), None, "{uri} {headers:?}");
    }
}
