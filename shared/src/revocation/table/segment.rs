use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use wide::u8x16;

use super::super::expiry::Expiry;
use super::Entry;

/// Slots that a search looks at together.
const GROUP: usize = 15;

/// Of this many slots …
const LOAD_SLOTS: usize = 16;
/// … so many are used before a segment grows. More would save memory, but more searches would go on into a second group.
const LOAD_USED: usize = 12;

/// An open-addressing table of a fixed size.
///
/// A slot is written once and keeps its id for good. Its tag, a byte of the id's hash, is stored after everything else
/// of it, with `Release`; whoever finds the tag with `Acquire` finds the whole entry. What no tag points to is never
/// looked at, so every id is as good as any other, that of all zeroes too.
#[derive(Debug)]
pub(super) struct Segment {
    groups: Box<[Group]>,
    ids: Box<[Id]>,
    expiries: Box<[AtomicU32]>,
    /// None where entries have no version.
    versions: Box<[AtomicI64]>,
    /// Slots in use. Writers alone change it, one at a time.
    len: AtomicUsize,
}

/// A tag for each of fifteen slots, zero: free; they fill from the first on, in the lowest byte. The last byte has a bit
/// for each eighth of the hashes of which one found the group full: a search for another eighth ends here, full or not,
/// as in Boost's `unordered_flat_map`.
#[derive(Debug, Default)]
#[repr(align(16))]
struct Group {
    first: AtomicU64,
    last: AtomicU64,
}

/// An id in two halves. Aligned, so that it lies within one cache line.
#[derive(Debug, Default)]
#[repr(align(16))]
struct Id {
    high: AtomicU64,
    low: AtomicU64,
}

impl Segment {
    /// A segment that holds nothing, and has to grow for the first entry.
    pub(super) fn empty() -> Self {
        Self {
            // One group, so that a search ends there as it does elsewhere.
            groups: zeroed(1),
            ids: Box::default(),
            expiries: Box::default(),
            versions: Box::default(),
            len: AtomicUsize::new(0),
        }
    }

    /// An empty segment of `15 × groups` slots.
    pub(super) fn with_groups(groups: usize, is_versioned: bool) -> Self {
        let groups = groups.max(1);
        let slots = groups * GROUP;
        let versions = if is_versioned { slots } else { 0 };
        Self {
            groups: zeroed(groups),
            ids: zeroed(slots),
            expiries: zeroed(slots),
            versions: zeroed(versions),
            len: AtomicUsize::new(0),
        }
    }

    /// How many entries go into that many groups.
    pub(super) const fn limit(groups: usize) -> usize {
        groups * GROUP * LOAD_USED / LOAD_SLOTS
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    pub(super) fn has_room(&self) -> bool {
        self.len() < Self::limit(self.ids.len() / GROUP)
    }

    /// Bytes on the heap.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + size_of_val(&*self.groups)
            + size_of_val(&*self.ids)
            + size_of_val(&*self.expiries)
            + size_of_val(&*self.versions)
    }

    /// The slot of an id.
    #[inline]
    pub(super) fn find(&self, hash: u64, id: u128) -> Option<usize> {
        let (high, low) = halves(id);
        let mut at = self.home(hash);
        // It ends at a group that is not full: there is one, since a segment grows before it is full.
        loop {
            let group = self.groups.get(at)?;
            let (mut candidates, goes_on) = group.look(hash);
            while candidates != 0 {
                let slot = at * GROUP + candidates.trailing_zeros() as usize;
                let held = self.ids.get(slot)?;
                if held.low.load(Ordering::Relaxed) == low && held.high.load(Ordering::Relaxed) == high {
                    return Some(slot);
                }
                candidates &= candidates - 1;
            }
            if !goes_on {
                return None;
            }
            at = self.next(at);
        }
    }

    /// The version in a slot.
    pub(super) fn version(&self, slot: usize) -> Option<i64> {
        self.versions
            .get(slot)
            .map(|version| version.load(Ordering::Acquire))
    }

    /// Raises what is in a slot; nothing is ever lowered.
    pub(super) fn raise(&self, slot: usize, entry: &Entry) {
        if let Some(expires) = self.expiries.get(slot) {
            expires.fetch_max(entry.expires.0, Ordering::Relaxed);
        }
        if let Some(version) = self.versions.get(slot) {
            version.fetch_max(entry.version, Ordering::AcqRel);
        }
    }

