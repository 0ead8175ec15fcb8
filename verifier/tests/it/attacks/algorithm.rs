//! Tokens that choose how they are checked.

use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair,
};
use shared::encoding::{base64, base64url};
use shared::testkit::TestKey;

use super::{Target, parted};

const HMACS: [(&str, hmac::Algorithm); 3] = [
    ("HS256", hmac::HMAC_SHA256),
    ("HS384", hmac::HMAC_SHA384),
    ("HS512", hmac::HMAC_SHA512),
];

/// Attack: `alg` is `none`, in each of its sixteen casings, and nothing is signed.
/// Source: RFC 8725 section 3.2, CVE-2015-9235, CVE-2018-1000531
/// Result: 401 `unsupported`
#[tokio::test]
async fn none_in_every_casing() {
    let target = Target::start().await;
    for casing in 0_u32..16 {
        let letter = |(at, letter): (usize, char)| match casing >> at & 1 {
            0 => letter,
            _ => letter.to_ascii_uppercase(),
        };
        let none: String = "none".chars().enumerate().map(letter).collect();
        let token = target.forge().header("alg", none).token();
        target
            .refuses(&format!("{}.", parted(&token).0), "unsupported")
            .await;
    }
}

/// Attack: `alg` is `none` over a signature that holds.
/// Source: RFC 8725 section 3.1
/// Result: 401 `unsupported`
#[tokio::test]
async fn none_over_a_good_signature() {
    let target = Target::start().await;
    let forge = target.forge().header("alg", "none");
    target.refuses_each([forge], "unsupported").await;
}

/// Attack: the signature of a good token is taken away.
/// Source: CVE-2020-28042, RFC 8725 section 3.3
/// Result: 401 `bad_signature`
#[tokio::test]
async fn no_signature() {
    let target = Target::start().await;
    let token = target.forge().token();
    target
        .refuses(&format!("{}.", parted(&token).0), "bad_signature")
        .await;
}

/// Attack: the signature is zeroes, ones, or one byte short or long.
/// Source: CVE-2022-21449, RFC 8017 section 8.2.2
/// Result: 401 `bad_signature`
#[tokio::test]
async fn signatures_that_are_no_numbers_of_the_key() {
    let target = Target::start().await;
    let token = target.forge().token();
    let (signed, _) = parted(&token);
    for signature in [vec![0; 256], vec![255; 256], vec![1], vec![0; 255], vec![0; 257]] {
        let token = format!("{signed}.{}", base64url(&signature));
        target.refuses(&token, "bad_signature").await;
    }
}

/// Attack: `alg` is missing, or is no text.
/// Source: RFC 7515 section 4.1.1
/// Result: 401 `unsupported`
#[tokio::test]
async fn no_algorithm() {
    let target = Target::start().await;
    let forge = target.forge();
    let wrong = [
        forge.clone().without_header("alg"),
        forge.clone().header("alg", serde_json::Value::Null),
        forge.clone().header("alg", 256),
        forge.clone().header("alg", vec!["RS256"]),
        forge.header("alg", ""),
    ];
    target.refuses_each(wrong, "unsupported").await;
}

/// Attack: `alg` is `RS256` in another casing or with something around it.
/// Source: RFC 7515 section 4.1.1
/// Result: 401 `unsupported`
#[tokio::test]
async fn other_spellings_of_the_algorithm() {
    let target = Target::start().await;
    let wrong = [
        "rs256",
        "Rs256",
        " RS256",
        "RS256 ",
        "RS256\0",
        "RS256,none",
        "ＲＳ256",
    ];
    let wrong = wrong.map(|alg| target.forge().header("alg", alg));
    target.refuses_each(wrong, "unsupported").await;
}

/// Attack: the other RSA algorithms, `RS384` to `PS512`, named over a signature of the right key.
/// Source: RFC 8725 section 3.1
/// Result: 401 `unsupported`
#[tokio::test]
async fn other_rsa_algorithms() {
    let target = Target::start().await;
    let wrong = ["RS384", "RS512", "PS256", "PS384", "PS512", "RS1"];
    let wrong = wrong.map(|alg| target.forge().header("alg", alg));
    target.refuses_each(wrong, "unsupported").await;
}

/// The good claims, signed by a new key on a curve.
fn on_curve(target: &Target, alg: &str, algorithm: &'static EcdsaSigningAlgorithm) -> String {
    let rng = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &rng).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &rng).unwrap();
    let token = target.forge().header("alg", alg).token();
    let (signed, _) = parted(&token);
    let signature = key.sign(&rng, signed.as_bytes()).unwrap();
    format!("{signed}.{}", base64url(signature.as_ref()))
}

/// Attack: signed with ECDSA on P-256 and P-384, by a key of the attacker's under our key's id.
/// Source: RFC 8725 sections 3.1 and 3.4, CVE-2017-16007
/// Result: 401 `unsupported`
#[tokio::test]
async fn elliptic_curves() {
    let target = Target::start().await;
    for (alg, algorithm) in [
        ("ES256", &ECDSA_P256_SHA256_FIXED_SIGNING),
        ("ES384", &ECDSA_P384_SHA384_FIXED_SIGNING),
        ("ES512", &ECDSA_P384_SHA384_FIXED_SIGNING),
        ("ES256K", &ECDSA_P256_SHA256_FIXED_SIGNING),
    ] {
        target
            .refuses(&on_curve(&target, alg, algorithm), "unsupported")
            .await;
    }
}

