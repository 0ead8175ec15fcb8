//! Registration: a new user, signed in.

use std::net::IpAddr;

use shared::id::SubjectId;
use shared::problem::FieldError;

use super::{Credentials, Origin, Service, ServiceError, TokenPair, built_in};
use crate::login::LoginName;
use crate::password::Password;
use crate::store::audit::{self, Action, Actor, Event};
use crate::store::{StoreError, role, user};

impl Service {
    /// Registers a user and signs it in.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`], [`ServiceError::LoginTaken`], [`ServiceError::TooManyRequests`], or that something
    /// of ours is away.
    pub async fn register(
        &self,
        credentials: &Credentials,
        from: IpAddr,
        origin: &Origin,
    ) -> Result<TokenPair, ServiceError> {
        let (login, password) = self.check_new_credentials(credentials)?;
        self.limits.admit_registration_from(from).await?;
        if user::login_is_taken(&mut self.store.read().await?, login.as_str()).await? {
            return Err(ServiceError::LoginTaken);
        }
        let hash = self.passwords.hash(&password).await?;
        let started_at = self.clock.now();
        let mut work = self.store.write().await?;
        let id = SubjectId::new(work.now().await?);
        user::insert(&mut work, id, login.as_str(), &hash, false)
            .await
            .map_err(login_taken)?;
        role::grant(&mut work, id, built_in::USER_ID).await?;
        let event = Event::new(Actor::Subject(id), Action::UserRegister).from(origin);
        audit::record(&mut work, event.on(id)).await?;
        self.finish_sign_in(work, id, origin, started_at).await
    }

    /// Checks a login and a password that somebody wants to have, both at once.
    pub(super) fn check_new_credentials(
        &self,
        credentials: &Credentials,
    ) -> Result<(LoginName, Password), ServiceError> {
        let login = LoginName::parse(&credentials.login);
        let password = Password::parse(&credentials.password, self.policy.password, login.as_ref().ok());
        match (login, password) {
            (Ok(login), Ok(password)) => Ok((login, password)),
            (login, password) => {
                let login = login
                    .err()
                    .map(|refused| field("login", refused.code(), refused.message()));
                let password = password
                    .err()
                    .map(|refused| field("password", refused.code(), refused.message()));
                Err(ServiceError::Invalid(login.into_iter().chain(password).collect()))
            }
        }
    }
}

fn field(name: &str, code: &'static str, message: impl Into<String>) -> FieldError {
    FieldError {
        field: name.to_owned(),
        code,
        message: message.into(),
    }
}

/// What a duplicate means where a login is written.
pub(super) fn login_taken(error: StoreError) -> ServiceError {
    match error {
        StoreError::Duplicate(_) => ServiceError::LoginTaken,
        other => other.into(),
    }
}
