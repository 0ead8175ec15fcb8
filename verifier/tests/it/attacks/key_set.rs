//! Key sets that somebody between us and the issuer, or the issuer itself, should not have sent.

use std::time::Duration;

use ring::{digest, hmac};
use serde_json::{Value, json};
use shared::encoding::base64url;
use shared::limits::{JWKS_KEYS_MAX, KID_BYTES_MAX};
use shared::testkit::{TestKey, TokenForge};
use verifier::http::Endpoint;

use super::{RULES, parted};
use crate::support::{Canned, KeyServer, Request, START, World, until};

const PATIENCE: Duration = Duration::from_secs(20);

fn set(keys: &[Value]) -> Canned {
    Canned::ok(json!({"keys": keys}).to_string())
}

fn good() -> Value {
    json!(TestKey::number(0).jwk())
}

/// A verifier that has key 0 from a server.
async fn world() -> (World, KeyServer) {
    let server = KeyServer::start(set(&[good()])).await;
    let url = format!("{}/keys", server.origin);
    let world = World::fetching(RULES, |settings| settings.jwks_url = Some(url)).await;
    world.is_ready().await;
    (world, server)
}

async fn verdict(world: &World, token: &str) -> (u16, String) {
    let request = Request::about(Endpoint::AuthRequest, "GET", "/").bearer(token);
    world.ask(&request).await.verdict()
}

fn fetches(world: &World, result: &str) -> Option<f64> {
    let sample = format!("verifier_keys_fetches_total{{result=\"{result}\"}}");
    world.metric(&sample)
}

/// The key is passed over in a set that has a good one too, and nothing that it signs is believed.
async fn is_passed_over(key: Value, token: Option<String>) {
    let server = KeyServer::start(set(&[key, good()])).await;
    let url = format!("{}/keys", server.origin);
    let world = World::fetching(RULES, |settings| settings.jwks_url = Some(url)).await;
    world.is_ready().await;
    assert_eq!(world.metric("verifier_keys"), Some(1.0));
    let own = world.forge().header("kid", "weak").token();
    for token in token.into_iter().chain([own]) {
        let (status, reason) = verdict(&world, &token).await;
        assert!(
            status == 401 && ["unknown_key", "unsupported"].contains(&&*reason),
            "{status} {reason}"
        );
    }
    assert_eq!(verdict(&world, &world.forge().token()).await.0, 200);
}

/// A fetch that an unknown `kid` causes brings this, and the keys at hand stay.
async fn changes_nothing(bad: Canned, result: &str) {
    let (mut world, server) = world().await;
    server.answer_with(bad);
    world.clock.advance(Duration::from_secs(30));
    world.heartbeat().await;
    let stranger = TokenForge::new(&TestKey::number(1), START).token();
    assert_eq!(verdict(&world, &stranger).await.0, 401);
    until(PATIENCE, async || fetches(&world, result) == Some(1.0)).await;
    assert_eq!(world.metric("verifier_keys_generation"), Some(1.0));
    assert_eq!(verdict(&world, &world.forge().token()).await.0, 200);
}

fn rsa(modulus: &[u8], exponent: &[u8]) -> Value {
    json!({"kty": "RSA", "kid": "weak", "n": base64url(modulus), "e": base64url(exponent)})
}

/// A number that looks like a modulus, of so many bytes.
fn modulus(bytes: usize) -> Vec<u8> {
    vec![0xd5; bytes]
}

/// Attack: an RSA key of 1024 bits, and of 2047.
/// Source: RFC 7518 section 3.3, RFC 8725 section 3.5
/// Result: the key is passed over
#[tokio::test]
async fn a_short_key() {
    is_passed_over(rsa(&modulus(128), &[1, 0, 1]), None).await;
    let mut short = modulus(256);
    short[0] = 0x55;
    is_passed_over(rsa(&short, &[1, 0, 1]), None).await;
}

/// Attack: an RSA key of 16384 bits, each check of which takes milliseconds.
/// Source: CVE-2023-6237, CWE-400
/// Result: the key is passed over
#[tokio::test]
async fn a_long_key() {
    is_passed_over(rsa(&modulus(2048), &[1, 0, 1]), None).await;
}

