//! What a sign-in writes and reads, in as few round trips as it can be.

use shared::id::{LoginId, SessionId, SubjectId};

use super::super::login_history::{self, Outcome};
use super::super::sql::{Statement, args};
use super::super::truth::{self, Truth, select_truth};
use super::super::{StoreError, Work, refresh};
use super::{Expiry, Origin};

/// A session that is to begin.
#[derive(Clone, Copy, Debug)]
pub struct NewSession<'a> {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub user: SubjectId,
    /// When it ends by itself.
    pub expiry: Expiry,
    /// The digest of its first refresh token.
    pub digest: &'a [u8],
    /// Where its login came from.
    pub origin: &'a Origin,
}

/// Begins a session with its first refresh token, writes the login into the history, and reads the truth about its user, of
/// whom the caller holds the row locked. `None` if the account is disabled: the caller takes all of it back.
///
/// PostgreSQL does it in one statement, which sees what was committed before it began: the row was locked before.
///
/// # Errors
///
/// [`StoreError::Gone`] if the user is.
pub async fn begin(work: &mut Work, new: &NewSession<'_>) -> Result<Option<Truth>, StoreError> {
    const BEGIN: Statement = Statement::postgres(concat!(
        "WITH session AS (INSERT INTO sessions (id, user_id, created_at, last_seen_at, expires_at, refresh_expires_at, \
         ip, user_agent, device) VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8)), \
         token AS (INSERT INTO refresh_tokens (digest, session_id, counter) VALUES ($9, $1, 0)), \
         attempt AS (INSERT INTO login_history (id, at, user_id, session_id, outcome, ip, user_agent, device) \
         VALUES ($10, $3, $2, $1, $11, $6, $7, $8)) ",
        select_truth!(" FROM users u CROSS JOIN role_version v WHERE u.id = $2 AND u.active")
    ));
    let NewSession {
        id,
        user,
        expiry,
        digest,
        origin,
    } = *new;
    if !work.is_postgres() {
        super::insert(work, id, user, expiry, origin).await?;
        refresh::insert(work, digest, id, 0).await?;
        login_history::insert(work, Some(user), Outcome::Success, Some(id), origin).await?;
        return truth::of_session(work, id).await;
    }
    let now = work.now().await?;
    let arguments = args![
        id,
        user,
        now,
        expiry.absolute,
        expiry.idle,
        origin.ip.as_deref(),
        origin.user_agent.as_deref(),
        origin.device.as_deref(),
        digest,
        LoginId::new(now),
        Outcome::Success.as_str()
    ];
    let row = work.fetch_optional(&BEGIN, arguments).await?;
    login_history::note(work, Some(user), Outcome::Success, origin);
    row.as_ref().map(truth::read).transpose()
}
