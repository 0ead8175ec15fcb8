//! The use cases, one file each. They know the rules; the store knows SQL, `http` knows HTTP.

mod account;
mod audit;
mod authenticate;
mod client;
mod client_credentials;
mod error;
mod film;
mod history;
mod introspect;
mod key;
mod label;
mod login;
mod logout;
mod maintenance;
mod operator;
mod refresh;
mod register;
mod revoke_token;
mod role;
mod session;
mod sign_in;
mod superuser;
mod user_export;
mod user_import;
mod verifier;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use shared::role::RoleName;
use shared::time::Clock;
use shared::token::ClaimsPolicy;

pub use account::Change;
pub use authenticate::Caller;
pub use client::ClientError;
pub use client_credentials::{ClientCredentials, OauthClient, ServiceClient, ServiceToken};
pub use error::ServiceError;
pub use film::{FilmImport, FilmLine, ImportOutcome, LineFault, RefusedLine};
pub use introspect::{Introspected, RefreshTokenState};
pub use key::{Keys, PublishedKey};
pub use label::LabelDraft;
pub use revoke_token::RevokeError;
pub use role::{RoleDraft, UserRoles};
pub use sign_in::{Credentials, TokenPair};
pub use superuser::Superuser;
pub use user_export::ExportedUser;
pub use user_import::{UserFault, UserImport, UserImportOutcome, UserLine};

use crate::password::{HashingPool, PasswordPolicy};
use crate::publish::Publisher;
use crate::rate_limit::Limits;
use crate::signing::{RefreshSecret, SigningKeys};
use crate::store::Store;
use crate::store::session::Origin;
use crate::verifiers::Verifiers;

/// What the operator decided about tokens and accounts.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Whom our tokens come from and are for; no leeway, since the clock is the one that signed.
    pub claims: ClaimsPolicy,
    /// How long an access token lives.
    pub access_ttl: Duration,
    /// How long a session lives without a refresh.
    pub refresh_ttl: Duration,
    /// How long a session lives at most.
    pub session_ttl: Duration,
    /// How long after its successor's first use a refresh token may still come back.
    pub refresh_grace: Duration,
    /// Whether a change of one's own account needs the current password.
    pub require_current_password: bool,
    /// What a new password must be.
    pub password: PasswordPolicy,
    /// Roles that a superuser alone handles.
    pub reserved_roles: Vec<RoleName>,
    /// How long the login history is kept.
    pub history_retention: Option<Duration>,
}

/// Everything that the use cases work with.
#[derive(Debug)]
pub struct Service {
    /// What the operator decided.
    pub policy: Policy,
    /// The database.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The signing keys.
    pub keys: SigningKeys,
    /// What refresh tokens are derived from.
    pub refresh_secret: RefreshSecret,
    /// Where passwords are hashed.
    pub passwords: HashingPool,
    /// How often may be tried.
    pub limits: Limits,
    /// The verifiers that the operator has listed.
    pub verifiers: Verifiers,
    /// The way of revocations to the verifiers.
    pub publisher: Publisher,
    /// The keys that heartbeats of the feed are signed with, as a JWK Set.
    pub feed_keys: Bytes,
}

impl Caller {
    /// Whether this caller may see users, histories and sessions, and disable accounts.
    pub fn is_admin(&self) -> bool {
        self.superuser || self.roles.contains(built_in::ADMIN)
    }

    /// Whether this caller may manage roles and grant them.
    pub fn edits_roles(&self) -> bool {
        self.superuser || self.roles.contains(built_in::ROLE_EDITOR)
    }

    fn require(allowed: bool) -> Result<(), ServiceError> {
        if allowed {
            Ok(())
        } else {
            Err(ServiceError::Forbidden)
        }
    }
}

/// The built-in roles: their names, and the id of the one that everybody gets.
pub mod built_in {
    use shared::id::RoleId;
    use uuid::Uuid;

    /// Everybody who registers.
    pub const USER: &str = "user";
    /// May manage roles and grant them.
    pub const ROLE_EDITOR: &str = "role_editor";
    /// May see users, histories and sessions, and disable accounts.
    pub const ADMIN: &str = "admin";
    /// Id of [`USER`], as the migrations give it.
    pub const USER_ID: RoleId = RoleId(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001));
    /// Names that no role may have: they would be taken for something else.
    pub const FORBIDDEN_NAMES: [&str; 2] = ["superuser", "anonymous"];
}
