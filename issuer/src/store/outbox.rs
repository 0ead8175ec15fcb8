//! The outbox: revocations committed with what caused them, and how long each must be remembered.

use shared::id::TokenId;
use shared::limits;
use shared::revocation::{Fact, Revocation};
use shared::time::UnixMillis;

use super::sql::{Statement, args, defect};
use super::{Row, StoreError, Work};

/// Entries read at once.
const BATCH: i64 = 1000;

/// Writes a fact into the outbox. It is kept until no token can be alive that it would refuse.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn record(work: &mut Work, fact: &Fact) -> Result<(), StoreError> {
    let expires = match fact {
        Fact::Key { .. } => None,
        _ => Some(expiry(work).await?),
    };
    insert(work, fact, expires).await?;
    work.note_fact(fact);
    Ok(())
}

/// Writes a fact into the outbox, and wakes who listens when that is committed.
pub(super) async fn insert(
    work: &mut Work,
    fact: &Fact,
    expires: Option<UnixMillis>,
) -> Result<(), StoreError> {
    const INSERT: Statement = Statement::each(
        "WITH written AS (INSERT INTO outbox (kind, ref, name, version, expires_at, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING id) SELECT pg_notify('usher_outbox', '') FROM written",
        "INSERT INTO outbox (kind, ref, name, version, expires_at, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    );
    let now = work.now().await?;
    let (reference, name, version) = match fact {
        Fact::Session { session } => (Some(session.0), None, None),
        Fact::Subject { subject, min_ver } => (Some(subject.0), None, Some(*min_ver)),
        Fact::Token { token } => (Some(token.0), None, None),
        Fact::Role { name, min_rver } => (None, Some(&**name), Some(*min_rver)),
        Fact::Key { kid } => (None, Some(&**kid), None),
    };
    let arguments = args![fact.kind(), reference, name, version, expires, now];
    work.execute(&INSERT, arguments).await.map(|_| ())
}

/// When no token that could be signed now is good any more, + a margin.
///
/// A longer lifetime waits until the unit of work ends: otherwise a token of that lifetime could be signed from what
/// was true before this fact, and outlive it.
pub(super) async fn expiry(work: &mut Work) -> Result<UnixMillis, StoreError> {
    Ok(tokens_end(work).await?.plus(limits::REVOCATION_MARGIN))
}

/// The database's time + the greatest access lifetime in use + the greatest leeway of a verifier.
pub(super) async fn tokens_end(work: &mut Work) -> Result<UnixMillis, StoreError> {
    const HOLD_LIFETIMES: Statement =
        Statement::each("SELECT pg_advisory_xact_lock_shared(7210735123)", "SELECT 1");
    const GREATEST: Statement = Statement::each(
        "SELECT MAX(lifetime_s) AS lifetime_s FROM access_lifetimes \
         WHERE last_used_at + make_interval(secs => lifetime_s) > $1",
        "SELECT MAX(lifetime_s) AS lifetime_s FROM access_lifetimes \
         WHERE last_used_at + lifetime_s * 1000 > $1",
    );
    work.execute(&HOLD_LIFETIMES, args![]).await?;
    let now = work.now().await?;
    let row = work.fetch_one(&GREATEST, args![now]).await?;
    let lifetime_s = row.number_or_null("lifetime_s")?.unwrap_or(0);
    Ok(UnixMillis(now.0 + lifetime_s * 1000).plus(limits::LEEWAY_MAX))
}

/// Records that access tokens are signed with this lifetime from now on. To be said before the first is signed, and
/// again while they are.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn record_lifetime(work: &mut Work, lifetime_s: i64) -> Result<(), StoreError> {
    const USE: Statement = Statement::each(
        "UPDATE access_lifetimes SET last_used_at = $2 \
         WHERE lifetime_s = $1 AND last_used_at + make_interval(secs => lifetime_s) > $2",
        "UPDATE access_lifetimes SET last_used_at = $2 \
         WHERE lifetime_s = $1 AND last_used_at + lifetime_s * 1000 > $2",
    );
    const AWAIT_FACTS: Statement = Statement::each("SELECT pg_advisory_xact_lock(7210735123)", "SELECT 1");
    const UPSERT: Statement = Statement::both(
        "INSERT INTO access_lifetimes (lifetime_s, last_used_at) VALUES ($1, $2) \
         ON CONFLICT (lifetime_s) DO UPDATE SET last_used_at = excluded.last_used_at",
    );
    let now = work.now().await?;
    if work.execute(&USE, args![lifetime_s, now]).await? == 1 {
        return Ok(());
    }
    // Every fact under way was dated without this lifetime: let it be committed before a token of it is signed.
    work.execute(&AWAIT_FACTS, args![]).await?;
    work.execute(&UPSERT, args![lifetime_s, now]).await.map(|_| ())
}

