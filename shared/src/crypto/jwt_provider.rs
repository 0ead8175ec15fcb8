//! The `CryptoProvider` that gives `jsonwebtoken` our cryptography: `RS256` through [`super::rsa`] and nothing else,
//! so that no other algorithm can be reached through that crate either.
//!
//! `jsonwebtoken` parses the key anew on every call, so the hot paths do not go through it; it is the independent
//! reference in tests.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::jwk::{EllipticCurve, ThumbprintHash};
use jsonwebtoken::signature::{self, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, EncodingKey};

use super::rsa::VerifyingKey;

/// The provider. Install it once a process with `CryptoProvider::install_default`.
pub static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: |_| Err(unsupported()),
        rsa_pub_components_from_public_key: |_| Err(unsupported()),
        ec_pub_components_from_private_key: |_, _| -> Result<(EllipticCurve, Vec<u8>, Vec<u8>), Error> {
            Err(unsupported())
        },
        ed_pub_components_from_private_key: |_, _| Err(unsupported()),
        compute_digest: |_, _: ThumbprintHash| Err(unsupported()),
    },
};

fn unsupported() -> Error {
    ErrorKind::InvalidAlgorithm.into()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the provider's signature")]
fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    match (algorithm, key.kind()) {
        (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
            let key = VerifyingKey::from_components(n, e)
                .map_err(|error| Error::from(ErrorKind::InvalidRsaKey(error.to_string())))?;
            Ok(Box::new(Rs256Verifier(key)))
        }
        _ => Err(unsupported()),
    }
}

struct Rs256Verifier(VerifyingKey);

impl Verifier<Vec<u8>> for Rs256Verifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        if self.0.verify(message, signature) {
            Ok(())
        } else {
            Err(signature::Error::new())
        }
    }
}

impl JwtVerifier for Rs256Verifier {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}

#[cfg(feature = "signing")]
use signing::signer;

#[cfg(not(feature = "signing"))]
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the provider's signature")]
fn signer(_: &Algorithm, _: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    Err(unsupported())
}

#[cfg(feature = "signing")]
mod signing {
    use jsonwebtoken::signature::Signer;

    use super::{Algorithm, EncodingKey, Error, ErrorKind, JwtSigner, signature, unsupported};
    use crate::crypto::rsa::SigningKey;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the provider's signature")]
    pub(super) fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
        match algorithm {
            Algorithm::RS256 => {
                let key = SigningKey::from_pkcs8(key.as_bytes())
                    .map_err(|error| Error::from(ErrorKind::InvalidRsaKey(error.to_string())))?;
                Ok(Box::new(Rs256Signer(key)))
            }
            _ => Err(unsupported()),
        }
    }

    struct Rs256Signer(SigningKey);

    impl Signer<Vec<u8>> for Rs256Signer {
        fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
            self.0.sign(message).map_err(signature::Error::from_source)
        }
    }

    impl JwtSigner for Rs256Signer {
        fn algorithm(&self) -> Algorithm {
            Algorithm::RS256
        }
    }
}
