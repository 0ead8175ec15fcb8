//! Claims of a wrong type or about somebody else, and headers that say what a token is for.

use serde_json::{Value, json};
use verifier::http::Endpoint;

use super::Target;
use crate::support::Request;

async fn refuses(name: &str, values: impl IntoIterator<Item = Value>, reason: &str) {
    let target = Target::start().await;
    let wrong = values.into_iter().map(|value| target.forge().claim(name, value));
    target.refuses_each(wrong, reason).await;
}

async fn refuses_without(name: &str) {
    let target = Target::start().await;
    let forge = target.forge().without_claim(name);
    target.refuses_each([forge], "bad_claims").await;
}

/// Attack: `iss` is an array that has our issuer in it.
/// Source: CVE-2025-30144, RFC 7519 section 4.1.1
/// Result: 401 `bad_claims`
#[tokio::test]
async fn an_array_of_issuers() {
    let ours = "http://127.0.0.1:8080";
    refuses(
        "iss",
        [json!([ours]), json!([ours, "http://evil.example"])],
        "bad_claims",
    )
    .await;
}

/// Attack: `iss` is the beginning of our issuer's name, or begins with all of it.
/// Source: CVE-2024-53861, RFC 8725 section 3.8
/// Result: 401 `wrong_issuer`
#[tokio::test]
async fn part_of_the_issuer() {
    let parts = [
        "http://127.0.0.1",
        "127.0.0.1:8080",
        "http://127.0.0.1:80800",
        "http://127.0.0.1:8080.evil.example",
        "http://127.0.0.1:8080@evil.example",
        "http",
        "",
    ];
    refuses("iss", parts.map(Value::from), "wrong_issuer").await;
}

/// Attack: `iss` is our issuer with a slash, a query or a fragment behind it.
/// Source: RFC 8414 section 3.3, RFC 8725 section 3.8
/// Result: 401 `wrong_issuer`
#[tokio::test]
async fn the_issuer_with_a_slash() {
    let spellings = [
        "http://127.0.0.1:8080/",
        "http://127.0.0.1:8080?",
        "http://127.0.0.1:8080#",
        "http://127.0.0.1:8080/.",
    ];
    refuses("iss", spellings.map(Value::from), "wrong_issuer").await;
}

/// Attack: `iss` is our issuer in another casing, with white space or NUL, or by another scheme.
/// Source: RFC 7519 section 2, `StringOrURI`
/// Result: 401 `wrong_issuer`
#[tokio::test]
async fn the_issuer_in_another_spelling() {
    let spellings = [
        "HTTP://127.0.0.1:8080",
        " http://127.0.0.1:8080",
        "http://127.0.0.1:8080\n",
        "http://127.0.0.1:8080\0",
        "https://127.0.0.1:8080",
        "http://127.1:8080",
        "http://localhost:8080",
    ];
    refuses("iss", spellings.map(Value::from), "wrong_issuer").await;
}

/// Attack: `iss` is missing, null, a number or an object.
/// Source: RFC 9068 section 2.2
/// Result: 401 `bad_claims`
#[tokio::test]
async fn no_issuer() {
    refuses_without("iss").await;
    refuses("iss", [json!(null), json!(1), json!({"url": "x"})], "bad_claims").await;
}

/// Attack: no `aud`.
/// Source: RFC 8725 section 3.9, RFC 9068 section 4
/// Result: 401 `bad_claims`
#[tokio::test]
async fn no_audience() {
    refuses_without("aud").await;
}

/// Attack: `aud` is an empty text or an empty array.
/// Source: CVE-2020-26160, RFC 8725 section 3.9
/// Result: 401 `wrong_audience`
#[tokio::test]
async fn an_empty_audience() {
    refuses("aud", [json!(""), json!([]), json!([""])], "wrong_audience").await;
}

/// Attack: `aud` names somebody else.
/// Source: RFC 8725 section 3.9
/// Result: 401 `wrong_audience`
#[tokio::test]
async fn another_audience() {
    refuses(
        "aud",
        [json!("billing"), json!(["billing", "web"])],
        "wrong_audience",
    )
    .await;
}

/// Attack: `aud` is a part of ours, ours in another casing, or a list in one text.
/// Source: RFC 7519 section 4.1.3
/// Result: 401 `wrong_audience`
#[tokio::test]
async fn the_audience_in_another_spelling() {
    let spellings = [
        "movie",
        "movies2",
        "Movies",
        " movies",
        "movies,billing",
        "movies billing",
        "*",
    ];
    refuses("aud", spellings.map(Value::from), "wrong_audience").await;
}