/// The good claims under `weak`, with what RSA leaves of a padded digest when the exponent is 1: the digest itself.
fn signed_with_exponent_1() -> String {
    let forge = TokenForge::new(&TestKey::number(0), START).header("kid", "weak");
    let token = forge.token();
    let (signed, _) = parted(&token);
    let prefix = [
        0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
        0x04, 0x20,
    ];
    let digest = digest::digest(&digest::SHA256, signed.as_bytes());
    let info = [&prefix[..], digest.as_ref()].concat();
    let padding = vec![0xff; 256 - 3 - info.len()];
    let signature = [&[0, 1][..], &padding, &[0], &info].concat();
    format!("{signed}.{}", base64url(&signature))
}

/// Attack: an RSA key of exponent 1, whose signatures anybody can write.
/// Source: RFC 8017 section 3.1
/// Result: the key is passed over, 401 `unknown_key`
#[tokio::test]
async fn an_exponent_of_1() {
    is_passed_over(rsa(&modulus(256), &[1]), Some(signed_with_exponent_1())).await;
}

/// Attack: RSA keys of exponent 3, 0, an even one, and one of 40 bits.
/// Source: CVE-2006-4339, RFC 8017 section 3.1
/// Result: the key is passed over
#[tokio::test]
async fn other_exponents() {
    for exponent in [&[3_u8][..], &[0], &[], &[1, 0, 0], &[1, 0, 0, 0, 0, 1]] {
        is_passed_over(rsa(&modulus(256), exponent), None).await;
    }
}

/// Attack: a key of ours for encryption, or for another algorithm.
/// Source: RFC 7517 sections 4.2 and 4.4
/// Result: the key is passed over
#[tokio::test]
async fn a_key_for_something_else() {
    for (name, value) in [
        ("use", "enc"),
        ("use", "SIG"),
        ("use", ""),
        ("alg", "PS256"),
        ("alg", "none"),
    ] {
        let mut key = json!(TestKey::number(1).with_kid("weak").jwk());
        key[name] = json!(value);
        let token = TokenForge::new(&TestKey::number(1).with_kid("weak"), START).token();
        is_passed_over(key, Some(token)).await;
    }
}

/// Attack: a key of ours whose operations do not have `verify` among them.
/// Source: RFC 7517 section 4.3
/// Result: the key is passed over
#[tokio::test]
async fn a_key_for_other_operations() {
    for operations in [
        json!(["encrypt"]),
        json!(["sign", "wrapKey"]),
        json!([]),
        json!("encrypt"),
    ] {
        let mut key = json!(TestKey::number(1).with_kid("weak").jwk());
        key["key_ops"] = operations;
        let token = TokenForge::new(&TestKey::number(1).with_kid("weak"), START).token();
        is_passed_over(key, Some(token)).await;
    }
}

/// Attack: a symmetric key in the set, and a token with its HMAC.
/// Source: CVE-2022-23541, RFC 7518 section 6.4
/// Result: the key is passed over, 401 `unsupported`
#[tokio::test]
async fn a_symmetric_key() {
    let forge = TokenForge::new(&TestKey::number(0), START).header("kid", "weak");
    let token = forge.header("alg", "HS256").token();
    let (signed, _) = parted(&token);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"secret"), signed.as_bytes());
    let token = format!("{signed}.{}", base64url(tag.as_ref()));
    let key = json!({"kty": "oct", "kid": "weak", "k": base64url(b"secret")});
    is_passed_over(key, Some(token)).await;
}