/// An entry of the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxEntry {
    /// Its number, in the order of writing.
    pub id: i64,
    /// What it says.
    pub revocation: Revocation,
}

/// The live entries after number `after`, in order, a batch of them.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn live_after(work: &mut Work, after: i64) -> Result<Vec<OutboxEntry>, StoreError> {
    const AFTER: Statement = Statement::both(
        "SELECT id, kind, ref, name, version, expires_at FROM outbox \
         WHERE id > $1 AND (expires_at IS NULL OR expires_at > $2) ORDER BY id LIMIT $3",
    );
    let now = work.now().await?;
    work.fetch_all(&AFTER, args![after, now, BATCH])
        .await?
        .iter()
        .map(|row| {
            Ok(OutboxEntry {
                id: row.number("id")?,
                revocation: read(row)?,
            })
        })
        .collect()
}

/// What the columns `kind`, `ref`, `name`, `version` and `expires_at` say.
pub(super) fn read(row: &Row) -> Result<Revocation, StoreError> {
    let reference = || row.id::<uuid::Uuid>("ref");
    let name = || row.text("name").map(Into::into);
    let fact = match row.text("kind")?.as_str() {
        "session" => Fact::Session {
            session: reference()?.into(),
        },
        "subject" => Fact::Subject {
            subject: reference()?.into(),
            min_ver: row.number("version")?,
        },
        "token" => Fact::Token {
            token: reference()?.into(),
        },
        "role" => Fact::Role {
            name: name()?,
            min_rver: row.number("version")?,
        },
        "key" => Fact::Key { kid: name()? },
        other => return Err(defect(format!("unknown kind of revocation {other:?}"))),
    };
    Ok(Revocation {
        fact,
        expires: row.time_or_null("expires_at")?,
    })
}

/// Forgets entries that can refuse nothing any more, whether they were published or not. How many.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn delete_expired(work: &mut Work) -> Result<u64, StoreError> {
    // What is being given its number right now is left for the next time: to wait for it could be a deadlock.
    const DELETE: Statement = Statement::each(
        "DELETE FROM outbox WHERE id IN \
         (SELECT id FROM outbox WHERE expires_at <= $1 FOR UPDATE SKIP LOCKED)",
        "DELETE FROM outbox WHERE expires_at <= $1",
    );
    let now = work.now().await?;
    work.execute(&DELETE, args![now]).await
}

/// Whether a role's name was renamed or deleted away since `rver`.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn role_moved_on(work: &mut Work, name: &str, rver: i64) -> Result<bool, StoreError> {
    const MOVED: Statement =
        Statement::both("SELECT id FROM outbox WHERE kind = 'role' AND name = $1 AND version > $2 LIMIT 1");
    Ok(work.fetch_optional(&MOVED, args![name, rver]).await?.is_some())
}

/// Whether this very token was revoked.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn token_is_revoked(work: &mut Work, token: TokenId) -> Result<bool, StoreError> {
    const REVOKED: Statement =
        Statement::both("SELECT id FROM outbox WHERE kind = 'token' AND ref = $1 LIMIT 1");
    Ok(work.fetch_optional(&REVOKED, args![token]).await?.is_some())
}
