//! Nanoseconds a lookup, beside hashbrown's map with the same hash function: the fastest that is commonly used, and
//! not one that could be written to at the same time.

use std::hash::{Hash, Hasher};
use std::hint::black_box;

use shared::id::SessionId;
use shared::revocation::RevocationSet;
use shared::time::{Clock as _, SystemClock};
use uuid::Uuid;

use super::ids;
use crate::report::{Figure, Report, Spread};

/// Lookups timed in one run.
const LOOKUPS: usize = 1 << 16;
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

fn timed(queries: &[Uuid], fence: bool, expected: bool, mut lookup: impl FnMut(Uuid) -> bool) -> f64 {
    let begin = SystemClock.boot();
    let mut found = 0;
    for id in queries {
        found += usize::from(lookup(black_box(*id)));
        if fence {
            std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
        }
    }
    let took = SystemClock.boot().since(begin);
    assert_eq!(found, if expected { queries.len() } else { 0 });
    took.as_nanos() as f64 / queries.len() as f64
}

/// Fills both, and asks both in turns.
pub fn run(entries: u64) -> Report {
    let set = RevocationSet::default();
    let mut map = Peer::default();
    for number in 0..entries {
        set.apply(&ids::revocation(number));
        map.insert(Id::of(ids::session(number)), 0);
    }
    if let Ok(k) = std::env::var("DROP") {
        if k == "map" {
            map = Peer::default();
        }
    }
    let maps = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    eprintln!("{maps}");
    let mut figures = Vec::new();
    for fence in [false, true] {
        for expected in [true, false] {
            let name = format!(
                "{} {}",
                if fence { "fenced" } else { "free" },
                if expected { "hit" } else { "miss" }
            );
            let (mut ours, mut theirs, mut ratio) = (vec![], vec![], vec![]);
            for run in 0..RUNS {
                let offset = if expected { 0 } else { ids::UNKNOWN };
                let queries: Vec<_> = (0..LOOKUPS as u64)
                    .map(|at| ids::session(ids::mix(run << 32 | at) % entries + offset))
                    .collect();
                let t = if std::env::var("ONLY").is_ok() {
                    1.0
                } else {
                    timed(&queries, fence, expected, |id| map.contains_key(&Id::of(id)))
                };
                let queries: Vec<_> = (0..LOOKUPS as u64)
                    .map(|at| ids::session(ids::mix(run << 32 | at | 1 << 30) % entries + offset))
                    .collect();
                let facts = set.facts();
                let o = timed(&queries, fence, expected, |id| facts.has_session(SessionId(id)));
                ours.push(o);
                theirs.push(t);
                ratio.push(o / t);
            }
            figures.push(Figure::median(format!("{name}, set"), Spread::of(ours), "ns"));
            figures.push(Figure::median(
                format!("{name}, hashbrown"),
                Spread::of(theirs),
                "ns",
            ));
            figures.push(Figure::median(format!("{name}, ratio"), Spread::of(ratio), ""));
        }
    }
    Report {
        bench: "revocation --part lookup",
        setting: format!("{entries} revoked sessions"),
        figures,
        notes: vec![],
    }
}
