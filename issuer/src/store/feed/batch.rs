//! What is to be published next, and the numbers that put it in order.

use std::time::Duration;

use shared::revocation::Revocation;
use shared::time::UnixMillis;

use super::super::outbox;
use super::super::sql::{Statement, args};
use super::labels::last_change;
use super::lease::lock;
use super::{Row, StoreError, Term, Work, stored, unsigned};

/// What is to be published next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The database's time, read before the rows.
    pub now: UnixMillis,
    /// The greatest sequence number ever given, with those of this batch. Below what is published, the database has been
    /// set back, and no number was given.
    pub last_seq: u64,
    /// The lowest sequence number of a row, published or not; `None` if none has one.
    ///
    /// The stream may be trimmed below it when this batch is complete and its entries are in the stream: a row that is
    /// published anew has lost its old number, and must not be missing from the stream until it is there again.
    pub lowest_live: Option<u64>,
    /// The rows above what was published, with their sequence numbers and in their order, at most as many as asked for.
    pub entries: Vec<(u64, Revocation)>,
    /// Whether these are all: nothing else that was committed before `now` is unpublished.
    pub is_complete: bool,
    /// Number of the last change of labels that was committed before `now`, or of a later one.
    pub label_change: u64,
}

impl Batch {
    /// A batch of the first `limit` of these entries, which are one more where that is not all.
    fn of(
        now: UnixMillis,
        last_seq: u64,
        lowest_live: Option<u64>,
        mut entries: Vec<(u64, Revocation)>,
        all_numbered: bool,
        limit: u32,
        label_change: u64,
    ) -> Self {
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let is_complete = all_numbered && entries.len() <= most;
        entries.truncate(most);
        Self {
            now,
            last_seq,
            lowest_live,
            entries,
            is_complete,
            label_change,
        }
    }

    /// Nothing to publish: the database knows of fewer numbers than the stream has.
    fn set_back(now: UnixMillis, last_seq: u64) -> Self {
        Self {
            now,
            last_seq,
            lowest_live: None,
            entries: Vec::new(),
            is_complete: false,
            label_change: 0,
        }
    }
}

/// Numbers what has no number yet and gives what is to be published next. `None` if the lease is not ours.
///
/// At most `limit` rows without a number get the next ones, in the order of `id`; then as many of the rows that never
/// expire and were published at or below `republish_below` get new ones, so that they do not hold back trimming. The
/// entries are the first `limit` rows above `published`. `renewal` renews the lease in the same breath: for how long,
/// and what has been published.
///
/// The lease stays locked until the unit of work ends, which must write. The caller commits it before it sends
/// anything; on PostgreSQL it is one statement, which may commit by itself (`Store::write_at_once`).
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn take_batch(
    work: &mut Work,
    term: Term,
    published: u64,
    limit: u32,
    republish_below: Option<u64>,
    renewal: Option<(Duration, u64)>,
) -> Result<Option<Batch>, StoreError> {
    if work.is_postgres() {
        return take_in_one_step(work, term, published, limit, republish_below, renewal).await;
    }
    let now = work.now().await?;
    let Some(before) = lock(work, term, renewal).await? else {
        return Ok(None);
    };
    if before < published {
        // Set back behind what is published. Numbers given now would be taken for those that were.
        return Ok(Some(Batch::set_back(now, before)));
    }
    let numbered = number_new(work, before, limit).await?;
    let mut last_seq = before.saturating_add(numbered);
    if let Some(below) = republish_below {
        let renumbered = number_anew(work, last_seq, limit, below.min(published)).await?;
        last_seq = last_seq.saturating_add(renumbered);
    }
    if last_seq > before {
        note_last(work, last_seq).await?;
    }
    let entries = numbered_above(work, published, i64::from(limit) + 1).await?;
    // Fewer than could be numbered: those were all that were committed before. To look again would see what has come
    // since, and under load there would be no end of it.
    let all_numbered = numbered < u64::from(limit) || !any_unnumbered(work).await?;
    let lowest_live = lowest(work).await?;
    let label_change = last_change(work).await?;
    Ok(Some(Batch::of(
        now,
        last_seq,
        lowest_live,
        entries,
        all_numbered,
        limit,
        label_change,
    )))
}

