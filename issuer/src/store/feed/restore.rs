//! The way back of a database that has lost commits which the stream still proves.

use std::collections::HashMap;

use shared::revocation::{Fact, Revocation};
use shared::time::UnixMillis;

use super::super::outbox;
use super::super::sql::{Statement, args};
use super::batch::note_last;
use super::lease::lock;
use super::{StoreError, Term, Work, stored};

/// Rows of the outbox read at once.
const PAGE: i64 = 1000;

/// Brings back what a verified stream proves and the database has lost: it was restored from a backup, or failed over
/// without its last commits. `false`, and nothing is done, if the lease is not ours.
///
/// Each fact that is not in the outbox is written there, without a number, and takes effect again: a session ends, a
/// subject's `ver` and the roles' `rver` are at least what the fact asks for; a client that this is about needs a new secret.
/// It is kept for as long as the stream
/// says, and at least for as long as if it were new. The greatest sequence number ever given is at least
/// `at_least_seq`, and no stream that was begun before this term will be gone on with: what it says about labels is not
/// what the database says.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer, or gave up to break a deadlock: then nothing of it is done, and it
/// may be tried again.
pub async fn restore(
    work: &mut Work,
    term: Term,
    facts: &[Revocation],
    at_least_seq: u64,
) -> Result<bool, StoreError> {
    const NO_OLDER_STREAM: Statement = Statement::both("UPDATE feed_lease SET min_epoch = $1");
    work.now().await?;
    if lock(work, term, None).await?.is_none() {
        return Ok(false);
    }
    let mut missing: Vec<_> = lost(work, facts).await?.into_iter().collect();
    // Users before sessions, each in order, as everywhere, so that no two wait for each other in a circle.
    missing.sort_unstable_by_key(|(fact, _)| (rank(fact), *fact));
    for (fact, _) in &missing {
        take_effect(work, fact).await?;
    }
    // What the database said since it was set back may be in a token: the fact must outlive that too.
    let fresh = outbox::expiry(work).await?;
    for (fact, expires) in missing {
        outbox::insert(work, fact, expires.map(|expires| expires.max(fresh))).await?;
    }
    note_last(work, at_least_seq).await?;
    work.execute(&NO_OLDER_STREAM, args![stored(term.number)?])
        .await?;
    Ok(true)
}

/// The facts that the outbox lacks, or forgets sooner than the stream does, each with its latest expiry.
async fn lost<'a>(
    work: &mut Work,
    facts: &'a [Revocation],
) -> Result<HashMap<&'a Fact, Option<UnixMillis>>, StoreError> {
    // Read whole, a page at a time: an index for this alone would slow down every fact that is written.
    const ROWS: Statement = Statement::both(
        "SELECT id, kind, ref, name, version, expires_at FROM outbox WHERE id > $1 ORDER BY id LIMIT $2",
    );
    let mut wanted: HashMap<&Fact, Option<UnixMillis>> = HashMap::new();
    for Revocation { fact, expires } in facts {
        let latest = wanted.entry(fact).or_insert(*expires);
        *latest = later(*latest, *expires);
    }
    let mut after = 0;
    loop {
        let rows = work.fetch_all(&ROWS, args![after, PAGE]).await?;
        let Some(last) = rows.last() else {
            return Ok(wanted);
        };
        after = last.number("id")?;
        for row in &rows {
            let Revocation { fact, expires } = outbox::read(row)?;
            if wanted
                .get(&fact)
                .is_some_and(|until| later(*until, expires) == expires)
            {
                wanted.remove(&fact);
            }
        }
    }
}

/// The later of two expiries, of which `None` is never.
fn later(one: Option<UnixMillis>, other: Option<UnixMillis>) -> Option<UnixMillis> {
    Some(one?.max(other?))
}

/// The order in which rows are locked.
fn rank(fact: &Fact) -> u8 {
    match fact {
        Fact::Subject { .. } => 0,
        Fact::Session { .. } => 1,
        Fact::Role { .. } => 2,
        Fact::Token { .. } | Fact::Key { .. } => 3,
    }
}

async fn take_effect(work: &mut Work, fact: &Fact) -> Result<(), StoreError> {
    const END_SESSION: Statement =
        Statement::both("UPDATE sessions SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL");
    const RAISE_VER: Statement = Statement::both("UPDATE users SET ver = $2 WHERE id = $1 AND ver < $2");
    // Its secret was replaced, or it was deleted: the one that the database remembers must not work again.
    const CLOSE_CLIENT: Statement =
        Statement::both("UPDATE clients SET ver = $2, secret_digest = $3 WHERE id = $1 AND ver < $2");
    const RAISE_RVER: Statement = Statement::both("UPDATE role_version SET rver = $1 WHERE rver < $1");
    let (statement, arguments) = match fact {
        Fact::Session { session } => (&END_SESSION, args![*session, work.now().await?]),
        Fact::Subject { subject, min_ver } => {
            let nothing: &[u8] = &[];
            let closing = args![*subject, *min_ver, nothing];
            work.execute(&CLOSE_CLIENT, closing).await?;
            (&RAISE_VER, args![*subject, *min_ver])
        }
        Fact::Role { min_rver, .. } => (&RAISE_RVER, args![*min_rver]),
        // Their row is all there is.
        Fact::Token { .. } | Fact::Key { .. } => return Ok(()),
    };
    work.execute(statement, arguments).await.map(|_| ())
}
