//! Secrets of clients: 256 random bits, known to the database as a digest only.

use ring::digest;
use secrecy::{ExposeSecret, SecretString};
use shared::crypto::random;
use shared::encoding::base64url;
use subtle::ConstantTimeEq;

/// Bytes of a secret.
const BYTES: usize = 32;

/// What every secret begins with, so that scanners for leaked secrets find it.
const PREFIX: &str = "usher_cs_";

/// A client's secret, ours or presented.
#[derive(Debug)]
pub struct ClientSecret(SecretString);

impl ClientSecret {
    /// A new secret.
    pub fn random() -> Self {
        Self(format!("{PREFIX}{}", base64url(&random::bytes::<BYTES>())).into())
    }

    /// Whatever somebody presents as one.
    pub fn presented(text: SecretString) -> Self {
        Self(text)
    }

    /// Whether a text is meant to be one.
    pub fn is_like(text: &SecretString) -> bool {
        text.expose_secret().starts_with(PREFIX)
    }

    /// The secret as it is given out.
    pub fn text(&self) -> &SecretString {
        &self.0
    }

    /// What the database knows it by. The secret is random enough for a plain hash.
    pub fn digest(&self) -> Vec<u8> {
        let text = self.0.expose_secret().as_bytes();
        digest::digest(&digest::SHA256, text).as_ref().to_vec()
    }

    /// Whether it is the one of this digest. Where there is none, because there is no such client, it takes as long.
    pub fn is(&self, stored: Option<&[u8]>) -> bool {
        let nobody = [0; digest::SHA256_OUTPUT_LEN];
        let same = self.digest().ct_eq(stored.unwrap_or(&nobody));
        bool::from(same) && stored.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_digest_and_shows_nothing() {
        let secret = ClientSecret::random();
        let digest = secret.digest();
        assert!(ClientSecret::is_like(secret.text()));
        assert_eq!(secret.text().expose_secret().len(), PREFIX.len() + 43);
        assert!(!format!("{secret:?}").contains(PREFIX));
        assert!(secret.is(Some(&digest)) && !secret.is(None));
        assert!(ClientSecret::presented(secret.text().clone()).is(Some(&digest)));
        let text = secret.text().expose_secret();
        for wrong in [
            "",
            PREFIX,
            &text[1..],
            &text[..text.len() - 1],
            &format!("{text} "),
        ] {
            assert!(
                !ClientSecret::presented(wrong.into()).is(Some(&digest)),
                "{wrong}"
            );
        }
        assert!(!ClientSecret::random().is(Some(&digest)));
    }
}
