//! What a replica has been told so far, for the metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use shared::feed::Gap;
use shared::revocation::{Fact, Revocation};

/// Kinds of facts, as [`Fact::kind`] names them.
const KINDS: [&str; 5] = ["session", "subject", "role", "token", "key"];

/// Counters that only grow.
#[derive(Debug, Default)]
pub(super) struct FeedCounts {
    entries: [AtomicU64; KINDS.len()],
    gaps: [AtomicU64; Gap::ALL.len()],
    heartbeats: AtomicU64,
    heartbeats_ignored: AtomicU64,
}

impl FeedCounts {
    pub(super) fn entry(&self, revocation: &Revocation) {
        let at = match revocation.fact {
            Fact::Session { .. } => 0,
            Fact::Subject { .. } => 1,
            Fact::Role { .. } => 2,
            Fact::Token { .. } => 3,
            Fact::Key { .. } => 4,
        };
        increase(self.entries.get(at));
    }

    pub(super) fn gap(&self, gap: Gap) {
        increase(
            Gap::ALL
                .iter()
                .zip(&self.gaps)
                .find_map(|(named, count)| (*named == gap).then_some(count)),
        );
    }

    pub(super) fn heartbeat(&self) {
        increase(Some(&self.heartbeats));
    }

    pub(super) fn heartbeat_ignored(&self) {
        increase(Some(&self.heartbeats_ignored));
    }

    pub(super) fn entries_by_kind(&self) -> [(&'static str, u64); KINDS.len()] {
        std::array::from_fn(|at| {
            (
                KINDS.get(at).copied().unwrap_or_default(),
                read(self.entries.get(at)),
            )
        })
    }

    pub(super) fn gaps_by_cause(&self) -> [(&'static str, u64); Gap::ALL.len()] {
        std::array::from_fn(|at| {
            let cause = Gap::ALL.get(at).map_or("", |gap| gap.as_str());
            (cause, read(self.gaps.get(at)))
        })
    }

    pub(super) fn heartbeats(&self) -> u64 {
        read(Some(&self.heartbeats))
    }

    pub(super) fn heartbeats_ignored(&self) -> u64 {
        read(Some(&self.heartbeats_ignored))
    }
}

fn increase(count: Option<&AtomicU64>) {
    if let Some(count) = count {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

fn read(count: Option<&AtomicU64>) -> u64 {
    count.map_or(0, |count| count.load(Ordering::Relaxed))
}
