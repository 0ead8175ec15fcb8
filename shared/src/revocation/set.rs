use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};

use papaya::HashMap;

use super::{Fact, Refusal, Revocation};
use crate::id::{SessionId, SubjectId, TokenId};
use crate::time::UnixMillis;
use crate::token::{SignedToken, ValidToken};

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// Stored for a fact that never expires.
const NEVER: UnixMillis = UnixMillis(i64::MAX);

/// A least version that is still good, and how long that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Floor {
    version: i64,
    expires: UnixMillis,
}

/// Every live fact. Readers take no lock and are never held up by a writer.
#[derive(Debug, Default)]
pub struct RevocationSet {
    sessions: Map<SessionId, UnixMillis>,
    subjects: Map<SubjectId, Floor>,
    roles: Map<Box<str>, Floor>,
    tokens: Map<TokenId, UnixMillis>,
    keys: Map<Box<str>, UnixMillis>,
    generation: AtomicU64,
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

impl RevocationSet {
    /// Takes a fact in. Every check that begins after this returns sees it.
    pub fn apply(&self, revocation: &Revocation) {
        let expires = revocation.expires.unwrap_or(NEVER);
        match &revocation.fact {
            Fact::Session { session } => keep_latest(&self.sessions, *session, expires),
            Fact::Subject { subject, min_ver } => raise_floor(&self.subjects, *subject, *min_ver, expires),
            Fact::Role { name, min_rver } => raise_floor(&self.roles, name.clone(), *min_rver, expires),
            Fact::Token { token } => keep_latest(&self.tokens, *token, expires),
            Fact::Key { kid } => keep_latest(&self.keys, kid.clone(), expires),
        }
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Checks a valid token against every fact: the one way to a [`LiveToken`].
    ///
    /// # Errors
    ///
    /// - [`Refusal::Revoked`] if its session, key or id was revoked.
    /// - [`Refusal::Stale`] if its subject's version, or a role's that it carries, has moved on.
    pub fn check<'a>(&self, token: ValidToken<'a>) -> Result<LiveToken<'a>, Refusal> {
        let signed = token.token();
        let claims = signed.claims();
        if self.sessions.pin().contains_key(&claims.session)
            || self.keys.pin().contains_key(signed.kid())
            || self.tokens.pin().contains_key(&claims.token_id)
        {
            return Err(Refusal::Revoked);
        }
        let subject_moved_on = self
            .subjects
            .pin()
            .get(&claims.subject)
            .is_some_and(|floor| claims.ver < floor.version);
        if subject_moved_on {
            return Err(Refusal::Stale);
        }
        let roles = self.roles.pin();
        let role_moved_on = !roles.is_empty()
            && claims
                .roles
                .iter()
                .any(|name| roles.get(name).is_some_and(|floor| claims.rver < floor.version));
        if role_moved_on {
            Err(Refusal::Stale)
        } else {
            Ok(LiveToken(signed))
        }
    }

    /// Drops what can refuse nothing any more. `now` is the earliest of the clocks that must have passed.
    pub fn sweep(&self, now: UnixMillis) {
        self.sessions.pin().retain(|_, expires| *expires > now);
        self.subjects.pin().retain(|_, floor| floor.expires > now);
        self.roles.pin().retain(|_, floor| floor.expires > now);
        self.tokens.pin().retain(|_, expires| *expires > now);
        self.keys.pin().retain(|_, expires| *expires > now);
    }

    /// A number that grows with every fact taken in.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Facts held, by kind as [`Fact::kind`] names them.
    pub fn counts(&self) -> [(&'static str, usize); 5] {
        [
            ("session", self.sessions.len()),
            ("subject", self.subjects.len()),
            ("role", self.roles.len()),
            ("token", self.tokens.len()),
            ("key", self.keys.len()),
        ]
    }

    /// Every fact, in order: what two replicas that agree have in common.
    pub fn to_sorted(&self) -> Vec<Revocation> {
        let live = |fact, expires| Revocation {
            fact,
            expires: (expires != NEVER).then_some(expires),
        };
        let mut all = Vec::new();
        all.extend(
            self.sessions
                .pin()
                .iter()
                .map(|(id, at)| live(Fact::Session { session: *id }, *at)),
        );
        all.extend(self.subjects.pin().iter().map(|(id, floor)| {
            live(
                Fact::Subject {
                    subject: *id,
                    min_ver: floor.version,
                },
                floor.expires,
            )
        }));
        all.extend(self.roles.pin().iter().map(|(name, floor)| {
            live(
                Fact::Role {
                    name: name.clone(),
                    min_rver: floor.version,
                },
                floor.expires,
            )
        }));
        all.extend(
            self.tokens
                .pin()
                .iter()
                .map(|(id, at)| live(Fact::Token { token: *id }, *at)),
        );
        all.extend(
            self.keys
                .pin()
                .iter()
                .map(|(kid, at)| live(Fact::Key { kid: kid.clone() }, *at)),
        );
        all.sort();
        all
    }
}

fn keep_latest<K: Hash + Eq>(map: &Map<K, UnixMillis>, key: K, expires: UnixMillis) {
    map.pin()
        .update_or_insert(key, |held| (*held).max(expires), expires);
}

fn raise_floor<K: Hash + Eq>(map: &Map<K, Floor>, key: K, version: i64, expires: UnixMillis) {
    let raise = |held: &Floor| Floor {
        version: held.version.max(version),
        expires: held.expires.max(expires),
    };
    map.pin().update_or_insert(key, raise, Floor { version, expires });
}
