use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use arc_swap::{ArcSwap, Guard};

use super::expiry::Expiry;
use super::generation::Generation;
use super::table::{Change, Entry, IdHasher, Table};
use super::{Fact, Refusal, Revocation};
use crate::id::{SessionId, SubjectId, TokenId};
use crate::time::UnixMillis;
use crate::token::{SignedToken, ValidToken};

type Names<V> = HashMap<Box<str>, V, foldhash::fast::RandomState>;

/// Every live fact. Readers take no lock, and are never held up by a writer; writers go one by one.
///
/// Ids are held whole, in less than 36 bytes a session or token and 48 a subject once there are many, while the set
/// grows too: it does so piece by piece. Times are kept in whole seconds, rounded up, until 2106; later ones count as never.
pub struct RevocationSet {
    hasher: IdHasher,
    published: ArcSwap<State>,
    /// The writers' own, which shares with the published one what did not change.
    writing: Mutex<State>,
    generation: Generation,
    /// What the generation began with: sets of one process never have the same.
    first_generation: u64,
}

/// Cheap to clone: everything is behind an `Arc`.
#[derive(Clone)]
struct State {
    sessions: Table,
    subjects: Table,
    tokens: Table,
    // Few, so they are replaced whole.
    roles: Arc<Names<Floor>>,
    keys: Arc<Names<Expiry>>,
}

/// A least version that is still good, and how long that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Floor {
    version: i64,
    expires: Expiry,
}

/// The kinds that are named by ids, of which there may be millions.
#[derive(Clone, Copy, Debug)]
enum IdKind {
    Session,
    Subject,
    Token,
}

/// A token that no revocation known here refuses.
#[derive(Clone, Copy, Debug)]
pub struct LiveToken<'a>(&'a SignedToken);

impl<'a> LiveToken<'a> {
    /// The token.
    pub fn token(self) -> &'a SignedToken {
        self.0
    }
}

/// The facts as of one moment; what is taken in later may be seen or not.
///
/// To be dropped soon: it keeps alive what is replaced meanwhile.
pub struct Facts<'a> {
    hasher: &'a IdHasher,
    state: Guard<Arc<State>>,
}

impl Facts<'_> {
    /// Whether a session was revoked.
    #[inline]
    pub fn has_session(&self, session: SessionId) -> bool {
        self.state.sessions.contains(self.hasher, session.0.as_u128())
    }

    /// Whether a token was revoked.
    #[inline]
    fn has_token(&self, token: TokenId) -> bool {
        self.state.tokens.contains(self.hasher, token.0.as_u128())
    }

    /// Whether a subject's version has moved on from `ver`.
    #[inline]
    fn has_moved_on(&self, subject: SubjectId, ver: i64) -> bool {
        let version = self.state.subjects.version(self.hasher, subject.0.as_u128());
        version.is_some_and(|version| ver < version)
    }
}

impl RevocationSet {
    /// Takes a fact in. Every check that begins after this returns sees it.
    pub fn apply(&self, revocation: &Revocation) {
        self.apply_all(std::slice::from_ref(revocation));
    }

    /// Takes several facts in, as [`RevocationSet::apply`] does with each, but other writers wait until the last.
    pub fn apply_all(&self, revocations: &[Revocation]) {
        if revocations.is_empty() {
            return;
        }
        let mut state = self.write();
        let mut is_published = true;
        for revocation in revocations {
            match state.apply(&self.hasher, revocation) {
                Changed::Nothing => {}
                Changed::Names => is_published = false,
                // At once, so that of all segments only this one is ever held twice.
                Changed::Segment => {
                    self.publish(&state);
                    is_published = true;
                }
            }
        }
        if !is_published {
            self.publish(&state);
        }
        drop(state);
        self.generation.advance();
    }

