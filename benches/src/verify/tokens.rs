//! A key, what it signed, and the forms in which verifiers and peers take it.

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use shared::crypto::rsa::{KeyBits, SigningKey, VerifyingKey};
use shared::encoding::base64url;
use shared::id::{SessionId, SubjectId, TokenId};
use shared::keys::{Jwk, JwkSet};
use shared::time::{Clock as _, SystemClock, UnixMillis};

/// The `iss` of the tokens; nobody asks there.
pub const ISSUER: &str = "http://issuer.test";
/// Their `aud`.
pub const AUDIENCE: &str = "movies";
/// The role that their owners have.
pub const ROLE: &str = "subscriber";

const KID: &str = "bench";
const LIFETIME_S: i64 = 3600;

/// Tokens of as many people, all good.
pub struct Tokens {
    key: VerifyingKey,
    tokens: Vec<String>,
}

impl Tokens {
    /// Signs so many, on every core.
    pub fn sign(count: usize) -> anyhow::Result<Self> {
        let key = SigningKey::generate(KeyBits::Rsa2048)?;
        let now = SystemClock.now();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let some = || (0..count.div_ceil(threads)).map(|_| token(&key, now)).collect();
        let parts: Vec<anyhow::Result<Vec<String>>> = std::thread::scope(|scope| {
            let signing: Vec<_> = (0..threads).map(|_| scope.spawn(some)).collect();
            let parts = signing.into_iter().filter_map(|thread| thread.join().ok());
            parts.collect()
        });
        let mut tokens = Vec::with_capacity(count);
        for part in parts {
            tokens.extend(part?);
        }
        Ok(Self {
            key: key.verifying_key()?,
            tokens,
        })
    }

    /// All of them.
    pub fn all(&self) -> &[String] {
        &self.tokens
    }

    /// The public half.
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// The public half as a JWK Set.
    pub fn jwks(&self) -> anyhow::Result<String> {
        let keys = vec![Jwk::of(KID, &self.key)];
        Ok(serde_json::to_string(&JwkSet { keys })?)
    }

    /// The public half as `SubjectPublicKeyInfo` (RFC 5280) in PEM, as `HAProxy` takes it.
    pub fn pem(&self) -> anyhow::Result<String> {
        let integers = [integer(self.key.modulus())?, integer(self.key.exponent())?];
        let mut bits = vec![0];
        bits.extend(element(0x30, &integers.concat())?);
        // `rsaEncryption` (RFC 3279), and no parameters.
        let algorithm = [
            0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
        ];
        let info = [element(0x30, &algorithm)?, element(0x03, &bits)?];
        let text = STANDARD.encode(element(0x30, &info.concat())?);
        let mut pem = "-----BEGIN PUBLIC KEY-----\n".to_owned();
        for line in text.as_bytes().chunks(64) {
            pem.push_str(std::str::from_utf8(line)?);
            pem.push('\n');
        }
        Ok(pem + "-----END PUBLIC KEY-----\n")
    }
}

fn token(key: &SigningKey, now: UnixMillis) -> anyhow::Result<String> {
    let issued_at = now.to_seconds().0;
    let header = json!({"alg": "RS256", "typ": "at+jwt", "kid": KID});
    let claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": SubjectId::new(now), "iat": issued_at, "nbf": issued_at,
        "exp": issued_at + LIFETIME_S, "jti": TokenId::new(now), "sid": SessionId::new(now), "client_id": "web",
        "roles": ["user", ROLE], "ver": now.0, "rver": 1,
    });
    let parts = [header, claims].map(|part| base64url(part.to_string().as_bytes()));
    let message = parts.join(".");
    let signature = base64url(&key.sign(message.as_bytes())?);
    Ok(format!("{message}.{signature}"))
}

/// The same token with another signature, which does not hold.
pub fn tampered(token: &str) -> anyhow::Result<String> {
    let (message, signature) = token.rsplit_once('.').context("no signature")?;
    let (first, rest) = signature.split_at_checked(1).context("no signature")?;
    let other = if first == "A" { "B" } else { "A" };
    Ok(format!("{message}.{other}{rest}"))
}

/// A number of DER, which is positive.
fn integer(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut number = vec![0];
    number.extend(bytes);
    let is_negative = bytes.first().is_some_and(|byte| *byte > 0x7f);
    element(0x02, if is_negative { &number } else { bytes })
}

/// Tag, length and value of DER (X.690).
fn element(tag: u8, value: &[u8]) -> anyhow::Result<Vec<u8>> {
    let length = u16::try_from(value.len())?;
    let mut bytes = vec![tag];
    match length.to_be_bytes() {
        [0, short @ ..0x80] => bytes.push(short),
        [0, long] => bytes.extend([0x81, long]),
        long => bytes.extend([&[0x82], &long[..]].concat()),
    }
    bytes.extend(value);
    Ok(bytes)
}
