//! The lease: one issuer at a time writes the feed.

use std::time::Duration;

use shared::time::UnixMillis;

use super::super::sql::{Statement, args, defect};
use super::{StoreError, Term, Work, stored, unsigned};

/// The lease as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseView {
    /// The database's time, read before the rest.
    pub now: UnixMillis,
    /// Of the last holder; number 0 if there was none.
    pub term: Term,
    /// From when on the lease has lapsed.
    pub ends_at: UnixMillis,
    /// The greatest sequence number ever given.
    pub last_seq: u64,
    /// A stream that was begun in a lower term must not be gone on with: the database has been set back since.
    pub min_epoch: u64,
    /// Number of the last change of labels.
    pub label_change: u64,
    /// What the holder said it had published when it last renewed.
    pub published_seq: u64,
    /// When the row that has waited longest was written: one without a number, or with one above `published_seq`.
    /// `None` if nothing is unpublished.
    pub unpublished_since: Option<UnixMillis>,
}

/// Looks at the lease, and at what is unpublished.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn look(work: &mut Work) -> Result<LeaseView, StoreError> {
    // The first row of each kind, not the least time of all: that would read whatever has piled up. Their times
    // differ by no more than a transaction lasts.
    const LOOK: Statement = Statement::both(
        "SELECT term, nonce, ends_at, last_seq, published_seq, min_epoch, (SELECT change FROM label_clock) AS label_change, \
         (SELECT created_at FROM outbox WHERE seq IS NULL ORDER BY id LIMIT 1) AS unnumbered_since, \
         (SELECT created_at FROM outbox WHERE seq > published_seq ORDER BY seq LIMIT 1) AS numbered_since \
         FROM feed_lease",
    );
    let now = work.now().await?;
    let row = work.fetch_one(&LOOK, args![]).await?;
    let nonce = row
        .bytes("nonce")?
        .try_into()
        .map_err(|_| defect("the nonce is not of 16 bytes".to_owned()))?;
    let unnumbered_since = row.time_or_null("unnumbered_since")?;
    let numbered_since = row.time_or_null("numbered_since")?;
    Ok(LeaseView {
        now,
        term: Term {
            number: unsigned(&row, "term")?,
            nonce,
        },
        ends_at: row.time("ends_at")?,
        last_seq: unsigned(&row, "last_seq")?,
        min_epoch: unsigned(&row, "min_epoch")?,
        label_change: unsigned(&row, "label_change")?,
        published_seq: unsigned(&row, "published_seq")?,
        unpublished_since: unnumbered_since.into_iter().chain(numbered_since).min(),
    })
}

/// Takes the lease for `term`, if it is still as `seen`, and with `lapsed_only` not renewed since and over by now. It
/// ends `duration` from now. Whether it is ours.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer, or `term` is more than it can hold.
pub async fn acquire(
    work: &mut Work,
    seen: &LeaseView,
    lapsed_only: bool,
    term: Term,
    duration: Duration,
) -> Result<bool, StoreError> {
    const ACQUIRE: Statement = Statement::both(
        "UPDATE feed_lease SET term = $1, nonce = $2, ends_at = $3 WHERE term = $4 AND nonce = $5",
    );
    const ACQUIRE_LAPSED: Statement = Statement::both(
        "UPDATE feed_lease SET term = $1, nonce = $2, ends_at = $3 WHERE term = $4 AND nonce = $5 \
         AND ends_at = $6 AND ends_at <= $7",
    );
    let now = work.now().await?;
    let mut arguments = args![
        stored(term.number)?,
        &term.nonce[..],
        now.plus(duration),
        stored(seen.term.number)?,
        &seen.term.nonce[..],
    ];
    let statement = if lapsed_only {
        arguments.extend(args![seen.ends_at, now]);
        &ACQUIRE_LAPSED
    } else {
        &ACQUIRE
    };
    Ok(work.execute(statement, arguments).await? == 1)
}

/// Moves the end of the lease to `duration` from now and notes what has been published, even if the lease had lapsed
/// and nobody came. `false` if it is somebody else's by now.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn renew(
    work: &mut Work,
    term: Term,
    duration: Duration,
    published_seq: u64,
) -> Result<bool, StoreError> {
    let renewal = Some((duration, published_seq));
    Ok(lock(work, term, renewal).await?.is_some())
}

/// Lets the lease lapse at once, if it is ours.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn release(work: &mut Work, term: Term) -> Result<(), StoreError> {
    const RELEASE: Statement =
        Statement::both("UPDATE feed_lease SET ends_at = $3 WHERE term = $1 AND nonce = $2");
    let now = work.now().await?;
    work.execute(&RELEASE, args![stored(term.number)?, &term.nonce[..], now])
        .await
        .map(|_| ())
}

/// Locks the lease until the unit of work ends, and renews it if asked to. The greatest sequence number ever given, or
/// `None` if the lease is not ours.
pub(super) async fn lock(
    work: &mut Work,
    term: Term,
    renewal: Option<(Duration, u64)>,
) -> Result<Option<u64>, StoreError> {
    const LOCK: Statement = Statement::each(
        "SELECT last_seq FROM feed_lease WHERE term = $1 AND nonce = $2 FOR UPDATE",
        "SELECT last_seq FROM feed_lease WHERE term = $1 AND nonce = $2",
    );
    const RENEW: Statement = Statement::both(
        "UPDATE feed_lease SET ends_at = $3, published_seq = $4 WHERE term = $1 AND nonce = $2 RETURNING last_seq",
    );
    let now = work.now().await?;
    let mut arguments = args![stored(term.number)?, &term.nonce[..]];
    let statement = if let Some((duration, published_seq)) = renewal {
        arguments.extend(args![now.plus(duration), stored(published_seq)?]);
        &RENEW
    } else {
        &LOCK
    };
    let row = work.fetch_optional(statement, arguments).await?;
    row.map(|row| unsigned(&row, "last_seq")).transpose()
}