/// Attack: `aud` is null, a number or an object, or an array with something else than texts.
/// Source: CVE-2020-26160, RFC 7519 section 4.1.3
/// Result: 401 `bad_claims`
#[tokio::test]
async fn an_audience_of_a_wrong_type() {
    let wrong = [
        json!(null),
        json!(1),
        json!({"movies": true}),
        json!({"0": "movies"}),
        json!(["movies", 1]),
        json!([["movies"]]),
    ];
    refuses("aud", wrong, "bad_claims").await;
}

/// Attack: `typ` is missing or null.
/// Source: RFC 8725 section 3.11, RFC 9068 section 2.1
/// Result: 401 `unsupported`
#[tokio::test]
async fn no_type() {
    let target = Target::start().await;
    let wrong = [
        target.forge().without_header("typ"),
        target.forge().header("typ", Value::Null),
    ];
    target.refuses_each(wrong, "unsupported").await;
}

/// Attack: a token for something else than access: an ID token, a logout token, a proof of possession, a client's assertion.
/// Source: RFC 8725 sections 2.8, 3.11 and 3.12, RFC 9068 section 2.1
/// Result: 401 `unsupported`
#[tokio::test]
async fn a_token_of_another_kind() {
    let target = Target::start().await;
    let kinds = [
        "JWT",
        "jwt",
        "application/jwt",
        "logout+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "oauth-authz-req+jwt",
        "client-authentication+jwt",
        "token-introspection+jwt",
    ];
    let wrong = kinds.map(|typ| target.forge().header("typ", typ));
    target.refuses_each(wrong, "unsupported").await;
}

/// Attack: `typ` is nearly the right one, or is no text.
/// Source: RFC 7515 section 4.1.9
/// Result: 401 `unsupported`
#[tokio::test]
async fn other_spellings_of_the_type() {
    let target = Target::start().await;
    let wrong = [
        json!("at+jwt "),
        json!("at+jwt;v=1"),
        json!("at+jwts"),
        json!("x/at+jwt"),
        json!("application/application/at+jwt"),
        json!(""),
        json!(1),
        json!(["at+jwt"]),
    ];
    let wrong = wrong.map(|typ| target.forge().header("typ", typ));
    target.refuses_each(wrong, "unsupported").await;
}

/// Attack: `crit` names an extension that nobody here knows.
/// Source: CVE-2025-59420, RFC 7515 section 4.1.11
/// Result: 401 `unsupported`
#[tokio::test]
async fn a_critical_extension() {
    let target = Target::start().await;
    let forge = target.forge().header("x", 1).header("crit", vec!["x"]);
    target.refuses_each([forge], "unsupported").await;
}

/// Attack: `crit` asks for a payload that is not encoded.
/// Source: RFC 7797 section 6
/// Result: 401 `unsupported`
#[tokio::test]
async fn a_payload_that_is_not_encoded() {
    let target = Target::start().await;
    let forge = target.forge().header("b64", false).header("crit", vec!["b64"]);
    target.refuses_each([forge], "unsupported").await;
}

/// Attack: `crit` is empty, names a registered header, or is no array.
/// Source: RFC 7515 section 4.1.11
/// Result: 401 `unsupported`
#[tokio::test]
async fn a_broken_crit() {
    let target = Target::start().await;
    let wrong = [
        json!([]),
        json!(["alg"]),
        json!(["exp"]),
        json!("exp"),
        json!(null),
        json!({}),
        json!([1]),
    ];
    let wrong = wrong.map(|crit| target.forge().header("crit", crit));
    target.refuses_each(wrong, "unsupported").await;
}

/// Attack: no `sub`.
/// Source: RFC 9068 section 2.2, RFC 8725 section 3.8
/// Result: 401 `bad_claims`
#[tokio::test]
async fn no_subject() {
    refuses_without("sub").await;
}

/// Attack: no `jti`, by which a token could be revoked.
/// Source: RFC 9068 section 2.2
/// Result: 401 `bad_claims`
#[tokio::test]
async fn no_token_id() {
    refuses_without("jti").await;
}

/// Attack: no `sid`, by which a session could be revoked.
/// Source: CWE-613
/// Result: 401 `bad_claims`
#[tokio::test]
async fn no_session() {
    refuses_without("sid").await;
}

/// Attack: no `ver` or `rver`, which say how old the knowledge of a token is, or one below zero.
/// Source: CWE-613
/// Result: 401 `bad_claims`
#[tokio::test]
async fn no_version() {
    for name in ["ver", "rver"] {
        refuses_without(name).await;
        let wrong = [json!(-1), json!("1"), json!(1.5), json!(null), json!(u64::MAX)];
        refuses(name, wrong, "bad_claims").await;
    }
}

