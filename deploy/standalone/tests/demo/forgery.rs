//! Clients that speak for the proxy, for the verifier, or in riddles.

use http::HeaderMap;

use crate::client::Ask;
use crate::stand::{OPEN_FILM, SUBSCRIBER_FILM, SignedIn, Stand};

const IDENTITY: [&str; 5] = ["Subject", "Session", "Roles", "Superuser", "Labels"];

/// Spellings that some service somewhere takes for `X-Auth-<what>`.
fn spellings(what: &str) -> Vec<String> {
    let (lower, upper) = (what.to_lowercase(), what.to_uppercase());
    vec![
        format!("X-Auth-{what}"),
        format!("x-auth-{lower}"),
        format!("X-AUTH-{upper}"),
        format!("X_Auth_{what}"),
        format!("X-Auth_{what}"),
        format!("X_Auth-{what}"),
        format!("HTTP_X_AUTH_{upper}"),
        format!("X.Auth.{what}"),
        format!("X-Auth.{what}"),
        format!("X~Auth~{what}"),
        format!("X!Auth!{what}"),
        format!("X+Auth+{what}"),
    ]
}

fn forged_values(headers: &HeaderMap) -> Vec<String> {
    headers
        .iter()
        .filter(|(_, value)| String::from_utf8_lossy(value.as_bytes()).contains("forged"))
        .map(|(name, value)| format!("{name}: {value:?}"))
        .collect()
}

/// Attack: identity headers of the client's own, through nginx
/// Source: CWE-290
/// Result: they never reach the service
#[tokio::test]
async fn forged_identities_never_reach_the_service() {
    let Some(stand) = Stand::start().await else { return };
    let user = stand.register("cypher").await;
    for caller in [None, Some(&user)] {
        let with = |ask: Ask| match caller {
            Some(SignedIn { access, .. }) => ask.bearer(access),
            None => ask,
        };
        let mut asks = Vec::new();
        for what in IDENTITY {
            let mut all = Ask::get(OPEN_FILM);
            for spelling in spellings(what) {
                asks.push(Ask::get(OPEN_FILM).header(&spelling, "forged"));
                all = all
                    .header(&spelling, "forged")
                    .header(&spelling, "forged, forged");
            }
            asks.push(all);
            asks.push(Ask::post(OPEN_FILM).chunked("{}", &format!("X-Auth-{what}: forged")));
            // White space where there must be none, a folded line, and other bytes: refused, or dropped.
            for line in [
                format!("X-Auth-{what} : forged"),
                format!("X-Auth-{what}\t: forged"),
                format!(" X-Auth-{what}: forged"),
                format!("X-Auth-{what}:\r\n forged"),
                format!("X-Auth-{what}\u{e9}: forged"),
                format!("X-Harmless: a\rX-Auth-{what}: forged"),
                format!("X-Harmless: a\nX-Auth-{what}: forged"),
            ] {
                asks.push(Ask::get(OPEN_FILM).line(&line));
            }
        }
        for ask in asks {
            let answer = stand.send(with(ask.clone())).await;
            assert!(matches!(answer.status, 200 | 400 | 405), "{ask:?}: {answer:?}");
            if answer.status == 200 {
                let subject = caller.map(|user| user.id.as_str());
                assert_eq!(
                    answer.value()["viewer"]["subject"].as_str(),
                    subject,
                    "{ask:?}: {answer:?}"
                );
                assert_eq!(
                    answer.value()["viewer"]["superuser"],
                    false,
                    "{ask:?}: {answer:?}"
                );
            }
            for seen in stand.take_seen() {
                assert_eq!(forged_values(&seen.headers), [""; 0], "{ask:?}: {seen:?}");
            }
        }
    }
}

#[tokio::test]
async fn the_service_gets_one_of_each_identity_header_and_no_credentials() {
    let Some(stand) = Stand::start().await else { return };
    let user = stand.register("tank").await;
    stand
        .send(
            Ask::get(OPEN_FILM)
                .bearer(&user.access)
                .header("X-Auth-Subject", "forged")
                // A header that is named here is only for the next hop (RFC 9110 section 7.6.1).
                .header("Connection", "X-Auth-Subject"),
        )
        .await;
    let [seen] = <[_; 1]>::try_from(stand.take_seen()).unwrap();
    let of = |name: &str| -> Vec<_> {
        seen.headers
            .get_all(name)
            .iter()
            .map(|v| v.to_str().unwrap())
            .collect()
    };
    assert_eq!(of("x-auth-subject"), [user.id.as_str()]);
    assert_eq!(of("x-auth-session").len(), 1);
    assert_eq!(of("x-auth-roles"), ["user"]);
    assert_eq!(of("x-auth-superuser"), ["false"]);
    assert_eq!(of("authorization"), [""; 0]);
    assert_eq!(of("x-forwarded-for"), ["127.0.0.1"]);

    let (ours, renewal) = ("__Host-access_token=secret", "__Secure-refresh_token=secret");
    for (cookies, expected) in [
        (vec![format!("{ours}")], None),
        (vec![format!("a=1; {ours}")], Some("a=1")),
        (vec![format!("{ours}; a=1")], Some("a=1")),
        (
            vec![format!("a=1; {ours}; b=2;{renewal}; c=3")],
            Some("a=1; b=2; c=3"),
        ),
        (vec![format!("{renewal};{ours};a=1")], Some("a=1")),
        (
            vec!["a=1".into(), format!("{ours}"), "b=2".into()],
            Some("a=1; b=2"),
        ),
        (vec![format!("{ours}; {ours}; a=1")], None),
        (vec![format!("a=1; {ours}; b=2; {ours}x")], None),
        (vec!["a=1; __Host-access_token =secret".into()], None),
        (vec!["a=1; __HOST-ACCESS_TOKEN=secret".into()], None),
        (vec!["a=1; b=__Host".into()], Some("a=1; b=__Host")),
    ] {
        let mut ask = Ask::get(OPEN_FILM);
        for cookie in &cookies {
            ask = ask.header("Cookie", cookie);
        }
        let answer = stand.send(ask).await;
        assert_eq!(answer.status, 200, "{cookies:?}: {answer:?}");
        let [seen] = <[_; 1]>::try_from(stand.take_seen()).unwrap();
        let passed = seen.headers.get("cookie").map(|cookie| cookie.to_str().unwrap());
        assert_eq!(passed, expected, "{cookies:?}");
    }
}

