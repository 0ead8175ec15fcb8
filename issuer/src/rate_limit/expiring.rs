use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What an entry is for, hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key(pub(super) u64, pub(super) u64);

/// A bounded table of times (since boot), whose entries are forgotten when their time has come.
pub(super) struct Expiring {
    /// Held for one look-up, and once in a while for a sweep.
    entries: Mutex<HashMap<Key, Duration>>,
    entries_max: usize,
}

impl Expiring {
    pub(super) fn new(entries_max: usize) -> Self {
        Self {
            entries: Mutex::default(),
            entries_max,
        }
    }

    /// Whether an entry is there whose time has not come.
    pub(super) fn holds(&self, key: Key, now: Duration) -> bool {
        self.lock().get(&key).is_some_and(|until| *until > now)
    }

    /// Changes the time of an entry; one that is not there has its time now.
    pub(super) fn update<T>(
        &self,
        key: Key,
        now: Duration,
        change: impl FnOnce(Duration) -> (Duration, T),
    ) -> T {
        let mut entries = self.lock();
        if entries.len() >= self.entries_max && !entries.contains_key(&key) {
            sweep(&mut entries, self.entries_max, now);
        }
        match entries.entry(key) {
            Entry::Occupied(mut entry) => {
                let (until, answer) = change((*entry.get()).max(now));
                if until > now {
                    entry.insert(until);
                } else {
                    entry.remove();
                }
                answer
            }
            Entry::Vacant(entry) => {
                let (until, answer) = change(now);
                if until > now {
                    entry.insert(until);
                }
                answer
            }
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Duration>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets what has expired, and if that makes little room, the half that would expire first: a sweep is paid for by
/// the many entries that fit after it.
fn sweep(entries: &mut HashMap<Key, Duration>, entries_max: usize, now: Duration) {
    entries.retain(|_, until| *until > now);
    if entries.len() <= entries_max / 4 * 3 {
        return;
    }
    let mut times: Vec<Duration> = entries.values().copied().collect();
    let half = times.len() / 2;
    if half < times.len() {
        let median = *times.select_nth_unstable(half).1;
        entries.retain(|_, until| *until > median);
    }
}

impl fmt::Debug for Expiring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expiring")
            .field("entries_max", &self.entries_max)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    fn put(table: &Expiring, number: u64, until_s: u64) {
        table.update(Key(number, 0), NOW, |_| (Duration::from_secs(until_s), ()));
    }

    fn holds(table: &Expiring, number: u64) -> bool {
        table.holds(Key(number, 0), NOW)
    }

    #[test]
    fn an_entry_is_held_until_its_time() {
        let table = Expiring::new(4);
        put(&table, 1, 101);
        assert!(holds(&table, 1));
        assert!(!table.holds(Key(1, 0), Duration::from_secs(101)));
        put(&table, 1, 100);
        assert!(table.lock().is_empty());
    }

    #[test]
    fn a_full_table_forgets_what_has_expired_first() {
        let table = Expiring::new(4);
        for number in 1..=4 {
            put(&table, number, 100 + number);
        }
        let later = Duration::from_secs(103);
        table.update(Key(5, 0), later, |_| (Duration::from_secs(200), ()));
        assert!(table.holds(Key(4, 0), later) && table.holds(Key(5, 0), later));
        assert_eq!(table.lock().len(), 2);
    }

    #[test]
    fn a_table_full_of_the_unexpired_keeps_those_that_last_longest() {
        let table = Expiring::new(8);
        for number in 1..=1000 {
            put(&table, number, 100 + number);
            assert!(table.lock().len() <= 8);
        }
        put(&table, 2000, 5000);
        for number in 3000..3100 {
            put(&table, number, 101);
        }
        assert!(holds(&table, 2000));
    }
}
