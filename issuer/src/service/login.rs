//! Login: the same answer after the same work, whether the login is unknown or the password wrong.

use std::net::IpAddr;

use secrecy::ExposeSecret;
use shared::id::SubjectId;

use super::{Credentials, Origin, Service, ServiceError, TokenPair};
use crate::login::LoginName;
use crate::password::{Checked, Password};
use crate::rate_limit::{LoginAttempt, TooMany};
use crate::store::login_history::{self, Outcome};
use crate::store::user::{self, PasswordRecord};

/// How often a login is begun again because the stored hash changed while it ran: once for a rehash by another login,
/// and once more for good measure.
const ATTEMPTS: usize = 3;

impl Service {
    /// Signs somebody in.
    ///
    /// # Errors
    ///
    /// [`ServiceError::InvalidCredentials`], [`ServiceError::AccountDisabled`], [`ServiceError::TooManyRequests`], or
    /// that something of ours is away.
    pub async fn login(
        &self,
        credentials: &Credentials,
        from: IpAddr,
        origin: &Origin,
    ) -> Result<TokenPair, ServiceError> {
        self.limits.admit_login_from(from).await?;
        // A login that the profile refuses belongs to nobody, and is treated like any other that does.
        let login = LoginName::parse(&credentials.login).ok();
        let attempt = self.admit_to_account(login.as_ref(), from, origin).await?;
        let outcome = self.try_login(credentials, login.as_ref(), origin).await;
        if let Some(attempt) = attempt {
            match &outcome {
                Ok(_) => attempt.succeeded().await,
                Err(ServiceError::InvalidCredentials) => attempt.failed(),
                Err(_) => attempt.undecided().await,
            }
        }
        outcome
    }

    async fn try_login(
        &self,
        credentials: &Credentials,
        login: Option<&LoginName>,
        origin: &Origin,
    ) -> Result<TokenPair, ServiceError> {
        let password = Password::presented(&credentials.password);
        for _ in 0..ATTEMPTS {
            let record = match login {
                Some(login) => user::password_by_login(&mut self.store.read().await?, login.as_str()).await?,
                None => None,
            };
            // No connection is held while hashing.
            let outdated = match self.check_password(&password, record.as_ref()).await? {
                Checked::Right { outdated } => outdated,
                Checked::Wrong(wrong) => {
                    let user = record.map(|record| record.id);
                    self.write_attempt(user, Outcome::WrongPassword, origin).await?;
                    wrong.may_be_told().await;
                    return Err(ServiceError::InvalidCredentials);
                }
            };
            // Nothing is right for a login that there is not.
            let Some(record) = &record else {
                return Err(ServiceError::InvalidCredentials);
            };
            if !record.active {
                self.write_attempt(Some(record.id), Outcome::Disabled, origin)
                    .await?;
                return Err(ServiceError::AccountDisabled);
            }
            let new_hash = if outdated {
                Some(self.passwords.hash(&password).await?)
            } else {
                None
            };
            if let Some(pair) = self.sign_in(record, new_hash.as_deref(), origin).await? {
                return Ok(pair);
            }
        }
        Err(ServiceError::InvalidCredentials)
    }

    /// What a presented password is, checked against what is stored, if anything is. Where that cannot be checked at all, no
    /// password is right; the operator is told, and not the caller, to whom it would tell that there is such a login.
    pub(super) async fn check_password(
        &self,
        password: &Password,
        record: Option<&PasswordRecord>,
    ) -> Result<Checked, ServiceError> {
        let hash = record.map(|record| &record.hash);
        let checked = self.passwords.verify(password, hash).await?;
        if let (Checked::Wrong(wrong), Some(record)) = (&checked, record)
            && let Some(refused) = &wrong.refused
        {
            tracing::error!(user = %record.id, %refused, "a stored hash cannot be checked: set a new password");
        }
        Ok(checked)
    }

    /// Begins the session, if the hash is still the one that was verified and the account active. `None` if not.
    async fn sign_in(
        &self,
        verified: &PasswordRecord,
        new_hash: Option<&str>,
        origin: &Origin,
    ) -> Result<Option<TokenPair>, ServiceError> {
        let started_at = self.clock.now();
        let mut work = self.store.write().await?;
        let hash = verified.hash.expose_secret();
        if !user::lock_for_login(&mut work, verified.id, hash, new_hash).await? {
            return Ok(None);
        }
        self.finish_sign_in(work, verified.id, origin, started_at)
            .await
            .map(Some)
    }

    /// Lets an attempt through, if the account has not seen too many failures from this network. An account that
    /// cannot be has no limit of its own.
    async fn admit_to_account(
        &self,
        login: Option<&LoginName>,
        from: IpAddr,
        origin: &Origin,
    ) -> Result<Option<LoginAttempt<'_>>, ServiceError> {
        let Some(login) = login else {
            return Ok(None);
        };
        let too_many = match self.limits.admit_login_to(login.as_str(), from).await {
            Ok(attempt) => return Ok(Some(attempt)),
            Err(too_many) => too_many,
        };
        let user = user::id_by_login(&mut self.store.read().await?, login.as_str()).await?;
        // The same write either way, as after a wrong password: the time it takes must not tell who exists.
        self.write_attempt(user, Outcome::Throttled, origin).await?;
        Err(too_many.into())
    }

    async fn write_attempt(
        &self,
        user: Option<SubjectId>,
        outcome: Outcome,
        origin: &Origin,
    ) -> Result<(), ServiceError> {
        let mut work = self.store.write().await?;
        login_history::insert(&mut work, user, outcome, None, origin).await?;
        Ok(work.commit().await?)
    }
}

impl From<TooMany> for ServiceError {
    fn from(too_many: TooMany) -> Self {
        Self::TooManyRequests {
            retry_after: too_many.retry_after,
        }
    }
}
