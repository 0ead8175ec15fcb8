//! Access tokens (RFC 9068): compact form → signature checked → claims valid now.
//!
//! Each step is a type with one constructor, the step before it, so that none can be left out:
//! [`CompactToken`] → [`SignedToken`] → [`ValidToken`], and from there [`crate::revocation::LiveToken`].

mod claims;
mod error;
mod format;
mod header;

pub use claims::{Claims, ClaimsPolicy, ForeignNames, ValidToken};
pub use error::TokenError;
pub use format::{TokenFormat, TokenProfile};

use crate::crypto::rsa::VerifyingKey;
use crate::encoding::base64url_decode;
use crate::limits;
use crate::revocation::LastLive;
use crate::strict_json::{self, Json, JsonObject};

/// A token's three parts, taken apart and not yet believed in anything.
pub struct CompactToken<'a> {
    format: &'a TokenFormat,
    kid: Box<str>,
    signed_part: &'a [u8],
    payload: &'a [u8],
    signature: Vec<u8>,
}

impl std::fmt::Debug for CompactToken<'_> {
    /// Which key is named, and nothing that the token could be put together from.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompactToken")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

impl<'a> CompactToken<'a> {
    /// Takes the compact form of one of our own issuer's tokens apart (RFC 7515 section 7.1) and reads its header.
    ///
    /// # Errors
    ///
    /// Those of [`CompactToken::parse_as`].
    pub fn parse(token: &'a str) -> Result<Self, TokenError> {
        Self::parse_as(token, &TokenFormat::OURS)
    }

    /// The same for tokens of this format.
    ///
    /// # Errors
    ///
    /// - [`TokenError::Malformed`] if it is too long, not three parts, or a part is no strict base64url or JSON.
    /// - [`TokenError::Unsupported`] if `alg` is not `RS256`, `typ` not what the format asks for, or there is a `crit`.
    /// - [`TokenError::UnknownKey`] if there is no usable `kid`.
    pub fn parse_as(token: &'a str, format: &'a TokenFormat) -> Result<Self, TokenError> {
        let bytes = token.as_bytes();
        if bytes.len() > limits::TOKEN_BYTES_MAX {
            return Err(TokenError::Malformed);
        }
        let mut parts = bytes.splitn(4, |byte| *byte == b'.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::Malformed);
        };
        let signature = decode(signature)?;
        let kid = header::read(header, format.profile)?;
        let signed_part = bytes
            .get(..header.len() + 1 + payload.len())
            .ok_or(TokenError::Malformed)?;
        Ok(Self {
            format,
            kid,
            signed_part,
            payload,
            signature,
        })
    }

    /// The id of the key that is said to have signed it.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Checks the signature with the key that [`CompactToken::kid`] names, then reads the claims.
    ///
    /// # Errors
    ///
    /// - [`TokenError::BadSignature`] if the signature is not this key's.
    /// - [`TokenError::Malformed`] if the payload is no strict JSON object.
    /// - [`TokenError::BadClaims`] if a required claim is missing or of a wrong type.
    /// - [`TokenError::Unsupported`] if the claims say that it is another kind of token than one for access.
    pub fn verify(self, key: &VerifyingKey) -> Result<SignedToken, TokenError> {
        if !key.verify(self.signed_part, &self.signature) {
            return Err(TokenError::BadSignature);
        }
        let claims = claims::read(self.payload, self.format)?;
        Ok(SignedToken {
            kid: self.kid,
            claims,
            last_live: LastLive::default(),
        })
    }
}

/// A token whose signature holds. Its claims are true, but perhaps no longer, or not for us.
///
/// This is what may be cached: everything that time or a revocation can change is judged anew from it.
#[derive(Debug)]
pub struct SignedToken {
    kid: Box<str>,
    claims: Claims,
    /// When it was last found alive: see [`crate::revocation::RevocationSet::check`].
    pub(crate) last_live: LastLive,
}

impl SignedToken {
    /// The id of the key that signed it.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What it says.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Bytes of memory it takes, about: for the cache's bound.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.kid.len() + self.claims.heap_bytes()
    }
}

/// Decodes a part of the compact form.
fn decode(base64: &[u8]) -> Result<Vec<u8>, TokenError> {
    base64url_decode(base64).ok_or(TokenError::Malformed)
}

/// Reads the JSON object that a part is.
fn read_object(json: &[u8]) -> Result<JsonObject<'_>, TokenError> {
    match strict_json::read(json) {
        Ok(Json::Object(object)) => Ok(object),
        Ok(_) | Err(_) => Err(TokenError::Malformed),
    }
}

#[cfg(test)]
mod tests;
