//! What is to be published about labels: their changes in the order of their numbers, and everything there is.

use std::sync::Arc;

use shared::id::FilmId;
use shared::label::{Definition, LabelChange, LabelRole};
use shared::time::UnixMillis;

use super::super::sql::{Statement, args};
use super::super::{film, label};
use super::batch::note_last;
use super::lease::lock;
use super::{Row, StoreError, Term, Work, stored, unsigned};

/// Changes of labels, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelChanges {
    /// The database's time, read before the rest.
    pub now: UnixMillis,
    /// Number of the last change that is told with these.
    pub change: u64,
    /// What has changed.
    pub changes: Vec<LabelChange>,
    /// Whether these are all that were committed before `now`.
    pub is_complete: bool,
}

/// What came of asking for changes to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelsTaken {
    /// The lease is not ours.
    Deposed,
    /// The database knows of fewer numbers than are published.
    SetBack,
    /// These, as one entry of this number; the last one given, if there are none.
    Entry(u64, LabelChanges),
}

/// A part of everything there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelPage {
    /// The database's time, read before the rest.
    pub now: UnixMillis,
    /// Number of the last change at that time: those up to it are in this page, if they belong there.
    pub change: u64,
    /// What there is: every label in the first page, and films in the order of their ids.
    pub changes: Vec<LabelChange>,
    /// The last film; `None`: there are no more.
    pub last: Option<FilmId>,
}

/// Number of the last change of labels.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub(super) async fn last_change(work: &mut Work) -> Result<u64, StoreError> {
    const LAST: Statement = Statement::both("SELECT change FROM label_clock");
    unsigned(&work.fetch_one(&LAST, args![]).await?, "change")
}

/// Gives a sequence number to the changes behind `told`, of which about `limit` are told at once.
///
/// The lease stays locked until the unit of work ends, which must write. The caller commits it before it sends anything.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn take_labels(
    work: &mut Work,
    term: Term,
    published: u64,
    told: u64,
    limit: u32,
) -> Result<LabelsTaken, StoreError> {
    work.now().await?;
    let Some(before) = lock(work, term, None).await? else {
        return Ok(LabelsTaken::Deposed);
    };
    if before < published || last_change(work).await? < told {
        return Ok(LabelsTaken::SetBack);
    }
    let changes = label_changes(work, told, limit).await?;
    if changes.changes.is_empty() {
        return Ok(LabelsTaken::Entry(before, changes));
    }
    let seq = before.saturating_add(1);
    note_last(work, seq).await?;
    Ok(LabelsTaken::Entry(seq, changes))
}

/// The changes behind `told`: about `limit` of them, or all.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn label_changes(work: &mut Work, told: u64, limit: u32) -> Result<LabelChanges, StoreError> {
    let now = work.now().await?;
    // Before the rows: whoever changes any raises it, and nobody else does until that is committed.
    let last = last_change(work).await?;
    let films = films_changed(work, told, last, limit).await?;
    let is_complete = films.len() < usize::try_from(limit).unwrap_or(usize::MAX);
    let change = match films.last() {
        Some((change, _)) if !is_complete => *change,
        _ => last.max(told),
    };
    let mut changes = definitions(work, told, change).await?;
    changes.extend(films.into_iter().map(|(_, film)| film));
    Ok(LabelChanges {
        now,
        change,
        changes,
        is_complete,
    })
}

/// What there is: with `after`, the films behind it, at most `limit`; without, every label and the first films.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn label_page(work: &mut Work, after: Option<FilmId>, limit: u32) -> Result<LabelPage, StoreError> {
    let now = work.now().await?;
    let change = last_change(work).await?;
    let mut changes = Vec::new();
    if after.is_none() {
        changes = definitions(work, 0, change).await?;
        changes.retain(|change| !matches!(change, LabelChange::Definition { definition: None, .. }));
    }
    let films = film::page(work, after, limit).await?;
    let is_last = films.len() < usize::try_from(limit).unwrap_or(usize::MAX);
    let last = films.last().map(|(film, _)| *film).filter(|_| !is_last);
    changes.extend(films.into_iter().map(|(film, labels)| LabelChange::Film {
        film,
        labels: Arc::new(labels),
    }));
    Ok(LabelPage {
        now,
        change,
        changes,
        last,
    })
}

/// Films that have changed behind `after`, up to `last`, in the order of their changes, with the number of each.
async fn films_changed(
    work: &mut Work,
    after: u64,
    last: u64,
    limit: u32,
) -> Result<Vec<(u64, LabelChange)>, StoreError> {
    const CHANGED: Statement = Statement::both(
        "SELECT f.film_id, f.change, s.names FROM film_labels f JOIN label_sets s ON s.id = f.set_id \
         WHERE f.change > $1 AND f.change <= $2 ORDER BY f.change LIMIT $3",
    );
    let rows = work
        .fetch_all(&CHANGED, args![stored(after)?, stored(last)?, i64::from(limit)])
        .await?;
    rows.iter()
        .map(|row| {
            let film = LabelChange::Film {
                film: row.id("film_id")?,
                labels: Arc::new(film::labels(row)?),
            };
            Ok((unsigned(row, "change")?, film))
        })
        .collect()
}

/// Labels that have changed behind `after`, up to `last`, as they are now.
async fn definitions(work: &mut Work, after: u64, last: u64) -> Result<Vec<LabelChange>, StoreError> {
    const CHANGED: Statement = Statement::both(
        "SELECT name, anonymous, deleted FROM labels WHERE change > $1 AND change <= $2 ORDER BY change",
    );
    let rows = work
        .fetch_all(&CHANGED, args![stored(after)?, stored(last)?])
        .await?;
    let mut changes = Vec::with_capacity(rows.len());
    for row in &rows {
        changes.push(definition(work, row).await?);
    }
    Ok(changes)
}

async fn definition(work: &mut Work, row: &Row) -> Result<LabelChange, StoreError> {
    const ROLES: Statement = Statement::both(
        "SELECT r.id, r.name FROM label_roles lr JOIN roles r ON r.id = lr.role_id WHERE lr.label = $1 ORDER BY r.id",
    );
    let name = label::name(row, "name")?;
    if row.flag("deleted")? {
        return Ok(LabelChange::Definition {
            name,
            definition: None,
        });
    }
    let rows = work.fetch_all(&ROLES, args![name.as_str()]).await?;
    let mut roles = rows
        .iter()
        .map(|row| {
            Ok(LabelRole {
                id: row.id("id")?,
                name: row.text("name")?.into(),
            })
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    // As bytes, whatever the database makes of an id.
    roles.sort_unstable();
    Ok(LabelChange::Definition {
        name,
        definition: Some(Definition {
            anonymous: row.flag("anonymous")?,
            roles,
        }),
    })
}
