//! What one thread has seen lately, so that it need not ask the cache that all threads share.

use std::cell::RefCell;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::CachedToken;

thread_local! {
    static OWN: RefCell<Own> = RefCell::new(Own::default());
}

/// The fronts of all threads, each bounded in bytes.
///
/// A front is two tables: what is new goes into the young one; when that has half of the bytes, what was in the old one is
/// dropped, and the young one is the old one from then on. What is found in the old one is young again. So a token that goes on
/// being presented stays, and no list has to be kept in order.
#[derive(Debug)]
pub(super) struct Fronts {
    /// Tells this cache from others of the process.
    id: u64,
    bytes_max: usize,
    hasher: RandomState,
    /// Grows when what is old is to be dropped by every thread.
    sweeps: AtomicU64,
}

/// One thread's.
#[derive(Debug, Default)]
struct Own {
    /// Of which cache it is.
    id: u64,
    sweeps: u64,
    young: Generation,
    old: Generation,
}

#[derive(Debug, Default)]
struct Generation {
    entries: HashTable<(u64, Arc<CachedToken>)>,
    bytes: usize,
}

impl Fronts {
    /// Fronts of at most so many bytes each.
    pub(super) fn new(bytes_max: usize) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            bytes_max,
            hasher: RandomState::default(),
            sweeps: AtomicU64::new(0),
        }
    }

    /// What this thread has of a token.
    pub(super) fn find(&self, token: &str) -> Option<Arc<CachedToken>> {
        let hash = self.hasher.hash_one(token);
        self.with_own(|own| {
            if let Some(found) = own.young.find(hash, token) {
                return Some(Arc::clone(found));
            }
            let found = own.old.take(hash, token)?;
            self.put(own, hash, Arc::clone(&found));
            Some(found)
        })
    }

    /// Keeps a token for this thread, in the place of what it had of it. Returns its hash.
    pub(super) fn keep(&self, cached: &Arc<CachedToken>) -> u64 {
        let hash = self.hasher.hash_one(&*cached.token);
        self.with_own(|own| {
            own.forget(hash, &cached.token);
            self.put(own, hash, Arc::clone(cached));
        });
        hash
    }

    /// Drops a token from this thread's.
    pub(super) fn forget(&self, token: &str) {
        let hash = self.hasher.hash_one(token);
        self.with_own(|own| own.forget(hash, token));
    }

    /// Has every thread drop what it has not needed lately, as soon as it looks.
    pub(super) fn sweep(&self) {
        self.sweeps.fetch_add(1, Ordering::Relaxed);
    }

    fn put(&self, own: &mut Own, hash: u64, cached: Arc<CachedToken>) {
        let bytes = cached.memory_bytes();
        if own.young.bytes + bytes > self.bytes_max / 2 {
            own.age();
        }
        if bytes <= self.bytes_max / 2 {
            own.young.insert(hash, cached, bytes);
        }
    }

    fn with_own<T>(&self, work: impl FnOnce(&mut Own) -> T) -> T {
        OWN.with_borrow_mut(|own| {
            let sweeps = self.sweeps.load(Ordering::Relaxed);
            if own.id != self.id {
                *own = Own {
                    id: self.id,
                    sweeps,
                    ..Own::default()
                };
            } else if own.sweeps != sweeps {
                own.sweeps = sweeps;
                own.age();
            }
            work(own)
        })
    }
}

impl Own {
    fn age(&mut self) {
        self.old = std::mem::take(&mut self.young);
    }

    fn forget(&mut self, hash: u64, token: &str) {
        self.young.take(hash, token);
        self.old.take(hash, token);
    }
}

impl Generation {
    fn find(&self, hash: u64, token: &str) -> Option<&Arc<CachedToken>> {
        let is_it = |(of, cached): &(u64, Arc<CachedToken>)| *of == hash && *cached.token == *token;
        self.entries.find(hash, is_it).map(|(_, cached)| cached)
    }

    fn insert(&mut self, hash: u64, cached: Arc<CachedToken>, bytes: usize) {
        self.bytes += bytes;
        self.entries
            .insert_unique(hash, (hash, cached), |(hash, _)| *hash);
    }

    fn take(&mut self, hash: u64, token: &str) -> Option<Arc<CachedToken>> {
        let is_it = |(of, cached): &(u64, Arc<CachedToken>)| *of == hash && *cached.token == *token;
        let ((_, cached), _) = self.entries.find_entry(hash, is_it).ok()?.remove();
        // It may have grown since; at the worst the generation ends a little later.
        self.bytes = self.bytes.saturating_sub(cached.memory_bytes());
        Some(cached)
    }
}
