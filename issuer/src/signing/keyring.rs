//! The signing keys as they stand in the database, opened and ready.

use bytes::Bytes;
use shared::crypto::rsa::{GenerateError, KeyBits, RsaKeyError, SigningKey, VerifyingKey};
use shared::encoding::base64url;
use shared::keys::{Jwk, JwkSet, KeySet, KeySetError};

use super::{SealError, SealingKey};
use crate::store::{self, Store, StoreError};

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
    kid: Box<str>,
    signing: SigningKey,
    set: KeySet,
    jwks: Bytes,
}

/// Where a key is sealed for: its id is bound to it.
fn place(kid: &str) -> String {
    format!("signing-key/{kid}")
}

impl Keyring {
    /// Opens the keys in the database, and makes the first one if there is none. Replicas that start at once agree:
    /// the database lets one first key in.
    ///
    /// # Errors
    ///
    /// [`KeyringError`].
    pub async fn load_or_create(
        store: &Store,
        sealing: &SealingKey,
        bits: KeyBits,
    ) -> Result<Self, KeyringError> {
        let stored = store::key::list(&mut store.read().await?).await?;
        if !stored.iter().any(|key| key.active) {
            create_first(store, sealing, bits).await?;
        }
        Self::load(store, sealing).await
    }

    async fn load(store: &Store, sealing: &SealingKey) -> Result<Self, KeyringError> {
        let stored = store::key::list(&mut store.read().await?).await?;
        let active = stored
            .iter()
            .find(|key| key.active)
            .ok_or(KeyringError::NoneActive)?;
        let signing = SigningKey::from_pkcs8(&sealing.open(&place(&active.kid), &active.sealed)?)?;
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
            kid,
            signing,
            set: KeySet::from_keys(keys, 1)?,
            jwks,
        })
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
}

async fn create_first(store: &Store, sealing: &SealingKey, bits: KeyBits) -> Result<(), KeyringError> {
    let signing = SigningKey::generate(bits)?;
    let public = signing.verifying_key()?;
    let kid = base64url(&shared::crypto::random::bytes::<16>());
    let sealed = sealing.seal(&place(&kid), &signing.to_pkcs8()?)?;
    let mut work = store.write().await?;
    let added =
        store::key::insert_active(&mut work, &kid, (public.modulus(), public.exponent()), &sealed).await?;
    work.commit().await?;
    if added {
        tracing::info!(kid, "made the first signing key");
    }
    Ok(())
}
