//! Films and the labels that they carry. A film that carries none is not here, except to be published as such.

use std::collections::HashMap;

use serde_json::json;
use shared::id::FilmId;
use shared::label::{LabelName, LabelNames};
use uuid::Uuid;

use super::label::begin_changes;
use super::sql::{Statement, args, defect};
use super::{Row, StoreError, Work};

/// The set without labels, as the migrations make it.
const NO_LABELS: i64 = 0;

/// Parts the names of a set.
const PART: char = '|';

/// The labels that a row names.
pub(super) fn labels(row: &Row) -> Result<LabelNames, StoreError> {
    let names = row.text("names")?;
    let parts = names.split(PART).filter(|name| !name.is_empty());
    let read: Result<Vec<LabelName>, _> = parts.map(str::parse).collect();
    read.ok()
        .and_then(|names| LabelNames::new(names).ok())
        .ok_or_else(|| defect(format!("no set of labels: {names:?}")))
}

/// The id of a set of labels, which is made if need be. Within changes that have begun.
async fn set_id(work: &mut Work, names: &LabelNames) -> Result<i64, StoreError> {
    const FIND: Statement = Statement::both("SELECT id FROM label_sets WHERE names = $1");
    const ADD: Statement = Statement::both("INSERT INTO label_sets (names) VALUES ($1) RETURNING id");
    const ADD_MEMBER: Statement =
        Statement::both("INSERT INTO label_set_members (label, set_id) VALUES ($1, $2)");
    let text = names
        .iter()
        .map(LabelName::as_str)
        .collect::<Vec<_>>()
        .join(&PART.to_string());
    if let Some(row) = work.fetch_optional(&FIND, args![text.as_str()]).await? {
        return row.number("id");
    }
    let id = work.fetch_one(&ADD, args![text.as_str()]).await?.number("id")?;
    for name in names.iter() {
        work.execute(&ADD_MEMBER, args![name.as_str(), id]).await?;
    }
    Ok(id)
}

/// Gives films their labels, instead of those that they carry; of a film that stands twice, the last counts. How many films
/// carry others now than before.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn put(work: &mut Work, films: &[(FilmId, LabelNames)]) -> Result<u64, StoreError> {
    // Nothing is written where nothing changes, so that an import can be run again at no cost to the verifiers.
    const PUT: Statement = Statement::each(
        "INSERT INTO film_labels (film_id, set_id, change) \
         SELECT (e.value->>0)::uuid, (e.value->>1)::bigint, $2 + e.at \
         FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS e(value, at) \
         ON CONFLICT (film_id) DO UPDATE SET set_id = excluded.set_id, change = excluded.change \
         WHERE film_labels.set_id <> excluded.set_id",
        "INSERT INTO film_labels (film_id, set_id, change) \
         SELECT unhex(json_extract(e.value, '$[0]')), json_extract(e.value, '$[1]'), $2 + e.key + 1 \
         FROM json_each($1) AS e WHERE true \
         ON CONFLICT (film_id) DO UPDATE SET set_id = excluded.set_id, change = excluded.change \
         WHERE film_labels.set_id <> excluded.set_id",
    );
    const CLEAR: Statement = Statement::each(
        "UPDATE film_labels SET set_id = 0, change = $2 + e.at \
         FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS e(value, at) \
         WHERE film_id = (e.value->>0)::uuid AND set_id <> 0",
        "UPDATE film_labels SET set_id = 0, change = $2 + e.key + 1 \
         FROM json_each($1) AS e \
         WHERE film_id = unhex(json_extract(e.value, '$[0]')) AND set_id <> 0",
    );
    if films.is_empty() {
        return Ok(0);
    }
    let last: HashMap<FilmId, &LabelNames> = films.iter().map(|(film, labels)| (*film, labels)).collect();
    let mut before = begin_changes(work, u64::try_from(last.len()).unwrap_or(u64::MAX)).await?;
    let (mut sets, mut rows) = (HashMap::new(), Vec::with_capacity(last.len()));
    for (film, labels) in last {
        let set = match sets.get(labels) {
            Some(set) => *set,
            None => set_id(work, labels).await?,
        };
        sets.insert(labels, set);
        rows.push((film, set));
    }
    // In one order, so that the pages of the index are gone through once.
    rows.sort_unstable();
    let (cleared, given): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(_, set)| *set == NO_LABELS);
    let mut changed = 0;
    for (statement, rows) in [(&PUT, given), (&CLEAR, cleared)] {
        if rows.is_empty() {
            continue;
        }
        let count = i64::try_from(rows.len()).unwrap_or(0);
        let values = rows
            .iter()
            .map(|(film, set)| json!([film.0.simple().to_string(), set]));
        let text = values.collect::<serde_json::Value>().to_string();
        changed += work.execute(statement, args![text.as_str(), before]).await?;
        before += count;
    }
    Ok(changed)
}

