//! What clients did and saw: the answer to every revocation, every verdict, and what must not have been.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::world::{MAX_STALENESS, VERIFIERS, Verdict};

/// How late a verdict may admit a revoked token: `max_staleness`, and what clocks may differ by.
pub(crate) const BOUND: Duration = MAX_STALENESS.saturating_add(Duration::from_secs(1));

/// The same while nothing is at fault: milliseconds, on a machine that has the time.
pub(crate) const BOUND_WITHOUT_FAULT: Duration = Duration::from_secs(2);

/// Violations that are kept word by word.
const VIOLATIONS_MAX: usize = 20;

/// How many tokens of a kind a verifier is asked about in a round.
const ASKED_PENDING: usize = 24;
const ASKED_REFUSED: usize = 6;
const ASKED_LIVE: usize = 4;

/// The place of a token in the history.
pub(crate) type TokenId = usize;

/// Which fact refuses a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Revokes {
    Session,
    Subject,
}

/// A token, and what has become of it.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) access: Arc<str>,
    pub(crate) state: State,
    pub(crate) revokes: Revokes,
    /// When each verifier first refused it after the answer.
    refused: [Option<Instant>; VERIFIERS],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nobody has asked for its end.
    Live,
    /// Somebody has, and has no answer yet: either verdict is right.
    Asked,
    /// The issuer has answered for its end.
    Revoked(Instant),
}

/// What is known so far.
#[derive(Debug, Default)]
pub(crate) struct History(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    tokens: Vec<Token>,
    /// What each verifier has still to refuse, and what it has refused.
    pending: [Vec<TokenId>; VERIFIERS],
    refused: [Vec<TokenId>; VERIFIERS],
    watched: [Watched; VERIFIERS],
    bound: Duration,
    violations: Vec<String>,
    seen: Seen,
}

/// What a verifier's clients saw of its staleness.
#[derive(Clone, Copy, Debug, Default)]
struct Watched {
    undecided_since: Option<Instant>,
    undecided_for: Duration,
    /// When it last admitted somebody.
    decided: Option<Instant>,
    must_answer: bool,
}

/// Sums over all verifiers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) revocations: u64,
    pub(crate) verdicts: u64,
    /// Revocations that had to be asked for again.
    pub(crate) unanswered: u64,
    /// The latest verdict that admitted a revoked token, after the revocation's answer.
    pub(crate) admitted_late: Duration,
    /// The longest that a verifier did not decide.
    pub(crate) undecided_for: Duration,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            tokens: Vec::new(),
            pending: Default::default(),
            refused: Default::default(),
            watched: [Watched {
                must_answer: true,
                ..Watched::default()
            }; VERIFIERS],
            bound: BOUND_WITHOUT_FAULT,
            violations: Vec::new(),
            seen: Seen::default(),
        }
    }
}

impl History {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on verdicts may be this late.
    pub(crate) fn set_bound(&self, bound: Duration) {
        self.lock().bound = bound;
    }

    /// Whether a verifier that does not answer is a violation.
    pub(crate) fn set_must_answer(&self, verifier: usize, must_answer: bool) {
        self.lock().watched[verifier].must_answer = must_answer;
    }

    pub(crate) fn add(&self, access: &str, revokes: Revokes) -> TokenId {
        let mut inner = self.lock();
        inner.tokens.push(Token {
            access: access.into(),
            state: State::Live,
            revokes,
            refused: [None; VERIFIERS],
        });
        inner.tokens.len() - 1
    }

    pub(crate) fn token(&self, id: TokenId) -> Token {
        self.lock().tokens[id].clone()
    }

    pub(crate) fn tokens(&self) -> Vec<Token> {
        self.lock().tokens.clone()
    }

    /// Its end is asked for.
    pub(crate) fn asked(&self, id: TokenId) {
        self.lock().tokens[id].state = State::Asked;
    }

    /// Its end was asked for in vain, and will be again.
    pub(crate) fn unanswered(&self) {
        self.lock().seen.unanswered += 1;
    }

    /// The issuer has answered for its end.
    pub(crate) fn revoked(&self, id: TokenId) {
        let mut inner = self.lock();
        inner.tokens[id].state = State::Revoked(Instant::now());
        inner.seen.revocations += 1;
        for pending in &mut inner.pending {
            pending.push(id);
        }
    }

    pub(crate) fn violation(&self, what: String) {
        self.lock().violate(what);
    }

