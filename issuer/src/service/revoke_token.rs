//! A token that whoever holds it needs no more (RFC 7009).

use secrecy::{ExposeSecret, SecretString};

use super::authenticate::{invalid, is_of_service};
use super::{OauthClient, Origin, Service, ServiceError};
use crate::signing::{ClientSecret, RefreshToken};
use crate::store::audit::{self, Action, Actor, Event};
use crate::store::{StoreError, refresh, session};

/// Why a token was not revoked.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    /// It was given to another client.
    #[error("the token is another client's")]
    NotYours,
    /// It is no token, but a client's secret, and stays one until an operator changes that.
    #[error("a client's secret is not revoked here")]
    UnsupportedKind,
    /// Something of ours is away.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl From<StoreError> for RevokeError {
    fn from(error: StoreError) -> Self {
        Self::Service(error.into())
    }
}

impl Service {
    /// Revokes a token at every edge: of a person the whole session, of a service this token. What is no token of ours, or
    /// none any more, is as the client wants it.
    ///
    /// # Errors
    ///
    /// [`RevokeError`].
    pub async fn revoke_token(
        &self,
        client: &OauthClient,
        token: &SecretString,
        origin: &Origin,
    ) -> Result<(), RevokeError> {
        if ClientSecret::is_like(token) {
            return Err(RevokeError::UnsupportedKind);
        }
        let outcome = match RefreshToken::parse(token) {
            Some(refresh_token) => self.revoke_refresh_token(client, &refresh_token, origin).await,
            None => {
                self.revoke_access_token(client, token.expose_secret(), origin)
                    .await
            }
        };
        match outcome {
            Err(RevokeError::Service(ServiceError::InvalidToken(_))) => Ok(()),
            other => other,
        }
    }

    async fn revoke_refresh_token(
        &self,
        client: &OauthClient,
        token: &RefreshToken,
        origin: &Origin,
    ) -> Result<(), RevokeError> {
        let found = refresh::session_of(&mut self.store.read().await?, &token.digest()).await?;
        let Some(session) = found else {
            return Ok(());
        };
        if !matches!(client, OauthClient::Web) {
            return Err(RevokeError::NotYours);
        }
        let mut work = self.store.write().await?;
        session::end(&mut work, session).await?;
        let event = Event::new(Actor::Anonymous, Action::SessionLogout).from(origin);
        audit::note(&mut work, event.with("session", session.to_string()));
        work.commit().await?;
        self.publisher.committed().await.map_err(ServiceError::from)?;
        Ok(())
    }

    async fn revoke_access_token(
        &self,
        client: &OauthClient,
        token: &str,
        origin: &Origin,
    ) -> Result<(), RevokeError> {
        let signed = self.check_signature(token).await?;
        signed.check_origin(&self.policy.claims).map_err(invalid)?;
        let claims = signed.claims();
        let is_yours = match client {
            OauthClient::Web => !is_of_service(claims),
            OauthClient::Service(service) => *claims.client_id == *service.name.as_str(),
        };
        if !is_yours {
            return Err(RevokeError::NotYours);
        }
        Ok(self.logout(token, false, origin).await?)
    }
}
