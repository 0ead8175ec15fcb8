//! The keys that may verify a token, and their wire form, a JWK Set (RFC 7517).

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::crypto::rsa::VerifyingKey;
use crate::encoding::{base64url, base64url_decode};
use crate::limits;

/// One public RSA key for `RS256` in a JWK Set (RFC 7517 section 4, RFC 7518 section 6.3.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// Key type: `RSA`.
    pub kty: String,
    /// What the key is for: `sig`, or absent in other people's sets.
    #[serde(rename = "use", default, skip_serializing_if = "Option::is_none")]
    pub use_: Option<String>,
    /// Algorithm: `RS256`, or absent in other people's sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// What may be done with the key, where its `use` does not say: `verify` among others (section 4.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_ops: Option<Vec<String>>,
    /// Key id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// Modulus, base64url.
    #[serde(default)]
    pub n: String,
    /// Public exponent, base64url.
    #[serde(default)]
    pub e: String,
}

impl Jwk {
    /// The wire form of a key.
    pub fn of(kid: &str, key: &VerifyingKey) -> Self {
        Self {
            kty: "RSA".into(),
            use_: Some("sig".into()),
            alg: Some("RS256".into()),
            key_ops: None,
            kid: Some(kid.into()),
            n: base64url(key.modulus()),
            e: base64url(key.exponent()),
        }
    }

    /// The key, if this is one that we verify with: RSA, for signatures, `RS256` or silent about it, with an id.
    fn verifying_key(&self) -> Option<(Box<str>, VerifyingKey)> {
        let usable = self.kty == "RSA"
            && self.use_.as_deref().is_none_or(|purpose| purpose == "sig")
            && self.alg.as_deref().is_none_or(|algorithm| algorithm == "RS256")
            && self
                .key_ops
                .as_deref()
                .is_none_or(|operations| operations.iter().any(|operation| operation == "verify"));
        let kid = self
            .kid
            .as_deref()
            .filter(|kid| !kid.is_empty() && kid.len() <= limits::KID_BYTES_MAX)?;
        if !usable {
            return None;
        }
        let modulus = base64url_decode(self.n.as_bytes())?;
        let exponent = base64url_decode(self.e.as_bytes())?;
        let key = VerifyingKey::from_components(&modulus, &exponent).ok()?;
        Some((kid.into(), key))
    }
}

/// A JWK Set (RFC 7517 section 5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JwkSet {
    /// The keys.
    pub keys: Vec<Jwk>,
}

/// Why a JWK Set was not taken.
#[derive(Debug, thiserror::Error)]
pub enum KeySetError {
    /// More bytes than [`limits::JWKS_BYTES_MAX`].
    #[error("the key set has {0} bytes, more than {max}", max = limits::JWKS_BYTES_MAX)]
    TooLarge(usize),
    /// No JSON object with an array of `keys`.
    #[error("the key set is no JWK Set")]
    NotJwkSet(#[source] serde_json::Error),
    /// More keys than [`limits::JWKS_KEYS_MAX`].
    #[error("the key set has {0} keys, more than {max}", max = limits::JWKS_KEYS_MAX)]
    TooMany(usize),
    /// Two keys of one id: nobody could say which one is meant.
    #[error("the key set has two keys of one id")]
    DuplicateKid,
    /// Not one RS256 key with an id among them.
    #[error("the key set has no RS256 key with an id")]
    NoUsableKey,
}

/// The keys known at one moment, by key id. A newer set replaces it whole.
#[derive(Debug, Default)]
pub struct KeySet {
    generation: u64,
    keys: HashMap<Box<str>, VerifyingKey, foldhash::fast::RandomState>,
}

impl KeySet {
    /// A set without keys: what a verifier starts with.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Reads a JWK Set. Keys that are not for us (other types, uses, algorithms, sizes) are passed over, as RFC 7517
    /// section 5 asks.
    ///
    /// # Errors
    ///
    /// [`KeySetError`] if it is none, is out of bounds, or leaves no key.
    pub fn from_jwks(bytes: &[u8], generation: u64) -> Result<Self, KeySetError> {
        #[derive(Deserialize)]
        struct Wire {
            keys: Vec<serde_json::Value>,
        }
        if bytes.len() > limits::JWKS_BYTES_MAX {
            return Err(KeySetError::TooLarge(bytes.len()));
        }
        let wire: Wire = serde_json::from_slice(bytes).map_err(KeySetError::NotJwkSet)?;
        if wire.keys.len() > limits::JWKS_KEYS_MAX {
            return Err(KeySetError::TooMany(wire.keys.len()));
        }
        let usable = wire
            .keys
            .into_iter()
            .filter_map(|jwk| serde_json::from_value::<Jwk>(jwk).ok()?.verifying_key());
        Self::from_keys(usable, generation)
    }

    /// A set of these keys.
    ///
    /// # Errors
    ///
    /// [`KeySetError::DuplicateKid`] and [`KeySetError::NoUsableKey`].
    pub fn from_keys(
        keys: impl IntoIterator<Item = (Box<str>, VerifyingKey)>,
        generation: u64,
    ) -> Result<Self, KeySetError> {
        let mut set = Self {
            generation,
            ..Self::default()
        };
        for (kid, key) in keys {
            if set.keys.insert(kid, key).is_some() {
                return Err(KeySetError::DuplicateKid);
            }
        }
        if set.keys.is_empty() {
            Err(KeySetError::NoUsableKey)
        } else {
            Ok(set)
        }
    }

    /// The key of this id.
    pub fn get(&self, kid: &str) -> Option<&VerifyingKey> {
        self.keys.get(kid)
    }

    /// A number that grows with each set that replaced another.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The ids, in no order.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests;
