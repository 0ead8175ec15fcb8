use std::time::Duration;

use shared::crypto::rsa::GenerateError;
use shared::problem::FieldError;
use shared::reason::Reason;

use crate::password::PoolError;
use crate::publish::NotInForce;
use crate::signing::KeyringError;
use crate::store::StoreError;

/// Why a use case was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// Credentials are needed and there are none.
    #[error("no credentials")]
    NotSignedIn,
    /// The credentials do not hold.
    #[error("the token does not hold: {0}")]
    InvalidToken(Reason),
    /// The caller may not do this.
    #[error("not allowed")]
    Forbidden,
    /// By cookie, from another site.
    #[error("from another site")]
    CrossSite,
    /// Somebody who is signed in cannot register.
    #[error("already signed in")]
    AlreadySignedIn,
    /// Another user has the login.
    #[error("the login is taken")]
    LoginTaken,
    /// No such login, or another password: which one is not told.
    #[error("wrong login or password")]
    InvalidCredentials,
    /// Right password, disabled account.
    #[error("the account is disabled")]
    AccountDisabled,
    /// The current password was given and is wrong.
    #[error("the current password is wrong")]
    WrongPassword,
    /// No refresh token of a live session.
    #[error("the refresh token does not hold")]
    InvalidRefreshToken,
    /// A refresh token that was exchanged long ago: its session has been ended.
    #[error("the refresh token was used before")]
    RefreshTokenReused,
    /// Another role has the name.
    #[error("the role name is taken")]
    RoleNameTaken,
    /// Built-in roles stay as they are.
    #[error("the role is built in")]
    BuiltInRole,
    /// Films carry the label.
    #[error("films carry the label")]
    LabelInUse,
    /// Somebody must be left to whom everything is allowed.
    #[error("the last superuser")]
    LastSuperuser,
    /// There is none of this id, or the caller may not know of it.
    #[error("not found")]
    NotFound,
    /// Fields that cannot be taken.
    #[error("fields that cannot be taken")]
    Invalid(Vec<FieldError>),
    /// Tried too often.
    #[error("too many requests")]
    TooManyRequests {
        /// When another try may be let in.
        retry_after: Duration,
    },
    /// A queue is full.
    #[error("overloaded")]
    Overloaded,
    /// The database is away, or the feed behind.
    #[error("unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A defect of ours.
    #[error("a defect")]
    Defect(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ServiceError {
    /// One field that cannot be taken.
    pub fn field(field: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError {
            field: field.to_owned(),
            code,
            message: message.into(),
        }])
    }
}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::Unavailable(error.into()),
            // Where a duplicate or a vanished row can happen, the use case has said what it means.
            StoreError::Duplicate(_) | StoreError::Gone(_) | StoreError::Defect(_) => {
                Self::Defect(error.into())
            }
        }
    }
}

impl From<PoolError> for ServiceError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Overloaded => Self::Overloaded,
            PoolError::Failed(_) => Self::Defect(error.into()),
        }
    }
}

impl From<NotInForce> for ServiceError {
    fn from(error: NotInForce) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<KeyringError> for ServiceError {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Store(error) => error.into(),
            // Until an operator has put it right, there is nothing to sign with.
            KeyringError::Seal(_) | KeyringError::NoneActive => Self::Unavailable(error.into()),
            KeyringError::Generate(_) | KeyringError::Key(_) | KeyringError::Set(_) => {
                Self::Defect(error.into())
            }
        }
    }
}

impl From<GenerateError> for ServiceError {
    fn from(error: GenerateError) -> Self {
        Self::Defect(error.into())
    }
}
