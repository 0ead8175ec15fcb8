//! Login: the same answer after the same work, whether the login is unknown or the password wrong.

use std::net::IpAddr;

use secrecy::ExposeSecret;
use shared::id::SubjectId;

use super::{Credentials, Origin, Service, ServiceError, TokenPair};
use crate::login::LoginName;
use crate::password::{Password, Verdict};
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
        from: Option<IpAddr>,
        origin: &Origin,
    ) -> Result<TokenPair, ServiceError> {
        if let Some(ip) = from {
            self.limits.admit_login_from(ip)?;
        }
        // A login that the profile refuses belongs to nobody, and is treated like any other that does.
        let login = LoginName::parse(&credentials.login).ok();
        let limited_by = login.as_ref().map_or(credentials.login.as_str(), LoginName::as_str);
        self.admit_to_account(limited_by, login.as_ref(), from, origin).await?;
        let password = Password::presented(&credentials.password);
        for _ in 0..ATTEMPTS {
            let record = match &login {
                Some(login) => user::password_by_login(&mut self.store.read().await?, login.as_str()).await?,
                None => None,
            };
            // No connection is held while hashing.
            let verdict = self.passwords.verify(&password, record.as_ref().map(|record| &record.hash)).await?;
            let (Some(record), Verdict::Right { outdated }) = (&record, verdict) else {
                if let Some(ip) = from {
                    self.limits.login_failed(limited_by, ip);
                }
                let user = record.map(|record| record.id);
                self.write_attempt(user, Outcome::WrongPassword, origin).await?;
                return Err(ServiceError::InvalidCredentials);
            };
            if !record.active {
                self.write_attempt(Some(record.id), Outcome::Disabled, origin).await?;
                return Err(ServiceError::AccountDisabled);
            }
            let new_hash = if outdated { Some(self.passwords.hash(&password).await?) } else { None };
            if let Some(pair) = self.sign_in(record, new_hash.as_deref(), origin).await? {
                if let Some(ip) = from {
                    self.limits.login_succeeded(limited_by, ip);
                }
                return Ok(pair);
            }
        }
        Err(ServiceError::InvalidCredentials)
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
        let (session, refresh_token) = self.begin_session(&mut work, verified.id, origin).await?;
        self.finish_sign_in(work, session, &refresh_token, started_at).await.map(Some)
    }

    async fn admit_to_account(
        &self,
        limited_by: &str,
        login: Option<&LoginName>,
        from: Option<IpAddr>,
        origin: &Origin,
    ) -> Result<(), ServiceError> {
        let Some(ip) = from else { return Ok(()) };
        let Err(too_many) = self.limits.admit_login_to(limited_by, ip) else { return Ok(()) };
        if let Some(login) = login {
            let user = user::id_by_login(&mut self.store.read().await?, login.as_str()).await?;
            if user.is_some() {
                self.write_attempt(user, Outcome::Throttled, origin).await?;
            }
        }
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

impl From<crate::rate_limit::TooMany> for ServiceError {
    fn from(too_many: crate::rate_limit::TooMany) -> Self {
        Self::TooManyRequests { retry_after: too_many.retry_after }
    }
}
