//! One's own sessions, and ending one.

use shared::id::SessionId;

use super::{Caller, Service, ServiceError};
use crate::store::audit::{self, Action};
use crate::store::session::{self, Session};
use crate::store::{Page, PageRequest};

impl Service {
    /// A page of the caller's live sessions.
    ///
    /// # Errors
    ///
    /// That the database is away.
    pub async fn sessions(&self, caller: &Caller, page: PageRequest) -> Result<Page<Session>, ServiceError> {
        Ok(session::list_live(&mut self.store.read().await?, caller.subject, page).await?)
    }

    /// Ends a session, at every edge.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] if there is none, or the caller may not end it: which, is not told.
    pub async fn end_session(&self, caller: &Caller, session: SessionId) -> Result<(), ServiceError> {
        let mut work = self.store.write().await?;
        let owner = session::owner_of_live(&mut work, session)
            .await?
            .ok_or(ServiceError::NotFound)?;
        if owner != caller.subject {
            // Judged behind the lock: the owner may have become a superuser while we waited.
            let owner = self.lock_actors(&mut work, caller, owner, false).await?.found()?;
            let allowed = caller.superuser || (caller.is_admin() && !owner.superuser);
            if !allowed {
                return Err(ServiceError::NotFound);
            }
        }
        if !session::end(&mut work, session).await? {
            return Err(ServiceError::NotFound);
        }
        let event = caller.act(Action::SessionEnd).on(owner);
        audit::record(&mut work, event.with("session", session.to_string())).await?;
        work.commit().await?;
        Ok(self.publisher.committed().await?)
    }
}
