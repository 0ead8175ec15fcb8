//! What every sign-in ends in: a session, a refresh token, and an access token that tells the truth about one instant.

use std::time::Duration;

use secrecy::SecretString;
use shared::id::{SessionId, SubjectId, TokenId};
use shared::limits;
use shared::time::UnixMillis;

use super::{Origin, Service, ServiceError};
use crate::client_name;
use crate::signing::{AccessGrant, RefreshToken};
use crate::store::Work;
use crate::store::session::{self, Expiry, NewSession};
use crate::store::truth::{self, Truth};

/// A login and a password, as presented.
#[derive(Debug)]
pub struct Credentials {
    /// The login, as typed.
    pub login: String,
    /// The password, as typed.
    pub password: SecretString,
}

/// What a sign-in or a refresh gives.
#[derive(Debug)]
pub struct TokenPair {
    /// The access token.
    pub access_token: SecretString,
    /// How long it lives.
    pub expires_in: Duration,
    /// The refresh token.
    pub refresh_token: SecretString,
    /// How long it lives.
    pub refresh_expires_in: Duration,
    /// Whose they are.
    pub user_id: SubjectId,
}

impl Service {
    /// Signs a user in: begins a session, writes it into the history, reads the truth, commits, and signs. The caller has the
    /// user's row locked in `work`; `started_at` is from before that.
    pub(super) async fn finish_sign_in(
        &self,
        mut work: Work,
        user: SubjectId,
        origin: &Origin,
        started_at: UnixMillis,
    ) -> Result<TokenPair, ServiceError> {
        let now = work.now().await?;
        let id = SessionId::new(now);
        let absolute = now.plus(self.policy.session_ttl);
        let idle = self.idle_expiry(now, absolute);
        let token = RefreshToken::random();
        let new = NewSession {
            id,
            user,
            expiry: Expiry { absolute, idle },
            digest: &token.digest(),
            origin,
        };
        let truth = session::begin(&mut work, &new).await?;
        self.check_signs(&mut work, truth.as_ref()).await?;
        let truth = truth.ok_or(ServiceError::AccountDisabled)?;
        work.commit().await?;
        self.token_pair(&truth, id, started_at, &token, idle).await
    }

    /// When a session that is refreshed now ends if it is not refreshed again.
    pub(super) fn idle_expiry(&self, now: UnixMillis, absolute: UnixMillis) -> UnixMillis {
        now.plus(self.policy.refresh_ttl).min(absolute)
    }

    /// Reads the truth about a session, behind its lock, in the transaction that writes it. `None` if it has ended.
    pub(super) async fn read_truth(
        &self,
        work: &mut Work,
        session: SessionId,
    ) -> Result<Option<Truth>, ServiceError> {
        let truth = truth::of_session(work, session).await?;
        self.check_signs(work, truth.as_ref()).await?;
        Ok(truth)
    }

    /// Makes sure that what was just read may be signed: our clock is the database's, and so is the key.
    pub(super) async fn check_signs(
        &self,
        work: &mut Work,
        truth: Option<&Truth>,
    ) -> Result<(), ServiceError> {
        // Facts and tokens are compared by the database's time; a clock that is off would sign beyond their reach.
        let skew = work.clock_skew();
        if skew > limits::CLOCK_SKEW_MAX {
            tracing::error!(
                skew_ms = skew.as_millis(),
                "this machine's clock is off the database's: not signing"
            );
            return Err(ServiceError::Unavailable(
                "the clock is off the database's".into(),
            ));
        }
        if let Some(truth) = truth {
            self.keys.agree_on(work, truth.kid.as_deref()).await?;
        }
        Ok(())
    }

    /// Signs what was read. `started_at` is from before the transaction that read it.
    pub(super) async fn token_pair(
        &self,
        truth: &Truth,
        session: SessionId,
        started_at: UnixMillis,
        refresh_token: &RefreshToken,
        refresh_expires_at: UnixMillis,
    ) -> Result<TokenPair, ServiceError> {
        let issued_at = started_at.to_seconds();
        let lifetime_s = i64::try_from(self.policy.access_ttl.as_secs()).unwrap_or(i64::MAX);
        let grant = AccessGrant {
            issuer: &self.policy.claims.issuer,
            audience: &self.policy.claims.audience,
            subject: truth.subject,
            session,
            token_id: TokenId::new(started_at),
            client_id: client_name::WEB,
            roles: truth.roles.iter().collect(),
            ver: truth.ver,
            rver: truth.rver,
            superuser: truth.superuser,
            issued_at,
            expires_at: issued_at.plus_s(lifetime_s),
        };
        let access_token = self.keys.mint(&grant).await?;
        Ok(TokenPair {
            access_token: access_token.into(),
            expires_in: self.policy.access_ttl,
            refresh_token: refresh_token.to_text(),
            refresh_expires_in: refresh_expires_at.since(self.clock.now()),
            user_id: truth.subject,
        })
    }
}
