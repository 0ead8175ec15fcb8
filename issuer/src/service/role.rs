//! Roles: made, changed, deleted, granted and taken.

use shared::id::{RoleId, SubjectId};
use shared::role::RoleName;

use super::{Caller, Service, ServiceError, built_in};
use crate::store::audit::{self, Action};
use crate::store::label;
use crate::store::role::{self, Role};
use crate::store::{Page, PageRequest, StoreError, user};

/// Longest description, in characters.
const DESCRIPTION_CHARACTERS_MAX: usize = 500;

/// A role as somebody wants it.
#[derive(Debug)]
pub struct RoleDraft {
    /// The name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
}

/// The roles of a user.
#[derive(Debug)]
pub struct UserRoles {
    /// Whose they are.
    pub user_id: SubjectId,
    /// Whether the user passes every check anyway.
    pub superuser: bool,
    /// The roles, by name.
    pub roles: Vec<Role>,
    /// Whether the user has every role that was asked about, if any was.
    pub granted: Option<bool>,
}

impl Service {
    /// Makes a role.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Forbidden`], [`ServiceError::Invalid`], [`ServiceError::RoleNameTaken`].
    pub async fn create_role(&self, caller: &Caller, draft: &RoleDraft) -> Result<Role, ServiceError> {
        Caller::require(caller.edits_roles())?;
        let name = self.check_draft(caller, draft)?;
        let mut work = self.store.write().await?;
        self.lock_actors(&mut work, caller, caller.subject, false).await?;
        let id = RoleId::new(work.now().await?);
        role::insert(&mut work, id, name.as_str(), draft.description.as_deref())
            .await
            .map_err(name_taken)?;
        let made = role::by_id(&mut work, id).await?.ok_or(ServiceError::NotFound)?;
        let event = caller.act(Action::RoleCreate).on(id).with("name", name.as_str());
        audit::record(&mut work, event).await?;
        work.commit().await?;
        Ok(made)
    }

    /// Changes a role's name and description. A new name is in force at every edge at once.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Forbidden`], [`ServiceError::NotFound`], [`ServiceError::Invalid`],
    /// [`ServiceError::RoleNameTaken`], [`ServiceError::BuiltInRole`].
    pub async fn change_role(
        &self,
        caller: &Caller,
        id: RoleId,
        draft: &RoleDraft,
    ) -> Result<Role, ServiceError> {
        Caller::require(caller.edits_roles())?;
        let name = self.check_draft(caller, draft)?;
        let mut work = self.store.write().await?;
        self.lock_actors(&mut work, caller, caller.subject, false).await?;
        let current = role::lock(&mut work, id).await?.ok_or(ServiceError::NotFound)?;
        self.check_custom(caller, &current)?;
        role::update(&mut work, id, name.as_str(), draft.description.as_deref())
            .await
            .map_err(name_taken)?;
        if current.name != name.as_str() {
            role::outdate_name(&mut work, &current.name).await?;
            label::touch_role(&mut work, id).await?;
        }
        let event = caller.act(Action::RoleChange).on(id);
        let event = event
            .with("name", name.as_str())
            .with("name_before", current.name);
        audit::record(&mut work, event).await?;
        let changed = role::by_id(&mut work, id).await?.ok_or(ServiceError::NotFound)?;
        work.commit().await?;
        self.publisher.committed().await?;
        Ok(changed)
    }

    /// Deletes a role, taking it from everyone at every edge.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Forbidden`], [`ServiceError::NotFound`], [`ServiceError::BuiltInRole`].
    pub async fn delete_role(&self, caller: &Caller, id: RoleId) -> Result<(), ServiceError> {
        Caller::require(caller.edits_roles())?;
        let mut work = self.store.write().await?;
        self.lock_actors(&mut work, caller, caller.subject, false).await?;
        let current = role::lock(&mut work, id).await?.ok_or(ServiceError::NotFound)?;
        self.check_custom(caller, &current)?;
        label::touch_role(&mut work, id).await?;
        role::delete(&mut work, id).await?;
        role::outdate_name(&mut work, &current.name).await?;
        let event = caller.act(Action::RoleDelete).on(id).with("name", current.name);
        audit::record(&mut work, event).await?;
        work.commit().await?;
        Ok(self.publisher.committed().await?)
    }

    /// A role. Everybody who is signed in may know the roles.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`].
    pub async fn role(&self, id: RoleId) -> Result<Role, ServiceError> {
        role::by_id(&mut self.store.read().await?, id)
            .await?
            .ok_or(ServiceError::NotFound)
    }

    /// A page of the roles.
    ///
    /// # Errors
    ///
    /// That the database is away.
    pub async fn roles(&self, page: PageRequest) -> Result<Page<Role>, ServiceError> {
        Ok(role::list(&mut self.store.read().await?, page).await?)
    }

