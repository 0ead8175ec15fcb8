//! Users: seen, changed, disabled, deleted, and made superusers.

use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};
use shared::id::SubjectId;

use super::register::login_taken;
use super::{Caller, Service, ServiceError};
use crate::login::LoginName;
use crate::password::{Checked, Password};
use crate::store::audit::{self, Action};
use crate::store::user::{self, User};
use crate::store::{Page, PageRequest, session};

/// What somebody wants changed about a user.
#[derive(Debug, Default)]
pub struct Change {
    /// A new login.
    pub login: Option<String>,
    /// A new password.
    pub password: Option<SecretString>,
    /// The password as it is: proof of who asks.
    pub current_password: Option<SecretString>,
}

impl Service {
    /// A user: oneself, or anybody for `admin` and superusers.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Forbidden`], [`ServiceError::NotFound`].
    pub async fn user(&self, caller: &Caller, id: SubjectId) -> Result<User, ServiceError> {
        Caller::require(caller.subject == id || caller.is_admin())?;
        user::by_id(&mut self.store.read().await?, id)
            .await?
            .ok_or(ServiceError::NotFound)
    }

    /// A page of the users whose login begins with a text, for `admin` and superusers.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Forbidden`].
    pub async fn users(
        &self,
        caller: &Caller,
        prefix: &str,
        page: PageRequest,
    ) -> Result<Page<User>, ServiceError> {
        Caller::require(caller.is_admin())?;
        match LoginName::fold_prefix(prefix) {
            Some(prefix) => Ok(user::list(&mut self.store.read().await?, &prefix, page).await?),
            None => Ok(Page {
                items: Vec::new(),
                next: None,
            }),
        }
    }

    /// Changes login or password: of oneself, or of anybody for superusers. A new password ends every other session.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Forbidden`], [`ServiceError::NotFound`], [`ServiceError::LoginTaken`],
    /// [`ServiceError::WrongPassword`], [`ServiceError::TooManyRequests`], [`ServiceError::Invalid`].
    pub async fn change_user(
        &self,
        caller: &Caller,
        id: SubjectId,
        change: &Change,
        from: IpAddr,
    ) -> Result<User, ServiceError> {
        let own = caller.subject == id;
        Caller::require(own || caller.superuser)?;
        let current = user::by_id(&mut self.store.read().await?, id)
            .await?
            .ok_or(ServiceError::NotFound)?;
        let (login, password) = self.check_change(change, &current)?;
        let verified_hash = self.check_current_password(own, &current, change, from).await?;
        let new_hash = match &password {
            Some(password) => Some(self.passwords.hash(password).await?),
            None => None,
        };
        let mut work = self.store.write().await?;
        self.lock_actors(&mut work, caller, id, false).await?.found()?;
        if let Some(verified) = &verified_hash {
            // Another change of the password came between: what was proved is no longer so.
            let stored = user::password_by_id(&mut work, id)
                .await?
                .ok_or(ServiceError::NotFound)?;
            if stored.hash.expose_secret() != verified.expose_secret() {
                return Err(ServiceError::WrongPassword);
            }
        }
        if let Some(login) = login {
            user::set_login(&mut work, id, login.as_str())
                .await
                .map_err(login_taken)?;
            audit::record(&mut work, caller.act(Action::UserRename).on(id)).await?;
        }
        if let Some(hash) = &new_hash {
            user::set_password_hash(&mut work, id, hash).await?;
            user::outdate_tokens(&mut work, id).await?;
            session::end_all_but(&mut work, id, own.then_some(caller.session)).await?;
            audit::record(&mut work, caller.act(Action::UserChangePassword).on(id)).await?;
        }
        let changed = user::by_id(&mut work, id).await?.ok_or(ServiceError::NotFound)?;
        work.commit().await?;
        self.publisher.committed().await?;
        Ok(changed)
    }

    fn check_change(
        &self,
        change: &Change,
        current: &User,
    ) -> Result<(Option<LoginName>, Option<Password>), ServiceError> {
        let new_login = change.login.as_deref().map(LoginName::parse).transpose();
        let new_login =
            new_login.map_err(|refused| ServiceError::field("login", refused.code(), refused.message()))?;
        let login = new_login
            .clone()
            .or_else(|| LoginName::parse(&current.login).ok());
        let password = change
            .password
            .as_ref()
            .map(|password| Password::parse(password, self.policy.password, login.as_ref()))
            .transpose()
            .map_err(|refused| ServiceError::field("password", refused.code(), refused.message()))?;
        Ok((new_login, password))
    }

