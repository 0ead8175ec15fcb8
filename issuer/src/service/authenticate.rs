//! Who calls: a token, judged by what the database says now.

use shared::id::{SessionId, SubjectId, TokenId};
use shared::reason::Reason;
use shared::role::RoleSet;
use shared::token::{Claims, CompactToken, SignedToken, TokenError};

use super::{Origin, Service, ServiceError};
use crate::client_name;
use crate::store::audit::{Action, Actor, Event};
use crate::store::{Work, client, outbox, session, truth, user};

/// Somebody whose token holds, and what the database says of them now.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user, or the service's client.
    pub subject: SubjectId,
    /// Whether it is a service: nobody who has an account, sessions or a login history.
    pub is_service: bool,
    /// The session of the token; a service's has the token's own id here.
    pub session: SessionId,
    /// The authorization version of both the token and its subject.
    pub ver: i64,
    /// Whether everything is allowed.
    pub superuser: bool,
    /// Names of the roles.
    pub roles: RoleSet,
    /// Where the request came from.
    pub origin: Origin,
}

impl Caller {
    /// Something that the caller does, for the audit trail.
    pub(super) fn act(&self, action: Action) -> Event {
        Event::new(Actor::Subject(self.subject), action).from(&self.origin)
    }
}

impl Service {
    /// Checks a token and reads how its subject stands. `origin` is where the request came from.
    ///
    /// # Errors
    ///
    /// [`ServiceError::InvalidToken`] with the reason, or [`ServiceError::Unavailable`].
    pub async fn authenticate(&self, token: &str, origin: Origin) -> Result<Caller, ServiceError> {
        let signed = self.check_signature(token).await?;
        self.judge(&signed, origin).await
    }

    /// Judges a token whose signature holds by what the database says now.
    ///
    /// # Errors
    ///
    /// Those of [`Service::authenticate`].
    pub(super) async fn judge(&self, signed: &SignedToken, origin: Origin) -> Result<Caller, ServiceError> {
        let now = self.clock.now().to_seconds();
        signed.validate(&self.policy.claims, now).map_err(invalid)?;
        let claims = signed.claims();
        let is_service = is_of_service(claims);
        let mut work = self.store.read().await?;
        let standing = if is_service {
            truth::of_service(&mut work, claims.subject, claims.token_id, signed.kid()).await?
        } else {
            truth::of_caller(&mut work, claims.subject, claims.session, signed.kid()).await?
        };
        let standing = standing.ok_or(ServiceError::InvalidToken(Reason::Revoked))?;
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
            is_service,
            session: claims.session,
            ver: standing.ver,
            superuser: standing.superuser,
            roles: standing.roles,
            origin,
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
        let caller_stands = if caller.is_service {
            client::hold(work, caller.subject, caller.ver).await?
        } else {
            locked
                .iter()
                .any(|user| user.id == caller.subject && user.ver == caller.ver && user.active)
        };
        if !caller_stands {
            return Err(ServiceError::InvalidToken(Reason::Stale));
        }
        // The session may have ended since the token was checked: a password is hashed in between, or a lock awaited.
        let session_lives = if caller.is_service {
            !outbox::token_is_revoked(work, TokenId(caller.session.0)).await?
        } else {
            session::owner_of_live(work, caller.session).await? == Some(caller.subject)
        };
        if !session_lives {
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

/// Whether a token of ours is a service's: people have theirs through the site's own client.
pub(super) fn is_of_service(claims: &Claims) -> bool {
    &*claims.client_id != client_name::WEB
}

pub(super) fn invalid(error: TokenError) -> ServiceError {
    ServiceError::InvalidToken(error.reason())
}
