//! The login history of a user.

use shared::id::SubjectId;

use super::{Caller, Service, ServiceError};
use crate::store::login_history::{self, Attempt};
use crate::store::{Page, PageRequest, user};

impl Service {
    /// A page of a user's attempts to log in: one's own, or anybody's for `admin` and superusers.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Forbidden`], [`ServiceError::NotFound`].
    pub async fn login_history(
        &self,
        caller: &Caller,
        of: SubjectId,
        page: PageRequest,
    ) -> Result<Page<Attempt>, ServiceError> {
        Caller::require(caller.subject == of || caller.is_admin())?;
        let mut work = self.store.read().await?;
        if (caller.subject != of || caller.is_service) && user::by_id(&mut work, of).await?.is_none() {
            return Err(ServiceError::NotFound);
        }
        Ok(login_history::list(&mut work, of, page).await?)
    }
}
