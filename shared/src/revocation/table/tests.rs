use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use proptest::prelude::*;

use super::*;

const NOW_S: u32 = 5;

fn now() -> UnixMillis {
    UnixMillis(i64::from(NOW_S) * 1000)
}

fn entry(id: u128, expires: u32, version: i64) -> Entry {
    Entry {
        id,
        expires: Expiry(expires),
        version,
    }
}

/// Ids that look random, the same for the same number.
fn id(number: u64) -> u128 {
    u128::from(number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
}

fn all(table: &Table) -> HashMap<u128, (Expiry, i64)> {
    let mut all = HashMap::new();
    for entry in Table::indices().flat_map(|index| table.entries(index)) {
        let before = all.insert(entry.id, (entry.expires, entry.version));
        assert_eq!(before, None, "an id is there once");
    }
    all
}

#[derive(Clone, Debug)]
enum Step {
    Apply(Entry),
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    let half = prop_oneof![Just(0), Just(1), Just(u64::MAX), any::<u64>()];
    // Few of the ids come twice by chance, so most are from a handful, zero halves among them.
    let any_id = (half.clone(), half).prop_map(|(high, low)| u128::from(high) << 64 | u128::from(low));
    let some_id = prop_oneof![any_id, (0_u64..40).prop_map(id)];
    let expires = prop_oneof![0..2 * NOW_S, Just(u32::MAX)];
    prop_oneof![
        30 => (some_id, expires, -3_i64..9).prop_map(|(id, expires, version)| Step::Apply(entry(id, expires, version))),
        1 => Just(Step::Sweep),
    ]
}

proptest! {
    #[test]
    fn it_holds_what_a_map_would(
        steps in proptest::collection::vec(step(), 0..800),
        is_versioned in any::<bool>(),
    ) {
        let hasher = IdHasher::default();
        let mut table = Table::new(is_versioned);
        let mut model = HashMap::<u128, (Expiry, i64)>::new();
        for step in steps {
            match step {
                Step::Apply(entry) => {
                    let _ = table.apply(&hasher, &entry);
                    let version = if is_versioned { entry.version } else { 0 };
                    let held = model.entry(entry.id).or_insert((entry.expires, version));
                    *held = (held.0.max(entry.expires), held.1.max(version));
                }
                Step::Sweep => {
                    for index in Table::indices() {
                        let _ = table.sweep(&hasher, index, now());
                    }
                    model.retain(|_, (expires, _)| !expires.has_passed(now()));
                }
            }
        }
        prop_assert_eq!(table.len(), model.len());
        for (id, (_, version)) in &model {
            prop_assert!(table.contains(&hasher, *id));
            prop_assert_eq!(table.version(&hasher, *id), is_versioned.then_some(*version));
        }
        for absent in (100..200).map(id).chain([0, 1, 1 << 64, u128::MAX]) {
            prop_assert_eq!(table.contains(&hasher, absent), model.contains_key(&absent));
        }
        prop_assert_eq!(all(&table), model);
    }
}

#[test]
fn ids_of_zeroes_are_absent_until_they_are_applied() {
    let hasher = IdHasher::default();
    let mut table = Table::new(true);
    let odd = [0, 1, 1 << 64, u128::MAX, u128::from(u64::MAX)];
    // Beside so many others that free slots of every kind are looked at.
    for number in 0..5_000 {
        assert!(odd.iter().all(|id| !table.contains(&hasher, *id)));
        let _ = table.apply(&hasher, &entry(id(number), NOW_S, 0));
    }
    for (at, id) in odd.into_iter().enumerate() {
        let _ = table.apply(&hasher, &entry(id, NOW_S, 7));
        assert!(
            odd.iter()
                .enumerate()
                .all(|(other, id)| table.contains(&hasher, *id) == (other <= at))
        );
        assert_eq!(table.version(&hasher, id), Some(7));
    }
}

#[test]
fn a_table_that_grew_is_still_small() {
    let hasher = IdHasher::default();
    let [mut sessions, mut subjects] = [Table::new(false), Table::new(true)];
    assert!(sessions.memory_bytes() < 4_096);
    for number in 0..200_000 {
        let entry = entry(id(number), NOW_S + u32::from(number % 2 == 0), 1);
        for table in [&mut sessions, &mut subjects] {
            let _ = table.apply(&hasher, &entry);
        }
        if number >= 20_000 && number % 1_000 == 0 {
            assert!(sessions.memory_bytes() < sessions.len() * 36, "{number}");
            assert!(subjects.memory_bytes() < subjects.len() * 48, "{number}");
        }
    }
    assert_eq!(sessions.len(), 200_000);
    for index in Table::indices() {
        let _ = sessions.sweep(&hasher, index, now());
    }
    assert_eq!(sessions.len(), 100_000);
    assert!(sessions.memory_bytes() < sessions.len() * 36);
    assert!((0..200_000).all(|number| sessions.contains(&hasher, id(number)) == (number % 2 == 0)));
}

#[test]
fn a_sweep_leaves_alone_what_has_nothing_to_drop() {
    let hasher = IdHasher::default();
    let mut table = Table::new(false);
    for number in 0..1_000 {
        let _ = table.apply(&hasher, &entry(id(number), NOW_S + 1, 0));
    }
    let _ = table.apply(&hasher, &entry(id(1_000), NOW_S, 0));
    let changes = Table::indices().map(|index| table.sweep(&hasher, index, now()));
    assert_eq!(changes.filter(|change| *change == Change::Replaced).count(), 1);
    assert_eq!(table.len(), 1_000);
}

#[test]
fn readers_miss_nothing_while_it_grows_and_is_swept() {
    const COUNT: u64 = 60_000;
    let hasher = IdHasher::default();
    let mut table = Table::new(true);
    let published = ArcSwap::from_pointee(table.clone());
    let (applied, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for reader in 0..3_u64 {
            let (hasher, published, applied, is_over) = (&hasher, &published, &applied, &is_over);
            scope.spawn(move || {
                let mut turn = reader;
                while !is_over.load(Ordering::Acquire) {
                    let count = applied.load(Ordering::Acquire);
                    let table = published.load();
                    for _ in 0..50 {
                        turn = turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        let number = (turn >> 20) % COUNT;
                        // Every tenth is dropped some time after it was applied.
                        if number < count && !number.is_multiple_of(10) {
                            assert_eq!(table.version(hasher, id(number)), Some(3), "{number} of {count}");
                        }
                        assert!(!table.contains(hasher, id(number + COUNT)));
                    }
                }
            });
        }
        for number in 0..COUNT {
            let expires = if number.is_multiple_of(10) {
                NOW_S
            } else {
                NOW_S + 1
            };
            if table.apply(&hasher, &entry(id(number), expires, 3)) == Change::Replaced {
                published.store(Arc::new(table.clone()));
            }
            applied.store(number + 1, Ordering::Release);
            if number.is_multiple_of(5_000) {
                for index in Table::indices() {
                    if table.sweep(&hasher, index, now()) == Change::Replaced {
                        published.store(Arc::new(table.clone()));
                    }
                }
            }
        }
        is_over.store(true, Ordering::Release);
    });
}

#[test]
fn times_are_rounded_up_to_the_second() {
    let rounded = |millis| Expiry::at(Some(UnixMillis(millis))).time().map(|time| time.0);
    assert_eq!(rounded(1_000), Some(1_000));
    assert_eq!(rounded(1_001), Some(2_000));
    assert_eq!(rounded(-1), Some(0));
    assert_eq!(rounded(i64::MIN), Some(0));
    assert_eq!(rounded(i64::MAX), None);
    assert_eq!(Expiry::at(None).time(), None);
    assert!(!Expiry::NEVER.has_passed(UnixMillis(i64::MAX)));
}
