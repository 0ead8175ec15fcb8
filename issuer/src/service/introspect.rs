//! What a service may learn of a token that somebody has shown it (RFC 7662).

use secrecy::{ExposeSecret, SecretString};
use shared::id::{SessionId, SubjectId};
use shared::time::UnixSeconds;
use shared::token::Claims;

use super::{Origin, Service, ServiceError};
use crate::signing::RefreshToken;
use crate::store::{refresh, user};

/// A token that holds.
#[derive(Debug)]
pub enum Introspected {
    /// An access token.
    Access {
        /// What it says, which is so.
        claims: Claims,
        /// The login, of a person's.
        login: Option<String>,
    },
    /// A refresh token.
    Refresh(RefreshTokenState),
}

/// What is told of a refresh token.
#[derive(Debug)]
pub struct RefreshTokenState {
    /// Whose it is.
    pub subject: SubjectId,
    /// The login.
    pub login: String,
    /// Of which session.
    pub session: SessionId,
    /// When it ends if it is not exchanged.
    pub expires_at: UnixSeconds,
}

impl Service {
    /// Judges a token as if it were presented here. `None` if it would be refused, for whatever reason. Nothing comes of
    /// it: a refresh token is not exchanged, nor taken for stolen.
    ///
    /// # Errors
    ///
    /// That the database is away.
    pub async fn introspect(&self, token: &SecretString) -> Result<Option<Introspected>, ServiceError> {
        if let Some(refresh_token) = RefreshToken::parse(token) {
            return self.introspect_refresh_token(&refresh_token).await;
        }
        match self.introspect_access_token(token.expose_secret()).await {
            Ok(introspected) => Ok(Some(introspected)),
            Err(ServiceError::InvalidToken(_)) => Ok(None),
            Err(other) => Err(other),
        }
    }

    async fn introspect_access_token(&self, token: &str) -> Result<Introspected, ServiceError> {
        let signed = self.check_signature(token).await?;
        let caller = self.judge(&signed, Origin::default()).await?;
        let login = if caller.is_service {
            None
        } else {
            let user = user::by_id(&mut self.store.read().await?, caller.subject).await?;
            user.map(|user| user.login)
        };
        Ok(Introspected::Access {
            claims: signed.claims().clone(),
            login,
        })
    }

    async fn introspect_refresh_token(
        &self,
        token: &RefreshToken,
    ) -> Result<Option<Introspected>, ServiceError> {
        let mut work = self.store.read().await?;
        let Some((found, holder)) = refresh::live(&mut work, &token.digest()).await? else {
            return Ok(None);
        };
        let now = work.now().await?;
        Ok(self.may_come_back(&found, now).then(|| {
            Introspected::Refresh(RefreshTokenState {
                subject: holder.id,
                login: holder.login,
                session: found.session,
                expires_at: found.idle_expires_at.to_seconds(),
            })
        }))
    }
}
