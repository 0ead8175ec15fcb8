//! Revocations: the facts that refuse tokens, and the set of them that a decision looks into.
//!
//! A fact only grows: applied twice, late or in another order it leads to the same set.

mod expiry;
mod generation;
mod set;
mod table;

/// The atomics of [`generation`], which tests take elsewhere.
mod atomic {
    pub(super) use std::sync::atomic::{AtomicU64, Ordering};
}

pub(crate) use generation::LastLive;
pub use set::{Facts, LiveToken, RevocationSet};

use crate::id::{SessionId, SubjectId, TokenId};
use crate::reason::Reason;
use crate::time::UnixMillis;

/// What is refused from now on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// Every token of a session: logout, session ended, refresh reuse.
    Session {
        /// The `sid`.
        session: SessionId,
    },
    /// A subject's tokens with a `ver` below: a change of what it may do.
    Subject {
        /// The `sub`.
        subject: SubjectId,
        /// The least `ver` that is still good.
        min_ver: i64,
    },
    /// Tokens that carry a role's name with an `rver` below: the role was renamed or deleted.
    Role {
        /// The name as it was.
        name: Box<str>,
        /// The least `rver` with which the name is still good.
        min_rver: i64,
    },
    /// One token (RFC 7009).
    Token {
        /// The `jti`.
        token: TokenId,
    },
    /// Every token that a key signed: the key is compromised.
    Key {
        /// The `kid`.
        kid: Box<str>,
    },
}

impl Fact {
    /// The kind's name, for metrics and storage.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Session { .. } => "session",
            Self::Subject { .. } => "subject",
            Self::Role { .. } => "role",
            Self::Token { .. } => "token",
            Self::Key { .. } => "key",
        }
    }
}

/// A fact and how long it matters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revocation {
    /// What is refused.
    pub fact: Fact,
    /// From when on no token can be alive that it would refuse; `None`: for ever.
    pub expires: Option<UnixMillis>,
}

/// Why a valid token is refused all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its session, its key or the token itself was revoked.
    #[error("the token was revoked")]
    Revoked,
    /// It is older than a change of what its subject may do.
    #[error("the token is older than a change of what its subject may do")]
    Stale,
}

impl Refusal {
    /// The word for it that clients see.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Revoked => Reason::Revoked,
            Self::Stale => Reason::Stale,
        }
    }
}

#[cfg(test)]
mod tests;
