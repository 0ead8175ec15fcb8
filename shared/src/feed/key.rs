//! The feed key: Ed25519 (RFC 8032), its own key, published as a JWK Set (RFC 8037) beside the feed, and never among
//! the keys that sign tokens.

use ring::signature::{ED25519, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use crate::encoding::{base64url, base64url_decode};
use crate::limits;

/// Where an issuer publishes its feed keys.
pub const FEED_KEYS_PATH: &str = "/.well-known/revocation-feed.json";

/// The keys that may sign heartbeats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedKeys(Vec<[u8; 32]>);

#[derive(Debug, Serialize, Deserialize)]
struct FeedJwk {
    kty: String,
    #[serde(default)]
    crv: String,
    #[serde(default)]
    x: String,
    #[serde(rename = "use", default, skip_serializing_if = "Option::is_none")]
    use_: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct FeedJwkSet {
    keys: Vec<FeedJwk>,
}

/// Why a set of feed keys was not taken.
#[derive(Debug, thiserror::Error)]
pub enum FeedKeysError {
    /// More bytes than [`limits::FEED_KEYS_BYTES_MAX`].
    #[error("the feed keys have {0} bytes, more than {max}", max = limits::FEED_KEYS_BYTES_MAX)]
    TooLarge(usize),
    /// No JSON object with an array of `keys`.
    #[error("the feed keys are no JWK Set")]
    NotJwkSet(#[source] serde_json::Error),
    /// More keys than [`limits::FEED_KEYS_MAX`].
    #[error("there are more than {max} feed keys", max = limits::FEED_KEYS_MAX)]
    TooMany,
    /// Not one Ed25519 key among them.
    #[error("there is no Ed25519 key among the feed keys")]
    NoUsableKey,
}

impl FeedKeys {
    /// Reads a JWK Set. Keys of other types are passed over.
    ///
    /// # Errors
    ///
    /// [`FeedKeysError`].
    pub fn from_jwks(json: &[u8]) -> Result<Self, FeedKeysError> {
        if json.len() > limits::FEED_KEYS_BYTES_MAX {
            return Err(FeedKeysError::TooLarge(json.len()));
        }
        let set: FeedJwkSet = serde_json::from_slice(json).map_err(FeedKeysError::NotJwkSet)?;
        let keys: Vec<[u8; 32]> = set
            .keys
            .iter()
            .filter(|key| key.kty == "OKP" && key.crv == "Ed25519")
            .filter(|key| key.use_.as_deref().is_none_or(|purpose| purpose == "sig"))
            .filter_map(|key| base64url_decode(key.x.as_bytes())?.try_into().ok())
            .collect();
        match keys.len() {
            0 => Err(FeedKeysError::NoUsableKey),
            count if count > limits::FEED_KEYS_MAX => Err(FeedKeysError::TooMany),
            _ => Ok(Self(keys)),
        }
    }

    /// The wire form.
    pub fn to_jwks(&self) -> Vec<u8> {
        let keys = self.0.iter().map(|key| {
            let digest = ring::digest::digest(&ring::digest::SHA256, key);
            FeedJwk {
                kty: "OKP".into(),
                crv: "Ed25519".into(),
                x: base64url(key),
                use_: Some("sig".into()),
                alg: Some("EdDSA".into()),
                kid: Some(base64url(digest.as_ref().get(..12).unwrap_or_default())),
            }
        });
        let set = FeedJwkSet { keys: keys.collect() };
        // Text alone: it cannot fail.
        serde_json::to_vec(&set).unwrap_or_default()
    }

    /// Whether there is none: nothing can be verified.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of the keys made this signature.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.iter().any(|key| {
            UnparsedPublicKey::new(&ED25519, key)
                .verify(message, signature)
                .is_ok()
        })
    }
}

#[cfg(feature = "signing")]
pub use signing::{FeedKeyError, FeedSigningKey};

#[cfg(feature = "signing")]
mod signing {
    use ring::rand::SystemRandom;
    use ring::signature::{Ed25519KeyPair, KeyPair};
    use zeroize::Zeroizing;

    use super::FeedKeys;

    /// The private half.
    pub struct FeedSigningKey {
        pair: Ed25519KeyPair,
        pkcs8: Zeroizing<Vec<u8>>,
    }

    /// A key that could not be made or read.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
    #[error("the feed key cannot be made or read")]
    pub struct FeedKeyError;

    impl FeedSigningKey {
        /// A new key.
        ///
        /// # Errors
        ///
        /// [`FeedKeyError`] if the library fails.
        pub fn generate() -> Result<Self, FeedKeyError> {
            let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| FeedKeyError)?;
            Self::from_pkcs8(document.as_ref())
        }

        /// Reads a key as [`FeedSigningKey::to_pkcs8`] gives it.
        ///
        /// # Errors
        ///
        /// [`FeedKeyError`] if it is none.
        pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, FeedKeyError> {
            Ok(Self {
                pair: Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| FeedKeyError)?,
                pkcs8: Zeroizing::new(pkcs8.to_vec()),
            })
        }

        /// The key, to be sealed.
        pub fn to_pkcs8(&self) -> &[u8] {
            &self.pkcs8
        }

        /// The public half.
        pub fn public(&self) -> FeedKeys {
            let key = self.pair.public_key().as_ref().try_into();
            FeedKeys(key.into_iter().collect())
        }

        /// The signature over a message: 64 bytes.
        pub(in crate::feed) fn sign(&self, message: &[u8]) -> Vec<u8> {
            self.pair.sign(message).as_ref().to_vec()
        }
    }

    impl std::fmt::Debug for FeedSigningKey {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("FeedSigningKey([REDACTED])")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_set_is_read_as_it_was_written() {
        let key = FeedSigningKey::generate().unwrap();
        let jwks = key.public().to_jwks();
        assert_eq!(FeedKeys::from_jwks(&jwks).unwrap(), key.public());
        let text = String::from_utf8(jwks).unwrap();
        assert!(
            text.contains(r#""crv":"Ed25519""#) && !text.contains(r#""d":"#),
            "{text}"
        );
        let again = FeedSigningKey::from_pkcs8(key.to_pkcs8()).unwrap();
        assert_eq!(again.public(), key.public());
    }

    #[test]
    fn what_is_no_feed_key_is_not_taken() {
        let nothing = [
            r#"{"keys":[]}"#,
            r#"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}"#,
        ];
        for json in nothing {
            assert!(
                matches!(
                    FeedKeys::from_jwks(json.as_bytes()),
                    Err(FeedKeysError::NoUsableKey)
                ),
                "{json}"
            );
        }
        assert!(matches!(
            FeedKeys::from_jwks(b"<html>"),
            Err(FeedKeysError::NotJwkSet(_))
        ));
    }
}
