//! Refresh tokens, as digests: one row for each that was ever given out in a session.

use shared::id::{SessionId, SubjectId};
use shared::time::UnixMillis;

use super::sql::{Statement, args};
use super::{Row, StoreError, Work};

/// A presented refresh token that is one of ours, and how far its session has come since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presented {
    /// Its session.
    pub session: SessionId,
    /// Its number in the session.
    pub counter: i64,
    /// The number of the newest.
    pub leaf: i64,
    /// When its successor was first used, if it has one that was.
    pub successor_used_at: Option<UnixMillis>,
    /// When the session ends if nothing is refreshed before.
    pub idle_expires_at: UnixMillis,
    /// When the session ends, whatever happens.
    pub session_expires_at: UnixMillis,
}

/// Adds the token number `counter` of a session.
///
/// # Errors
///
/// [`StoreError::Duplicate`] if there is one of that number or digest.
pub async fn insert(
    work: &mut Work,
    digest: &[u8],
    session: SessionId,
    counter: i64,
) -> Result<(), StoreError> {
    const INSERT: Statement =
        Statement::both("INSERT INTO refresh_tokens (digest, session_id, counter) VALUES ($1, $2, $3)");
    work.execute(&INSERT, args![digest, session, counter])
        .await
        .map(|_| ())
}

/// Whose a digest is. Locks nothing.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn session_of(work: &mut Work, digest: &[u8]) -> Result<Option<SessionId>, StoreError> {
    const FIND: Statement = Statement::both("SELECT session_id FROM refresh_tokens WHERE digest = $1");
    work.fetch_optional(&FIND, args![digest])
        .await?
        .map(|row| row.id("session_id"))
        .transpose()
}

/// What is known of a presented token, read behind the lock that [`super::truth::of_session`] holds.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn presented(work: &mut Work, digest: &[u8]) -> Result<Option<Presented>, StoreError> {
    const FIND: Statement = Statement::both(
        "SELECT t.session_id, t.counter, s.leaf, s.expires_at, s.refresh_expires_at, n.used_at FROM refresh_tokens t \
         JOIN sessions s ON s.id = t.session_id \
         LEFT JOIN refresh_tokens n ON n.session_id = t.session_id AND n.counter = t.counter + 1 \
         WHERE t.digest = $1",
    );
    let row = work.fetch_optional(&FIND, args![digest]).await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<Presented, StoreError> {
    Ok(Presented {
        session: row.id("session_id")?,
        counter: row.number("counter")?,
        leaf: row.number("leaf")?,
        successor_used_at: row.time_or_null("used_at")?,
        idle_expires_at: row.time("refresh_expires_at")?,
        session_expires_at: row.time("expires_at")?,
    })
}

/// Whose a refresh token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The user's id.
    pub id: SubjectId,
    /// The login.
    pub login: String,
}

/// What is known of a presented token of a live session of an active user, and whose it is. Locks nothing.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn live(work: &mut Work, digest: &[u8]) -> Result<Option<(Presented, Holder)>, StoreError> {
    const LIVE: Statement = Statement::both(
        "SELECT t.session_id, t.counter, s.leaf, s.expires_at, s.refresh_expires_at, n.used_at, u.id, u.login \
         FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id JOIN users u ON u.id = s.user_id \
         LEFT JOIN refresh_tokens n ON n.session_id = t.session_id AND n.counter = t.counter + 1 \
         WHERE t.digest = $1 AND s.ended_at IS NULL AND s.expires_at > $2 AND s.refresh_expires_at > $2 AND u.active",
    );
    let now = work.now().await?;
    let row = work.fetch_optional(&LIVE, args![digest, now]).await?;
    row.map(|row| {
        let holder = Holder {
            id: row.id("id")?,
            login: row.text("login")?,
        };
        Ok((read(&row)?, holder))
    })
    .transpose()
}

/// Exchanges the newest token of a session for its successor: marks it used, adds the successor, moves the session on.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn rotate(
    work: &mut Work,
    presented: &Presented,
    successor_digest: &[u8],
    idle_expiry: UnixMillis,
) -> Result<(), StoreError> {
    const ROTATE: Statement = Statement::postgres(
        "WITH used AS (UPDATE refresh_tokens SET used_at = $3 WHERE session_id = $1 AND counter = $2), \
         next AS (INSERT INTO refresh_tokens (digest, session_id, counter) VALUES ($4, $1, $5)) \
         UPDATE sessions SET leaf = $5, last_seen_at = $3, refresh_expires_at = $6 WHERE id = $1",
    );
    const USE: Statement =
        Statement::sqlite("UPDATE refresh_tokens SET used_at = $3 WHERE session_id = $1 AND counter = $2");
    const MOVE_ON: Statement = Statement::sqlite(
        "UPDATE sessions SET leaf = $2, last_seen_at = $3, refresh_expires_at = $4 WHERE id = $1",
    );
    let now = work.now().await?;
    let (session, counter) = (presented.session, presented.counter);
    let successor = counter + 1;
    if work.is_postgres() {
        let arguments = args![session, counter, now, successor_digest, successor, idle_expiry];
        return work.execute(&ROTATE, arguments).await.map(|_| ());
    }
    work.execute(&USE, args![session, counter, now]).await?;
    insert(work, successor_digest, session, successor).await?;
    work.execute(&MOVE_ON, args![session, successor, now, idle_expiry])
        .await
        .map(|_| ())
}