    /// Adds an entry whose id is not here. The caller is the only writer, and has made sure that there is room.
    pub(super) fn insert(&self, hash: u64, entry: &Entry) {
        let mut at = self.home(hash);
        while let Some(group) = self.groups.get(at) {
            let used = group.used();
            if used < GROUP {
                self.write(at * GROUP + used, entry);
                group.publish(used, hash);
                self.len.fetch_add(1, Ordering::Relaxed);
                return;
            }
            group.note_passed(hash);
            at = self.next(at);
        }
    }

    fn write(&self, slot: usize, entry: &Entry) {
        let (high, low) = halves(entry.id);
        if let (Some(id), Some(expires)) = (self.ids.get(slot), self.expiries.get(slot)) {
            id.high.store(high, Ordering::Relaxed);
            id.low.store(low, Ordering::Relaxed);
            expires.store(entry.expires.0, Ordering::Relaxed);
        }
        if let Some(version) = self.versions.get(slot) {
            version.store(entry.version, Ordering::Relaxed);
        }
    }

    /// Every entry, ordered by the place that its hash asks for: into a segment of another size they go nearly in
    /// sequence.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        self.groups.iter().enumerate().flat_map(|(at, group)| {
            let first = at * GROUP;
            (first..first + group.used()).filter_map(|slot| self.entry(slot))
        })
    }

    fn entry(&self, slot: usize) -> Option<Entry> {
        let id = self.ids.get(slot)?;
        let (high, low) = (id.high.load(Ordering::Relaxed), id.low.load(Ordering::Relaxed));
        Some(Entry {
            id: u128::from(high) << 64 | u128::from(low),
            expires: Expiry(self.expiries.get(slot)?.load(Ordering::Relaxed)),
            version: self.version(slot).unwrap_or_default(),
        })
    }

    /// The group where the search for an id begins. The highest bits of the hash choose the segment, the lowest are
    /// for the group.
    fn home(&self, hash: u64) -> usize {
        let fraction = (hash >> 24) & u64::from(u32::MAX);
        usize::try_from((fraction * self.groups.len() as u64) >> 32).unwrap_or(0)
    }

    fn next(&self, group: usize) -> usize {
        if group + 1 < self.groups.len() {
            group + 1
        } else {
            0
        }
    }
}

impl Group {
    /// A bit for each slot whose tag fits, and whether the search goes on if it is none of them.
    #[inline]
    fn look(&self, hash: u64) -> (u32, bool) {
        let (first, last) = (
            self.first.load(Ordering::Acquire),
            self.last.load(Ordering::Acquire),
        );
        let tags = u8x16::new((u128::from(last) << 64 | u128::from(first)).to_le_bytes());
        let candidates = tags.simd_eq(u8x16::splat(tag(hash))).to_bitmask() & SLOTS;
        (candidates, last & passed(hash) != 0)
    }

    /// How many slots are in use.
    fn used(&self) -> usize {
        let (first, last) = (
            self.first.load(Ordering::Acquire),
            self.last.load(Ordering::Acquire),
        );
        bytes(first) + bytes(last & TAGS)
    }

    /// Lets searches find the slot, the first that is free.
    fn publish(&self, slot: usize, hash: u64) {
        let (word, byte) = if slot < 8 {
            (&self.first, slot)
        } else {
            (&self.last, slot - 8)
        };
        word.fetch_or(u64::from(tag(hash)) << (8 * byte), Ordering::Release);
    }

    /// Lets searches for such a hash go on to the next group.
    fn note_passed(&self, hash: u64) {
        self.last.fetch_or(passed(hash), Ordering::Release);
    }
}

/// The bytes of a group's last word that are tags.
const TAGS: u64 = u64::MAX >> 8;

/// A bit for each slot of a group.
const SLOTS: u32 = 0x7fff;

fn zeroed<T: Default>(count: usize) -> Box<[T]> {
    (0..count).map(|_| T::default()).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves")]
const fn halves(id: u128) -> (u64, u64) {
    ((id >> 64) as u64, id as u64)
}

/// The lowest byte of the hash, but never zero.
const fn tag(hash: u64) -> u8 {
    let [lowest, ..] = hash.to_le_bytes();
    if lowest == 0 { 1 } else { lowest }
}

/// How many bytes are in use, of which none is zero.
const fn bytes(word: u64) -> usize {
    (u64::BITS - word.leading_zeros()).div_ceil(8) as usize
}

/// The bit for an eighth of the hashes, chosen by bits that neither the tag nor the group comes from.
const fn passed(hash: u64) -> u64 {
    1 << (56 + ((hash >> 8) & 7))
}
