//! The signing keys as they stand in the database, opened and ready.

use bytes::Bytes;
use shared::crypto::rsa::{GenerateError, RsaKeyError, SigningKey, VerifyingKey};
use shared::keys::{Jwk, JwkSet, KeySet, KeySetError};

use super::{KeyFile, SealError};
use crate::store::key::{self, StoredKey};
use crate::store::{StoreError, Work};

/// Why the keys are not to be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The database does not answer.
    #[error("the signing keys cannot be read from the database")]
    Store(#[from] StoreError),
    /// A key does not open.
    #[error("a signing key does not open: is keys.encryption_key_file the one it was sealed with?")]
    Seal(#[from] SealError),
    /// A key could not be made or used.
    #[error("a signing key could not be made")]
    Generate(#[from] GenerateError),
    /// What is stored is no key.
    #[error("a stored signing key is no RSA key")]
    Key(#[from] RsaKeyError),
    /// What is stored is no set of keys.
    #[error("the stored signing keys are no set")]
    Set(#[from] KeySetError),
    /// No key is active.
    #[error("no signing key is active")]
    NoneActive,
}

/// Every key that may verify a live token, and the one that signs.
#[derive(Debug)]
pub struct Keyring {
    version: i64,
    kid: Box<str>,
    signing: SigningKey,
    set: KeySet,
    jwks: Bytes,
    stored: Vec<StoredKey>,
}

/// Where a key is sealed for: its id is bound to it.
pub(super) fn place(kid: &str) -> String {
    format!("signing-key/{kid}")
}

impl Keyring {
    /// Opens the keys in the database.
    ///
    /// # Errors
    ///
    /// [`KeyringError`].
    pub(super) async fn load(work: &mut Work, file: &KeyFile) -> Result<Self, KeyringError> {
        let (version, stored) = loop {
            let before = key::version(work).await?;
            let stored = key::list(work).await?;
            // Changed in between, they are of no one moment.
            if key::version(work).await? == before {
                break (before, stored);
            }
        };
        let active = stored
            .iter()
            .find(|key| key.is_active())
            .ok_or(KeyringError::NoneActive)?;
        let signing = SigningKey::from_pkcs8(&file.open(&place(&active.kid), &active.sealed)?)?;
        let kid = active.kid.as_str().into();
        let mut keys = Vec::with_capacity(stored.len());
        let mut jwks = JwkSet::default();
        for key in &stored {
            let verifying = VerifyingKey::from_components(&key.modulus, &key.exponent)?;
            jwks.keys.push(Jwk::of(&key.kid, &verifying));
            keys.push((key.kid.as_str().into(), verifying));
        }
        // A struct of texts always serialises.
        let jwks = serde_json::to_vec(&jwks).unwrap_or_default().into();
        Ok(Self {
            version,
            kid,
            signing,
            set: KeySet::from_keys(keys, u64::try_from(version).unwrap_or(0))?,
            jwks,
            stored,
        })
    }

    /// A number that grows with every change of the keys.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// Id of the key that signs.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The key that signs.
    pub fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// Every key that may verify a live token.
    pub fn set(&self) -> &KeySet {
        &self.set
    }

    /// The same as a JWK Set (RFC 7517).
    pub fn jwks(&self) -> &Bytes {
        &self.jwks
    }

    /// The keys as they are stored, from the oldest.
    pub fn stored(&self) -> &[StoredKey] {
        &self.stored
    }
}
