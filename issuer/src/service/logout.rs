//! Logout: of this session, or of every one.

use shared::id::SubjectId;
use shared::limits;
use shared::revocation::Fact;
use shared::token::Claims;

use super::authenticate::{invalid, is_of_service};
use super::{Origin, Service, ServiceError};
use crate::store::audit::{self, Action, Actor, Event};
use crate::store::{Work, client, outbox, session, user};

impl Service {
    /// Ends the session of a token, or with `all` every session of its user. A service has none: its token is revoked, or with
    /// `all` every token of it.
    ///
    /// A token that has expired, is stale or was revoked will do, as long as it is truly ours.
    ///
    /// # Errors
    ///
    /// [`ServiceError::InvalidToken`] if it is not, or that something of ours is away.
    pub async fn logout(&self, token: &str, all: bool, origin: &Origin) -> Result<(), ServiceError> {
        let signed = self.check_signature(token).await?;
        signed.check_origin(&self.policy.claims).map_err(invalid)?;
        let claims = signed.claims();
        let mut work = self.store.write().await?;
        let event = |action| Event::new(Actor::Subject(claims.subject), action).from(origin);
        if is_of_service(claims) {
            if all && client::outdate_tokens(&mut work, claims.subject).await? {
                audit::record(&mut work, event(Action::SessionEndAll).on(claims.subject)).await?;
            } else {
                audit::note(&mut work, event(Action::SessionLogout));
                self.record_token(&mut work, claims).await?;
            }
            work.commit().await?;
            return Ok(self.publisher.committed().await?);
        }
        let is_known = if all {
            let is_known = self.end_every_session(&mut work, claims.subject).await?;
            if is_known {
                audit::record(&mut work, event(Action::SessionEndAll).on(claims.subject)).await?;
            }
            is_known
        } else {
            audit::note(&mut work, event(Action::SessionLogout));
            session::end(&mut work, claims.session).await?
                || session::exists(&mut work, claims.session).await?
        };
        // A database that was set back has forgotten what it signed, and no longer refuses it by itself.
        if !is_known && !self.has_expired(claims) {
            outbox::record(
                &mut work,
                &Fact::Session {
                    session: claims.session,
                },
            )
            .await?;
        }
        work.commit().await?;
        Ok(self.publisher.committed().await?)
    }

    /// Records that this very token is revoked, once.
    async fn record_token(&self, work: &mut Work, claims: &Claims) -> Result<(), ServiceError> {
        let token = claims.token_id;
        if !self.has_expired(claims) && !outbox::token_is_revoked(work, token).await? {
            outbox::record(work, &Fact::Token { token }).await?;
        }
        Ok(())
    }

    fn has_expired(&self, claims: &Claims) -> bool {
        self.clock.now() > claims.expires_at.to_millis().plus(limits::LEEWAY_MAX)
    }

    /// `false`: there is no such user.
    async fn end_every_session(&self, work: &mut Work, user: SubjectId) -> Result<bool, ServiceError> {
        // The user's row first, as everywhere, so that a login under way is either ended or comes after.
        if user::lock(work, user, user, false).await?.is_empty() {
            return Ok(false);
        }
        user::outdate_tokens(work, user).await?;
        session::end_all_but(work, user, None).await?;
        Ok(true)
    }
}
