//! Who calls: a token, judged by what the database says now.

use shared::id::{SessionId, SubjectId};
use shared::reason::Reason;
use shared::role::RoleSet;
use shared::token::{CompactToken, SignedToken, TokenError};

use super::{Service, ServiceError};
use crate::store::{Work, outbox, session, truth, user};

/// Somebody whose token holds, and what the database says of them now.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user.
    pub subject: SubjectId,
    /// The session of the token.
    pub session: SessionId,
    /// The authorization version of both the token and the user.
    pub ver: i64,
    /// Whether everything is allowed.
    pub superuser: bool,
    /// Names of the roles.
    pub roles: RoleSet,
}

impl Service {
    /// Checks a token and reads how its subject stands.
    ///
    /// # Errors
    ///
    /// [`ServiceError::InvalidToken`] with the reason, or [`ServiceError::Unavailable`].
    pub async fn authenticate(&self, token: &str) -> Result<Caller, ServiceError> {
        let signed = self.check_signature(token).await?;
        let now = self.clock.now().to_seconds();
        signed.validate(&self.policy.claims, now).map_err(invalid)?;
        let claims = signed.claims();
        let mut work = self.store.read().await?;
        let standing = truth::of_caller(&mut work, claims.subject, claims.session, signed.kid())
            .await?
            .ok_or(ServiceError::InvalidToken(Reason::Revoked))?;
        if !standing.session_lives || !standing.key_stands {
            return Err(ServiceError::InvalidToken(Reason::Revoked));
        }
        if claims.ver < standing.ver || !standing.active {
            return Err(ServiceError::InvalidToken(Reason::Stale));
        }
        if claims.rver < standing.rver {
            for name in claims.roles.iter() {
                if outbox::role_moved_on(&mut work, name, claims.rver).await? {
                    return Err(ServiceError::InvalidToken(Reason::Stale));
                }
            }
        }
        Ok(Caller {
            subject: claims.subject,
            session: claims.session,
            ver: standing.ver,
            superuser: standing.superuser,
            roles: standing.roles,
        })
    }

    /// Takes a token apart and checks its signature with our own keys, whatever the time.
    pub(super) async fn check_signature(&self, token: &str) -> Result<SignedToken, ServiceError> {
        let compact = CompactToken::parse(token).map_err(invalid)?;
        if self.keys.current().set().get(compact.kid()).is_none() {
            // Another issuer may have made it just now.
            self.keys.look().await?;
        }
        let keyring = self.keys.current();
        let key = keyring
            .set()
            .get(compact.kid())
            .ok_or(invalid(TokenError::UnknownKey))?;
        compact.verify(key).map_err(invalid)
    }

    /// Locks the caller and somebody whom the act concerns (perhaps the same), and makes sure that the caller's
    /// rights are still those that were checked. With `superusers` every superuser is locked as well.
    ///
    /// Done first in an act, so that rights taken away while it waited are not used any more.
    ///
    /// # Errors
    ///
    /// [`ServiceError::InvalidToken`]: `stale` if the caller's rights have changed, `revoked` if its session has ended.
    pub(super) async fn lock_actors(
        &self,
        work: &mut Work,
        caller: &Caller,
        target: SubjectId,
        superusers: bool,
    ) -> Result<Actors, ServiceError> {
        let locked = user::lock(work, caller.subject, target, superusers).await?;
        let caller_stands = locked
            .iter()
            .any(|user| user.id == caller.subject && user.ver == caller.ver && user.active);
        if !caller_stands {
            return Err(ServiceError::InvalidToken(Reason::Stale));
        }
        // The session may have ended since the token was checked: a password is hashed in between, or a lock awaited.
        if session::owner_of_live(work, caller.session).await? != Some(caller.subject) {
            return Err(ServiceError::InvalidToken(Reason::Revoked));
        }
        Ok(Actors::of(&locked, target))
    }
}

/// Users whose rows are locked for an act.
pub(super) struct Actors {
    /// Whom the act concerns, if there.
    pub(super) target: Option<user::Locked>,
    /// Active superusers beside the target, where superusers were locked.
    pub(super) other_superusers: usize,
}

impl Actors {
    /// Among users whose rows are locked, the one whom the act concerns.
    pub(super) fn of(locked: &[user::Locked], target: SubjectId) -> Self {
        let others = locked.iter().filter(|user| user.id != target);
        Self {
            target: locked.iter().find(|user| user.id == target).copied(),
            other_superusers: others.filter(|user| user.superuser && user.active).count(),
        }
    }

    /// The target, or [`ServiceError::NotFound`].
    pub(super) fn found(&self) -> Result<user::Locked, ServiceError> {
        self.target.ok_or(ServiceError::NotFound)
    }

    /// Refuses to lose the last active superuser.
    pub(super) fn keep_a_superuser(&self) -> Result<(), ServiceError> {
        let target_counts = self
            .target
            .is_some_and(|target| target.superuser && target.active);
        if target_counts && self.other_superusers == 0 {
            Err(ServiceError::LastSuperuser)
        } else {
            Ok(())
        }
    }
}

pub(super) fn invalid(error: TokenError) -> ServiceError {
    ServiceError::InvalidToken(error.reason())
}
