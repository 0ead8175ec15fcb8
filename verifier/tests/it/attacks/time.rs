//! `exp`, `nbf` and `iat`. Who can sign can write anything there, by mistake as well.

use serde_json::{Value, json};
use shared::testkit::{TestKey, TokenForge};

use super::Target;
use crate::support::START;

const TIMES: [&str; 3] = ["exp", "nbf", "iat"];

/// The second at which the verifier's clock stands.
const NOW: i64 = START.0 / 1000;

/// What `leeway` is where nothing else is said.
const LEEWAY: i64 = 5;

async fn refuses_as_each(values: impl IntoIterator<Item = Value>, reason: &str) {
    let target = Target::start().await;
    for value in values {
        let wrong = TIMES.map(|name| target.forge().claim(name, value.clone()));
        target.refuses_each(wrong, reason).await;
    }
}

/// Attack: a time that is a text.
/// Source: RFC 7519 section 2, `NumericDate`
/// Result: 401 `bad_claims`
#[tokio::test]
async fn texts() {
    let number = NOW.to_string();
    refuses_as_each(
        [json!(number), json!("2099-01-01T00:00:00Z"), json!("")],
        "bad_claims",
    )
    .await;
}

/// Attack: a time that is null.
/// Source: RFC 7519 section 2
/// Result: 401 `bad_claims`
#[tokio::test]
async fn nulls() {
    refuses_as_each([Value::Null], "bad_claims").await;
}

/// Attack: a time that is a boolean.
/// Source: RFC 7519 section 2
/// Result: 401 `bad_claims`
#[tokio::test]
async fn booleans() {
    refuses_as_each([json!(true), json!(false)], "bad_claims").await;
}

/// Attack: a time that is an array or an object.
/// Source: RFC 7519 section 2
/// Result: 401 `bad_claims`
#[tokio::test]
async fn arrays_and_objects() {
    refuses_as_each([json!([NOW]), json!([]), json!({"exp": NOW})], "bad_claims").await;
}

/// Attack: a time before 1970.
/// Source: RFC 7519 section 2, CWE-191
/// Result: 401 `bad_claims`
#[tokio::test]
async fn negative_numbers() {
    refuses_as_each([json!(-1), json!(i64::MIN)], "bad_claims").await;
}

/// Attack: a time of 2^63 - 1 or 2^63 seconds, which a signed number cannot grow past or cannot hold.
/// Source: CWE-190
/// Result: 401 `bad_claims`
#[tokio::test]
async fn two_to_the_63() {
    refuses_as_each(
        [json!(i64::MAX), json!(9_223_372_036_854_775_808_u64)],
        "bad_claims",
    )
    .await;
}

/// Signed as it stands here: no library would write it so.
async fn refuses_written(number: &str, reason: &str) {
    let target = Target::start().await;
    for name in TIMES {
        let claims = format!("{{\"{name}\":{number}}}");
        let header = br#"{"alg":"RS256","typ":"at+jwt","kid":"test-0"}"#;
        let token = TokenForge::sign_raw(&TestKey::number(0), header, claims.as_bytes());
        target.refuses(&token, reason).await;
        let mut claims = target.forge().token();
        let payload = super::parts(&claims).1.as_bytes();
        let mut object: Value =
            serde_json::from_slice(&shared::encoding::base64url_decode(payload).unwrap()).unwrap();
        object[name] = json!("here");
        claims = object.to_string().replace("\"here\"", number);
        let token = TokenForge::sign_raw(&TestKey::number(0), header, claims.as_bytes());
        target.refuses(&token, reason).await;
    }
}

/// Attack: a time of 2^64 seconds, which no number of 64 bits holds.
/// Source: CWE-190
/// Result: 401 `bad_claims`
#[tokio::test]
async fn two_to_the_64() {
    refuses_written("18446744073709551616", "bad_claims").await;
}

/// Attack: a time of 1e400, which no floating-point number holds.
/// Source: RFC 8259 section 6
/// Result: 401 `malformed`
#[tokio::test]
async fn infinity() {
    refuses_written("1e400", "malformed").await;
}

/// Attack: a time of a thousand digits.
/// Source: RFC 8259 section 6
/// Result: 401 `malformed`
#[tokio::test]
async fn a_thousand_digits() {
    refuses_written(&"9".repeat(1000), "malformed").await;
}

