//! How the verifiers are, for whoever may see it.

use super::{Caller, Service, ServiceError};
use crate::verifiers::Seen;

impl Service {
    /// How the verifiers are that the operator has listed, for `admin` and superusers.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Forbidden`].
    pub async fn verifier_health(&self, caller: &Caller) -> Result<Vec<Seen>, ServiceError> {
        Caller::require(caller.is_admin())?;
        Ok(self.verifiers.look().await)
    }
}
