//! What was asked, and what was not answered as it should be.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::report::Figure;

/// Of answers out of place so many are kept in words.
const WORDS_MAX: usize = 10;

/// The count of everything.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    kinds: BTreeMap<&'static str, u32>,
    wrong: u32,
    words: Vec<String>,
}

impl Tally {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts something that was asked. `None` if it was not answered as it should be.
    pub fn take<T>(&self, kind: &'static str, answer: anyhow::Result<T>) -> Option<T> {
        let mut inner = self.lock();
        *inner.kinds.entry(kind).or_default() += 1;
        match answer {
            Ok(answer) => Some(answer),
            Err(error) => {
                inner.wrong += 1;
                if inner.words.len() < WORDS_MAX {
                    inner.words.push(format!("{kind}: {error:#}"));
                }
                None
            }
        }
    }

    /// The first of those that were not answered as they should be.
    pub fn wrong(&self) -> Vec<String> {
        self.lock().words.clone()
    }

    /// How many they were.
    pub fn wrong_count(&self) -> f64 {
        f64::from(self.lock().wrong)
    }

    /// How much of each kind was asked.
    pub fn figures(&self) -> Vec<Figure> {
        let inner = self.lock();
        let counts = inner.kinds.iter();
        counts
            .map(|(kind, count)| Figure::once(*kind, f64::from(*count), ""))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn every_wrong_answer_is_counted_and_the_first_are_kept() {
        let tally = Tally::default();
        assert_eq!(tally.take("logins", Ok(1)), Some(1));
        for _ in 0..=WORDS_MAX {
            assert_eq!(tally.take::<()>("logins", Err(anyhow!("503"))), None);
        }
        assert_eq!(tally.wrong().len(), WORDS_MAX);
        assert_eq!(tally.wrong()[0], "logins: 503");
        assert!((tally.wrong_count() - 11.0).abs() < f64::EPSILON);
        assert!((tally.figures()[0].value - 12.0).abs() < f64::EPSILON);
    }
}