/// Attack: headers that would change the request behind the verifier
/// Source: CWE-444
/// Result: they are not passed
#[tokio::test]
async fn what_would_change_the_request_behind_the_verifier_is_not_passed() {
    let Some(stand) = Stand::start().await else { return };
    let mut ask = Ask::get(OPEN_FILM);
    for name in [
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "X-Method-Override",
        "X_HTTP_Method_Override",
        "X-Original-URL",
        "X-Original-URI",
        "X-Original-Method",
        "X-Original-Host",
        "X-Rewrite-URL",
        "X-Forwarded-Uri",
        "X-Forwarded-Method",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-For",
        "X-Real-IP",
        "Forwarded",
        "Proxy",
        "Proxy-Authorization",
    ] {
        ask = ask.header(name, "forged");
    }
    let answer = stand.send(ask).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let [seen] = <[_; 1]>::try_from(stand.take_seen()).unwrap();
    assert_eq!(seen.method, "GET");
    assert_eq!(forged_values(&seen.headers), [""; 0]);
}

#[tokio::test]
async fn a_client_cannot_ask_about_another_request_than_its_own() {
    let Some(stand) = Stand::start().await else { return };
    for name in [
        "X-Original-URI",
        "x-original-uri",
        "X_Original_URI",
        "X.Original.URI",
    ] {
        let ask = Ask::get(SUBSCRIBER_FILM)
            .header(name, OPEN_FILM)
            .header("X-Original-Method", "OPTIONS")
            .header("X-Original-Host", "elsewhere.example.org")
            .header("X-Forwarded-Uri", OPEN_FILM);
        let answer = stand.send(ask).await;
        assert_eq!(answer.refusal(), (401, "missing".into()), "{name}: {answer:?}");
    }
    let id = SUBSCRIBER_FILM.rsplit('/').next().unwrap();
    for (path, expected) in [
        (format!("{SUBSCRIBER_FILM}/"), 401),
        (format!("{SUBSCRIBER_FILM}?a={OPEN_FILM}"), 401),
        (format!("{SUBSCRIBER_FILM}#a"), 403),
        (format!("{SUBSCRIBER_FILM}/trailer"), 401),
        (format!("/api/v1/films/%37{}", &id[1..]), 401),
        (format!("http://movies.example.org{SUBSCRIBER_FILM}"), 401),
        (format!("/api/v1//films/{id}"), 403),
        (format!("/{SUBSCRIBER_FILM}"), 403),
        (format!("/api/v1/films/./{id}"), 403),
        (format!("/api/v1/films/x/../{id}"), 403),
        (format!("/api/v1/films/x/%2e%2e/{id}"), 403),
        (format!("/api/v1/films%2f{id}"), 403),
        (format!("/api/v1/films/{id};a"), 403),
        (format!("/api/v1/films/{id}%00"), 400),
        (format!("/api/v1/films\\{id}"), 403),
        (format!("/api/v1/films/%2537{}", &id[1..]), 403),
        (format!("/api/v1/user/../films/{id}"), 403),
        // Capitals make no other film of it; what else some read as its id is none.
        (format!("/api/v1/films/{}", id.to_uppercase()), 401),
        (format!("/api/v1/films/{}", id.replace('-', "")), 403),
        (format!("/api/v1/films/{{{id}}}"), 403),
        (format!("/api/v1/films/urn:uuid:{id}"), 403),
        (format!("/API/v1/films/{id}"), 404),
        // The issuer's, which has no such thing.
        (format!("/api/v1/films/../user/../films/{id}/../../user/x"), 404),
        // The question itself is nobody's to ask.
        ("/_authz".into(), 404),
        ("/%5fauthz".into(), 404),
    ] {
        let answer = stand.send(Ask::get(&path)).await;
        assert_eq!(answer.status, expected, "{path}: {answer:?}");
        for seen in stand.take_seen() {
            assert!(
                !seen.uri.path().contains(id) || expected == 404,
                "{path}: {seen:?}"
            );
        }
    }
    for method in ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let answer = stand.send(Ask::new(method, SUBSCRIBER_FILM)).await;
        assert_eq!(answer.status, 401, "{method}: {answer:?}");
    }
    assert!(stand.take_seen().is_empty());
}
