//! Refresh: the token rotates at each use, and a repeat is told from a theft by time alone.

use secrecy::SecretString;
use shared::id::{SessionId, SubjectId};
use shared::time::UnixMillis;

use super::{Origin, Service, ServiceError, TokenPair};
use crate::signing::RefreshToken;
use crate::store::audit::{self, Action, Actor, Event};
use crate::store::refresh::{self, Presented};
use crate::store::{Work, session};

/// The most successors that a token inside its grace is walked along. Nobody refreshes so often within it.
const WALK_MAX: i64 = 1024;

impl Service {
    /// Exchanges a refresh token for a new pair.
    ///
    /// # Errors
    ///
    /// [`ServiceError::InvalidRefreshToken`], [`ServiceError::RefreshTokenReused`] (its session is ended then), or
    /// that something of ours is away.
    pub async fn refresh(
        &self,
        presented: &SecretString,
        origin: &Origin,
    ) -> Result<TokenPair, ServiceError> {
        let token = RefreshToken::parse(presented).ok_or(ServiceError::InvalidRefreshToken)?;
        let digest = token.digest();
        // Read before anything is locked, so that made-up tokens cost a look-up and no more.
        let session = refresh::session_of(&mut self.store.read().await?, &digest)
            .await?
            .ok_or(ServiceError::InvalidRefreshToken)?;
        let started_at = self.clock.now();
        let mut work = self.store.write().await?;
        // Locks the session: of several exchanges at once, each sees what the one before it left.
        let truth = self
            .read_truth(&mut work, session)
            .await?
            .ok_or(ServiceError::InvalidRefreshToken)?;
        let found = refresh::presented(&mut work, &digest)
            .await?
            .ok_or(ServiceError::InvalidRefreshToken)?;
        let Some(newest) = self.newest(&mut work, &token, &found).await? else {
            return Err(self.end_reused(work, session, truth.subject, origin).await?);
        };
        // A repeat moves nothing on, the session's end least of all.
        let mut refresh_expires_at = found.idle_expires_at;
        if found.counter == found.leaf {
            refresh_expires_at = self.idle_expiry(work.now().await?, found.session_expires_at);
            refresh::rotate(&mut work, &found, &newest.digest(), refresh_expires_at).await?;
        }
        work.commit().await?;
        self.token_pair(&truth, session, started_at, &newest, refresh_expires_at)
            .await
    }

    /// The token to give for the one presented: its successor, or, where that has been used within the grace, the
    /// newest. `None` if the token has been away too long.
    async fn newest(
        &self,
        work: &mut Work,
        token: &RefreshToken,
        found: &Presented,
    ) -> Result<Option<RefreshToken>, ServiceError> {
        if !self.may_come_back(found, work.now().await?) {
            return Ok(None);
        }
        let successor = self.refresh_secret.successor(token, found.counter);
        let walk = found.counter + 1..found.leaf;
        Ok(Some(walk.fold(successor, |token, counter| {
            self.refresh_secret.successor(&token, counter)
        })))
    }

    /// Whether a token would be exchanged now, and not be taken for stolen.
    pub(super) fn may_come_back(&self, found: &Presented, now: UnixMillis) -> bool {
        // Never exchanged, or exchanged for a successor that nobody has used: the answer may have been lost.
        if found.leaf <= found.counter + 1 {
            return true;
        }
        let within_grace = found
            .successor_used_at
            .is_some_and(|used_at| now.since(used_at) <= self.policy.refresh_grace);
        within_grace && found.leaf - found.counter <= WALK_MAX
    }

    /// Ends the session of a token that came back. The error to answer with.
    async fn end_reused(
        &self,
        mut work: Work,
        session: SessionId,
        user: SubjectId,
        origin: &Origin,
    ) -> Result<ServiceError, ServiceError> {
        session::end(&mut work, session).await?;
        // Whoever presented it need not be the user.
        let event = Event::new(Actor::Anonymous, Action::SessionReuse).from(origin);
        let event = event.on(user).with("session", session.to_string());
        audit::record(&mut work, event).await?;
        work.commit().await?;
        self.publisher.committed().await?;
        Ok(ServiceError::RefreshTokenReused)
    }
}
