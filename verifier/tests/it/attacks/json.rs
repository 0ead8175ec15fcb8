//! JSON that two readers read differently.

use serde_json::Value;
use shared::encoding::base64url_decode;
use shared::testkit::{TestKey, TokenForge};

use super::{Target, parts};

const HEADER: &str = r#"{"alg":"RS256","typ":"at+jwt","kid":"test-0"}"#;

fn signed(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    TokenForge::sign_raw(&TestKey::number(0), header.as_ref(), payload.as_ref())
}

/// The claims of a good token, as JSON.
fn claims(target: &Target) -> String {
    let token = target.forge().token();
    let (_, payload, _) = parts(&token);
    String::from_utf8(base64url_decode(payload.as_bytes()).unwrap()).unwrap()
}

/// The same with a member in front.
fn with_member(json: &str, member: &str) -> String {
    format!("{{{member},{}", &json[1..])
}

/// Headers that are malformed, over good claims.
async fn refuses_headers(headers: impl IntoIterator<Item = String>) {
    let target = Target::start().await;
    for header in headers {
        target
            .refuses(&signed(&header, claims(&target)), "malformed")
            .await;
    }
}

/// Payloads that are malformed, made of good claims.
async fn refuses_payloads(change: impl Fn(&str) -> Vec<Vec<u8>>) {
    let target = Target::start().await;
    target.admits(&signed(HEADER, claims(&target))).await;
    for payload in change(&claims(&target)) {
        target.refuses(&signed(HEADER, &payload), "malformed").await;
    }
}

