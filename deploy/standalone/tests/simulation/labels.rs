//! Labels, as the database has them.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use issuer::store::feed::{LabelChanges, LabelPage};
use shared::id::FilmId;
use shared::label::{LabelChange, LabelNames};
use shared::time::UnixMillis;
use uuid::Uuid;

/// Few films and few at once, so that each changes often and a table has several chunks.
pub(crate) const FILMS: u64 = 8;
const AT_ONCE: usize = 3;

/// What a film carries, as a number; 0: nothing.
pub(crate) type Value = u64;

/// What the database knows: each film's labels, with the number of the change.
#[derive(Clone, Debug, Default)]
pub(crate) struct LabelTables {
    pub(crate) change: u64,
    pub(crate) films: BTreeMap<FilmId, (u64, Value)>,
}

pub(crate) fn film(number: u64) -> FilmId {
    FilmId(Uuid::from_u128(u128::from(number)))
}

fn told((film, (_, value)): (&FilmId, &(u64, Value))) -> LabelChange {
    let names = (*value > 0).then(|| format!("label{value}").parse().unwrap());
    LabelChange::Film {
        film: *film,
        labels: Arc::new(LabelNames::new(names).unwrap()),
    }
}

pub(crate) fn value(labels: &LabelNames) -> Value {
    let name = labels.iter().next();
    name.map_or(0, |name| {
        name.as_str().strip_prefix("label").unwrap().parse().unwrap()
    })
}

impl LabelTables {
    pub(crate) fn put(&mut self, film: FilmId, value: Value) {
        self.change += 1;
        self.films.insert(film, (self.change, value));
    }

    pub(crate) fn changes(&self, behind: u64, now: UnixMillis) -> LabelChanges {
        let mut changed: Vec<_> = self
            .films
            .iter()
            .filter(|(_, (change, _))| *change > behind)
            .collect();
        changed.sort_by_key(|(_, (change, _))| *change);
        let is_complete = changed.len() < AT_ONCE;
        changed.truncate(AT_ONCE);
        let change = match changed.last() {
            Some((_, (change, _))) if !is_complete => *change,
            _ => self.change.max(behind),
        };
        LabelChanges {
            now,
            change,
            changes: changed.into_iter().map(told).collect(),
            is_complete,
        }
    }

    pub(crate) fn page(&self, after: Option<FilmId>, now: UnixMillis) -> LabelPage {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let carrying = self
            .films
            .range((from, Bound::Unbounded))
            .filter(|(_, (_, value))| *value > 0);
        let page: Vec<_> = carrying.take(AT_ONCE).collect();
        LabelPage {
            now,
            change: self.change,
            last: page
                .last()
                .map(|(film, _)| **film)
                .filter(|_| page.len() == AT_ONCE),
            changes: page.into_iter().map(told).collect(),
        }
    }
}
