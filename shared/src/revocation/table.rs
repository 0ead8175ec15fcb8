//! Ids with what is known of each, for tens of millions of them: one writer at a time, readers that never wait.

mod segment;

use std::sync::Arc;

use segment::Segment;

use super::expiry::Expiry;
use crate::time::UnixMillis;

/// A power of two that the highest bits of a hash choose from: only so much of a table is ever there twice.
const SEGMENTS: usize = 32;

/// An id and what is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: u128,
    pub(super) expires: Expiry,
    /// Kept by a versioned table only.
    pub(super) version: i64,
}

/// A number for each id that nobody outside can foresee, so that nobody can choose ids that crowd in one place.
#[derive(Clone, Debug, Default)]
pub(super) struct IdHasher(foldhash::fast::RandomState);

impl IdHasher {
    #[inline]
    pub(super) fn hash(&self, id: u128) -> u64 {
        std::hash::BuildHasher::hash_one(&self.0, id)
    }
}

/// Segments that grow and shrink each on its own.
///
/// What fits is written in place and seen through every clone. What changes a segment's size replaces it in this clone
/// alone; others see it once they are given this one.
#[derive(Clone, Debug)]
pub(super) struct Table {
    segments: Arc<[Arc<Segment>; SEGMENTS]>,
    is_versioned: bool,
}

/// Whether a table has to be published for others to see a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Change {
    /// They see it already, or there is none.
    InPlace,
    /// A segment was replaced.
    Replaced,
}

impl Table {
    pub(super) fn new(is_versioned: bool) -> Self {
        let empty = Arc::new(Segment::empty());
        Self {
            segments: Arc::new(std::array::from_fn(|_| Arc::clone(&empty))),
            is_versioned,
        }
    }

    #[inline]
    pub(super) fn contains(&self, hasher: &IdHasher, id: u128) -> bool {
        let hash = hasher.hash(id);
        self.segment(hash)
            .is_some_and(|segment| segment.find(hash, id).is_some())
    }

    /// The version of an id; `None` if it is not here.
    #[inline]
    pub(super) fn version(&self, hasher: &IdHasher, id: u128) -> Option<i64> {
        let hash = hasher.hash(id);
        let segment = self.segment(hash)?;
        segment.find(hash, id).and_then(|slot| segment.version(slot))
    }

    pub(super) fn len(&self) -> usize {
        self.segments.iter().map(|segment| segment.len()).sum()
    }

    /// Bytes on the heap.
    pub(super) fn memory_bytes(&self) -> usize {
        let segments = self.segments.iter().map(|segment| segment.memory_bytes());
        size_of_val(&*self.segments) + segments.sum::<usize>()
    }

    /// Adds an entry, or raises the one that is there. The caller lets no two writers in.
    pub(super) fn apply(&mut self, hasher: &IdHasher, entry: &Entry) -> Change {
        let hash = hasher.hash(entry.id);
        let Some(segment) = self.segment(hash) else {
            return Change::InPlace;
        };
        if let Some(slot) = segment.find(hash, entry.id) {
            segment.raise(slot, entry);
            return Change::InPlace;
        }
        if segment.has_room() {
            segment.insert(hash, entry);
            return Change::InPlace;
        }
        let grown = self.rebuilt(hasher, index(hash), segment.len() + 1, segment.entries());
        grown.insert(hash, entry);
        self.replace(index(hash), grown);
        Change::Replaced
    }

    /// Drops from one segment what has passed, with the segment rebuilt if there is any. The caller lets no two
    /// writers in.
    pub(super) fn sweep(&mut self, hasher: &IdHasher, index: usize, now: UnixMillis) -> Change {
        let Some(segment) = self.segments.get(index) else {
            return Change::InPlace;
        };
        let is_live = |entry: &Entry| !entry.expires.has_passed(now);
        let live = segment.entries().filter(is_live).count();
        if live == segment.len() {
            return Change::InPlace;
        }
        let swept = self.rebuilt(hasher, index, live, segment.entries().filter(is_live));
        self.replace(index, swept);
        Change::Replaced
    }

    /// The entries of one segment.
    pub(super) fn entries(&self, index: usize) -> impl Iterator<Item = Entry> {
        self.segments
            .get(index)
            .into_iter()
            .flat_map(|segment| segment.entries())
    }

    /// The numbers of the segments.
    pub(super) fn indices() -> std::ops::Range<usize> {
        0..SEGMENTS
    }

    #[inline]
    fn segment(&self, hash: u64) -> Option<&Segment> {
        self.segments.get(index(hash)).map(|segment| &**segment)
    }

    /// A segment with room for `count` entries, and these in it.
    fn rebuilt(
        &self,
        hasher: &IdHasher,
        index: usize,
        count: usize,
        entries: impl Iterator<Item = Entry>,
    ) -> Segment {
        if count == 0 {
            return Segment::empty();
        }
        let segment = Segment::with_groups(groups_for(count, index), self.is_versioned);
        for entry in entries {
            segment.insert(hasher.hash(entry.id), &entry);
        }
        segment
    }

    fn replace(&mut self, index: usize, segment: Segment) {
        if let Some(held) = Arc::make_mut(&mut self.segments).get_mut(index) {
            *held = Arc::new(segment);
        }
    }
}

/// Which segment a hash belongs to: its highest bits say.
fn index(hash: u64) -> usize {
    let [highest, ..] = hash.to_be_bytes();
    usize::from(highest) * SEGMENTS / 256
}

/// The groups that a segment gets for `count` entries: the least step that holds them. A step is an eighth more than the
/// one before, and all of a segment's are longer than those of its neighbour by a little: ids spread evenly, so segments
/// of the same steps would all grow at the same moment, and be all half empty right after it.
fn groups_for(count: usize, index: usize) -> usize {
    let mut step = 1;
    loop {
        let groups = step + step * index / (SEGMENTS * 8);
        if Segment::limit(groups) >= count {
            return groups;
        }
        step += (step / 8).max(1);
    }
}

#[cfg(test)]
mod tests;
