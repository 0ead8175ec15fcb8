//! The history: what was answered when, and what every verifier must know of it.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use shared::id::FilmId;
use shared::revocation::{Fact, Revocation};
use shared::time::UnixMillis;

use crate::labels::{Value, value};
use crate::nodes::{MAX_STALENESS, SimVerifier};
use crate::world::{Node, World};

/// Ways over the network, and rounding.
const SLACK: Duration = Duration::from_secs(1);

/// An answer that is lost now and then is nothing wrong: it is asked again after a second.
const SOON: Duration = Duration::from_secs(3);

/// A revocation that was answered for, in true time.
#[derive(Clone, Debug)]
struct Answered {
    revocation: Revocation,
    at: UnixMillis,
}

/// A film carries something else.
#[derive(Clone, Debug)]
struct Relabelled {
    value: Value,
    /// When that was answered for, in true time.
    answered: Rc<Cell<Option<UnixMillis>>>,
}

/// Everything that was answered for, and what came of it.
#[derive(Debug, Default)]
pub(crate) struct History {
    answered: Vec<Answered>,
    /// Committed, whether answered or not.
    committed: Vec<Revocation>,
    /// The database lost them, and nothing proves them.
    lost: BTreeSet<Fact>,
    /// What became of each film, in the order of the commits.
    films: BTreeMap<FilmId, Vec<Relabelled>>,
    pub(crate) verdicts: u64,
    pub(crate) verdicts_refused: u64,
}

/// How strict to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// Nothing goes wrong: in force soon.
    AtOnce,
    /// One thing goes wrong: in force within `max_staleness`, or the verifier does not decide.
    Bounded,
    /// Everything goes wrong: nothing is lost in the end.
    InTheEnd,
}

impl History {
    pub(crate) fn committed(&mut self, revocation: Revocation) {
        self.committed.push(revocation);
    }

    pub(crate) fn answered(&mut self, revocation: Revocation, at: UnixMillis) {
        self.answered.push(Answered { revocation, at });
    }

    /// The database was set back, and neither it nor the log has these any more.
    pub(crate) fn lost(&mut self, is_kept: impl Fn(&Fact) -> bool) {
        let lost = self
            .committed
            .iter()
            .filter(|revocation| !is_kept(&revocation.fact));
        self.lost.extend(lost.map(|revocation| revocation.fact.clone()));
    }

    /// A film carries something else from now on, and somebody will be told so.
    pub(crate) fn relabelled(&mut self, film: FilmId, value: Value) -> Rc<Cell<Option<UnixMillis>>> {
        let answered = Rc::<Cell<_>>::default();
        self.films.entry(film).or_default().push(Relabelled {
            value,
            answered: Rc::clone(&answered),
        });
        answered
    }

    /// The database was set back, to these.
    pub(crate) fn films_set_back(&mut self, films: &BTreeMap<FilmId, (u64, Value)>, at: UnixMillis) {
        for (film, history) in &mut self.films {
            history.push(Relabelled {
                value: films.get(film).map_or(0, |(_, value)| *value),
                answered: Rc::new(Cell::new(Some(at))),
            });
        }
    }

    /// What may be thought of a film: what it carries by the last change that was answered for before `time`, or by a later one.
    fn possible(history: &[Relabelled], time: UnixMillis) -> &[Relabelled] {
        let is_known = |change: &Relabelled| change.answered.get().is_some_and(|at| at <= time);
        &history[history.iter().rposition(is_known).unwrap_or(0)..]
    }

    /// Asks a verifier about every film.
    fn judge_labels(
        &self,
        world: &World,
        verifier: &SimVerifier,
        bound: Option<Duration>,
    ) -> Result<(), String> {
        let clock = world.clock(Node::Verifier(verifier.index));
        let view = verifier.replica.labels().view(clock.now(), clock.boot());
        let Some(known) = view.trusted() else {
            return Ok(());
        };
        let time = known.as_of;
        // To the letter of the heartbeat, and of the promise.
        let since = bound.map_or(time, |bound| time.max(world.now().minus(bound)));
        for (film, history) in &self.films {
            let carries = value(&known.table.film(*film));
            let possible = Self::possible(history, since);
            if !possible.iter().any(|change| change.value == carries) {
                return Err(format!(
                    "verifier {} believes as of {time} that film {film:?} carries {carries}, and not one of {possible:?}",
                    verifier.index
                ));
            }
        }
        Ok(())
    }