    /// Checks a valid token against every fact: the one way to a [`LiveToken`].
    ///
    /// # Errors
    ///
    /// - [`Refusal::Revoked`] if its session, key or id was revoked.
    /// - [`Refusal::Stale`] if its subject's version, or a role's that it carries, has moved on.
    pub fn check<'a>(&self, token: ValidToken<'a>) -> Result<LiveToken<'a>, Refusal> {
        let signed = token.token();
        self.generation
            .unless_alive(&signed.last_live, || self.look(signed))?;
        Ok(LiveToken(signed))
    }

    fn look(&self, signed: &SignedToken) -> Result<(), Refusal> {
        let claims = signed.claims();
        let facts = self.facts();
        let state = &facts.state;
        if facts.has_session(claims.session)
            || state.keys.contains_key(signed.kid())
            || facts.has_token(claims.token_id)
        {
            return Err(Refusal::Revoked);
        }
        if facts.has_moved_on(claims.subject, claims.ver) {
            return Err(Refusal::Stale);
        }
        let role_moved_on = !state.roles.is_empty()
            && claims.roles.iter().any(|name| {
                state
                    .roles
                    .get(name)
                    .is_some_and(|floor| claims.rver < floor.version)
            });
        if role_moved_on {
            return Err(Refusal::Stale);
        }
        Ok(())
    }

    /// The facts as of now, for several lookups.
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            hasher: &self.hasher,
            state: self.published.load(),
        }
    }

    /// Drops what can refuse nothing any more. `now` is the earliest of the clocks that must have passed.
    ///
    /// Other writers get their turn in between, and memory for one segment is all that it takes.
    pub fn sweep(&self, now: UnixMillis) {
        for kind in IdKind::ALL {
            for index in Table::indices() {
                let mut state = self.write();
                if state.table_mut(kind).sweep(&self.hasher, index, now) == Change::Replaced {
                    self.publish(&state);
                }
            }
        }
        let mut state = self.write();
        if state.roles.values().any(|floor| floor.expires.has_passed(now))
            || state.keys.values().any(|expires| expires.has_passed(now))
        {
            Arc::make_mut(&mut state.roles).retain(|_, floor| !floor.expires.has_passed(now));
            Arc::make_mut(&mut state.keys).retain(|_, expires| !expires.has_passed(now));
            self.publish(&state);
        }
    }

    /// A number that grows with every fact, or slice of facts, taken in.
    pub fn generation(&self) -> u64 {
        self.generation.now() - self.first_generation
    }

    /// Facts held, by kind as [`Fact::kind`] names them.
    pub fn counts(&self) -> [(&'static str, usize); 5] {
        let state = self.published.load();
        [
            ("session", state.sessions.len()),
            ("subject", state.subjects.len()),
            ("role", state.roles.len()),
            ("token", state.tokens.len()),
            ("key", state.keys.len()),
        ]
    }

    /// Bytes that the facts occupy on the heap, free room included, the allocator's own not.
    pub fn memory_bytes(&self) -> usize {
        let state = self.published.load();
        [&state.sessions, &state.subjects, &state.tokens]
            .map(Table::memory_bytes)
            .iter()
            .sum::<usize>()
            + names_bytes(&state.roles)
            + names_bytes(&state.keys)
    }

    /// Hands out every fact, in no order, with its time rounded up to the whole second. What is taken in or dropped
    /// meanwhile may be among them or not.
    pub fn for_each(&self, mut visit: impl FnMut(Revocation)) {
        for kind in IdKind::ALL {
            for index in Table::indices() {
                // Loaded for each anew: a state held for long would keep alive what is replaced meanwhile.
                let table = self.published.load().table(kind).clone();
                table
                    .entries(index)
                    .for_each(|entry| visit(kind.revocation(&entry)));
            }
        }
        let state = self.published.load_full();
        for (name, floor) in state.roles.iter() {
            visit(Revocation {
                fact: Fact::Role {
                    name: name.clone(),
                    min_rver: floor.version,
                },
                expires: floor.expires.time(),
            });
        }
        for (kid, expires) in state.keys.iter() {
            visit(Revocation {
                fact: Fact::Key { kid: kid.clone() },
                expires: expires.time(),
            });
        }
    }

    /// Every fact, in order, as [`RevocationSet::for_each`] has them: what two replicas that agree have in common.
    pub fn to_sorted(&self) -> Vec<Revocation> {
        let mut all = Vec::new();
        self.for_each(|revocation| all.push(revocation));
        all.sort();
        all
    }

    fn write(&self) -> MutexGuard<'_, State> {
        self.writing.lock().unwrap_or_else(|poisoned| {
            // A writer that died between its last step and publishing it: nobody may write where readers do not look.
            let state = poisoned.into_inner();
            self.publish(&state);
            self.generation.advance();
            state
        })
    }

    fn publish(&self, state: &State) {
        self.published.store(Arc::new(state.clone()));
    }
}

