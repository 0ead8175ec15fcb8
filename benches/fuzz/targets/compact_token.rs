//! The compact form of a token, and its header. No key signed what the fuzzer makes: none of it may be believed.
#![no_main]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what cannot go on fails the fuzzing"
)]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use shared::crypto::rsa::VerifyingKey;
use shared::limits::{KID_BYTES_MAX, TOKEN_BYTES_MAX};
use shared::testkit::TestKey;
use shared::token::{CompactToken, TokenError, TokenFormat, TokenProfile};

static KEY: LazyLock<VerifyingKey> = LazyLock::new(|| TestKey::number(0).signing.verifying_key().unwrap());

static FOREIGN: LazyLock<TokenFormat> = LazyLock::new(|| TokenFormat {
    profile: TokenProfile::Jwt,
    roles_claim: "realm_access.roles".into(),
});

fuzz_target!(|text: &str| {
    let foreign = CompactToken::parse_as(text, &FOREIGN).map(|token| token.kid().to_owned());
    let Ok(token) = CompactToken::parse(text) else {
        return;
    };
    let kid = token.kid().to_owned();
    assert_eq!(
        foreign.as_ref(),
        Ok(&kid),
        "our own tokens are told from others by less than others'"
    );
    assert!(text.len() <= TOKEN_BYTES_MAX && (1..=KID_BYTES_MAX).contains(&kid.len()));
    // Another reading of the header, by other libraries.
    let (header, rest) = text.split_once('.').unwrap();
    assert_eq!(rest.matches('.').count(), 1);
    let header = BASE64_URL_SAFE_NO_PAD.decode(header).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    assert_eq!(header["alg"], "RS256");
    assert_eq!(header["kid"], kid.as_str());
    assert!(header.get("crit").is_none());
    assert_eq!(token.verify(&KEY).unwrap_err(), TokenError::BadSignature);
});
