//! Credentials that two readers find in different places.

use verifier::http::Endpoint;

use super::Target;
use crate::support::{HTTP, Request, World};

async fn verdicts(target: &Target, change: impl Fn(Request) -> Request, status: u16, reason: &str) {
    for endpoint in Endpoint::ALL {
        let request = change(Request::about(endpoint, "GET", "/"));
        let answer = target.world.ask(&request).await;
        assert_eq!(answer.verdict(), (status, reason.to_owned()), "{endpoint}");
    }
}

/// Attack: two `Authorization` headers, alike or not, the good one first or last.
/// Source: RFC 9110 section 5.3, RFC 6750 section 2
/// Result: 401 `ambiguous_credentials`
#[tokio::test]
async fn two_headers() {
    let target = Target::start().await;
    let (good, other) = (target.forge().token(), target.forge().token());
    for (first, second) in [(&good, &good), (&good, &other), (&good, &"x".to_owned())] {
        let both = |request: Request| request.bearer(first).bearer(second);
        verdicts(&target, both, 401, "ambiguous_credentials").await;
        let both = |request: Request| request.bearer(second).bearer(first);
        verdicts(&target, both, 401, "ambiguous_credentials").await;
    }
}

/// Attack: a header of another scheme beside ours.
/// Source: RFC 9110 section 11.6.2
/// Result: 401 `ambiguous_credentials`
#[tokio::test]
async fn two_headers_of_two_schemes() {
    let target = Target::start().await;
    let good = target.forge().token();
    let both = |request: Request| request.header("Authorization", "Basic YTpi").bearer(&good);
    verdicts(&target, both, 401, "ambiguous_credentials").await;
}

/// Attack: several credentials in one header, joined by commas.
/// Source: RFC 9110 section 5.3
/// Result: 401 `ambiguous_credentials`
#[tokio::test]
async fn joined_headers() {
    let target = Target::start().await;
    let good = target.forge().token();
    for value in [
        format!("Bearer {good},Bearer {good}"),
        format!("Bearer {good}, Bearer x"),
        format!("Bearer {good},{good}"),
        format!("Bearer {good},"),
        format!("Basic YTpi, Bearer {good}"),
        format!("Basic YTpi,bearer {good}"),
        format!("Digest realm=\"a\", nonce=\"b\",\tBEARER {good}"),
    ] {
        target.refuses_header(&value, "ambiguous_credentials").await;
    }
}

/// Attack: somebody else's cookie beside one's own header.
/// Source: RFC 6750 section 2, CWE-384
/// Result: the header decides, and the cookie is not looked at
#[tokio::test]
async fn a_header_and_a_cookie_that_differ() {
    let target = Target::start().await;
    let (own, other) = (target.forge(), target.forge().claim("superuser", true));
    for endpoint in Endpoint::ALL {
        let request = Request::about(endpoint, "GET", "/").cookie(&other.token());
        let answer = target.world.ask(&request.bearer(&own.token())).await;
        assert_eq!(
            answer.header("x-auth-subject"),
            Some(own.claim_text("sub")),
            "{endpoint}"
        );
        assert_eq!(answer.header("x-auth-superuser"), Some("false"), "{endpoint}");
    }
}

/// Attack: a header that does not hold beside a cookie that does.
/// Source: RFC 6750 section 2
/// Result: 401 for the header
#[tokio::test]
async fn a_bad_header_and_a_good_cookie() {
    let target = Target::start().await;
    let good = target.forge().token();
    let both = |request: Request| request.bearer("x").cookie(&good);
    verdicts(&target, both, 401, "malformed").await;
}

/// Attack: a second cookie of the name, set for another path or by another host of the domain.
/// Source: RFC 6265 section 8.6
/// Result: 401 `ambiguous_credentials`
#[tokio::test]
async fn two_cookies() {
    let target = Target::start().await;
    let (good, other) = (target.forge().token(), target.forge().token());
    let apart = |request: Request| request.cookie(&other).cookie(&good);
    verdicts(&target, apart, 401, "ambiguous_credentials").await;
    let together = format!("__Host-access_token={other}; __Host-access_token={good}");
    let together = |request: Request| request.header("Cookie", &together);
    verdicts(&target, together, 401, "ambiguous_credentials").await;
}

/// Attack: a cookie of nearly the name, which a page of another host may set.
/// Source: RFC 6265bis section 4.1.3
/// Result: 401 `missing`: it is not ours
#[tokio::test]
async fn a_cookie_of_nearly_the_name() {
    let target = Target::start().await;
    let good = target.forge().token();
    for name in [
        "__host-access_token",
        "__HOST-access_token",
        "access_token",
        "__Secure-access_token",
        "__Host-access_token\u{a0}",
        "=__Host-access_token",
        "x__Host-access_token",
    ] {
        let value = format!("{name}={good}");
        for endpoint in HTTP {
            let request = Request::about(endpoint, "GET", "/").header("Cookie", &value);
            let answer = target.world.ask(&request).await;
            assert_eq!(answer.verdict(), (401, "missing".to_owned()), "{endpoint} {name}");
        }
    }
}