    /// A verifier was asked about a token at `began`, and has answered now.
    pub(crate) fn verdict(&self, verifier: usize, id: TokenId, began: Instant, verdict: &Verdict) {
        let mut inner = self.lock();
        let now = Instant::now();
        inner.seen.verdicts += 1;
        let state = inner.tokens[id].state;
        let who = format!("verifier {}, token {id}", verifier + 1);
        match verdict {
            Verdict::Admitted => {
                inner.decided(verifier, now);
                if let State::Revoked(answered) = state {
                    let late = began.saturating_duration_since(answered);
                    inner.seen.admitted_late = inner.seen.admitted_late.max(late);
                    if late > inner.bound {
                        inner.violate(format!(
                            "{who}: admitted {late:?} after its revocation was answered"
                        ));
                    }
                }
            }
            // Known revocations refuse even where the list is too old to admit anybody.
            Verdict::Refused(reason) => {
                if state == State::Live {
                    inner.violate(format!("{who}: live, and refused as {reason}"));
                } else if !matches!(reason.as_str(), "revoked" | "stale") {
                    inner.violate(format!("{who}: revoked, and refused as {reason}"));
                }
                inner.refuse(verifier, id, now);
            }
            Verdict::Undecided(reason) => {
                if !matches!(reason.as_str(), "stale_replica" | "no_keys") {
                    inner.violate(format!("{who}: undecided as {reason}"));
                }
                inner.undecided(verifier, now);
            }
            Verdict::Odd(status, body) => inner.violate(format!("{who}: {status} {body}")),
            Verdict::Away => {
                if inner.watched[verifier].must_answer {
                    inner.violate(format!("{who}: no answer, {:?} after it was asked", now - began));
                }
            }
        }
    }

    /// What a verifier is to be asked next. `pick` gives a number below another.
    pub(crate) fn questions(
        &self,
        verifier: usize,
        mut pick: impl FnMut(usize) -> usize,
    ) -> Vec<(TokenId, Arc<str>)> {
        let inner = self.lock();
        let mut asked: Vec<TokenId> = Vec::new();
        // The newest, which others may still let in, and by chance any: none is to be forgotten.
        let pending = &inner.pending[verifier];
        asked.extend(pending.iter().rev().take(ASKED_PENDING));
        for (among, count) in [
            (pending, ASKED_REFUSED),
            (&inner.refused[verifier], ASKED_REFUSED),
        ] {
            if !among.is_empty() {
                asked.extend((0..count).map(|_| among[pick(among.len())]));
            }
        }
        let newest = inner.tokens.len().saturating_sub(1);
        for _ in 0..ASKED_LIVE {
            // The first are never revoked; the newest are still live, mostly.
            asked.push(pick(ASKED_LIVE).min(newest));
            asked.push(newest - pick(ASKED_LIVE).min(newest));
        }
        asked
            .into_iter()
            .map(|id| (id, Arc::clone(&inner.tokens[id].access)))
            .collect()
    }

    /// Revocations that were answered.
    pub(crate) fn revocations(&self) -> u64 {
        self.lock().seen.revocations
    }

    /// Revocations that a verifier has still to refuse.
    pub(crate) fn pending(&self) -> [usize; VERIFIERS] {
        self.lock().pending.each_ref().map(Vec::len)
    }

    /// Whether a verifier has refused every answered one of the first so many tokens.
    pub(crate) fn is_refused_up_to(&self, verifier: usize, count: usize) -> bool {
        self.lock().pending[verifier].iter().all(|id| *id >= count)
    }

    /// Which verifiers do not decide now.
    pub(crate) fn undecided(&self) -> [bool; VERIFIERS] {
        self.lock()
            .watched
            .map(|watched| watched.undecided_since.is_some())
    }

    /// Which verifiers have decided since.
    pub(crate) fn decided_since(&self, since: Instant) -> [bool; VERIFIERS] {
        let inner = self.lock();
        inner.watched.map(|watched| {
            watched.undecided_since.is_none() && watched.decided.is_some_and(|decided| decided > since)
        })
    }

    pub(crate) fn seen(&self) -> Seen {
        let inner = self.lock();
        let longest = inner.watched.iter().map(|watched| watched.undecided_for).max();
        Seen {
            undecided_for: longest.unwrap_or_default(),
            ..inner.seen
        }
    }

    /// What must not have been.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.lock().violations.clone()
    }
}

impl Inner {
    fn violate(&mut self, what: String) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(what);
        }
    }

    fn decided(&mut self, verifier: usize, now: Instant) {
        let watched = &mut self.watched[verifier];
        watched.decided = Some(now);
        if let Some(since) = watched.undecided_since.take() {
            watched.undecided_for += now - since;
        }
    }

    fn undecided(&mut self, verifier: usize, now: Instant) {
        self.watched[verifier].undecided_since.get_or_insert(now);
    }

    fn refuse(&mut self, verifier: usize, id: TokenId, now: Instant) {
        let token = &mut self.tokens[id];
        if matches!(token.state, State::Revoked(_)) && token.refused[verifier].is_none() {
            token.refused[verifier] = Some(now);
            self.pending[verifier].retain(|pending| *pending != id);
            self.refused[verifier].push(id);
        }
    }
}
