//! RSA signatures with SHA-256, PKCS #1 v1.5 (`RS256`, RFC 7518 section 3.3): the only module on `aws-lc-rs`, whose
//! keys stay parsed between calls.

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};

use crate::limits;

/// Why a key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RsaKeyError {
    /// Below 2048 bits (RFC 7518 section 3.3) or above what we are willing to compute.
    #[error("the RSA modulus has {0} bits; 2048 to 8192 are accepted")]
    Size(usize),
    /// An exponent that signatures are not safe with, or slow to check with.
    #[error("the RSA public exponent must be odd, from 65537 up, and at most 33 bits long")]
    Exponent,
    /// The numbers are no RSA key.
    #[error("not an RSA key")]
    Rejected,
}

/// A public key, parsed once, that checks `RS256` signatures.
pub struct VerifyingKey {
    parsed: ParsedPublicKey,
    modulus: Box<[u8]>,
    exponent: Box<[u8]>,
}

impl VerifyingKey {
    /// A key from its modulus and exponent, both big-endian without leading zeros (RFC 7518 section 6.3.1).
    ///
    /// # Errors
    ///
    /// [`RsaKeyError`] if the size or the exponent is refused, or the numbers are no RSA key.
    pub fn from_components(modulus: &[u8], exponent: &[u8]) -> Result<Self, RsaKeyError> {
        let bits = bit_length(modulus);
        if !limits::RSA_BITS.contains(&bits) {
            return Err(RsaKeyError::Size(bits));
        }
        let odd = exponent.last().is_some_and(|last| last & 1 == 1);
        if !odd || !(17..=33).contains(&bit_length(exponent)) {
            return Err(RsaKeyError::Exponent);
        }
        let parsed = PublicKeyComponents {
            n: modulus,
            e: exponent,
        }
        .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        .map_err(|_| RsaKeyError::Rejected)?;
        Ok(Self {
            parsed,
            modulus: modulus.into(),
            exponent: exponent.into(),
        })
    }

    /// Whether `signature` is this key's for `message`.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.parsed.verify_sig(message, signature).is_ok()
    }

    /// The modulus, big-endian.
    pub fn modulus(&self) -> &[u8] {
        &self.modulus
    }

    /// The public exponent, big-endian.
    pub fn exponent(&self) -> &[u8] {
        &self.exponent
    }
}

impl std::fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("bits", &bit_length(&self.modulus))
            .finish_non_exhaustive()
    }
}

fn bit_length(number: &[u8]) -> usize {
    let significant: &[u8] = match number.iter().position(|byte| *byte != 0) {
        Some(first) => number.get(first..).unwrap_or_default(),
        None => return 0,
    };
    let leading = significant
        .first()
        .map_or(0, |byte| byte.leading_zeros() as usize);
    significant.len() * 8 - leading
}

#[cfg(feature = "signing")]
pub use signing::{GenerateError, KeyBits, SigningKey};

#[cfg(feature = "signing")]
mod signing {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
    use zeroize::Zeroizing;

    use super::{RsaKeyError, VerifyingKey};

    /// How large a new key is.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum KeyBits {
        /// 2048 bits: the least that RFC 7518 allows, and the fastest.
        Rsa2048,
        /// 3072 bits.
        Rsa3072,
        /// 4096 bits.
        Rsa4096,
    }

    /// The system could not make or use a key.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
    #[error("the RSA key could not be made or used")]
    pub struct GenerateError;

    /// A private key, parsed once, that makes `RS256` signatures.
    pub struct SigningKey(KeyPair);

    impl SigningKey {
        /// A new key.
        ///
        /// # Errors
        ///
        /// [`GenerateError`] if the library fails, as without randomness.
        pub fn generate(bits: KeyBits) -> Result<Self, GenerateError> {
            let size = match bits {
                KeyBits::Rsa2048 => KeySize::Rsa2048,
                KeyBits::Rsa3072 => KeySize::Rsa3072,
                KeyBits::Rsa4096 => KeySize::Rsa4096,
            };
            KeyPair::generate(size).map(Self).map_err(|_| GenerateError)
        }

        /// A key from PKCS #8 DER.
        ///
        /// # Errors
        ///
        /// [`RsaKeyError::Rejected`] for anything else.
        pub fn from_pkcs8(der: &[u8]) -> Result<Self, RsaKeyError> {
            KeyPair::from_pkcs8(der)
                .map(Self)
                .map_err(|_| RsaKeyError::Rejected)
        }

        /// The key as PKCS #8 DER, to be encrypted and stored.
        ///
        /// # Errors
        ///
        /// [`GenerateError`] if the library fails.
        pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, GenerateError> {
            let der = self.0.as_der().map_err(|_| GenerateError)?;
            Ok(Zeroizing::new(der.as_ref().to_vec()))
        }

        /// The signature of `message`.
        ///
        /// # Errors
        ///
        /// [`GenerateError`] if the library fails.
        pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, GenerateError> {
            let mut signature = vec![0; self.0.public_modulus_len()];
            self.0
                .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                .map_err(|_| GenerateError)?;
            Ok(signature)
        }

        /// The public half.
        ///
        /// # Errors
        ///
        /// [`RsaKeyError`] if it is a key that we would not accept from others either.
        pub fn verifying_key(&self) -> Result<VerifyingKey, RsaKeyError> {
            let public = self.0.public_key();
            VerifyingKey::from_components(
                public.modulus().big_endian_without_leading_zero(),
                public.exponent().big_endian_without_leading_zero(),
            )
        }
    }

    impl std::fmt::Debug for SigningKey {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("SigningKey([REDACTED])")
        }
    }
}