impl Default for RevocationSet {
    fn default() -> Self {
        static SETS: AtomicU64 = AtomicU64::new(1);
        let first_generation = SETS.fetch_add(1, Ordering::Relaxed) << 32;
        let state = State {
            sessions: Table::new(false),
            subjects: Table::new(true),
            tokens: Table::new(false),
            roles: Arc::default(),
            keys: Arc::default(),
        };
        Self {
            hasher: IdHasher::default(),
            published: ArcSwap::from_pointee(state.clone()),
            writing: Mutex::new(state),
            generation: Generation::from(first_generation),
            first_generation,
        }
    }
}

impl fmt::Debug for RevocationSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationSet")
            .field("counts", &self.counts())
            .field("generation", &self.generation())
            .finish_non_exhaustive()
    }
}

/// What a fact changed that has to be published.
enum Changed {
    Nothing,
    Names,
    Segment,
}

impl State {
    fn apply(&mut self, hasher: &IdHasher, revocation: &Revocation) -> Changed {
        let expires = Expiry::at(revocation.expires);
        let (kind, id, version) = match &revocation.fact {
            Fact::Session { session } => (IdKind::Session, session.0, 0),
            Fact::Subject { subject, min_ver } => (IdKind::Subject, subject.0, *min_ver),
            Fact::Token { token } => (IdKind::Token, token.0, 0),
            Fact::Role { name, min_rver } => {
                let floor = Floor {
                    version: *min_rver,
                    expires,
                };
                let held = Arc::make_mut(&mut self.roles)
                    .entry(name.clone())
                    .or_insert(floor);
                held.version = held.version.max(floor.version);
                held.expires = held.expires.max(floor.expires);
                return Changed::Names;
            }
            Fact::Key { kid } => {
                let held = Arc::make_mut(&mut self.keys)
                    .entry(kid.clone())
                    .or_insert(expires);
                *held = expires.max(*held);
                return Changed::Names;
            }
        };
        let entry = Entry {
            id: id.as_u128(),
            expires,
            version,
        };
        match self.table_mut(kind).apply(hasher, &entry) {
            Change::InPlace => Changed::Nothing,
            Change::Replaced => Changed::Segment,
        }
    }

    fn table(&self, kind: IdKind) -> &Table {
        match kind {
            IdKind::Session => &self.sessions,
            IdKind::Subject => &self.subjects,
            IdKind::Token => &self.tokens,
        }
    }

    fn table_mut(&mut self, kind: IdKind) -> &mut Table {
        match kind {
            IdKind::Session => &mut self.sessions,
            IdKind::Subject => &mut self.subjects,
            IdKind::Token => &mut self.tokens,
        }
    }
}

impl IdKind {
    const ALL: [Self; 3] = [Self::Session, Self::Subject, Self::Token];

    fn revocation(self, entry: &Entry) -> Revocation {
        let id = uuid::Uuid::from_u128(entry.id);
        let fact = match self {
            Self::Session => Fact::Session {
                session: SessionId(id),
            },
            Self::Subject => Fact::Subject {
                subject: SubjectId(id),
                min_ver: entry.version,
            },
            Self::Token => Fact::Token { token: TokenId(id) },
        };
        Revocation {
            fact,
            expires: entry.expires.time(),
        }
    }
}

fn names_bytes<V>(names: &Names<V>) -> usize {
    // An entry and its control byte for each place, of which an eighth always stays free.
    let places = names.capacity() * 8 / 7;
    places * (size_of::<(Box<str>, V)>() + 1) + names.keys().map(|name| name.len()).sum::<usize>()
}
