//! A check beside a revocation, in every order that threads and memory could do it in: the very source of the crate, on the
//! atomics of `loom`.

use loom::sync::Arc;
use loom::sync::atomic::AtomicBool;
use loom::thread;

mod atomic {
    pub(super) use loom::sync::atomic::{AtomicU64, Ordering};
}

#[path = "../../src/revocation/generation.rs"]
mod generation;

use atomic::Ordering;
use generation::{Generation, LastLive};

/// A set of two facts, each about a token of its own. A fact is published as `arc_swap` publishes a pointer.
struct Set {
    generation: Generation,
    facts: [AtomicBool; 2],
}

#[derive(Debug, PartialEq, Eq)]
struct Revoked;

impl Set {
    fn new() -> Self {
        Self {
            generation: Generation::from(1),
            facts: [AtomicBool::new(false), AtomicBool::new(false)],
        }
    }

    fn publish(&self, token: usize) {
        self.facts[token].store(true, Ordering::Release);
    }

    fn apply(&self, token: usize) {
        self.publish(token);
        self.generation.advance();
    }

    fn check(&self, token: usize, last_live: &LastLive) -> Result<(), Revoked> {
        self.generation.unless_alive(last_live, || {
            if self.facts[token].load(Ordering::Acquire) {
                Err(Revoked)
            } else {
                Ok(())
            }
        })
    }
}

/// Attack: a revoked token, while requests with it are on their way
/// Source: CWE-367
/// Result: every check that begins after the revocation is refused, whatever a check beside it has noted
#[test]
fn a_check_that_begins_after_a_revocation_sees_it() {
    loom::model(|| {
        let shared = Arc::new((Set::new(), LastLive::default()));
        let beside = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (set, token) = &*shared;
                let first = set.check(0, token);
                assert!(
                    first.is_ok() || set.check(0, token).is_err(),
                    "it came back to life"
                );
            })
        };
        let (set, token) = &*shared;
        set.apply(0);
        assert_eq!(set.check(0, token), Err(Revoked));
        beside.join().unwrap();
        assert_eq!(set.check(0, token), Err(Revoked));
    });
}

/// Two writers, and a check of both tokens beside them.
#[test]
fn neither_of_two_revocations_hides_the_other() {
    loom::model(|| {
        let shared = Arc::new((Set::new(), [LastLive::default(), LastLive::default()]));
        let other = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (set, tokens) = &*shared;
                _ = set.check(1, &tokens[1]);
                set.apply(0);
                assert_eq!(set.check(0, &tokens[0]), Err(Revoked));
            })
        };
        let (set, tokens) = &*shared;
        _ = set.check(0, &tokens[0]);
        set.apply(1);
        assert_eq!(set.check(1, &tokens[1]), Err(Revoked));
        other.join().unwrap();
        for (token, last_live) in tokens.iter().enumerate() {
            assert_eq!(set.check(token, last_live), Err(Revoked));
        }
    });
}

/// The order in which a revocation is taken in matters, and the model finds what comes of the other one.
#[test]
#[should_panic(expected = "revoked, and let in")]
fn a_generation_that_begins_before_its_fact_is_found_out() {
    loom::model(|| {
        let shared = Arc::new((Set::new(), LastLive::default()));
        let beside = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || _ = shared.0.check(0, &shared.1))
        };
        let (set, token) = &*shared;
        set.generation.advance();
        set.publish(0);
        beside.join().unwrap();
        assert!(set.check(0, token).is_err(), "revoked, and let in");
    });
}