/// Attack: an id in another spelling than the one by which it is revoked.
/// Source: RFC 9562 section 4, CWE-180
/// Result: 401 `bad_claims`
#[tokio::test]
async fn ids_in_another_spelling() {
    for name in ["sub", "sid", "jti"] {
        let spellings = [
            "0193A5B0-0000-7000-8000-00000000000A",
            "{0193a5b0-0000-7000-8000-00000000000a}",
            "0193a5b000007000800000000000000a",
            "urn:uuid:0193a5b0-0000-7000-8000-00000000000a",
            " 0193a5b0-0000-7000-8000-00000000000a",
            "",
        ];
        refuses(name, spellings.map(Value::from), "bad_claims").await;
    }
}

/// Attack: an id of a wrong type.
/// Source: RFC 7519 section 4.1.2
/// Result: 401 `bad_claims`
#[tokio::test]
async fn ids_of_a_wrong_type() {
    for name in ["sub", "sid", "jti"] {
        let wrong = [
            json!(null),
            json!(0),
            json!(true),
            json!([]),
            json!({"$ne": null}),
        ];
        refuses(name, wrong, "bad_claims").await;
    }
}

/// Attack: `roles` is a text, of which some readers would find a part.
/// Source: CWE-843
/// Result: 401 `bad_claims`
#[tokio::test]
async fn roles_as_a_text() {
    refuses(
        "roles",
        [json!("admin"), json!("user admin"), json!("")],
        "bad_claims",
    )
    .await;
}

/// Attack: `roles` is null or missing.
/// Source: RFC 9068 section 2.2.3.1
/// Result: 401 `bad_claims`
#[tokio::test]
async fn no_roles() {
    refuses_without("roles").await;
    refuses("roles", [json!(null)], "bad_claims").await;
}

/// Attack: `roles` is an object, a number or a boolean.
/// Source: CWE-843
/// Result: 401 `bad_claims`
#[tokio::test]
async fn roles_of_a_wrong_type() {
    refuses(
        "roles",
        [json!({"admin": true}), json!(1), json!(true)],
        "bad_claims",
    )
    .await;
}

/// Attack: an array of roles with something else than texts in it.
/// Source: CWE-843
/// Result: 401 `bad_claims`
#[tokio::test]
async fn roles_that_are_no_texts() {
    refuses(
        "roles",
        [
            json!([["admin"]]),
            json!(["user", null]),
            json!([{"name": "admin"}]),
        ],
        "bad_claims",
    )
    .await;
}

/// Attack: more roles than a token may have.
/// Source: CWE-770
/// Result: 401 `bad_claims`
#[tokio::test]
async fn too_many_roles() {
    let many: Vec<String> = (0..=shared::limits::ROLES_MAX).map(|n| n.to_string()).collect();
    refuses("roles", [json!(many)], "bad_claims").await;
}

/// Attack: a role whose name would be two in a list, or a header of its own.
/// Source: CWE-113
/// Result: the service behind is told no such role
#[tokio::test]
async fn roles_that_read_as_others() {
    let target = Target::start().await;
    let forge = target
        .forge()
        .roles(&["user", "x,admin", "a b", "x\r\nX-Auth-Superuser: true"]);
    for endpoint in Endpoint::ALL {
        let request = Request::about(endpoint, "GET", "/").bearer(&forge.token());
        let answer = target.world.ask(&request).await;
        assert_eq!(answer.header("x-auth-roles"), Some("user"), "{endpoint}");
        assert_eq!(answer.header("x-auth-superuser"), Some("false"), "{endpoint}");
    }
}

/// Attack: `superuser` is something that some readers take for true.
/// Source: CWE-843
/// Result: 401 `bad_claims`
#[tokio::test]
async fn a_superuser_by_another_type() {
    let wrong = [json!("true"), json!(1), json!([]), json!({}), json!(null)];
    refuses("superuser", wrong, "bad_claims").await;
}

/// Attack: no `client_id`, or one that is no text.
/// Source: RFC 9068 section 2.2
/// Result: 401 `bad_claims`
#[tokio::test]
async fn no_client() {
    refuses_without("client_id").await;
    refuses("client_id", [json!(null), json!(["web"])], "bad_claims").await;
}

/// Attack: a refresh token, or a client's secret, in the place of an access token.
/// Source: RFC 9700 section 4.14, RFC 6749 section 1.5
/// Result: 401 `malformed`
#[tokio::test]
async fn a_secret_of_another_kind() {
    let target = Target::start().await;
    for secret in [
        "usher_rt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "password",
        "null",
    ] {
        target.refuses(secret, "malformed").await;
    }
}
