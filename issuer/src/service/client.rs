//! Clients: services that an operator makes, gives other secrets, and deletes.

use shared::id::SubjectId;

use super::{Service, ServiceError};
use crate::client_name::ClientName;
use crate::signing::ClientSecret;
use crate::store::audit::{self, Action, Actor, Event};
use crate::store::client::{self, Client};
use crate::store::{StoreError, Work};

/// Why something was not done to a client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Another has the name.
    #[error("there is a client {0} already")]
    NameTaken(ClientName),
    /// There is none of the name.
    #[error("there is no client {0}")]
    Unknown(ClientName),
    /// There is no role of this name.
    #[error("there is no role {0:?}")]
    UnknownRole(String),
    /// Something of ours is away.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl From<StoreError> for ClientError {
    fn from(error: StoreError) -> Self {
        Self::Service(error.into())
    }
}

impl Service {
    /// Makes a client with these roles. Its secret, which is told this once.
    ///
    /// # Errors
    ///
    /// [`ClientError::NameTaken`], [`ClientError::UnknownRole`], or that the database is away.
    pub async fn create_client(
        &self,
        name: &ClientName,
        roles: &[String],
    ) -> Result<ClientSecret, ClientError> {
        let secret = ClientSecret::random();
        let mut work = self.store.write().await?;
        let id = SubjectId::new(work.now().await?);
        client::insert(&mut work, id, name.as_str(), &secret.digest())
            .await
            .map_err(|error| match error {
                StoreError::Duplicate(_) => ClientError::NameTaken(name.clone()),
                other => other.into(),
            })?;
        let mut roles = roles.to_vec();
        roles.sort_unstable();
        roles.dedup();
        for role in roles {
            if !client::give_role(&mut work, id, &role).await? {
                return Err(ClientError::UnknownRole(role));
            }
        }
        audit::record(&mut work, by_operator(Action::ClientCreate, id, name)).await?;
        work.commit().await?;
        Ok(secret)
    }

    /// Every client, by name.
    ///
    /// # Errors
    ///
    /// That the database is away.
    pub async fn clients(&self) -> Result<Vec<Client>, ClientError> {
        Ok(client::list(&mut self.store.read().await?).await?)
    }

    /// Gives a client another secret, which is told this once. The old one, and every token that it was given, are
    /// refused from now on, at every edge.
    ///
    /// # Errors
    ///
    /// [`ClientError::Unknown`], or that something of ours is away.
    pub async fn rotate_client_secret(&self, name: &ClientName) -> Result<ClientSecret, ClientError> {
        let secret = ClientSecret::random();
        let mut work = self.store.write().await?;
        let id = outdated(&mut work, name).await?;
        client::set_secret(&mut work, id, &secret.digest()).await?;
        audit::record(&mut work, by_operator(Action::ClientRotateSecret, id, name)).await?;
        work.commit().await?;
        self.publisher.committed().await.map_err(ServiceError::from)?;
        Ok(secret)
    }

    /// Deletes a client. Its tokens are refused from now on, at every edge.
    ///
    /// # Errors
    ///
    /// [`ClientError::Unknown`], or that something of ours is away.
    pub async fn delete_client(&self, name: &ClientName) -> Result<(), ClientError> {
        let mut work = self.store.write().await?;
        let id = outdated(&mut work, name).await?;
        client::delete(&mut work, id).await?;
        audit::record(&mut work, by_operator(Action::ClientDelete, id, name)).await?;
        work.commit().await?;
        self.publisher.committed().await.map_err(ServiceError::from)?;
        Ok(())
    }
}

fn by_operator(action: Action, id: SubjectId, name: &ClientName) -> Event {
    Event::new(Actor::Operator, action)
        .on(id)
        .with("name", name.as_str())
}

/// The client of this name, its tokens outdated and its row locked by that.
async fn outdated(work: &mut Work, name: &ClientName) -> Result<SubjectId, ClientError> {
    if let Some(found) = client::secret_by_name(work, name.as_str()).await?
        && client::outdate_tokens(work, found.id).await?
    {
        return Ok(found.id);
    }
    Err(ClientError::Unknown(name.clone()))
}
