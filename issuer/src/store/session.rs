//! Sessions: from a login to its end.

mod begin;

use shared::id::{SessionId, SubjectId};
use shared::revocation::Fact;
use shared::time::UnixMillis;

use super::sql::{Statement, args};
use super::{Page, PageRequest, Row, StoreError, Work, outbox};

pub use begin::{NewSession, begin};

/// Where a request came from, as far as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The client's address.
    pub ip: Option<String>,
    /// Its `User-Agent`, cut to a bound.
    pub user_agent: Option<String>,
    /// A short name read from it.
    pub device: Option<String>,
    /// The request's id. The audit trail has it, sessions and the login history do not.
    pub request_id: Option<String>,
}

/// A session as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The session's id, the `sid` of its tokens.
    pub id: SessionId,
    /// When its login was.
    pub created_at: UnixMillis,
    /// When it was last refreshed.
    pub last_seen_at: UnixMillis,
    /// Where its login came from.
    pub origin: Origin,
}

/// When a session ends by itself.
#[derive(Clone, Copy, Debug)]
pub struct Expiry {
    /// Whatever happens.
    pub absolute: UnixMillis,
    /// If nothing is refreshed before.
    pub idle: UnixMillis,
}

/// Begins a session.
///
/// # Errors
///
/// [`StoreError::Gone`] if the user is.
pub async fn insert(
    work: &mut Work,
    id: SessionId,
    user: SubjectId,
    expiry: Expiry,
    origin: &Origin,
) -> Result<(), StoreError> {
    const INSERT: Statement = Statement::both(
        "INSERT INTO sessions (id, user_id, created_at, last_seen_at, expires_at, refresh_expires_at, ip, \
         user_agent, device) VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8)",
    );
    let now = work.now().await?;
    let Origin {
        ip,
        user_agent,
        device,
        request_id: _,
    } = origin;
    let arguments = args![
        id,
        user,
        now,
        expiry.absolute,
        expiry.idle,
        ip.as_deref(),
        user_agent.as_deref(),
        device.as_deref()
    ];
    work.execute(&INSERT, arguments).await.map(|_| ())
}

/// A page of a user's live sessions, newest first.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn list_live(
    work: &mut Work,
    user: SubjectId,
    page: PageRequest,
) -> Result<Page<Session>, StoreError> {
    const LIST: Statement = Statement::both(
        "SELECT id, created_at, last_seen_at, ip, user_agent, device FROM sessions \
         WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2 AND refresh_expires_at > $2 AND id < $3 \
         ORDER BY id DESC LIMIT $4",
    );
    let now = work.now().await?;
    let rows = work
        .fetch_all(
            &LIST,
            args![user, now, page.before_or_end(), page.limit_and_one()],
        )
        .await?;
    page.page(&rows, read, |session| session.id.0)
}

fn read(row: &Row) -> Result<Session, StoreError> {
    Ok(Session {
        id: row.id("id")?,
        created_at: row.time("created_at")?,
        last_seen_at: row.time("last_seen_at")?,
        origin: Origin {
            ip: row.text_or_null("ip")?,
            user_agent: row.text_or_null("user_agent")?,
            device: row.text_or_null("device")?,
            request_id: None,
        },
    })
}

/// Whose a live session is.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn owner_of_live(work: &mut Work, session: SessionId) -> Result<Option<SubjectId>, StoreError> {
    const OWNER: Statement = Statement::both(
        "SELECT user_id FROM sessions \
         WHERE id = $1 AND ended_at IS NULL AND expires_at > $2 AND refresh_expires_at > $2",
    );
    let now = work.now().await?;
    let row = work.fetch_optional(&OWNER, args![session, now]).await?;
    row.map(|row| row.id("user_id")).transpose()
}

/// Ends a session and records that its tokens are revoked. Whether it was alive.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn end(work: &mut Work, session: SessionId) -> Result<bool, StoreError> {
    const END: Statement =
        Statement::both("UPDATE sessions SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL");
    let now = work.now().await?;
    if work.execute(&END, args![session, now]).await? == 0 {
        return Ok(false);
    }
    outbox::record(work, &Fact::Session { session }).await?;
    Ok(true)
}

/// Whether there is such a session, ended or not.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn exists(work: &mut Work, session: SessionId) -> Result<bool, StoreError> {
    const EXISTS: Statement = Statement::both("SELECT id FROM sessions WHERE id = $1");
    Ok(work.fetch_optional(&EXISTS, args![session]).await?.is_some())
}

/// Ends every session of a user, but `keep`. Their access tokens are refused by the user's raised version, which the
/// caller sees to (`user::outdate_tokens`).
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn end_all_but(
    work: &mut Work,
    user: SubjectId,
    keep: Option<SessionId>,
) -> Result<u64, StoreError> {
    const END: Statement = Statement::both(
        "UPDATE sessions SET ended_at = $2 WHERE user_id = $1 AND ended_at IS NULL AND id <> $3",
    );
    let now = work.now().await?;
    let keep = keep.map_or(uuid::Uuid::nil(), |session| session.0);
    work.execute(&END, args![user, now, keep]).await
}

/// Forgets sessions that ended, or expired, before `before`, with their refresh tokens. How many.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn delete_expired(work: &mut Work, before: UnixMillis) -> Result<u64, StoreError> {
    // What somebody else is ending right now is left for the next time: to wait for it could be a deadlock.
    const DELETE: Statement = Statement::each(
        "DELETE FROM sessions WHERE id IN \
         (SELECT id FROM sessions WHERE expires_at <= $1 FOR UPDATE SKIP LOCKED)",
        "DELETE FROM sessions WHERE expires_at <= $1",
    );
    work.execute(&DELETE, args![before]).await
}
