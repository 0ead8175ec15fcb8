//! Which tokens have come once, to whichever thread.

use std::sync::atomic::{AtomicU32, Ordering};

/// How many are remembered, about: a power of two.
const SLOTS: usize = 16 * 1024;

/// Hashes of tokens that came lately, each in a place of its own until another takes it. It may forget, and at rare times take
/// one token for another: what depends on it is where a token is kept, and never what it may do.
#[derive(Debug)]
pub(super) struct Sightings(Box<[AtomicU32]>);

impl Sightings {
    pub(super) fn new() -> Self {
        Self((0..SLOTS).map(|_| AtomicU32::new(0)).collect())
    }

    /// Whether it has come before, by its hash; it has now.
    pub(super) fn is_again(&self, hash: u64) -> bool {
        let [high @ .., _, _, _, _] = hash.to_be_bytes();
        // Zero is an empty place.
        let mark = u32::from_be_bytes(high) | 1;
        let place = usize::try_from(hash).unwrap_or_default() % SLOTS;
        self.0.get(place).is_some_and(|slot| {
            let is_again = slot.load(Ordering::Relaxed) == mark;
            if !is_again {
                slot.store(mark, Ordering::Relaxed);
            }
            is_again
        })
    }
}
