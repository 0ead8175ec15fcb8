//! Superusers made from the command line, where the operator's word is enough.

use shared::id::SubjectId;

use super::{Credentials, Service, ServiceError, built_in};
use crate::store::audit::{self, Action, Actor, Event};
use crate::store::{role, user};

/// What `superuser create` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Superuser {
    /// Made a new user.
    Created,
    /// Made an existing user one, with the password that was given.
    Promoted,
}

impl Service {
    /// Makes a superuser: a new user, or one that exists, whose password becomes the given one.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`], or that something of ours is away.
    pub async fn create_superuser(&self, credentials: &Credentials) -> Result<Superuser, ServiceError> {
        let (login, password) = self.check_new_credentials(credentials)?;
        let hash = self.passwords.hash(&password).await?;
        let mut work = self.store.write().await?;
        let existing = user::id_by_login(&mut work, login.as_str()).await?;
        let (id, outcome) = if let Some(id) = existing {
            if user::lock(&mut work, id, id, false).await?.is_empty() {
                return Err(ServiceError::NotFound);
            }
            user::set_password_hash(&mut work, id, &hash).await?;
            user::set_superuser(&mut work, id, true).await?;
            user::set_active(&mut work, id, true).await?;
            user::outdate_tokens(&mut work, id).await?;
            crate::store::session::end_all_but(&mut work, id, None).await?;
            (id, Superuser::Promoted)
        } else {
            let id = SubjectId::new(work.now().await?);
            user::insert(&mut work, id, login.as_str(), &hash, true).await?;
            role::grant(&mut work, id, built_in::USER_ID).await?;
            (id, Superuser::Created)
        };
        let event = Event::new(Actor::Operator, Action::SuperuserGrant).on(id);
        audit::record(&mut work, event.with("created", outcome == Superuser::Created)).await?;
        work.commit().await?;
        self.publisher.committed().await?;
        Ok(outcome)
    }

    /// Whether anybody is a superuser and active.
    ///
    /// # Errors
    ///
    /// That the database is away.
    pub async fn has_superuser(&self) -> Result<bool, ServiceError> {
        Ok(user::any_superuser(&mut self.store.read().await?).await?)
    }
}