/// Attack: an ECDSA signature of two zeroes, which some libraries take for any key's.
/// Source: CVE-2022-21449
/// Result: 401 `unsupported`
#[tokio::test]
async fn psychic_signatures() {
    let target = Target::start().await;
    let token = target.forge().header("alg", "ES256").token();
    let token = format!("{}.{}", parted(&token).0, base64url(&[0; 64]));
    target.refuses(&token, "unsupported").await;
}

/// Attack: signed with Ed25519, by a key of the attacker's under our key's id.
/// Source: RFC 8725 section 3.1, RFC 8037
/// Result: 401 `unsupported`
#[tokio::test]
async fn edwards_curves() {
    let target = Target::start().await;
    let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    for alg in ["EdDSA", "Ed25519", "Ed448"] {
        let token = target.forge().header("alg", alg).token();
        let (signed, _) = parted(&token);
        let signature = key.sign(signed.as_bytes());
        let token = format!("{signed}.{}", base64url(signature.as_ref()));
        target.refuses(&token, "unsupported").await;
    }
}

/// The good claims under each HMAC, keyed with this.
async fn refuses_keyed_with(target: &Target, secret: &[u8]) {
    for (alg, algorithm) in HMACS {
        let token = target.forge().header("alg", alg).token();
        let (signed, _) = parted(&token);
        let tag = hmac::sign(&hmac::Key::new(algorithm, secret), signed.as_bytes());
        let token = format!("{signed}.{}", base64url(tag.as_ref()));
        target.refuses(&token, "unsupported").await;
    }
}

/// One value of DER.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let length = match content.len() {
        0..=127 => vec![length[1]],
        128..=255 => vec![0x81, length[1]],
        _ => vec![0x82, length[0], length[1]],
    };
    [&[tag], &length[..], content].concat()
}

/// Our public key as `RSAPublicKey` (RFC 8017 appendix A.1.1).
fn pkcs_1() -> Vec<u8> {
    let key = TestKey::number(0).signing.verifying_key().unwrap();
    let modulus = der(2, &[&[0], key.modulus()].concat());
    let exponent = der(2, key.exponent());
    der(0x30, &[modulus, exponent].concat())
}

/// Our public key as `SubjectPublicKeyInfo` (RFC 5280 section 4.1).
fn spki() -> Vec<u8> {
    let rsa_encryption = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    let algorithm = der(0x30, &[der(6, &rsa_encryption), der(5, &[])].concat());
    let key = der(3, &[&[0], &pkcs_1()[..]].concat());
    der(0x30, &[algorithm, key].concat())
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = base64(der);
    let lines: Vec<&str> = (0..text.len())
        .step_by(64)
        .map(|at| &text[at..text.len().min(at + 64)])
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

/// Attack: an HMAC keyed with our public key as PEM (`PUBLIC KEY`), with and without its last line break.
/// Source: CVE-2016-10555, CVE-2015-9235, RFC 8725 section 2.1
/// Result: 401 `unsupported`
#[tokio::test]
async fn hmac_keyed_with_the_public_key_in_pem() {
    let target = Target::start().await;
    let pem = pem("PUBLIC KEY", &spki());
    refuses_keyed_with(&target, pem.as_bytes()).await;
    refuses_keyed_with(&target, pem.trim_end().as_bytes()).await;
}

/// Attack: an HMAC keyed with our public key as PEM of PKCS #1 (`RSA PUBLIC KEY`).
/// Source: CVE-2017-11424
/// Result: 401 `unsupported`
#[tokio::test]
async fn hmac_keyed_with_the_public_key_in_pkcs_1() {
    let target = Target::start().await;
    let pem = pem("RSA PUBLIC KEY", &pkcs_1());
    refuses_keyed_with(&target, pem.as_bytes()).await;
}

/// Attack: an HMAC keyed with our public key as DER, of both kinds.
/// Source: CVE-2016-5431, RFC 8725 section 2.1
/// Result: 401 `unsupported`
#[tokio::test]
async fn hmac_keyed_with_the_public_key_in_der() {
    let target = Target::start().await;
    refuses_keyed_with(&target, &spki()).await;
    refuses_keyed_with(&target, &pkcs_1()).await;
}

/// Attack: an HMAC keyed with our public key as it stands in the JWK Set, and with its modulus.
/// Source: CVE-2024-54150, RFC 8725 section 2.1
/// Result: 401 `unsupported`
#[tokio::test]
async fn hmac_keyed_with_the_public_key_in_the_key_set() {
    let target = Target::start().await;
    let jwk = TestKey::number(0).jwk();
    refuses_keyed_with(&target, &serde_json::to_vec(&jwk).unwrap()).await;
    refuses_keyed_with(&target, jwk.n.as_bytes()).await;
}

/// Attack: an HMAC keyed with our public key in the form of OpenSSH.
/// Source: CVE-2022-29217
/// Result: 401 `unsupported`
#[tokio::test]
async fn hmac_keyed_with_the_public_key_of_openssh() {
    let target = Target::start().await;
    let key = TestKey::number(0).signing.verifying_key().unwrap();
    let field = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
    let modulus = [&[0], key.modulus()].concat();
    let blob = [field(b"ssh-rsa"), field(key.exponent()), field(&modulus)].concat();
    refuses_keyed_with(&target, format!("ssh-rsa {}", base64(&blob)).as_bytes()).await;
}

/// Attack: an HMAC keyed with nothing, or with a secret that everybody knows.
/// Source: CVE-2019-20933, RFC 8725 section 3.5
/// Result: 401 `unsupported`
#[tokio::test]
async fn hmac_keyed_with_what_anybody_guesses() {
    let target = Target::start().await;
    for secret in ["", "secret", "test-0"] {
        refuses_keyed_with(&target, secret.as_bytes()).await;
    }
}