/// Attack: a time with a fraction or an exponent, which readers round differently.
/// Source: RFC 7519 section 2, RFC 8259 section 6
/// Result: 401 `bad_claims`
#[tokio::test]
async fn fractions() {
    refuses_written(&format!("{NOW}.0"), "bad_claims").await;
    refuses_written(&format!("{NOW}.5"), "bad_claims").await;
    refuses_written("1.8e9", "bad_claims").await;
    refuses_written("-0", "bad_claims").await;
}

/// Attack: milliseconds where seconds belong, so that a token would live for 50 000 years.
/// Source: RFC 7519 section 2
/// Result: 401 `bad_claims`
#[tokio::test]
async fn milliseconds() {
    refuses_as_each([json!(START.0)], "bad_claims").await;
}

/// Attack: no `exp`, no `iat`.
/// Source: RFC 9068 section 2.2, CVE-2022-23540
/// Result: 401 `bad_claims`
#[tokio::test]
async fn no_end() {
    let target = Target::start().await;
    let wrong = ["exp", "iat"].map(|name| target.forge().without_claim(name));
    target.refuses_each(wrong, "bad_claims").await;
}

/// Attack: `exp` has passed by the leeway, to the second.
/// Source: RFC 7519 section 4.1.4
/// Result: admitted a second before, 401 `expired` from then on
#[tokio::test]
async fn the_end_to_the_second() {
    let target = Target::start().await;
    let ends = |at: i64| {
        target
            .forge()
            .claim("iat", at - 900)
            .claim("nbf", at - 900)
            .claim("exp", at)
    };
    target.admits(&ends(NOW - LEEWAY + 1).token()).await;
    target
        .refuses_each([ends(NOW - LEEWAY), ends(NOW - LEEWAY - 1), ends(900)], "expired")
        .await;
}

/// Attack: `nbf` lies ahead by more than the leeway, to the second.
/// Source: RFC 7519 section 4.1.5
/// Result: admitted at the leeway, 401 `not_yet_valid` a second past it
#[tokio::test]
async fn the_beginning_to_the_second() {
    let target = Target::start().await;
    target
        .admits(&target.forge().claim("nbf", NOW + LEEWAY).token())
        .await;
    let ahead = target.forge().claim("nbf", NOW + LEEWAY + 1);
    target.refuses_each([ahead], "not_yet_valid").await;
}

/// Attack: `iat` lies ahead, by a second past the leeway and by years.
/// Source: RFC 7519 section 4.1.6
/// Result: 401 `not_yet_valid`
#[tokio::test]
async fn signed_in_the_future() {
    let target = Target::start().await;
    target
        .admits(&target.forge().claim("iat", NOW + LEEWAY).token())
        .await;
    for ahead in [LEEWAY + 1, 86_400 * 3650] {
        let at = NOW + ahead;
        let forge = target.forge().claim("iat", at).claim("exp", at + 900);
        target.refuses_each([forge], "not_yet_valid").await;
    }
}

/// Attack: a token that lives for longer than an issuer can be set to make them, so that revocations would not be kept for as
/// long as it lives.
/// Source: CWE-613
/// Result: admitted at a day, 401 `bad_claims` a second past it
#[tokio::test]
async fn a_lifetime_past_the_maximum() {
    const DAY: i64 = 86_400;
    let target = Target::start().await;
    target
        .admits(&target.forge().claim("exp", NOW + DAY).token())
        .await;
    let long = [DAY + 1, 253_402_300_799 - NOW].map(|s| target.forge().claim("exp", NOW + s));
    target.refuses_each(long, "bad_claims").await;
}

/// Attack: a token that ends before it begins.
/// Source: RFC 7519 section 4.1.4
/// Result: 401 `expired`
#[tokio::test]
async fn an_end_before_the_beginning() {
    let target = Target::start().await;
    let forge = target.forge().claim("exp", NOW - 60);
    target.refuses_each([forge], "expired").await;
}

/// Attack: a cached token is presented again after its end.
/// Source: CWE-613
/// Result: 401 `expired`
#[tokio::test]
async fn a_cached_token_after_its_end() {
    let mut target = Target::start().await;
    let token = target.forge().token();
    target.admits(&token).await;
    target.admits(&token).await;
    target
        .world
        .clock
        .advance(std::time::Duration::from_secs(900 + LEEWAY.unsigned_abs()));
    target.world.heartbeat().await;
    target.refuses(&token, "expired").await;
}