/// All of [`take_batch`], by the function of `migrations/postgres/0004_take_batch.sql`: between a logout's answer and its
/// refusal at the edge there is one round trip to the database, and not one for each step.
async fn take_in_one_step(
    work: &mut Work,
    term: Term,
    published: u64,
    limit: u32,
    republish_below: Option<u64>,
    renewal: Option<(Duration, u64)>,
) -> Result<Option<Batch>, StoreError> {
    const TAKE: Statement = Statement::postgres(
        "SELECT now, last_seq, lowest_live, all_numbered, label_change, seq, kind, ref, name, version, expires_at \
         FROM feed_take_batch($1, $2, $3, $4, $5, $6, $7)",
    );
    let (lease_ms, noted) = match renewal {
        Some((duration, noted)) => (i64::try_from(duration.as_millis()).ok(), Some(stored(noted)?)),
        None => (None, None),
    };
    let arguments = args![
        stored(term.number)?,
        &term.nonce[..],
        stored(published)?,
        i64::from(limit),
        republish_below.map(stored).transpose()?,
        lease_ms,
        noted,
    ];
    let rows = work.fetch_all(&TAKE, arguments).await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let (now, last_seq) = (first.time("now")?, unsigned(first, "last_seq")?);
    if last_seq < published {
        return Ok(Some(Batch::set_back(now, last_seq)));
    }
    let lowest_live = match first.number_or_null("lowest_live")? {
        Some(_) => Some(unsigned(first, "lowest_live")?),
        None => None,
    };
    let all_numbered = first.flag("all_numbered")?;
    let entries = match first.number_or_null("seq")? {
        Some(_) => rows.iter().map(read).collect::<Result<_, _>>()?,
        None => Vec::new(),
    };
    Ok(Some(Batch::of(
        now,
        last_seq,
        lowest_live,
        entries,
        all_numbered,
        limit,
        unsigned(first, "label_change")?,
    )))
}

/// Gives the numbers after `last_seq` to rows that have none. How many.
async fn number_new(work: &mut Work, last_seq: u64, limit: u32) -> Result<u64, StoreError> {
    const NUMBER: Statement = Statement::sqlite(
        "WITH pending AS (SELECT id FROM outbox WHERE seq IS NULL ORDER BY id LIMIT $2), \
         numbered AS (SELECT id, $1 + ROW_NUMBER() OVER (ORDER BY id) AS seq FROM pending) \
         UPDATE outbox SET seq = numbered.seq FROM numbered WHERE outbox.id = numbered.id",
    );
    work.execute(&NUMBER, args![stored(last_seq)?, i64::from(limit)])
        .await
}

/// Gives the numbers after `last_seq` to rows that never expire and have one up to `below`. How many.
async fn number_anew(work: &mut Work, last_seq: u64, limit: u32, below: u64) -> Result<u64, StoreError> {
    const NUMBER: Statement = Statement::sqlite(
        "WITH kept AS (SELECT id FROM outbox WHERE expires_at IS NULL AND seq <= $3 ORDER BY id LIMIT $2), \
         numbered AS (SELECT id, $1 + ROW_NUMBER() OVER (ORDER BY id) AS seq FROM kept) \
         UPDATE outbox SET seq = numbered.seq FROM numbered WHERE outbox.id = numbered.id",
    );
    let arguments = args![stored(last_seq)?, i64::from(limit), stored(below)?];
    work.execute(&NUMBER, arguments).await
}

/// Notes the greatest sequence number ever given. The lease is locked.
pub(super) async fn note_last(work: &mut Work, last_seq: u64) -> Result<(), StoreError> {
    const NOTE: Statement = Statement::both("UPDATE feed_lease SET last_seq = $1 WHERE last_seq < $1");
    work.execute(&NOTE, args![stored(last_seq)?]).await.map(|_| ())
}

async fn numbered_above(
    work: &mut Work,
    after: u64,
    limit: i64,
) -> Result<Vec<(u64, Revocation)>, StoreError> {
    const ABOVE: Statement = Statement::both(
        "SELECT seq, kind, ref, name, version, expires_at FROM outbox WHERE seq > $1 ORDER BY seq LIMIT $2",
    );
    work.fetch_all(&ABOVE, args![stored(after)?, limit])
        .await?
        .iter()
        .map(read)
        .collect()
}

async fn any_unnumbered(work: &mut Work) -> Result<bool, StoreError> {
    const ANY: Statement = Statement::both("SELECT id FROM outbox WHERE seq IS NULL ORDER BY id LIMIT 1");
    Ok(work.fetch_optional(&ANY, args![]).await?.is_some())
}

async fn lowest(work: &mut Work) -> Result<Option<u64>, StoreError> {
    const LOWEST: Statement =
        Statement::both("SELECT seq FROM outbox WHERE seq IS NOT NULL ORDER BY seq LIMIT 1");
    let row = work.fetch_optional(&LOWEST, args![]).await?;
    row.map(|row| unsigned(&row, "seq")).transpose()
}

/// The rows numbered above `after` that have not expired, in the order of their numbers, at most `limit`: for a new
/// epoch.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn live_after(
    work: &mut Work,
    after: u64,
    limit: u32,
) -> Result<Vec<(u64, Revocation)>, StoreError> {
    const LIVE: Statement = Statement::both(
        "SELECT seq, kind, ref, name, version, expires_at FROM outbox \
         WHERE seq > $1 AND (expires_at IS NULL OR expires_at > $2) ORDER BY seq LIMIT $3",
    );
    let now = work.now().await?;
    work.fetch_all(&LIVE, args![stored(after)?, now, i64::from(limit)])
        .await?
        .iter()
        .map(read)
        .collect()
}

fn read(row: &Row) -> Result<(u64, Revocation), StoreError> {
    Ok((unsigned(row, "seq")?, outbox::read(row)?))
}