/// Attack: a cookie's value in quotes, which some readers take off.
/// Source: RFC 6265 section 4.1.1
/// Result: 401 `malformed`
#[tokio::test]
async fn a_cookie_in_quotes() {
    let target = Target::start().await;
    let quoted = format!("\"{}\"", target.forge().token());
    verdicts(&target, |request| request.cookie(&quoted), 401, "malformed").await;
}

/// Attack: a good token in the query, which logs and `Referer` would tell.
/// Source: RFC 9700 section 4.3.2, RFC 6750 section 5.3
/// Result: 401 `missing`
#[tokio::test]
async fn a_token_in_the_query() {
    let target = Target::start().await;
    let query = format!("/?access_token={}", target.forge().token());
    for endpoint in Endpoint::ALL {
        let answer = target.world.ask(&Request::about(endpoint, "GET", &query)).await;
        assert_eq!(answer.verdict(), (401, "missing".to_owned()), "{endpoint}");
    }
}

/// Attack: a good token in a header that other systems take one from.
/// Source: RFC 6750 section 2
/// Result: 401 `missing`
#[tokio::test]
async fn a_token_in_another_header() {
    let target = Target::start().await;
    let bearer = format!("Bearer {}", target.forge().token());
    for name in [
        "Proxy-Authorization",
        "X-Authorization",
        "X-Access-Token",
        "Authentication",
    ] {
        verdicts(&target, |request| request.header(name, &bearer), 401, "missing").await;
    }
}

/// Attack: a header without a token, or with two.
/// Source: RFC 6750 section 2.1
/// Result: 401 `malformed`
#[tokio::test]
async fn a_header_without_a_token() {
    let target = Target::start().await;
    let good = target.forge().token();
    for value in [
        "Bearer",
        "Bearer  ",
        &format!("Bearer {good} {good}"),
        "Bearer \"\"",
    ] {
        target.refuses_header(value, "malformed").await;
    }
}

/// Attack: a good token behind something that is nearly our scheme.
/// Source: RFC 9110 section 11.4
/// Result: 401 `missing`: it is another scheme
#[tokio::test]
async fn nearly_our_scheme() {
    let target = Target::start().await;
    let good = target.forge().token();
    for value in [
        format!("Bearer:{good}"),
        format!("Bearer={good}"),
        format!("Bearer{good}"),
        format!("JWT {good}"),
        format!("Token {good}"),
        format!("DPoP {good}"),
        good.clone(),
    ] {
        target.refuses_header(&value, "missing").await;
    }
}

/// Attack: bytes in the header that are no ASCII.
/// Source: RFC 9110 section 5.5
/// Result: 401 `malformed`
#[tokio::test]
async fn a_header_of_other_bytes() {
    let target = Target::start().await;
    let value = format!("Bearer {}é", target.forge().token());
    for endpoint in HTTP {
        let request = Request::about(endpoint, "GET", "/").header("Authorization", &value);
        let answer = target.world.ask(&request).await;
        assert_eq!(answer.verdict(), (401, "malformed".to_owned()), "{endpoint}");
    }
}

/// Attack: headers that say who one is, on a route that is open to all.
/// Source: CWE-290
/// Result: 200, with every identity header of nobody
#[tokio::test]
async fn identity_headers_of_the_client() {
    let world = World::ready("default = \"allow\"\n").await;
    for endpoint in Endpoint::ALL {
        let mut request = Request::about(endpoint, "GET", "/");
        for name in [
            "X-Auth-Subject",
            "x_auth_subject",
            "X-Auth-Superuser",
            "X-Auth-Roles",
        ] {
            request = request.header(name, "true");
        }
        let answer = world.ask(&request).await;
        assert_eq!(answer.status, 200, "{endpoint}");
        for (name, value) in [("subject", ""), ("superuser", "false"), ("roles", "")] {
            assert_eq!(
                answer.header(&format!("x-auth-{name}")),
                Some(value),
                "{endpoint}"
            );
        }
    }
}

/// Attack: a header that would have the method, the path or the address be another.
/// Source: CWE-441, CVE-2018-14773
/// Result: 401 `missing`: it is not looked at
#[tokio::test]
async fn headers_that_override() {
    let rules =
        "default = \"authenticated\"\n[[rule]]\npath = \"/open\"\nmethods = [\"GET\"]\nanonymous = true\n";
    let world = World::ready(rules).await;
    for endpoint in Endpoint::ALL {
        for (name, value) in [
            ("X-HTTP-Method-Override", "GET"),
            ("X-Method-Override", "GET"),
            ("X-Original-URL", "/open"),
            ("X-Rewrite-URL", "/open"),
            ("X-Forwarded-Prefix", "/open"),
            ("Forwarded", "for=127.0.0.1"),
        ] {
            for (method, path) in [("POST", "/open"), ("GET", "/closed")] {
                let request = Request::about(endpoint, method, path).header(name, value);
                let answer = world.ask(&request).await;
                assert_eq!(answer.verdict(), (401, "missing".to_owned()), "{endpoint} {name}");
            }
        }
    }
}
