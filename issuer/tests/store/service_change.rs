//! Every change that outdates a service's tokens, as the use case that makes it.

use std::error::Error;

use issuer::service::{OauthClient, RoleDraft};
use issuer::store::role::Role;
use issuer::store::session::Origin;
use secrecy::{ExposeSecret, SecretString};

use super::world::{Person, World};

/// A cause of `feed.md`'s table of facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceChange {
    SecretRotated,
    Deleted,
    TokenRevoked,
    LoggedOut,
    LoggedOutEverywhere,
    RoleRenamed,
    RoleDeleted,
}

pub const ALL: [ServiceChange; 7] = [
    ServiceChange::SecretRotated,
    ServiceChange::Deleted,
    ServiceChange::TokenRevoked,
    ServiceChange::LoggedOut,
    ServiceChange::LoggedOutEverywhere,
    ServiceChange::RoleRenamed,
    ServiceChange::RoleDeleted,
];

/// A service with a role and a token, and one that nothing happens to.
pub struct ServiceCast {
    pub root: Person,
    pub role: Role,
    pub secret: SecretString,
    pub token: SecretString,
    pub bystander: SecretString,
}

impl ServiceCast {
    pub async fn of(world: &World) -> Self {
        let root = world.superuser("root").await;
        let role = world.role(&root, "subscriber").await;
        let secret = world.client("film-etl", &["subscriber"]).await;
        let token = world.client_token("film-etl", &secret).await.unwrap();
        let other = world.client("other", &["user"]).await;
        let bystander = world.client_token("other", &other).await.unwrap();
        Self {
            root,
            role,
            secret,
            token,
            bystander,
        }
    }
}

impl ServiceChange {
    /// Carries it out.
    pub async fn carry_out(self, world: &World, cast: &ServiceCast) -> Result<(), Box<dyn Error>> {
        let service = &world.service;
        let name = "film-etl".parse()?;
        match self {
            Self::SecretRotated => _ = service.rotate_client_secret(&name).await?,
            Self::Deleted => service.delete_client(&name).await?,
            Self::TokenRevoked => {
                let client = world.prove("film-etl", &cast.secret).await.unwrap();
                service
                    .revoke_token(&OauthClient::Service(client), &cast.token, &Origin::default())
                    .await?;
            }
            Self::LoggedOut => {
                service
                    .logout(cast.token.expose_secret(), false, &Origin::default())
                    .await?;
            }
            Self::LoggedOutEverywhere => {
                service
                    .logout(cast.token.expose_secret(), true, &Origin::default())
                    .await?;
            }
            Self::RoleRenamed => {
                let draft = RoleDraft {
                    name: "member".to_owned(),
                    description: None,
                };
                service
                    .change_role(&cast.root.caller, cast.role.id, &draft)
                    .await?;
            }
            Self::RoleDeleted => service.delete_role(&cast.root.caller, cast.role.id).await?,
        }
        Ok(())
    }

    /// Whether the secret opens nothing any more.
    pub fn refuses_old_secret(self) -> bool {
        matches!(self, Self::SecretRotated | Self::Deleted)
    }
}
