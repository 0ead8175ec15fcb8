//! Logout: of this session, or of every one.

use shared::id::SubjectId;

use super::authenticate::invalid;
use super::{Service, ServiceError};
use crate::store::{Work, session, user};

impl Service {
    /// Ends the session of a token, or with `all` every session of its user.
    ///
    /// A token that has expired, is stale or was revoked will do, as long as it is truly ours.
    ///
    /// # Errors
    ///
    /// [`ServiceError::InvalidToken`] if it is not, or that something of ours is away.
    pub async fn logout(&self, token: &str, all: bool) -> Result<(), ServiceError> {
        let signed = self.check_signature(token)?;
        signed.check_origin(&self.policy.claims).map_err(invalid)?;
        let claims = signed.claims();
        let mut work = self.store.write().await?;
        if all {
            self.end_every_session(&mut work, claims.subject).await?;
        } else {
            session::end(&mut work, claims.session).await?;
        }
        work.commit().await?;
        Ok(self.publisher.committed().await?)
    }

    async fn end_every_session(&self, work: &mut Work, user: SubjectId) -> Result<(), ServiceError> {
        // The user's row first, as everywhere, so that a login under way is either ended or comes after.
        if user::lock(work, user, user, false).await?.is_empty() {
            return Ok(());
        }
        user::outdate_tokens(work, user).await?;
        session::end_all_but(work, user, None).await?;
        Ok(())
    }
}
