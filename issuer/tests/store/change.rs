//! Every change that outdates tokens, as the use case that makes it.

use issuer::service::{Change as UserChange, RoleDraft, ServiceError};
use issuer::store::role::Role;
use issuer::store::session::Origin;
use secrecy::ExposeSecret;

use super::world::{HERE, NEW_PASSWORD, Person, World};

/// A cause of `feed.md`'s table of facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Logout,
    LogoutEverywhere,
    SessionEnded,
    RoleGiven,
    RoleTaken,
    RoleRenamed,
    RoleDeleted,
    PasswordChanged,
    PasswordChangedByAnother,
    SuperuserGiven,
    SuperuserTaken,
    Disabled,
    Deleted,
    DeletedSelf,
    PromotedByCommand,
    PasswordSetByCommand,
    DisabledByCommand,
}

pub const ALL: [Change; 17] = [
    Change::Logout,
    Change::LogoutEverywhere,
    Change::SessionEnded,
    Change::RoleGiven,
    Change::RoleTaken,
    Change::RoleRenamed,
    Change::RoleDeleted,
    Change::PasswordChanged,
    Change::PasswordChangedByAnother,
    Change::SuperuserGiven,
    Change::SuperuserTaken,
    Change::Disabled,
    Change::Deleted,
    Change::DeletedSelf,
    Change::PromotedByCommand,
    Change::PasswordSetByCommand,
    Change::DisabledByCommand,
];

/// Who and what a change needs: the people are there before it.
pub struct Cast {
    pub root: Person,
    pub person: Person,
    pub role: Role,
}

impl Change {
    /// People and a role, so that the change is one.
    pub async fn cast(self, world: &World) -> Cast {
        let root = world.superuser("root").await;
        let role = world.role(&root, "subscriber").await;
        let person = world.person("person").await;
        let service = &world.service;
        if self != Self::RoleGiven {
            service
                .set_user_role(&root.caller, person.id, role.id, true)
                .await
                .unwrap();
        }
        if self == Self::SuperuserTaken {
            service
                .set_superuser(&root.caller, person.id, true)
                .await
                .unwrap();
        }
        let pair = world.login("person", super::world::PASSWORD).await.unwrap();
        let person = world.holder(pair).await;
        Cast { root, person, role }
    }

    /// Carries it out.
    pub async fn carry_out(self, world: &World, cast: &Cast) -> Result<(), ServiceError> {
        let service = &world.service;
        let Cast { root, person, role } = cast;
        let token = person.pair.access_token.expose_secret();
        let password = UserChange {
            password: Some(NEW_PASSWORD.into()),
            ..UserChange::default()
        };
        match self {
            Self::Logout => service.logout(token, false, &Origin::default()).await,
            Self::LogoutEverywhere => service.logout(token, true, &Origin::default()).await,
            Self::SessionEnded => service.end_session(&root.caller, person.caller.session).await,
            Self::RoleGiven | Self::RoleTaken => {
                let given = self == Self::RoleGiven;
                service
                    .set_user_role(&root.caller, person.id, role.id, given)
                    .await
            }
            Self::RoleRenamed => {
                let draft = RoleDraft {
                    name: "member".to_owned(),
                    description: None,
                };
                service
                    .change_role(&root.caller, role.id, &draft)
                    .await
                    .map(|_| ())
            }
            Self::RoleDeleted => service.delete_role(&root.caller, role.id).await,
            Self::PasswordChanged => service
                .change_user(&person.caller, person.id, &password, HERE)
                .await
                .map(|_| ()),
            Self::PasswordChangedByAnother => service
                .change_user(&root.caller, person.id, &password, HERE)
                .await
                .map(|_| ()),
            Self::SuperuserGiven | Self::SuperuserTaken => {
                let given = self == Self::SuperuserGiven;
                service.set_superuser(&root.caller, person.id, given).await
            }
            Self::Disabled => service.set_active(&root.caller, person.id, false).await,
            Self::Deleted => service.delete_user(&root.caller, person.id).await,
            Self::DeletedSelf => service.delete_user(&person.caller, person.id).await,
            Self::PromotedByCommand => service
                .create_superuser(&super::world::credentials("person", NEW_PASSWORD))
                .await
                .map(|_| ()),
            Self::PasswordSetByCommand => {
                let credentials = super::world::credentials("person", NEW_PASSWORD);
                service.set_password_of(&credentials).await
            }
            Self::DisabledByCommand => service.set_active_of("person", false).await.map(|_| ()),
        }
    }

    /// Whether the session of the cast's person ends by it.
    pub fn ends_own_session(self) -> bool {
        match self {
            Self::Logout
            | Self::LogoutEverywhere
            | Self::SessionEnded
            | Self::PasswordChangedByAnother
            | Self::Disabled
            | Self::Deleted
            | Self::DeletedSelf
            | Self::PromotedByCommand
            | Self::PasswordSetByCommand
            | Self::DisabledByCommand => true,
            // The caller's own session stays.
            Self::PasswordChanged
            | Self::RoleGiven
            | Self::RoleTaken
            | Self::RoleRenamed
            | Self::RoleDeleted
            | Self::SuperuserGiven
            | Self::SuperuserTaken => false,
        }
    }

    /// Whether every other session of the person ends by it too.
    pub fn ends_other_sessions(self) -> bool {
        self == Self::PasswordChanged
            || (self.ends_own_session() && !matches!(self, Self::Logout | Self::SessionEnded))
    }

    /// Whether the old password opens nothing any more.
    pub fn refuses_old_password(self) -> bool {
        matches!(
            self,
            Self::PasswordChanged
                | Self::PasswordChangedByAnother
                | Self::Disabled
                | Self::Deleted
                | Self::DeletedSelf
                | Self::PromotedByCommand
                | Self::PasswordSetByCommand
                | Self::DisabledByCommand
        )
    }
}
