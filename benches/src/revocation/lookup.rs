//! Nanoseconds a lookup, beside hashbrown's map with the same hash function: the fastest that is commonly used, and
//! not one that could be written to at the same time.

use std::hash::{Hash, Hasher};
use std::hint::black_box;
use std::time::Duration;

use shared::id::SessionId;
use shared::revocation::RevocationSet;
use shared::time::{Clock as _, SystemClock};
use uuid::Uuid;

use super::ids;
use crate::report::{Figure, Report, Spread};

/// Lookups timed in one run.
const LOOKUPS: u32 = 1 << 16;
/// Runs of each.
const RUNS: u64 = 101;

/// An id with seconds: what the set holds for a session.
pub type Peer = hashbrown::HashMap<Id, u32, foldhash::fast::RandomState>;

/// Sixteen bytes, hashed as one number, so that the peer has neither padding nor a slower hash than we.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id([u8; 16]);

impl Id {
    /// The bytes of an id.
    pub fn of(id: Uuid) -> Self {
        Self(id.into_bytes())
    }
}

impl Hash for Id {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(u128::from_ne_bytes(self.0));
    }
}

/// Times one run of lookups, in nanoseconds each.
fn timed(ids: &[Uuid], is_hit: bool, mut lookup: impl FnMut(Uuid) -> bool) -> f64 {
    let begin = SystemClock.boot();
    let found = ids.iter().filter(|id| lookup(black_box(**id))).count();
    let took = SystemClock.boot().since(begin);
    let expected = if is_hit { ids.len() } else { 0 };
    assert_eq!(found, expected, "every id is known, or none is");
    took.as_secs_f64() * 1e9 / f64::from(LOOKUPS)
}

/// Times lookups each by itself, as a decision has them: none begins before the one ahead of it has ended, since the clock
/// is read in between. The nanoseconds of each, what reading the clock costs taken off.
fn timed_apart(ids: &[Uuid], is_hit: bool, mut lookup: impl FnMut(Uuid) -> bool) -> f64 {
    let apart = |look: &mut dyn FnMut(Uuid) -> bool| {
        let (mut took, mut found) = (Duration::ZERO, 0);
        for id in ids {
            let begin = SystemClock.boot();
            found += u32::from(look(black_box(*id)));
            took += SystemClock.boot().since(begin);
        }
        (took.as_secs_f64() * 1e9 / f64::from(LOOKUPS), found)
    };
    let (clock_ns, _) = apart(&mut |_| true);
    let (ns, found) = apart(&mut lookup);
    assert_eq!(
        found,
        if is_hit { LOOKUPS } else { 0 },
        "every id is known, or none is"
    );
    ns - clock_ns
}

/// Fills both, and asks both in turns.
pub fn run(entries: u64) -> Report {
    let set = RevocationSet::default();
    let mut map = Peer::default();
    for number in 0..entries {
        set.apply(&ids::revocation(number));
        map.insert(Id::of(ids::session(number)), 0);
    }
    let mut report = Report {
        bench: "revocation --part lookup",
        setting: format!("{entries} revoked sessions, {RUNS} runs of {LOOKUPS} lookups each"),
        figures: Vec::new(),
        notes: vec![
            "each by itself: as a decision has it, which does much else between two lookups".into(),
            "in a row: one after the other at once, so that the machine overlaps them".into(),
        ],
    };
    for (name, is_hit, way) in [
        ("hit, each by itself", true, Way::Apart),
        ("miss, each by itself", false, Way::Apart),
        ("hit, in a row", true, Way::InARow),
        ("miss, in a row", false, Way::InARow),
    ] {
        compare(&mut report, name, entries, is_hit, way, (&set, &map));
    }
    let loads = (0..RUNS).map(|_| {
        let ids = vec![Uuid::nil(); LOOKUPS as usize];
        timed(&ids, true, |_| {
            let _facts = black_box(set.facts());
            true
        })
    });
    let loads = Spread::of(loads.collect());
    report.figures.push(Figure::median(
        "taking hold of the set, once a check",
        loads,
        "ns",
    ));
    report
}

/// How lookups follow each other.
#[derive(Clone, Copy, Debug)]
enum Way {
    Apart,
    InARow,
}

impl Way {
    fn timed(self, ids: &[Uuid], is_hit: bool, lookup: impl FnMut(Uuid) -> bool) -> f64 {
        match self {
            Self::Apart => timed_apart(ids, is_hit, lookup),
            Self::InARow => timed(ids, is_hit, lookup),
        }
    }
}

fn compare(
    report: &mut Report,
    name: &str,
    entries: u64,
    is_hit: bool,
    way: Way,
    (set, map): (&RevocationSet, &Peer),
) {
    let begin = if is_hit { 0 } else { ids::UNKNOWN };
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..RUNS {
        // Others for each of the two: what one has asked for is in no cache for the other.
        let [first, second] = [0, 1].map(|turn| {
            let numbers = (0..u64::from(LOOKUPS)).map(|at| ids::mix((2 * run + turn) << 32 | at));
            numbers
                .map(|number| ids::session(begin + number % entries))
                .collect::<Vec<_>>()
        });
        let facts = set.facts();
        let set_ns = way.timed(&first, is_hit, |id| facts.has_session(SessionId(id)));
        let map_ns = way.timed(&second, is_hit, |id| map.contains_key(&Id::of(id)));
        ours.push(set_ns);
        theirs.push(map_ns);
        ratios.push(set_ns / map_ns);
    }
    for (whose, runs) in [("set", ours), ("hashbrown", theirs)] {
        report
            .figures
            .push(Figure::median(format!("{name}, {whose}"), Spread::of(runs), "ns"));
    }
    report.compare(&format!("{name}, set by hashbrown"), ratios);
}