    /// Gives a role to a user, or takes it. Older access tokens are stale then, at every edge.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Forbidden`] (built-in powers and reserved roles, for those who are no superuser),
    /// [`ServiceError::NotFound`].
    pub async fn set_user_role(
        &self,
        caller: &Caller,
        user_id: SubjectId,
        role_id: RoleId,
        granted: bool,
    ) -> Result<(), ServiceError> {
        Caller::require(caller.edits_roles())?;
        let mut work = self.store.write().await?;
        let actors = self.lock_actors(&mut work, caller, user_id, false).await?;
        let role = role::lock(&mut work, role_id)
            .await?
            .ok_or(ServiceError::NotFound)?;
        Caller::require(self.may_grant(caller, &role))?;
        actors.found()?;
        let changed = if granted {
            role::grant(&mut work, user_id, role_id).await?
        } else {
            role::revoke(&mut work, user_id, role_id).await?
        };
        if changed {
            user::outdate_tokens(&mut work, user_id).await?;
            let action = if granted {
                Action::RoleGrant
            } else {
                Action::RoleRevoke
            };
            let event = caller.act(action).on(user_id).with("role", role.name);
            audit::record(&mut work, event).await?;
        }
        work.commit().await?;
        Ok(self.publisher.committed().await?)
    }

    /// The roles of a user, and whether it has every one that is asked about.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Forbidden`], [`ServiceError::NotFound`].
    pub async fn user_roles(
        &self,
        caller: &Caller,
        user_id: SubjectId,
        asked: &[String],
    ) -> Result<UserRoles, ServiceError> {
        Caller::require(caller.subject == user_id || caller.is_admin() || caller.edits_roles())?;
        let mut work = self.store.read().await?;
        let user = user::by_id(&mut work, user_id)
            .await?
            .ok_or(ServiceError::NotFound)?;
        let roles = role::of_user(&mut work, user_id).await?;
        let has = |name: &String| roles.iter().any(|role| role.name == *name);
        let granted = (!asked.is_empty()).then(|| user.superuser || asked.iter().all(has));
        Ok(UserRoles {
            user_id,
            superuser: user.superuser,
            roles,
            granted,
        })
    }

    /// Whether the caller may give this role to somebody, or take it.
    pub fn may_grant(&self, caller: &Caller, role: &Role) -> bool {
        caller.superuser || (caller.edits_roles() && !self.superusers_only(&role.name))
    }

    /// Whether the caller may change or delete this role.
    pub fn may_change_role(&self, caller: &Caller, role: &Role) -> bool {
        caller.edits_roles() && self.check_custom(caller, role).is_ok()
    }

    /// Checks the name and description that somebody wants.
    fn check_draft(&self, caller: &Caller, draft: &RoleDraft) -> Result<RoleName, ServiceError> {
        let name: RoleName = draft
            .name
            .parse()
            .map_err(|invalid: shared::role::InvalidRoleName| {
                ServiceError::field("name", "invalid", invalid.to_string())
            })?;
        if built_in::FORBIDDEN_NAMES.contains(&name.as_str()) {
            return Err(ServiceError::field(
                "name",
                "reserved",
                "this name has a meaning of its own",
            ));
        }
        check_description(draft.description.as_deref())?;
        Caller::require(caller.superuser || !self.is_reserved(name.as_str()))?;
        Ok(name)
    }

    fn check_custom(&self, caller: &Caller, role: &Role) -> Result<(), ServiceError> {
        if role.built_in {
            return Err(ServiceError::BuiltInRole);
        }
        Caller::require(caller.superuser || !self.is_reserved(&role.name))
    }

    pub(super) fn is_reserved(&self, name: &str) -> bool {
        self.policy
            .reserved_roles
            .iter()
            .any(|reserved| reserved.as_str() == name)
    }

    /// Whether a superuser alone may give or take this role.
    fn superusers_only(&self, name: &str) -> bool {
        [built_in::ADMIN, built_in::ROLE_EDITOR].contains(&name) || self.is_reserved(name)
    }
}

/// Checks the description that somebody wants for a role or a label.
pub(super) fn check_description(description: Option<&str>) -> Result<(), ServiceError> {
    let is_acceptable = description.is_none_or(|description| {
        description.chars().count() <= DESCRIPTION_CHARACTERS_MAX
            && !description.chars().any(char::is_control)
    });
    if is_acceptable {
        Ok(())
    } else {
        let message = format!("at most {DESCRIPTION_CHARACTERS_MAX} characters, and no control characters");
        Err(ServiceError::field("description", "invalid", message))
    }
}

fn name_taken(error: StoreError) -> ServiceError {
    match error {
        StoreError::Duplicate(_) => ServiceError::RoleNameTaken,
        other => other.into(),
    }
}
