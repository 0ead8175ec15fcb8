use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::id::RoleId;
use crate::label::{Definition, LabelRole};
use crate::role::RoleSet;

fn film(number: u128, labels: &[&str]) -> LabelChange {
    LabelChange::Film {
        film: id(number),
        labels: Arc::new(names(labels)),
    }
}

fn id(number: u128) -> FilmId {
    FilmId(Uuid::from_u128(number))
}

fn names(labels: &[&str]) -> LabelNames {
    LabelNames::new(labels.iter().map(|name| name.parse().unwrap())).unwrap()
}

fn label(name: &str, roles: &[(u128, &str)]) -> LabelChange {
    LabelChange::Definition {
        name: name.parse().unwrap(),
        definition: Some(Definition {
            anonymous: false,
            roles: roles
                .iter()
                .map(|(id, name)| LabelRole {
                    id: RoleId(Uuid::from_u128(*id)),
                    name: (*name).into(),
                })
                .collect(),
        }),
    }
}

fn open_label(name: &str) -> LabelChange {
    LabelChange::Definition {
        name: name.parse().unwrap(),
        definition: Some(Definition {
            anonymous: true,
            roles: Vec::new(),
        }),
    }
}

fn roles(names: &[&str]) -> RoleSet {
    names.iter().copied().collect()
}

/// Whether a film is open to somebody with these roles, and to anonymous callers.
fn open(table: &LabelTable, number: u128, held: &[&str]) -> (bool, bool) {
    let definitions = table.definitions();
    (
        table.is_open(id(number), &definitions.satisfied_by(&roles(held))),
        table.is_open(id(number), definitions.anonymous()),
    )
}

#[test]
fn every_label_has_to_be_satisfied_by_any_one_of_its_roles() {
    let table = LabelTable::default();
    table.apply(&[
        label("paid", &[(1, "subscriber"), (2, "editor")]),
        label("adult", &[(3, "adult")]),
        open_label("free"),
        film(10, &["paid"]),
        film(11, &["paid", "adult"]),
        film(12, &["free"]),
        film(13, &["free", "paid"]),
    ]);
    assert_eq!(open(&table, 9, &[]), (true, true), "without labels");
    assert_eq!(open(&table, 10, &[]), (false, false));
    assert_eq!(open(&table, 10, &["editor"]), (true, false));
    assert_eq!(open(&table, 11, &["subscriber"]), (false, false));
    assert_eq!(open(&table, 11, &["adult", "subscriber"]), (true, false));
    assert_eq!(open(&table, 12, &[]), (true, true));
    assert_eq!(open(&table, 13, &["subscriber"]), (true, false));
    let definitions = table.definitions();
    assert_eq!(definitions.anonymous().names(), "free");
    assert_eq!(definitions.all().names(), "adult,free,paid");
    assert_eq!(definitions.satisfied_by(&roles(&["editor"])).names(), "free,paid");
}

#[test]
fn a_label_that_nobody_has_defined_is_satisfied_by_nobody() {
    let table = LabelTable::default();
    table.apply(&[film(1, &["paid"])]);
    assert!(!table.is_open(id(1), table.definitions().all()));
    table.apply(&[open_label("paid")]);
    assert_eq!(open(&table, 1, &[]), (true, true));
    table.apply(&[LabelChange::Definition {
        name: "paid".parse().unwrap(),
        definition: None,
    }]);
    assert!(!table.is_open(id(1), table.definitions().all()));
    assert!(table.definitions().is_empty());
}

#[test]
fn what_was_worked_out_by_other_definitions_can_be_told() {
    let (table, other) = (LabelTable::default(), LabelTable::default());
    let before = table.definitions().satisfied_by(&roles(&["a"])).generation();
    assert_ne!(before, other.definitions().generation());
    table.apply(&[film(1, &["paid"])]);
    assert_eq!(
        before,
        table.definitions().generation(),
        "films change no definition"
    );
    table.apply(&[open_label("paid")]);
    assert_ne!(before, table.definitions().generation());
}

proptest! {
    #[test]
    fn the_last_change_of_each_film_counts(
        changes in proptest::collection::vec((0..40_u128, proptest::sample::subsequence(vec!["aa", "bb", "cc"], 0..=3)), 0..200),
        parts in 1..50_usize,
    ) {
        let (table, mut model) = (LabelTable::default(), BTreeMap::new());
        let wire: Vec<_> = changes.iter().map(|(number, labels)| film(*number, labels)).collect();
        for part in wire.chunks(parts) {
            table.apply(part);
        }
        for (number, labels) in &changes {
            model.insert(*number, names(labels));
        }
        for number in 0..41 {
            let expected = model.get(&number).cloned().unwrap_or_default();
            prop_assert_eq!(LabelNames::clone(&table.film(id(number))), expected);
        }
        let carried = model.values().filter(|labels| !labels.is_empty()).count();
        prop_assert_eq!(table.films(), carried);
        let copy = LabelTable::default();
        table.for_each(|change| copy.apply(&[change]));
        prop_assert_eq!(copy.films(), carried);
    }
}

#[test]
fn a_million_films_take_less_than_64_mib_while_they_are_written_too() {
    const FILMS: u128 = 1_000_000;
    let table = LabelTable::default();
    let sets = [&["paid"][..], &["paid", "adult"], &["kids"]].map(|labels| Arc::new(names(labels)));
    let mut peak = 0;
    // Ids as UUIDv7 has them: alike at the front.
    let id_of = |number: u128| id(0x0190_0000_0000_7000_8000_0000_0000_0000 + (number << 64) + number * 977);
    for from in (0..FILMS).step_by(10_000) {
        let page: Vec<_> = (from..from + 10_000)
            .map(|number| LabelChange::Film {
                film: id_of(number),
                labels: Arc::clone(&sets[usize::try_from(number % 3).unwrap()]),
            })
            .collect();
        table.apply(&page);
        // Beside the page there are never more than two copies of one segment.
        peak = peak.max(table.memory_bytes() + size_of_val(page.as_slice()));
    }
    assert_eq!(table.films(), 1_000_000);
    assert_eq!(table.film(id_of(1)), sets[1]);
    // Twice: what is loaded anew stands beside what is in force.
    assert!(
        2 * table.memory_bytes() < 40 * 1024 * 1024,
        "{}",
        table.memory_bytes()
    );
    assert!(peak < 24 * 1024 * 1024, "{peak}");
}

#[test]
fn readers_never_see_half_of_a_change() {
    let (table, stop) = (LabelTable::default(), AtomicBool::new(false));
    table.apply(&[
        label("aa", &[(1, "a")]),
        label("bb", &[(2, "b")]),
        film(1, &["aa", "bb"]),
    ]);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut looks = 0_u32;
                while !stop.load(Ordering::Relaxed) || looks == 0 {
                    let satisfied = table.definitions().satisfied_by(&roles(&["a"]));
                    assert!(!table.is_open(id(1), &satisfied));
                    looks += 1;
                }
            });
        }
        for number in 0..2000_u128 {
            // Never open to `a` alone.
            let labels: &[&str] = if number.is_multiple_of(2) {
                &["bb"]
            } else {
                &["aa", "bb"]
            };
            table.apply(&[film(1, labels), film(number + 2, &["aa"])]);
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(table.films(), 2001);
}
