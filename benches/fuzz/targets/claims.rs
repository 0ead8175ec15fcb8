//! The claims of a token, which the target signs whatever they are.
#![no_main]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what cannot go on fails the fuzzing"
)]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use shared::crypto::rsa::VerifyingKey;
use shared::limits::{ACCESS_TTL_MAX, ROLES_MAX, TOKEN_BYTES_MAX};
use shared::testkit::{TestKey, TokenForge};
use shared::time::UnixSeconds;
use shared::token::{Claims, ClaimsPolicy, CompactToken, TokenFormat, TokenProfile};

static KEY: LazyLock<(TestKey, VerifyingKey)> = LazyLock::new(|| {
    let key = TestKey::number(0);
    let verifying = key.signing.verifying_key().unwrap();
    (key, verifying)
});

static FOREIGN: LazyLock<TokenFormat> = LazyLock::new(|| TokenFormat {
    profile: TokenProfile::Jwt,
    roles_claim: "realm_access.roles".into(),
});

fuzz_target!(|payload: &[u8]| {
    if payload.len() > TOKEN_BYTES_MAX / 2 {
        return;
    }
    let (key, verifying) = &*KEY;
    let header = br#"{"alg":"RS256","typ":"at+jwt","kid":"test-0"}"#;
    let token = TokenForge::sign_raw(key, header, payload);
    for format in [&TokenFormat::OURS, &*FOREIGN] {
        let Ok(signed) = CompactToken::parse_as(&token, format).unwrap().verify(verifying) else {
            continue;
        };
        let said: Value = serde_json::from_slice(payload).unwrap();
        let claims = signed.claims();
        agree(claims, &said, format.profile);
        let policy = ClaimsPolicy {
            issuer: claims.issuer.clone(),
            audience: claims.audience.first().cloned().unwrap_or_default(),
            leeway_s: 0,
        };
        let begins = claims
            .not_before
            .map_or(claims.issued_at, |at| at.max(claims.issued_at));
        let is_valid = |at: i64| signed.validate(&policy, UnixSeconds(at)).is_ok();
        assert!(
            !is_valid(claims.expires_at.0) && !is_valid(begins.0 - 1),
            "valid outside its time"
        );
        let has_time = !claims.audience.is_empty() && begins < claims.expires_at;
        assert_eq!(is_valid(begins.0), has_time);
        assert_eq!(is_valid(claims.expires_at.0 - 1), has_time);
    }
});

/// The claims are those that another JSON library reads there.
fn agree(claims: &Claims, said: &Value, profile: TokenProfile) {
    assert_eq!(said["iss"], *claims.issuer);
    assert_eq!(said["exp"], claims.expires_at.0);
    match &said["aud"] {
        Value::Array(several) => assert_eq!(several.len(), claims.audience.len()),
        one => assert_eq!(*one, *claims.audience[0]),
    }
    if profile == TokenProfile::Jwt {
        let foreign = claims.foreign.as_ref().unwrap();
        assert_eq!(said["sub"], *foreign.subject);
        assert!(foreign.subject.bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(!claims.superuser, "another issuer made a superuser");
        return;
    }
    assert_eq!(said["sub"], claims.subject.to_string());
    assert_eq!(said["sid"], claims.session.to_string());
    assert_eq!(said["jti"], claims.token_id.to_string());
    assert_eq!(said["iat"], claims.issued_at.0);
    assert_eq!(said["ver"], claims.ver);
    assert_eq!(said["rver"], claims.rver);
    assert_eq!(
        said.get("superuser").and_then(Value::as_bool).unwrap_or_default(),
        claims.superuser
    );
    let roles = said["roles"].as_array().unwrap();
    assert!(roles.len() <= ROLES_MAX);
    assert!(
        roles
            .iter()
            .all(|role| claims.roles.contains(role.as_str().unwrap()))
    );
    let lifetime_s = claims.expires_at.0 - claims.issued_at.0;
    assert!(lifetime_s <= i64::try_from(ACCESS_TTL_MAX.as_secs()).unwrap());
}
