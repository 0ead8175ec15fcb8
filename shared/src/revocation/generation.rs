//! What saves nearly every lookup: a token that was found alive is looked for anew only when a fact came since.
//!
//! Tests run this very source on other atomics, in every order that threads could do it in.

use super::atomic::{AtomicU64, Ordering};

/// Counts the facts, or slices of facts, that a set took in.
#[derive(Debug)]
pub(crate) struct Generation(AtomicU64);

/// At which generation of which set a token was last found alive. As long as that is the set's generation, there is nothing new
/// to look for: facts come, and those that go could refuse nothing any more.
#[derive(Debug, Default)]
pub(crate) struct LastLive(AtomicU64);

impl Generation {
    /// Begins with this number, which is not 0.
    pub(crate) fn from(first: u64) -> Self {
        Self(AtomicU64::new(first))
    }

    /// The number now.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// To be called when what was taken in is there to be seen, and not before.
    pub(crate) fn advance(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }

    /// Looks for facts against a token, unless none came since it was last found alive.
    #[inline]
    pub(crate) fn unless_alive<E>(
        &self,
        last_live: &LastLive,
        look: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        // Read before the facts: those of this generation at least are looked at, and all of them if it is still the same then.
        let generation = self.now();
        if last_live.0.load(Ordering::Relaxed) == generation {
            return Ok(());
        }
        look()?;
        last_live.0.store(generation, Ordering::Relaxed);
        Ok(())
    }
}
