//! Rules that are tried on live traffic: what they would have decided otherwise is counted and logged, and nothing else.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use shared::limits::SHADOW_LINES_PER_SECOND;
use shared::reason::Reason;
use shared::time::BootTime;

use super::Question;
use crate::policy::{Policy, PolicyStore};

/// A decision's outcome.
pub type Outcome = Result<(), Reason>;

/// `allowed`, and each reason.
const WORDS: usize = Reason::ALL.len() + 1;

/// The rules that are tried, and how they compare.
#[derive(Debug)]
pub struct Shadow {
    /// The rules.
    pub rules: Arc<PolicyStore>,
    agreed: AtomicU64,
    /// By the enforced outcome, then by the other.
    differed: Box<[[AtomicU64; WORDS]; WORDS]>,
    lines: Lines,
}

impl Shadow {
    /// Of these rules.
    pub fn new(rules: PolicyStore) -> Self {
        Self {
            rules: Arc::new(rules),
            agreed: AtomicU64::new(0),
            differed: Box::new(std::array::from_fn(|_| {
                std::array::from_fn(|_| AtomicU64::new(0))
            })),
            lines: Lines::default(),
        }
    }

    /// Notes what was decided, and what these rules would have decided. `boot` bounds the log.
    pub(super) fn compare(
        &self,
        question: &Question<'_>,
        (enforced_rules, enforced): (&Policy, Outcome),
        (shadow_rules, shadow): (&Policy, Outcome),
        boot: BootTime,
    ) {
        if enforced == shadow {
            self.agreed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let counter = self
            .differed
            .get(position(enforced))
            .and_then(|row| row.get(position(shadow)));
        if let Some(counter) = counter {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(kept_back) = self.lines.next(boot) {
            let &Question {
                method, path, host, ..
            } = question;
            let line = |rules: &Policy| {
                let rule = rules.route(path, method, host).rule();
                rule.map_or_else(|| "default".to_owned(), |rule| rule.line.to_string())
            };
            tracing::info!(
                method,
                path,
                host,
                enforced = word(enforced),
                enforced_rule = line(enforced_rules),
                shadow = word(shadow),
                shadow_rule = line(shadow_rules),
                kept_back,
                "the shadow rules would have decided otherwise"
            );
        }
    }

    /// Decisions that were the same.
    pub fn agreed(&self) -> u64 {
        self.agreed.load(Ordering::Relaxed)
    }

    /// How many decisions were what, and would have been what; none that have not been.
    pub fn differed(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        outcomes().zip(self.differed.iter()).flat_map(|(enforced, row)| {
            outcomes().zip(row).filter_map(move |(shadow, count)| {
                let count = count.load(Ordering::Relaxed);
                (count > 0).then(|| (word(enforced), word(shadow), count))
            })
        })
    }
}

fn outcomes() -> impl Iterator<Item = Outcome> {
    std::iter::once(Ok(())).chain(Reason::ALL.into_iter().map(Err))
}

fn position(outcome: Outcome) -> usize {
    outcomes().position(|of| of == outcome).unwrap_or(0)
}

/// The word for an outcome: `allowed`, or the reason.
pub const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Ok(()) => "allowed",
        Err(reason) => reason.as_str(),
    }
}

/// So many lines a second, and no more.
#[derive(Default)]
struct Lines {
    /// The second since boot in which lines were written last, plus one.
    second: AtomicU64,
    written: AtomicU64,
    kept_back: AtomicU64,
}

impl Lines {
    /// Whether there may be another line; if so, how many have been kept back since the one before.
    fn next(&self, boot: BootTime) -> Option<u64> {
        let second = boot.0.as_secs() + 1;
        // Two threads that begin a second together write a line more: nothing hangs on it.
        if self.second.swap(second, Ordering::Relaxed) != second {
            self.written.store(0, Ordering::Relaxed);
        }
        if self.written.fetch_add(1, Ordering::Relaxed) < SHADOW_LINES_PER_SECOND {
            Some(self.kept_back.swap(0, Ordering::Relaxed))
        } else {
            self.kept_back.fetch_add(1, Ordering::Relaxed);
            None
        }
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
