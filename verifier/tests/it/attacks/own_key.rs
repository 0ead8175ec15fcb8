//! Tokens that bring their key along, or say where it is.

use rcgen::generate_simple_self_signed;
use serde_json::{Value, json};
use shared::encoding::base64;
use shared::testkit::{TestKey, TokenForge};

use super::{Target, parts};
use crate::support::{Canned, KeyServer, START};

/// A forge of the attacker's: under our key's id, and under one that nobody knows.
fn attackers() -> [(TokenForge, &'static str); 2] {
    let key = TestKey::number(1);
    [
        (
            TokenForge::new(&key.clone().with_kid("test-0"), START),
            "bad_signature",
        ),
        (TokenForge::new(&key.with_kid("mine"), START), "unknown_key"),
    ]
}

async fn refuses_with(name: &str, value: Value) {
    let target = Target::start().await;
    for (forge, reason) in attackers() {
        let token = forge.header(name, value.clone()).token();
        target.refuses(&token, reason).await;
    }
}

/// The same of a header that says where the key is; nobody goes there.
async fn refuses_from(name: &str, path: &str) {
    let server = KeyServer::start(Canned::ok(TestKey::jwks(&[&TestKey::number(1)]))).await;
    refuses_with(name, format!("{}{path}", server.origin).into()).await;
    assert!(server.asked().is_empty(), "{:?}", server.asked());
}

/// Attack: the attacker's key in the header `jwk`.
/// Source: CVE-2018-0114, RFC 8725 section 3.10
/// Result: 401 `bad_signature` or `unknown_key`
#[tokio::test]
async fn an_embedded_key() {
    refuses_with("jwk", json!(TestKey::number(1).jwk())).await;
}

/// Attack: a certificate chain of the attacker's in the header `x5c`.
/// Source: RFC 7515 section 4.1.6, RFC 8725 section 3.10
/// Result: 401 `bad_signature` or `unknown_key`
#[tokio::test]
async fn an_embedded_certificate() {
    let own = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    refuses_with("x5c", json!([base64(own.cert.der())])).await;
}

/// Attack: the header `jku` says where the attacker's JWK Set is.
/// Source: RFC 8725 section 3.10, RFC 7515 section 4.1.2
/// Result: 401 `bad_signature` or `unknown_key`, and no call goes out
#[tokio::test]
async fn a_key_set_elsewhere() {
    refuses_from("jku", "/.well-known/jwks.json").await;
}

/// Attack: the header `x5u` says where the attacker's certificate is.
/// Source: RFC 8725 section 3.10, RFC 7515 section 4.1.5
/// Result: 401 `bad_signature` or `unknown_key`, and no call goes out
#[tokio::test]
async fn a_certificate_elsewhere() {
    refuses_from("x5u", "/chain.pem").await;
}

/// Attack: `iss` says where an issuer of the attacker's is.
/// Source: RFC 8725 section 3.8
/// Result: 401 `wrong_issuer`, and no call goes out
#[tokio::test]
async fn an_issuer_elsewhere() {
    let server = KeyServer::start(Canned::ok(TestKey::jwks(&[&TestKey::number(1)]))).await;
    let target = Target::start().await;
    let forge = target.forge().claim("iss", server.origin.clone());
    target.refuses_each([forge], "wrong_issuer").await;
    for (forge, reason) in attackers() {
        let token = forge.claim("iss", server.origin.clone()).token();
        target.refuses(&token, reason).await;
    }
    assert!(server.asked().is_empty(), "{:?}", server.asked());
}

/// Attack: thumbprints of the attacker's certificate in `x5t` and `x5t#S256`.
/// Source: RFC 7515 sections 4.1.7 and 4.1.8
/// Result: 401 `bad_signature` or `unknown_key`
#[tokio::test]
async fn thumbprints() {
    for name in ["x5t", "x5t#S256"] {
        refuses_with(name, "dGh1bWJwcmludA".into()).await;
    }
}

/// Attack: another key of the attacker's under our key's id.
/// Source: RFC 8725 section 3.3
/// Result: 401 `bad_signature`
#[tokio::test]
async fn another_key_of_the_same_id() {
    let target = Target::start().await;
    let [(forge, reason), _] = attackers();
    target.refuses_each([forge], reason).await;
}

/// Attack: the claims of one good token under the signature of another.
/// Source: RFC 8725 section 3.3
/// Result: 401 `bad_signature`
#[tokio::test]
async fn a_signature_of_another_token() {
    let target = Target::start().await;
    let (plain, proud) = (
        target.forge().token(),
        target.forge().claim("superuser", true).token(),
    );
    let ((header, _, signature), (_, claims, _)) = (parts(&plain), parts(&proud));
    target
        .refuses(&format!("{header}.{claims}.{signature}"), "bad_signature")
        .await;
}

/// Attack: a good token, which is in the cache, with other claims behind it.
/// Source: OWASP API Security 2023, API2
/// Result: 401 `bad_signature`
#[tokio::test]
async fn other_claims_behind_a_cached_token() {
    let target = Target::start().await;
    let token = target.forge().token();
    target.admits(&token).await;
    target.admits(&token).await;
    let (header, _, signature) = parts(&token);
    let proud = target.forge().roles(&["admin"]).token();
    let (_, claims, _) = parts(&proud);
    target
        .refuses(&format!("{header}.{claims}.{signature}"), "bad_signature")
        .await;
}