/// The labels of a film.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn of(work: &mut Work, film: FilmId) -> Result<LabelNames, StoreError> {
    const OF: Statement = Statement::both(
        "SELECT s.names FROM film_labels f JOIN label_sets s ON s.id = f.set_id WHERE f.film_id = $1",
    );
    let row = work.fetch_optional(&OF, args![film.0]).await?;
    row.as_ref().map_or_else(|| Ok(LabelNames::default()), labels)
}

/// Films that carry labels, in the order of their ids, from behind one of them on, at most `limit`.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn page(
    work: &mut Work,
    after: Option<FilmId>,
    limit: u32,
) -> Result<Vec<(FilmId, LabelNames)>, StoreError> {
    const FIRST: Statement = Statement::both(
        "SELECT f.film_id, s.names FROM film_labels f JOIN label_sets s ON s.id = f.set_id \
         WHERE f.film_id >= $1 AND f.set_id <> 0 ORDER BY f.film_id LIMIT $2",
    );
    const AFTER: Statement = Statement::both(
        "SELECT f.film_id, s.names FROM film_labels f JOIN label_sets s ON s.id = f.set_id \
         WHERE f.film_id > $1 AND f.set_id <> 0 ORDER BY f.film_id LIMIT $2",
    );
    let statement = if after.is_some() { &AFTER } else { &FIRST };
    let after = after.map_or(Uuid::nil(), |film| film.0);
    let rows = work.fetch_all(statement, args![after, i64::from(limit)]).await?;
    rows.iter()
        .map(|row| Ok((row.id("film_id")?, labels(row)?)))
        .collect()
}

/// Whether any film carries a label.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn any_with(work: &mut Work, label: &LabelName) -> Result<bool, StoreError> {
    const ANY: Statement = Statement::both(
        "SELECT m.set_id FROM label_set_members m WHERE m.label = $1 \
         AND EXISTS (SELECT 1 FROM film_labels f WHERE f.set_id = m.set_id) LIMIT 1",
    );
    Ok(work.fetch_optional(&ANY, args![label.as_str()]).await?.is_some())
}

/// Takes a label from films that carry it, at most `limit` of them. How many.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn take_label(work: &mut Work, label: &LabelName, limit: u32) -> Result<u64, StoreError> {
    const SET: Statement = Statement::both(
        "SELECT s.id, s.names FROM label_set_members m JOIN label_sets s ON s.id = m.set_id WHERE m.label = $1 \
         AND EXISTS (SELECT 1 FROM film_labels f WHERE f.set_id = m.set_id) LIMIT 1",
    );
    const MOVE: Statement = Statement::both(
        "UPDATE film_labels SET set_id = $2, change = $3 + n.at \
         FROM (SELECT film_id, ROW_NUMBER() OVER () AS at \
               FROM (SELECT film_id FROM film_labels WHERE set_id = $1 LIMIT $4) AS chosen) AS n \
         WHERE film_labels.film_id = n.film_id",
    );
    let Some(row) = work.fetch_optional(&SET, args![label.as_str()]).await? else {
        return Ok(0);
    };
    let (from, names) = (row.number("id")?, labels(&row)?);
    let before = begin_changes(work, u64::from(limit)).await?;
    let left = names.iter().filter(|name| *name != label).cloned();
    let left = LabelNames::new(left).map_err(|error| defect(error.to_string()))?;
    let to = set_id(work, &left).await?;
    work.execute(&MOVE, args![from, to, before, i64::from(limit)])
        .await
}