    fn is_due(&self, revocation: &Revocation, now: UnixMillis) -> bool {
        revocation.expires.is_none_or(|at| at > now) && !self.lost.contains(&revocation.fact)
    }

    /// Asks a verifier as a request would: does it decide, and by what knowledge?
    ///
    /// # Errors
    ///
    /// What it does not know and should.
    pub(crate) fn judge(
        &mut self,
        world: &World,
        verifier: &SimVerifier,
        promise: Promise,
    ) -> Result<(), String> {
        let clock = world.clock(Node::Verifier(verifier.index));
        let view = verifier.replica.view(clock.now(), clock.boot());
        self.verdicts += 1;
        if !view.freshness.is_trusted() {
            self.verdicts_refused += 1;
            return match promise {
                Promise::AtOnce if !self.answered.is_empty() => Err(format!(
                    "verifier {} does not decide, and nothing is wrong",
                    verifier.index
                )),
                _ => Ok(()),
            };
        }
        let bound = match promise {
            Promise::AtOnce => SOON,
            Promise::Bounded => MAX_STALENESS + SLACK,
            Promise::InTheEnd => return Ok(()),
        };
        self.judge_labels(world, verifier, (promise == Promise::AtOnce).then_some(SOON))?;
        let now = world.now();
        let known = facts(verifier, now);
        let heard = verifier
            .replica
            .newest_heartbeat()
            .map(|heartbeat| heartbeat.time);
        for Answered { revocation, at } in &self.answered {
            // What the heartbeat says, to the letter; and what the product promises.
            let is_late = heard.is_some_and(|heard| heard > *at) || now.since(*at) > bound;
            if is_late && self.is_due(revocation, now) && !known.contains(&revocation.fact) {
                return Err(format!(
                    "verifier {} decides ({:?}) and does not know {:?}, answered for {:?} ago",
                    verifier.index,
                    view.freshness,
                    revocation.fact,
                    now.since(*at)
                ));
            }
        }
        Ok(())
    }

    /// Everything is well again: everybody knows everything.
    ///
    /// # Errors
    ///
    /// What somebody does not know.
    pub(crate) fn judge_end(&self, world: &World, verifiers: &[SimVerifier]) -> Result<(), String> {
        let now = world.now();
        for verifier in verifiers {
            let clock = world.clock(Node::Verifier(verifier.index));
            let view = verifier.replica.view(clock.now(), clock.boot());
            if !view.freshness.is_trusted() {
                return Err(format!(
                    "verifier {} is {:?} at the end",
                    verifier.index, view.freshness
                ));
            }
            let labels = verifier.replica.labels().view(clock.now(), clock.boot());
            if labels.trusted().is_none_or(|known| now.since(known.as_of) > SOON) {
                return Err(format!(
                    "verifier {} is not sure of labels at the end: {:?}",
                    verifier.index, labels.freshness
                ));
            }
            self.judge_labels(world, verifier, Some(SOON))?;
            let known = facts(verifier, now);
            let missing = self
                .committed
                .iter()
                .find(|revocation| self.is_due(revocation, now) && !known.contains(&revocation.fact));
            if let Some(missing) = missing {
                return Err(format!("verifier {} never learnt of {missing:?}", verifier.index));
            }
        }
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.committed.len()
    }
}

/// The live facts that a verifier knows.
fn facts(verifier: &SimVerifier, now: UnixMillis) -> BTreeSet<Fact> {
    let all = verifier.replica.set().to_sorted();
    let live = all
        .into_iter()
        .filter(|revocation| revocation.expires.is_none_or(|at| at > now));
    live.map(|revocation| revocation.fact).collect()
}