/// Attack: `alg`, `kid` or `typ` twice in the header, the first or the second being the good one.
/// Source: RFC 7515 section 4, RFC 8259 section 4
/// Result: 401 `malformed`
#[tokio::test]
async fn a_header_name_twice() {
    let twice = [r#""alg":"none""#, r#""kid":"x""#, r#""typ":"JWT""#];
    let first = twice.map(|member| with_member(HEADER, member));
    let second = twice.map(|member| format!("{},{member}}}", HEADER.trim_end_matches('}')));
    refuses_headers(first.into_iter().chain(second)).await;
}

/// Attack: `alg` or `kid` twice in the header, once with an escape in its name.
/// Source: RFC 8259 section 8.3, RFC 7515 section 10.12
/// Result: 401 `malformed`
#[tokio::test]
async fn a_header_name_twice_by_escape() {
    refuses_headers([
        with_member(HEADER, r#""a\u006cg":"none""#),
        with_member(HEADER, r#""\u006b\u0069\u0064":"x""#),
    ])
    .await;
}

/// Attack: a name twice in an object inside of the header.
/// Source: RFC 7515 section 4
/// Result: 401 `malformed`
#[tokio::test]
async fn a_header_name_twice_further_in() {
    refuses_headers([with_member(HEADER, r#""jwk":{"kty":"RSA","kty":"oct"}"#)]).await;
}

/// Attack: a claim twice, the good value before or behind the other.
/// Source: RFC 7519 section 4, RFC 8259 section 4
/// Result: 401 `malformed`
#[tokio::test]
async fn a_claim_twice() {
    refuses_payloads(|claims| {
        let twice = [
            r#""sub":"0193a5b0-0000-7000-8000-000000000000""#,
            r#""exp":9999999999"#,
            r#""roles":["admin"]"#,
            r#""iss":"x""#,
            r#""aud":"x""#,
        ];
        let first = twice.map(|member| with_member(claims, member).into_bytes());
        let second = twice.map(|member| format!("{},{member}}}", claims.trim_end_matches('}')).into_bytes());
        first.into_iter().chain(second).collect()
    })
    .await;
}

/// Attack: a claim twice, once with an escape in its name.
/// Source: RFC 8259 section 8.3
/// Result: 401 `malformed`
#[tokio::test]
async fn a_claim_twice_by_escape() {
    refuses_payloads(|claims| {
        vec![
            with_member(claims, r#""s\u0075b":"x""#).into_bytes(),
            with_member(claims, r#""\u0072oles":["admin"]"#).into_bytes(),
        ]
    })
    .await;
}

/// Attack: a name twice in an object inside of the claims.
/// Source: RFC 8259 section 4
/// Result: 401 `malformed`
#[tokio::test]
async fn a_claim_twice_further_in() {
    refuses_payloads(|claims| {
        vec![
            with_member(claims, r#""act":{"sub":"a","sub":"b"}"#).into_bytes(),
            with_member(claims, r#""x":[[{"a":1,"\u0061":2}]]"#).into_bytes(),
        ]
    })
    .await;
}

/// Attack: a payload that is JSON and no object.
/// Source: RFC 7519 section 7.2
/// Result: 401 `malformed`
#[tokio::test]
async fn a_payload_that_is_no_object() {
    refuses_payloads(|claims| {
        let nested = Value::String(claims.to_owned()).to_string();
        let texts = [
            "null",
            "true",
            "1",
            "\"x\"",
            "[]",
            &nested,
            &format!("[{claims}]"),
        ];
        texts.map(|text| text.as_bytes().to_vec()).to_vec()
    })
    .await;
}

/// Attack: a header that is JSON and no object.
/// Source: RFC 7515 section 5.2
/// Result: 401 `malformed`
#[tokio::test]
async fn a_header_that_is_no_object() {
    refuses_headers(["null", "[]", "\"RS256\"", ""].map(str::to_owned)).await;
}

/// Attack: a good token as the payload of another one.
/// Source: RFC 7519 section 5.2
/// Result: 401 `malformed`
#[tokio::test]
async fn a_token_in_a_token() {
    let target = Target::start().await;
    let header = with_member(HEADER, r#""cty":"JWT""#);
    let token = signed(header, target.forge().token());
    target.refuses(&token, "malformed").await;
}

/// Attack: something behind the JSON, before it, or a mark of byte order.
/// Source: RFC 8259 sections 2 and 8.1
/// Result: 401 `malformed`
#[tokio::test]
async fn something_around_the_json() {
    refuses_payloads(|claims| {
        vec![
            format!("{claims},").into_bytes(),
            format!("{claims}{claims}").into_bytes(),
            format!("{claims}\0").into_bytes(),
            format!("\u{feff}{claims}").into_bytes(),
            format!("while(1);{claims}").into_bytes(),
        ]
    })
    .await;
}

/// Attack: what only lenient readers take for JSON: comments, single quotes, a comma too many, `NaN`, `+1`, `01`.
/// Source: RFC 8259 section 9
/// Result: 401 `malformed`
#[tokio::test]
async fn lenient_json() {
    refuses_payloads(|claims| {
        let lenient = [
            "\"x\":1/**/",
            "'x':1",
            "x:1",
            "\"x\":1,",
            "\"x\":NaN",
            "\"x\":Infinity",
            "\"x\":+1",
            "\"x\":01",
            "\"x\":0x1",
            "\"x\":\"a\nb\"",
            "\"x\":\"\\x41\"",
        ];
        lenient
            .map(|member| with_member(claims, member).into_bytes())
            .to_vec()
    })
    .await;
}

/// Attack: claims that are no UTF-8, overlong UTF-8, UTF-16, or half a pair of surrogates.
/// Source: RFC 8725 section 3.7, RFC 8259 section 8.1
/// Result: 401 `malformed`
#[tokio::test]
async fn other_encodings() {
    refuses_payloads(|claims| {
        let utf_16: Vec<u8> = claims.encode_utf16().flat_map(u16::to_le_bytes).collect();
        vec![
            utf_16,
            with_member(claims, r#""x":"\ud800""#).into_bytes(),
            [b"{\"x\":\"\xc0\xaf\",", &claims.as_bytes()[1..]].concat(),
            [b"{\"x\":\"\xff\",", &claims.as_bytes()[1..]].concat(),
        ]
    })
    .await;
}

/// Attack: claims nested as deep as a token has room for.
/// Source: CWE-674, RFC 8259 section 9
/// Result: 401 `malformed`
#[tokio::test]
async fn deep_nesting() {
    refuses_payloads(|claims| {
        [33, 1000, 5000]
            .map(|depth| {
                let (open, close) = ("[".repeat(depth), "]".repeat(depth));
                // Deeper ones are not even closed, so as to fit.
                let close = if depth > 2000 { "" } else { &close };
                with_member(&claims[..claims.len()], &format!("\"x\":{open}{close}")).into_bytes()
            })
            .to_vec()
    })
    .await;
}

/// Attack: 100 000 brackets, in the header and in the claims.
/// Source: CWE-674
/// Result: 431 before they are looked at
#[tokio::test]
async fn a_hundred_thousand_brackets() {
    let target = Target::start().await;
    let deep = "[".repeat(100_000);
    for token in [signed(&deep, b"{}"), signed(HEADER, &deep)] {
        for endpoint in crate::support::HTTP {
            let request = crate::support::Request::about(endpoint, "GET", "/").bearer(&token);
            let mut client = target.world.connect().await;
            // It is refused while it is still being sent.
            let _ = client.send(&request.to_bytes()).await;
            let answer = client.answer().await;
            assert!(answer.is_none_or(|answer| answer.status == 431), "{endpoint}");
        }
    }
    target.admits(&target.forge().token()).await;
}

/// Attack: names that would change objects in JavaScript.
/// Source: CWE-1321, CVE-2024-34273
/// Result: they are names like any other, and give nobody a role
#[tokio::test]
async fn names_of_prototypes() {
    let target = Target::start().await;
    let members = r#""__proto__":{"superuser":true,"roles":["admin"]},"constructor":{"prototype":{"x":1}}"#;
    let token = signed(HEADER, with_member(&claims(&target), members));
    let request = crate::support::Request::about(verifier::http::Endpoint::ForwardAuth, "GET", "/");
    let answer = target.world.ask(&request.bearer(&token)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-auth-roles"), Some(""));
    assert_eq!(answer.header("x-auth-superuser"), Some("false"));
}
