//! Ids: `UUIDv7` (RFC 9562), lower case on the wire, a type each, so that no two kinds can be mixed up.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::crypto::random;
use crate::time::UnixMillis;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id, made at `now`.
            pub fn new(now: UnixMillis) -> Self {
                Self(uuid_v7(now))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    )+};
}

ids! {
    /// Who a token speaks for, a person or a service: the `sub` claim.
    SubjectId,
    /// A session, from login to logout: the `sid` claim.
    SessionId,
    /// One access token: the `jti` claim.
    TokenId,
    /// A role; its name may change.
    RoleId,
    /// An entry of the login history.
    LoginId,
    /// An entry of the audit trail.
    AuditId,
    /// A label on films; its name is what refers to it.
    LabelId,
    /// A film. The movie service makes these ids, so they may be UUIDs of any version.
    FilmId,
}

/// A `UUIDv7` made at `now`, its other bits from the system's secure random generator.
pub fn uuid_v7(now: UnixMillis) -> Uuid {
    let millis = u64::try_from(now.0).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random::bytes()).into_uuid()
}
