//! Which client asks, and the tokens that services take in their own name.

use std::net::IpAddr;
use std::time::Duration;

use secrecy::SecretString;
use shared::id::{SessionId, SubjectId, TokenId};

use super::{Origin, Service, ServiceError};
use crate::client_name::{ClientName, WEB};
use crate::signing::{AccessGrant, ClientSecret};
use crate::store::audit::{Action, Actor, Event};
use crate::store::{client, truth};

/// What a client presents of itself.
#[derive(Debug)]
pub struct ClientCredentials {
    /// The `client_id`.
    pub name: String,
    /// The secret; the site's own client has none.
    pub secret: Option<SecretString>,
}

/// A client that is who it says.
#[derive(Debug)]
pub enum OauthClient {
    /// The site's own, through which people sign in.
    Web,
    /// A service that has proved it.
    Service(ServiceClient),
}

/// A service whose secret was right.
#[derive(Debug)]
pub struct ServiceClient {
    /// Its id, the `sub` of its tokens.
    pub id: SubjectId,
    /// Its name, the `client_id`.
    pub name: ClientName,
    secret_digest: Vec<u8>,
}

/// An access token in a service's own name.
#[derive(Debug)]
pub struct ServiceToken {
    /// The token.
    pub access_token: SecretString,
    /// How long it lives.
    pub expires_in: Duration,
}

impl Service {
    /// Finds out which client asks. `None` if it is not who it says: which part is wrong is not told, and a name that is
    /// unknown costs what a wrong secret costs.
    ///
    /// # Errors
    ///
    /// [`ServiceError::TooManyRequests`] if too many have failed from this address, or that the database is away.
    pub async fn authenticate_client(
        &self,
        presented: ClientCredentials,
        from: IpAddr,
        origin: &Origin,
    ) -> Result<Option<OauthClient>, ServiceError> {
        let Some(secret) = presented.secret else {
            return Ok((presented.name == WEB).then_some(OauthClient::Web));
        };
        self.limits.admit_client_from(from)?;
        // A name that no client can have is looked for as well, as one that none has.
        let name = presented.name.parse::<ClientName>().ok();
        let looked_for = name.as_ref().map_or("", ClientName::as_str);
        let record = client::secret_by_name(&mut self.store.read().await?, looked_for).await?;
        let is_right = ClientSecret::presented(secret).is(record.as_ref().map(|record| &*record.digest));
        let (true, Some(record), Some(name)) = (is_right, &record, name) else {
            self.limits.client_failed_from(from).await;
            // Without what was presented as the name: it may be a secret in the wrong place.
            let event = Event::new(Actor::Anonymous, Action::ClientWrongSecret).from(origin);
            match record {
                Some(record) => event.on(record.id).log(),
                None => event.log(),
            }
            return Ok(None);
        };
        Ok(Some(OauthClient::Service(ServiceClient {
            id: record.id,
            name,
            secret_digest: record.digest.clone(),
        })))
    }

    /// Signs a token for a service (RFC 6749 section 4.4). `None` if its secret is another by now.
    ///
    /// # Errors
    ///
    /// That something of ours is away.
    pub async fn service_token(&self, client: &ServiceClient) -> Result<Option<ServiceToken>, ServiceError> {
        let started_at = self.clock.now();
        // Nothing is locked: a change that commits after this was read refuses every token with the version that was read.
        let mut work = self.store.read().await?;
        let truth = truth::of_client(&mut work, client.id, &client.secret_digest).await?;
        self.check_signs(&mut work, truth.as_ref()).await?;
        let Some(truth) = truth else {
            return Ok(None);
        };
        drop(work);
        let token_id = TokenId::new(started_at);
        let issued_at = started_at.to_seconds();
        let lifetime_s = i64::try_from(self.policy.access_ttl.as_secs()).unwrap_or(i64::MAX);
        let grant = AccessGrant {
            issuer: &self.policy.claims.issuer,
            audience: &self.policy.claims.audience,
            subject: truth.subject,
            session: SessionId(token_id.0),
            token_id,
            client_id: client.name.as_str(),
            roles: truth.roles.iter().collect(),
            ver: truth.ver,
            rver: truth.rver,
            superuser: truth.superuser,
            issued_at,
            expires_at: issued_at.plus_s(lifetime_s),
        };
        Ok(Some(ServiceToken {
            access_token: self.keys.mint(&grant).await?.into(),
            expires_in: self.policy.access_ttl,
        }))
    }
}
