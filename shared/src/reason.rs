//! The stable words for why a request was refused.

use std::fmt;

/// Why a request is refused, as a word that clients may rely on: the `reason` of a problem document, and the first
/// word of `error_description` (RFC 6750 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// 401: no credentials, and some are needed.
    Missing,
    /// 401: no JWT, or one with duplicate names.
    Malformed,
    /// 401: another algorithm or `typ`, or a `crit` header.
    Unsupported,
    /// 401: no `kid`, or one that names no key of ours.
    UnknownKey,
    /// 401: the signature does not hold.
    BadSignature,
    /// 401: `exp` has passed.
    Expired,
    /// 401: `nbf` has not come.
    NotYetValid,
    /// 401: `iss` is not ours.
    WrongIssuer,
    /// 401: `aud` lacks what was asked for.
    WrongAudience,
    /// 401: a required claim is missing or of a wrong type.
    BadClaims,
    /// 401: the session, the token or its key was revoked.
    Revoked,
    /// 401: older than a change of what the user may do; a refresh gives one that works.
    Stale,
    /// 401: several credentials that disagree.
    AmbiguousCredentials,
    /// 403: no role that the rule asks for.
    Role,
    /// 403: a label of the film is not satisfied.
    Label,
    /// 403: denied by default.
    Denied,
    /// 403: the original request is missing, malformed or ambiguous.
    Request,
    /// 403: the peer may not speak for others.
    UntrustedProxy,
    /// 403: authenticated by cookie from another site.
    CrossSite,
    /// 503: no keys yet.
    NoKeys,
    /// 503: the revocations are older than allowed.
    StaleReplica,
}

impl Reason {
    /// Every reason, for metrics and for tests.
    pub const ALL: [Self; 21] = [
        Self::Missing,
        Self::Malformed,
        Self::Unsupported,
        Self::UnknownKey,
        Self::BadSignature,
        Self::Expired,
        Self::NotYetValid,
        Self::WrongIssuer,
        Self::WrongAudience,
        Self::BadClaims,
        Self::Revoked,
        Self::Stale,
        Self::AmbiguousCredentials,
        Self::Role,
        Self::Label,
        Self::Denied,
        Self::Request,
        Self::UntrustedProxy,
        Self::CrossSite,
        Self::NoKeys,
        Self::StaleReplica,
    ];

    /// The word itself.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Unsupported => "unsupported",
            Self::UnknownKey => "unknown_key",
            Self::BadSignature => "bad_signature",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::WrongIssuer => "wrong_issuer",
            Self::WrongAudience => "wrong_audience",
            Self::BadClaims => "bad_claims",
            Self::Revoked => "revoked",
            Self::Stale => "stale",
            Self::AmbiguousCredentials => "ambiguous_credentials",
            Self::Role => "role",
            Self::Label => "label",
            Self::Denied => "denied",
            Self::Request => "request",
            Self::UntrustedProxy => "untrusted_proxy",
            Self::CrossSite => "cross_site",
            Self::NoKeys => "no_keys",
            Self::StaleReplica => "stale_replica",
        }
    }

    /// The HTTP status that goes with it.
    pub const fn status(self) -> http::StatusCode {
        match self {
            Self::Missing
            | Self::Malformed
            | Self::Unsupported
            | Self::UnknownKey
            | Self::BadSignature
            | Self::Expired
            | Self::NotYetValid
            | Self::WrongIssuer
            | Self::WrongAudience
            | Self::BadClaims
            | Self::Revoked
            | Self::Stale
            | Self::AmbiguousCredentials => http::StatusCode::UNAUTHORIZED,
            Self::Role
            | Self::Label
            | Self::Denied
            | Self::Request
            | Self::UntrustedProxy
            | Self::CrossSite => http::StatusCode::FORBIDDEN,
            Self::NoKeys | Self::StaleReplica => http::StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// One sentence for a person, which tells nothing of the token but the word itself.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Missing => "credentials are needed here",
            Self::Malformed => "the token is not a well-formed JWT",
            Self::Unsupported => "the token's algorithm, type or critical headers are not supported",
            Self::UnknownKey => "the token was signed with a key that is not known here",
            Self::BadSignature => "the token's signature does not hold",
            Self::Expired => "the token has expired",
            Self::NotYetValid => "the token is not valid yet",
            Self::WrongIssuer => "the token comes from another issuer",
            Self::WrongAudience => "the token is meant for another audience",
            Self::BadClaims => "a required claim is missing or has a wrong type",
            Self::Revoked => "the session or the token was revoked",
            Self::Stale => "the token is older than a change of what the user may do: refresh and try again",
            Self::AmbiguousCredentials => "several credentials were presented",
            Self::Role => "none of the roles that are needed here",
            Self::Label => "a label of this film asks for more",
            Self::Denied => "no rule allows this",
            Self::Request => "the original request is missing, malformed or has more than one reading",
            Self::UntrustedProxy => "this peer may not ask on behalf of others",
            Self::CrossSite => "a request by cookie must come from an allowed origin",
            Self::NoKeys => "no keys are known yet",
            Self::StaleReplica => "what is known here of revocations or labels is too old to decide",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
