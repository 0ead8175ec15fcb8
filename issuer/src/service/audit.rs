//! The audit trail, for whoever may see it.

use super::{Caller, Service, ServiceError};
use crate::store::audit::{self, Action, Filter, Recorded};
use crate::store::{Page, PageRequest};

impl Service {
    /// A page of what was done, newest first, for `admin` and superusers.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Forbidden`], [`ServiceError::Invalid`] for an action that there is not.
    pub async fn audit_trail(
        &self,
        caller: &Caller,
        filter: Filter<'_>,
        page: PageRequest,
    ) -> Result<Page<Recorded>, ServiceError> {
        Caller::require(caller.is_admin())?;
        let is_known = |name: &str| Action::ALL.iter().any(|action| action.as_str() == name);
        if filter.action.is_some_and(|name| !is_known(name)) {
            return Err(ServiceError::field(
                "action",
                "unknown_action",
                "there is no such action",
            ));
        }
        Ok(audit::list(&mut self.store.read().await?, filter, page).await?)
    }
}
