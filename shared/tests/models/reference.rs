//! What we take for a good token, another library takes for one too: `jsonwebtoken`, with the RSA of `ring`, where ours is that of
//! aws-lc.

use std::sync::LazyLock;

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, Validation};
use proptest::prelude::*;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde_json::{Value, json};
use shared::crypto::rsa::VerifyingKey;
use shared::testkit::{TestKey, TokenForge};
use shared::time::{Clock, SystemClock, UnixMillis, UnixSeconds};
use shared::token::{ClaimsPolicy, CompactToken};

const LEEWAY_S: i64 = 5;

/// The reference goes by the system's clock. Times near a bound are not tried.
static NOW: LazyLock<UnixMillis> = LazyLock::new(|| SystemClock.now());

static KEY: LazyLock<VerifyingKey> = LazyLock::new(|| TestKey::number(0).signing.verifying_key().unwrap());

static RING: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
    verifier_factory: verifier,
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: |_| Err(ErrorKind::InvalidAlgorithm.into()),
        rsa_pub_components_from_public_key: |_| Err(ErrorKind::InvalidAlgorithm.into()),
        ec_pub_components_from_private_key: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
        ed_pub_components_from_private_key: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
        compute_digest: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
    },
};

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the provider's signature")]
fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    match (algorithm, key.kind()) {
        (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
            Ok(Box::new(RingVerifier(RsaPublicKeyComponents {
                n: n.clone(),
                e: e.clone(),
            })))
        }
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

struct RingVerifier(RsaPublicKeyComponents<Vec<u8>>);

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        self.0
            .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            .map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}

/// What the reference reads in a token that is good to it.
fn reference(token: &str) -> Option<Value> {
    // There is one for the process: after the first it is already there.
    let _ = RING.install_default();
    let jwk = TestKey::number(0).jwk();
    let key = DecodingKey::from_rsa_components(&jwk.n, &jwk.e).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&[TokenForge::ISSUER]);
    validation.set_audience(&[TokenForge::AUDIENCE]);
    validation.validate_nbf = true;
    validation.leeway = LEEWAY_S.unsigned_abs();
    jsonwebtoken::decode::<Value>(token, &key, &validation)
        .ok()
        .map(|token| token.claims)
}

/// Whether we take it; if we do, the reference reads the same in it.
fn judge(token: &str) -> bool {
    let Some(signed) = CompactToken::parse(token)
        .ok()
        .and_then(|token| token.verify(&KEY).ok())
    else {
        return false;
    };
    let policy = ClaimsPolicy {
        issuer: TokenForge::ISSUER.into(),
        audience: TokenForge::AUDIENCE.into(),
        leeway_s: LEEWAY_S,
    };
    if signed.validate(&policy, NOW.to_seconds()).is_err() {
        return false;
    }
    let claims = signed.claims();
    let read = reference(token).expect("the reference refuses what we take");
    assert_eq!(read["sub"], claims.subject.to_string());
    assert_eq!(read["sid"], claims.session.to_string());
    assert_eq!(read["exp"], claims.expires_at.0);
    assert_eq!(
        read.get("superuser").is_some_and(|is| is == true),
        claims.superuser
    );
    let roles = read["roles"].as_array().unwrap();
    assert!(
        roles
            .iter()
            .all(|role| claims.roles.contains(role.as_str().unwrap()))
    );
    true
}

fn forge() -> TokenForge {
    TokenForge::new(&TestKey::number(0), *NOW).roles(&["user"])
}

/// Values that a claim or a header parameter should have, or should not.
fn value() -> impl Strategy<Value = Value> {
    let UnixSeconds(now) = NOW.to_seconds();
    let times = [-100_000, -600, 0, 600, 100_000].map(|by| json!(now + by));
    let others = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!("RS256"),
        json!("none"),
        json!("HS256"),
        json!("JWT"),
        json!("application/at+jwt"),
        json!(TokenForge::ISSUER),
        json!([TokenForge::AUDIENCE, "other"]),
        json!(["other"]),
        json!([]),
        json!({}),
        json!(""),
    ];
    prop::sample::select([&times[..], &others].concat())
}

const CLAIMS: [&str; 14] = [
    "iss",
    "aud",
    "sub",
    "iat",
    "nbf",
    "exp",
    "jti",
    "sid",
    "client_id",
    "roles",
    "ver",
    "rver",
    "superuser",
    "other",
];

/// Those that we look at. Of others the reference asks for a type, and we ask nothing (RFC 7515 section 4).
const PARAMETERS: [&str; 4] = ["alg", "typ", "kid", "crit"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    /// Attack: tokens whose claims and header parameters have values of any kind
    /// Source: RFC 8725 section 3.1
    /// Result: what is accepted, another library over other cryptography accepts too, and reads the same in it
    #[test]
    fn what_is_accepted_another_library_accepts(
        claims in prop::collection::vec((prop::sample::select(&CLAIMS[..]), value()), 0..3),
        parameters in prop::collection::vec((prop::sample::select(&PARAMETERS[..]), value()), 0..2),
    ) {
        let is_as_it_was = claims.is_empty() && parameters.is_empty();
        let forge = claims.into_iter().fold(forge(), |forge, (name, value)| forge.claim(name, value));
        let forge = parameters.into_iter().fold(forge, |forge, (name, value)| forge.header(name, value));
        prop_assert!(judge(&forge.token()) || !is_as_it_was);
    }

    /// Attack: parts of several good tokens put together, and cut anywhere
    /// Source: RFC 7515 section 10.3
    /// Result: what is accepted, another library over other cryptography accepts too
    #[test]
    fn what_is_put_together_is_no_token(from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>()) {
        let (one, other) = (forge().token(), forge().claim("superuser", true).token());
        let (from, to) = (from.index(one.len()), to.index(other.len()));
        let mixed = format!("{}{}", &one[..from], &other[to..]);
        prop_assert!(!judge(&mixed) || mixed == one || mixed == other);
    }
}

/// Attack: a good token with any bit changed
/// Source: RFC 8725 section 3.3
/// Result: it is refused, whatever the bit
#[test]
fn any_changed_bit_of_a_good_token_is_refused() {
    let token = forge().token();
    assert!(judge(&token));
    for at in 0..token.len() {
        for bit in 0..8 {
            let mut bytes = token.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            // Other bytes are no header's.
            if let Ok(changed) = String::from_utf8(bytes) {
                assert!(!judge(&changed), "bit {bit} of byte {at}");
            }
        }
    }
}
