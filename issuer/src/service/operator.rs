//! What an operator does to somebody's account from the command line, where the operator's word is enough.

use shared::id::SubjectId;

use super::authenticate::Actors;
use super::{Credentials, Service, ServiceError};
use crate::login::LoginName;
use crate::store::audit::{self, Action, Actor, Event};
use crate::store::{Work, session, user};

impl Service {
    /// Gives somebody a new password, under the rules of every new one. Every session ends, and tokens are outdated.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`], [`ServiceError::NotFound`], or that something of ours is away.
    pub async fn set_password_of(&self, credentials: &Credentials) -> Result<(), ServiceError> {
        let (login, password) = self.check_new_credentials(credentials)?;
        let hash = self.passwords.hash(&password).await?;
        let mut work = self.store.write().await?;
        let (id, _) = lock_by_login(&mut work, &login).await?;
        user::set_password_hash(&mut work, id, &hash).await?;
        user::outdate_tokens(&mut work, id).await?;
        session::end_all_but(&mut work, id, None).await?;
        let event = Event::new(Actor::Operator, Action::UserChangePassword);
        audit::record(&mut work, event.on(id)).await?;
        work.commit().await?;
        Ok(self.publisher.committed().await?)
    }

    /// Disables an account and ends its sessions at once, or enables it. Whether that changed anything.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`], [`ServiceError::NotFound`], [`ServiceError::LastSuperuser`], or that something of ours is
    /// away.
    pub async fn set_active_of(&self, login: &str, active: bool) -> Result<bool, ServiceError> {
        let login = LoginName::parse(login)
            .map_err(|refused| ServiceError::field("login", refused.code(), refused.message()))?;
        let mut work = self.store.write().await?;
        let (id, actors) = lock_by_login(&mut work, &login).await?;
        if actors.found()?.active == active {
            drop(work);
            // Whoever did it may still be waiting for this.
            self.publisher.committed().await?;
            return Ok(false);
        }
        if !active {
            actors.keep_a_superuser()?;
            user::outdate_tokens(&mut work, id).await?;
            session::end_all_but(&mut work, id, None).await?;
        }
        user::set_active(&mut work, id, active).await?;
        let action = Action::of_account(active);
        audit::record(&mut work, Event::new(Actor::Operator, action).on(id)).await?;
        work.commit().await?;
        self.publisher.committed().await?;
        Ok(true)
    }
}

/// Locks somebody, and every superuser.
async fn lock_by_login(work: &mut Work, login: &LoginName) -> Result<(SubjectId, Actors), ServiceError> {
    let id = user::id_by_login(work, login.as_str()).await?;
    let id = id.ok_or(ServiceError::NotFound)?;
    let actors = Actors::of(&user::lock(work, id, id, true).await?, id);
    actors.found()?;
    Ok((id, actors))
}
