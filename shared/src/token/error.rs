use crate::reason::Reason;

/// Why a token is not valid. It says nothing of what the token holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No compact JWS with JSON in it, or JSON with a name twice.
    #[error("the token is malformed")]
    Malformed,
    /// Another algorithm, type, or a critical header.
    #[error("the token's algorithm, type or critical header is not supported")]
    Unsupported,
    /// No `kid`, or one that is not known.
    #[error("the token's key is not known")]
    UnknownKey,
    /// The signature does not hold.
    #[error("the token's signature does not hold")]
    BadSignature,
    /// A required claim is missing or of a wrong type, or the token lives too long.
    #[error("a required claim is missing or of a wrong type")]
    BadClaims,
    /// `exp` has passed (RFC 7519 section 4.1.4).
    #[error("the token has expired")]
    Expired,
    /// `nbf` or `iat` has not come (RFC 7519 section 4.1.5).
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `iss` is not ours (RFC 7519 section 4.1.1).
    #[error("the token is from another issuer")]
    WrongIssuer,
    /// `aud` lacks ours (RFC 7519 section 4.1.3).
    #[error("the token is for another audience")]
    WrongAudience,
}

impl TokenError {
    /// The word for it that clients see.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Malformed => Reason::Malformed,
            Self::Unsupported => Reason::Unsupported,
            Self::UnknownKey => Reason::UnknownKey,
            Self::BadSignature => Reason::BadSignature,
            Self::BadClaims => Reason::BadClaims,
            Self::Expired => Reason::Expired,
            Self::NotYetValid => Reason::NotYetValid,
            Self::WrongIssuer => Reason::WrongIssuer,
            Self::WrongAudience => Reason::WrongAudience,
        }
    }
}