    /// Checks the current password where it is given or asked for. The hash that it was checked against.
    async fn check_current_password(
        &self,
        own: bool,
        current: &User,
        change: &Change,
        from: IpAddr,
    ) -> Result<Option<SecretString>, ServiceError> {
        let Some(given) = &change.current_password else {
            if own && self.policy.require_current_password {
                let message = "the current password is needed to change the account";
                return Err(ServiceError::field("current_password", "missing", message));
            }
            return Ok(None);
        };
        // A guess here is a guess at the login: one limit counts both.
        let attempt = self.limits.admit_login_to(&current.login, from).await?;
        let stored = user::password_by_id(&mut self.store.read().await?, current.id)
            .await?
            .ok_or(ServiceError::NotFound)?;
        // A guess that breaks off counts as a failure.
        let checked = self
            .check_password(&Password::presented(given), Some(&stored))
            .await?;
        match checked {
            Checked::Right { .. } => {
                attempt.succeeded().await;
                Ok(Some(stored.hash))
            }
            Checked::Wrong(wrong) => {
                attempt.failed();
                wrong.may_be_told().await;
                Err(ServiceError::WrongPassword)
            }
        }
    }

    /// Disables an account and ends its sessions at once, or enables it.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Forbidden`] (a superuser's, for those who are none), [`ServiceError::NotFound`],
    /// [`ServiceError::LastSuperuser`].
    pub async fn set_active(&self, caller: &Caller, id: SubjectId, active: bool) -> Result<(), ServiceError> {
        Caller::require(caller.is_admin())?;
        let mut work = self.store.write().await?;
        let actors = self.lock_actors(&mut work, caller, id, !active).await?;
        let target = actors.found()?;
        Caller::require(caller.superuser || !target.superuser)?;
        if target.active == active {
            drop(work);
            // Whoever did it may still be waiting for this.
            return Ok(self.publisher.committed().await?);
        }
        if !active {
            actors.keep_a_superuser()?;
        }
        user::set_active(&mut work, id, active).await?;
        if !active {
            user::outdate_tokens(&mut work, id).await?;
            session::end_all_but(&mut work, id, None).await?;
        }
        let event = caller.act(Action::of_account(active));
        audit::record(&mut work, event.on(id)).await?;
        work.commit().await?;
        Ok(self.publisher.committed().await?)
    }

    /// Deletes a user with everything personal: oneself, or anybody for superusers.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Forbidden`], [`ServiceError::NotFound`], [`ServiceError::LastSuperuser`].
    pub async fn delete_user(&self, caller: &Caller, id: SubjectId) -> Result<(), ServiceError> {
        Caller::require(caller.subject == id || caller.superuser)?;
        let mut work = self.store.write().await?;
        let actors = self.lock_actors(&mut work, caller, id, true).await?;
        actors.found()?;
        actors.keep_a_superuser()?;
        user::outdate_tokens(&mut work, id).await?;
        user::delete(&mut work, id).await?;
        audit::record(&mut work, caller.act(Action::UserDelete).on(id)).await?;
        audit::forget_addresses(&mut work, id).await?;
        work.commit().await?;
        Ok(self.publisher.committed().await?)
    }

    /// Makes somebody a superuser, or no longer one.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Forbidden`], [`ServiceError::NotFound`], [`ServiceError::LastSuperuser`].
    pub async fn set_superuser(
        &self,
        caller: &Caller,
        id: SubjectId,
        superuser: bool,
    ) -> Result<(), ServiceError> {
        Caller::require(caller.superuser)?;
        let mut work = self.store.write().await?;
        let actors = self.lock_actors(&mut work, caller, id, true).await?;
        let target = actors.found()?;
        if target.superuser == superuser {
            drop(work);
            // Whoever did it may still be waiting for this.
            return Ok(self.publisher.committed().await?);
        }
        if !superuser {
            actors.keep_a_superuser()?;
        }
        user::set_superuser(&mut work, id, superuser).await?;
        user::outdate_tokens(&mut work, id).await?;
        let action = if superuser {
            Action::SuperuserGrant
        } else {
            Action::SuperuserRevoke
        };
        audit::record(&mut work, caller.act(action).on(id)).await?;
        work.commit().await?;
        Ok(self.publisher.committed().await?)
    }
}
