//! Refresh tokens: 256 random bits, known to the database as a digest only.
//!
//! A token's successor is derived from it, so that a repeated exchange gives the same successor without the issuer
//! keeping it, and nobody without the server's secret can compute it.

use ring::{digest, hkdf};
use secrecy::{ExposeSecret, SecretString};
use shared::crypto::random;
use shared::encoding::{base64url, base64url_decode};
use zeroize::{Zeroize, Zeroizing};

use super::{SealingKey, load_or_create_secret};
use crate::store::Store;

/// Bytes of a token.
const BYTES: usize = 32;

/// What every refresh token begins with, so that scanners for leaked secrets find it.
const PREFIX: &str = "usher_rt_";

/// Where the server's secret is sealed for.
const PLACE: &str = "server-secret/refresh";

/// A refresh token.
#[derive(Zeroize)]
#[zeroize(drop)]
pub struct RefreshToken([u8; BYTES]);

impl RefreshToken {
    /// A new token, for a new session.
    pub fn random() -> Self {
        Self(random::bytes())
    }

    /// Reads a presented token. `None` if it cannot be one of ours.
    pub fn parse(text: &SecretString) -> Option<Self> {
        let encoded = text.expose_secret().strip_prefix(PREFIX)?;
        let bytes = Zeroizing::new(base64url_decode(encoded.as_bytes())?);
        bytes.as_slice().try_into().ok().map(Self)
    }

    /// The token as it is given out.
    pub fn to_text(&self) -> SecretString {
        format!("{PREFIX}{}", base64url(&self.0)).into()
    }

    /// What the database knows it by. The token is random enough for a plain hash.
    pub fn digest(&self) -> Vec<u8> {
        digest::digest(&digest::SHA256, &self.0).as_ref().to_vec()
    }
}

impl std::fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RefreshToken([REDACTED])")
    }
}

/// The server's secret, from which successors are derived.
pub struct RefreshSecret(hkdf::Salt);

impl RefreshSecret {
    /// Opens the secret in the database, and makes it if there is none.
    ///
    /// # Errors
    ///
    /// [`super::KeyringError`] if the database does not answer or the secret does not open.
    pub async fn load_or_create(store: &Store, sealing: &SealingKey) -> Result<Self, super::KeyringError> {
        Ok(Self::from_bytes(
            &load_or_create_secret(store, sealing, PLACE).await?,
        ))
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        Self(hkdf::Salt::new(hkdf::HKDF_SHA256, bytes))
    }

    /// The successor of the token number `counter` of its session: HKDF-SHA256 (RFC 5869) of both under the secret.
    pub fn successor(&self, token: &RefreshToken, counter: i64) -> RefreshToken {
        struct Length;
        impl hkdf::KeyType for Length {
            fn len(&self) -> usize {
                BYTES
            }
        }
        let mut derived = [0; BYTES];
        let counter = counter.to_be_bytes();
        let info: [&[u8]; 2] = [b"usher refresh successor", &counter];
        let filled = self
            .0
            .extract(&token.0)
            .expand(&info, Length)
            .and_then(|key| key.fill(&mut derived));
        if filled.is_err() {
            // HKDF fails for outputs of more than 255 hashes alone; a token of zeros must not go out all the same.
            derived = random::bytes();
        }
        RefreshToken(derived)
    }
}

impl std::fmt::Debug for RefreshSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RefreshSecret([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_read_back_and_show_nothing() {
        let token = RefreshToken::random();
        let text = token.to_text();
        assert!(text.expose_secret().starts_with("usher_rt_"));
        assert_eq!(RefreshToken::parse(&text).unwrap().digest(), token.digest());
        assert_eq!(format!("{token:?}"), "RefreshToken([REDACTED])");
        for bad in [
            "",
            "usher_rt_",
            "usher_rt_AAAA",
            "AAAA",
            &text.expose_secret()[1..],
        ] {
            assert!(RefreshToken::parse(&bad.to_owned().into()).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_successor_depends_on_token_counter_and_secret() {
        let secret = RefreshSecret::from_bytes(&[1; 32]);
        let token = RefreshToken::random();
        let successor = secret.successor(&token, 5).digest();
        assert_eq!(secret.successor(&token, 5).digest(), successor);
        assert_ne!(secret.successor(&token, 6).digest(), successor);
        assert_ne!(secret.successor(&RefreshToken::random(), 5).digest(), successor);
        assert_ne!(
            RefreshSecret::from_bytes(&[2; 32]).successor(&token, 5).digest(),
            successor
        );
    }
}
