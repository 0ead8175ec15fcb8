//! What a reader looks into: films with their labels, and what each label asks.

mod definitions;
mod segment;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, Guard};

pub use definitions::{Definitions, Satisfied};
use segment::{Carried, Segment};

use super::{LabelChange, LabelName, LabelNames};
use crate::id::FilmId;

/// A write copies one of so many parts: some 4 KiB of them at a million films.
const SEGMENTS: usize = 4096;

/// The labels of a film, as the table holds them: each distinct set once.
#[derive(Debug)]
pub struct FilmLabels {
    names: Arc<LabelNames>,
    /// Where the definitions have each of them.
    slots: Box<[usize]>,
}

/// Every film that carries labels, and every label. Readers take no lock, and are never held up by a writer; writers go
/// one by one.
///
/// A film takes 18 bytes once there are many, and a write a copy of one small part, so that the peak is hardly more.
pub struct LabelTable {
    hasher: foldhash::fast::RandomState,
    segments: Box<[ArcSwap<Segment>]>,
    definitions: ArcSwap<Definitions>,
    films: AtomicUsize,
    writing: Mutex<Interned>,
}

/// The writers' own: each distinct set of labels, and a place for each name that was ever seen.
#[derive(Default)]
struct Interned {
    sets: HashMap<Arc<LabelNames>, Arc<FilmLabels>>,
    slots: HashMap<LabelName, usize>,
    /// How many sets there were when those that no film has any more were last dropped.
    kept: usize,
}

impl Interned {
    fn slot(&mut self, name: &LabelName) -> usize {
        let next = self.slots.len();
        *self.slots.entry(name.clone()).or_insert(next)
    }

    /// The one copy of a set.
    fn set(&mut self, names: &Arc<LabelNames>) -> Arc<FilmLabels> {
        /// Below it there is nothing to gain.
        const SETS_FEW: usize = 1024;
        if let Some(known) = self.sets.get(names) {
            return Arc::clone(known);
        }
        if self.sets.len() >= (2 * self.kept).max(SETS_FEW) {
            self.sets.retain(|_, labels| Arc::strong_count(labels) > 1);
            self.kept = self.sets.len();
        }
        let slots = names.iter().map(|name| self.slot(name)).collect();
        let labels = Arc::new(FilmLabels {
            names: Arc::clone(names),
            slots,
        });
        self.sets.insert(Arc::clone(names), Arc::clone(&labels));
        labels
    }
}

impl Default for LabelTable {
    fn default() -> Self {
        let empty = Arc::new(Segment::default());
        Self {
            hasher: foldhash::fast::RandomState::default(),
            segments: (0..SEGMENTS).map(|_| ArcSwap::new(Arc::clone(&empty))).collect(),
            definitions: ArcSwap::from_pointee(Definitions::default()),
            films: AtomicUsize::new(0),
            writing: Mutex::default(),
        }
    }
}

impl LabelTable {
    /// Takes changes in, in their order. Every look that begins after this returns sees them.
    pub fn apply(&self, changes: &[LabelChange]) {
        let mut interned = self.write();
        let is_film = |change: &LabelChange| matches!(change, LabelChange::Film { .. });
        for run in changes.chunk_by(|a, b| is_film(a) == is_film(b)) {
            if run.first().is_some_and(is_film) {
                self.apply_films(&mut interned, run);
            } else {
                let before = self.definitions.load();
                let after = before.changed(run, |name| interned.slot(name));
                self.definitions.store(Arc::new(after));
            }
        }
    }

    fn apply_films(&self, interned: &mut Interned, run: &[LabelChange]) {
        let mut films: Vec<(usize, u128, Option<Arc<FilmLabels>>)> = run
            .iter()
            .filter_map(|change| match change {
                LabelChange::Film { film, labels } => {
                    let set = (!labels.is_empty()).then(|| interned.set(labels));
                    Some((self.place(*film), film.0.as_u128(), set))
                }
                LabelChange::Definition { .. } => None,
            })
            .collect();
        // Of one film's changes the last counts: the sort leaves them in their order.
        films.sort_by_key(|(place, film, _)| (*place, *film));
        for of_segment in films.chunk_by(|(a, ..), (b, ..)| a == b) {
            let Some(segment) = of_segment
                .first()
                .and_then(|(place, ..)| self.segments.get(*place))
            else {
                continue;
            };
            let last_of_each = of_segment
                .chunk_by(|(_, a, _), (_, b, _)| a == b)
                .filter_map(|changes| changes.last().map(|(_, film, set)| (*film, set.as_ref())));
            let before = segment.load();
            let after = before.changed(last_of_each);
            // Only writers change the count, and they go one by one.
            let films = self.films.load(Ordering::Relaxed) + after.len() - before.len();
            self.films.store(films, Ordering::Relaxed);
            segment.store(Arc::new(after));
        }
    }

    /// Whether a caller who satisfies these labels may see the film. A film without labels is open to all; a label that
    /// nobody has defined, or not yet, is satisfied by nobody.
    #[inline]
    pub fn is_open(&self, film: FilmId, to: &Satisfied) -> bool {
        let Some(segment) = self.segments.get(self.place(film)) else {
            return false;
        };
        match segment.load().find(film.0.as_u128()) {
            Carried::Nothing => true,
            Carried::Labels(labels) => to.has_all(&labels.slots),
            Carried::Untold => false,
        }
    }

    /// The labels of a film.
    pub fn film(&self, film: FilmId) -> Arc<LabelNames> {
        let segment = self.segments.get(self.place(film)).map(ArcSwap::load);
        match segment.as_ref().map(|segment| segment.find(film.0.as_u128())) {
            Some(Carried::Labels(labels)) => Arc::clone(&labels.names),
            _ => Arc::default(),
        }
    }

    /// What each label asks.
    #[inline]
    pub fn definitions(&self) -> Guard<Arc<Definitions>> {
        self.definitions.load()
    }

    /// How many films carry labels.
    pub fn films(&self) -> usize {
        self.films.load(Ordering::Relaxed)
    }

    /// Bytes on the heap, about.
    pub fn memory_bytes(&self) -> usize {
        let segments: usize = self
            .segments
            .iter()
            .map(|segment| segment.load().memory_bytes())
            .sum();
        let interned = self.write();
        let sets: usize = interned
            .sets
            .keys()
            .map(|names| 128 + names.len() * (size_of::<LabelName>() + size_of::<usize>()))
            .sum();
        size_of_val(&*self.segments) + segments + sets
    }

    /// Everything that is known, as changes from nothing; what is written meanwhile may be among them or not.
    pub fn for_each(&self, mut take: impl FnMut(LabelChange)) {
        self.definitions.load().for_each(&mut take);
        for segment in &self.segments {
            for (film, labels) in segment.load().iter() {
                take(LabelChange::Film {
                    film: FilmId(uuid::Uuid::from_u128(film)),
                    labels: Arc::clone(&labels.names),
                });
            }
        }
    }

    fn write(&self) -> MutexGuard<'_, Interned> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline]
    fn place(&self, film: FilmId) -> usize {
        let hash = std::hash::BuildHasher::hash_one(&self.hasher, film.0.as_u128());
        let [highest, next, ..] = hash.to_be_bytes();
        usize::from(u16::from_be_bytes([highest, next])) % SEGMENTS
    }
}

impl fmt::Debug for LabelTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LabelTable")
            .field("films", &self.films())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