/// Attack: keys of other types, and members of wrong types.
/// Source: RFC 7517 section 5
/// Result: the key is passed over
#[tokio::test]
async fn keys_of_other_types() {
    for key in [
        json!({"kty": "EC", "kid": "weak", "crv": "P-256", "x": "AQ", "y": "AQ"}),
        json!({"kty": "OKP", "kid": "weak", "crv": "Ed25519", "x": "AQ"}),
        json!({"kty": "rsa", "kid": "weak", "n": base64url(&modulus(256)), "e": "AQAB"}),
        json!({"kty": "RSA", "kid": "weak", "n": 5, "e": 65537}),
        json!({"kty": "RSA", "kid": ["weak"], "n": base64url(&modulus(256)), "e": "AQAB"}),
        json!({"kty": "RSA", "kid": "weak", "e": "AQAB"}),
        json!({"kty": "RSA", "kid": "weak", "n": "+/==", "e": "AQAB"}),
        json!(null),
        json!("weak"),
    ] {
        is_passed_over(key, None).await;
    }
}

/// Attack: a key without an id, or with one of many bytes.
/// Source: RFC 7517 section 4.5, CWE-770
/// Result: the key is passed over
#[tokio::test]
async fn a_key_without_an_id() {
    for kid in [json!(null), json!(""), json!("x".repeat(KID_BYTES_MAX + 1))] {
        let mut key = json!(TestKey::number(1).jwk());
        key["kid"] = kid.clone();
        let forge = TokenForge::new(&TestKey::number(1), START).header("kid", kid);
        is_passed_over(key, Some(forge.token())).await;
    }
}

/// Attack: a second key of an id that is known.
/// Source: RFC 7517 section 4.5
/// Result: the set is refused, the keys at hand stay
#[tokio::test]
async fn two_keys_of_one_id() {
    let other = json!(TestKey::number(1).with_kid("test-0").jwk());
    changes_nothing(set(&[good(), other.clone()]), "invalid").await;
    changes_nothing(set(&[other, good()]), "invalid").await;
}

/// Attack: more keys than anybody needs.
/// Source: CWE-770
/// Result: the set is refused, the keys at hand stay
#[tokio::test]
async fn too_many_keys() {
    let keys: Vec<Value> = (0..=JWKS_KEYS_MAX)
        .map(|n| json!(TestKey::number(1).with_kid(&n.to_string()).jwk()))
        .collect();
    changes_nothing(set(&keys), "invalid").await;
}

/// Attack: a set of 100 MB.
/// Source: CWE-400
/// Result: no more than its bound is read, the keys at hand stay
#[tokio::test]
async fn a_hundred_megabytes() {
    let mut body = json!({"keys": [good()]}).to_string().into_bytes();
    body.resize(100_000_000, b' ');
    changes_nothing(Canned::ok(body), "invalid").await;
}

/// Attack: a page of HTML, as captive portals and error pages of proxies send it with 200.
/// Source: RFC 7517 section 5
/// Result: the answer is refused, the keys at hand stay
#[tokio::test]
async fn a_page_of_html() {
    let page = "<!doctype html><title>Sign in to this network</title>";
    changes_nothing(Canned::ok(page), "invalid").await;
}

/// Attack: a redirect to the attacker's set.
/// Source: RFC 8725 section 3.10, CWE-918
/// Result: it is not followed, the keys at hand stay
#[tokio::test]
async fn a_redirect() {
    let elsewhere = KeyServer::start(set(&[json!(TestKey::number(1).jwk())])).await;
    for status in [301, 302, 307, 308] {
        let redirect = Canned {
            headers: format!("location: {}/keys\r\n", elsewhere.origin),
            ..Canned::status(status)
        };
        changes_nothing(redirect, "status").await;
    }
    assert!(elsewhere.asked().is_empty());
}

/// Attack: a set that begins and never ends, while good tokens are presented.
/// Source: CWE-400
/// Result: no request waits, no second fetch is begun, the keys at hand stay
#[tokio::test]
async fn a_slow_set() {
    let (world, server) = world().await;
    server.hold();
    let stranger = TokenForge::new(&TestKey::number(1), START).token();
    assert_eq!(verdict(&world, &stranger).await.0, 401);
    server.asked_times(2).await;
    for _ in 0..100 {
        assert_eq!(verdict(&world, &world.forge().token()).await.0, 200);
        assert_eq!(verdict(&world, &stranger).await.0, 401);
    }
    assert_eq!(server.asked().len(), 2);
}
