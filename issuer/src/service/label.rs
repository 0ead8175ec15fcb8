//! Labels: made, changed and deleted.

use shared::id::{LabelId, RoleId};
use shared::label::{InvalidLabelName, LabelName};
use shared::limits;

use super::role::check_description;
use super::{Caller, Service, ServiceError};
use crate::store::audit::{self, Action};
use crate::store::label::{self, Label, LabelValue};
use crate::store::{Page, PageRequest, film};

/// Films from which a label is taken in one transaction: no request waits longer for it.
const FILMS_AT_ONCE: u32 = 5000;

/// A label as somebody wants it.
#[derive(Debug)]
pub struct LabelDraft {
    /// Names of the roles of which any one satisfies it.
    pub roles: Vec<String>,
    /// Whether everybody satisfies it.
    pub anonymous: bool,
    /// What it is for.
    pub description: Option<String>,
}

impl Service {
    /// Makes a label, or changes it. Whether it is new.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Forbidden`] (reserved roles too, for those who are no superuser), [`ServiceError::Invalid`].
    pub async fn put_label(
        &self,
        caller: &Caller,
        name: &str,
        draft: &LabelDraft,
    ) -> Result<(Label, bool), ServiceError> {
        Caller::require(caller.edits_roles())?;
        let name: LabelName = name.parse().map_err(|invalid: InvalidLabelName| {
            ServiceError::field("name", "invalid", invalid.to_string())
        })?;
        check_description(draft.description.as_deref())?;
        if draft.roles.len() > limits::LABEL_ROLES_MAX {
            let message = format!("at most {} roles", limits::LABEL_ROLES_MAX);
            return Err(ServiceError::field("roles", "too_many", message));
        }
        let is_reserved = draft.roles.iter().any(|role| self.is_reserved(role));
        Caller::require(caller.superuser || !is_reserved)?;
        let mut work = self.store.write().await?;
        self.lock_actors(&mut work, caller, caller.subject, false).await?;
        let held = label::hold_roles(&mut work, &draft.roles).await?;
        if let Some(unknown) = draft
            .roles
            .iter()
            .find(|role| !held.iter().any(|(_, name)| name == *role))
        {
            let unknown: String = unknown.chars().take(limits::ROLE_NAME_BYTES_MAX).collect();
            return Err(ServiceError::field(
                "roles",
                "unknown_role",
                format!("there is no role {unknown:?}"),
            ));
        }
        let roles: Vec<RoleId> = held.iter().map(|(id, _)| *id).collect();
        // From here on nobody else makes a label.
        label::begin_changes(&mut work, 0).await?;
        let is_new = label::by_name(&mut work, &name).await?.is_none();
        if is_new && label::names(&mut work).await?.len() >= limits::LABELS_MAX {
            let message = format!("there are {} labels, and can be no more", limits::LABELS_MAX);
            return Err(ServiceError::field("name", "too_many", message));
        }
        let id = LabelId::new(work.now().await?);
        let value = LabelValue {
            anonymous: draft.anonymous,
            description: draft.description.as_deref(),
            roles: &roles,
        };
        label::put(&mut work, &name, id, value).await?;
        let made = label::by_name(&mut work, &name)
            .await?
            .ok_or(ServiceError::NotFound)?;
        let event = caller.act(Action::LabelPut).on(&name);
        let event = event
            .with("roles", draft.roles.clone())
            .with("anonymous", draft.anonymous);
        audit::record(&mut work, event).await?;
        work.commit().await?;
        self.publisher.committed().await?;
        Ok((made, is_new))
    }

    /// A page of the labels. Everybody who is signed in may know them.
    ///
    /// # Errors
    ///
    /// That the database is away.
    pub async fn labels(&self, page: PageRequest) -> Result<Page<Label>, ServiceError> {
        Ok(label::list(&mut self.store.read().await?, page).await?)
    }

    /// A label.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`].
    pub async fn label(&self, name: &str) -> Result<Label, ServiceError> {
        let name = name.parse().map_err(|_| ServiceError::NotFound)?;
        label::by_name(&mut self.store.read().await?, &name)
            .await?
            .ok_or(ServiceError::NotFound)
    }

    /// Deletes a label. With `is_forced` it is taken from the films that carry it first, some at a time: if that breaks off,
    /// the label is still there, and some films are without it.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Forbidden`], [`ServiceError::NotFound`], [`ServiceError::LabelInUse`].
    pub async fn delete_label(
        &self,
        caller: &Caller,
        name: &str,
        is_forced: bool,
    ) -> Result<(), ServiceError> {
        Caller::require(caller.edits_roles())?;
        let name: LabelName = name.parse().map_err(|_| ServiceError::NotFound)?;
        loop {
            let mut work = self.store.write().await?;
            self.lock_actors(&mut work, caller, caller.subject, false).await?;
            label::begin_changes(&mut work, 0).await?;
            if label::by_name(&mut work, &name).await?.is_none() {
                return Err(ServiceError::NotFound);
            }
            let taken = if is_forced {
                film::take_label(&mut work, &name, FILMS_AT_ONCE).await?
            } else if film::any_with(&mut work, &name).await? {
                return Err(ServiceError::LabelInUse);
            } else {
                0
            };
            if taken == 0 {
                label::delete(&mut work, &name).await?;
                audit::record(&mut work, caller.act(Action::LabelDelete).on(&name)).await?;
            }
            work.commit().await?;
            self.publisher.committed().await?;
            if taken == 0 {
                return Ok(());
            }
        }
    }
}

/// Labels that a film is to carry, where one of them is not there.
pub(super) fn unknown_label(name: &str) -> String {
    let name: String = name.chars().take(limits::LABEL_NAME_BYTES_MAX).collect();
    format!("there is no label {name:?}")
}

impl From<shared::label::TooManyLabels> for ServiceError {
    fn from(error: shared::label::TooManyLabels) -> Self {
        Self::field("labels", "too_many", error.to_string())
    }
}
