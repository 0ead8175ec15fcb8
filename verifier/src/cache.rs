//! Tokens whose signature was checked, so that it is checked once.
//!
//! What is cached is what a signature proved, and nothing that time, a revocation or a rule could change. The key is
//! the whole token: no two tokens can be taken for each other, and no digest is needed.
//!
//! ```text
//! find ─► the thread's own front ─► the cache that all threads share ─► the signature is checked
//! ```
//!
//! A token is shared when it comes a second time, to whichever thread: many come but once, and need not be shared.
//! So a token that stays in mind is checked about twice, however many threads there are.

mod front;
mod sightings;

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::{ArcSwapOption, Guard};
use foldhash::quality::RandomState;
use http::HeaderValue;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use shared::label::{Definitions, Satisfied};
use shared::token::{Claims, SignedToken};

use self::front::Fronts;
use self::sightings::Sightings;

/// What an entry takes beside key and value, about: the map's slot, the counters and queues of the eviction policy.
const ENTRY_OVERHEAD_BYTES: usize = 256;

/// A token whose signature holds, with what is told of it to the proxy.
pub struct CachedToken {
    /// As it was presented.
    token: Arc<str>,
    /// What it says.
    pub signed: SignedToken,
    /// Since which generation of the keys its key is in force ([`crate::keys::HeldKey::since`]).
    pub key_since: u64,
    /// The identity headers, rendered.
    pub identity: IdentityHeaders,
    /// The labels that its holder satisfied when they were last worked out.
    satisfied: ArcSwapOption<Satisfied>,
    /// Whether it has been given to all threads.
    is_shared: AtomicBool,
}

/// The values of the identity headers of one caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityHeaders {
    /// `X-Auth-Subject`.
    pub subject: HeaderValue,
    /// `X-Auth-Session`.
    pub session: HeaderValue,
    /// `X-Auth-Roles`, parted by commas.
    pub roles: HeaderValue,
    /// `X-Auth-Superuser`: `true` or `false`.
    pub superuser: HeaderValue,
}

/// The tokens that were checked, bounded in bytes.
pub struct TokenCache {
    fronts: Fronts,
    shared: Cache<Arc<str>, Arc<CachedToken>, RandomState>,
    sightings: Sightings,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl fmt::Debug for CachedToken {
    /// What it says, and not the token: whoever reads that could present it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedToken")
            .field("signed", &self.signed)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").finish_non_exhaustive()
    }
}

impl CachedToken {
    /// A token that the key in force since generation `key_since` signed.
    pub fn new(token: &str, signed: SignedToken, key_since: u64) -> Self {
        let identity = IdentityHeaders::of(signed.claims());
        Self {
            token: token.into(),
            signed,
            key_since,
            identity,
            satisfied: ArcSwapOption::empty(),
            is_shared: AtomicBool::new(false),
        }
    }

    /// The labels that its holder satisfies, if they have been worked out by these definitions.
    #[inline]
    pub fn satisfied(&self, by: &Definitions) -> Option<Guard<Option<Arc<Satisfied>>>> {
        let kept = self.satisfied.load();
        let is_current = kept
            .as_ref()
            .is_some_and(|kept| kept.generation() == by.generation());
        is_current.then_some(kept)
    }

    /// Works out the labels that its holder satisfies, and keeps them.
    pub fn satisfy(&self, by: &Definitions) -> Arc<Satisfied> {
        let satisfied = Arc::new(by.satisfied_by(&self.signed.claims().roles));
        self.satisfied.store(Some(Arc::clone(&satisfied)));
        satisfied
    }

    fn memory_bytes(&self) -> usize {
        let IdentityHeaders {
            subject,
            session,
            roles,
            ..
        } = &self.identity;
        let satisfied = self.satisfied.load();
        let labels = satisfied
            .as_ref()
            .map_or(0, |satisfied| size_of::<Satisfied>() + satisfied.memory_bytes());
        let own = self.token.len() + size_of::<Self>() + ENTRY_OVERHEAD_BYTES;
        self.signed.memory_bytes() + own + subject.len() + session.len() + roles.len() + labels
    }
}

impl IdentityHeaders {
    /// Of somebody who presented no token, or none that counts.
    pub fn anonymous() -> Self {
        Self {
            subject: HeaderValue::from_static(""),
            session: HeaderValue::from_static(""),
            roles: HeaderValue::from_static(""),
            superuser: HeaderValue::from_static("false"),
        }
    }

    fn of(claims: &Claims) -> Self {
        let (subject, session) = match &claims.foreign {
            Some(names) => (text(&names.subject), text(&names.session)),
            None => (
                text(&claims.subject.to_string()),
                text(&claims.session.to_string()),
            ),
        };
        Self {
            subject,
            session,
            roles: text(&role_list(claims)),
            superuser: HeaderValue::from_static(if claims.superuser { "true" } else { "false" }),
        }
    }
}

impl TokenCache {
    /// A cache of at most about `capacity_bytes`, half of it shared, half of it in the fronts of so many threads; 0 keeps
    /// nothing.
    pub fn new(capacity_bytes: u64, threads: NonZeroUsize) -> Self {
        let half = capacity_bytes / 2;
        let shared = Cache::<Arc<str>, Arc<CachedToken>>::builder()
            .max_capacity(half)
            .weigher(|_, cached| u32::try_from(cached.memory_bytes()).unwrap_or(u32::MAX))
            // Tokens are used for their quarter of an hour and never again: what was seen last matters, not how often.
            .eviction_policy(EvictionPolicy::lru())
            .build_with_hasher(RandomState::default());
        Self {
            fronts: Fronts::new(usize::try_from(half).unwrap_or(usize::MAX) / threads),
            shared,
            sightings: Sightings::new(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// What the token's signature proved, if it was checked before.
    ///
    /// Whether the key is still in force is the caller's to ask, and to say [`TokenCache::forget`] if not.
    pub fn find(&self, token: &str) -> Option<Arc<CachedToken>> {
        let found = match self.fronts.find(token) {
            Some(found) => {
                // Looked at before it is written: a line of memory that nobody writes is in every core's cache.
                if !found.is_shared.load(Ordering::Relaxed) {
                    found.is_shared.store(true, Ordering::Relaxed);
                    self.share(&found);
                }
                Some(found)
            }
            None => self.shared.get(token).inspect(|found| {
                self.fronts.keep(found);
            }),
        };
        let counter = if found.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    /// Keeps a token that was just checked.
    pub fn keep(&self, cached: &Arc<CachedToken>) {
        let hash = self.fronts.keep(cached);
        if self.sightings.is_again(hash) {
            cached.is_shared.store(true, Ordering::Relaxed);
            self.share(cached);
        }
    }

    /// Counts the bytes anew that a token takes.
    pub fn weigh(&self, cached: &Arc<CachedToken>) {
        self.fronts.keep(cached);
        if cached.is_shared.load(Ordering::Relaxed) {
            self.share(cached);
        }
    }

    fn share(&self, cached: &Arc<CachedToken>) {
        self.shared.insert(Arc::clone(&cached.token), Arc::clone(cached));
    }

    /// Drops a token: other threads do so when they find it.
    pub fn forget(&self, token: &str) {
        self.fronts.forget(token);
        self.shared.invalidate(token);
    }

    /// Drops every token that `is_wanted` does not want, and from the fronts what has not been needed since the last time.
    pub fn retain(&self, is_wanted: impl Fn(&CachedToken) -> bool) {
        for (token, cached) in &self.shared {
            if !is_wanted(&cached) {
                self.shared.invalidate(token.as_ref());
            }
        }
        self.fronts.sweep();
    }

    /// Lookups that found something, and those that did not.
    pub fn hits_and_misses(&self) -> (u64, u64) {
        (
            self.hits.load(Ordering::Relaxed),
            self.misses.load(Ordering::Relaxed),
        )
    }

    /// Entries that all threads share, and the bytes they take, about.
    pub fn entries_and_bytes(&self) -> (u64, u64) {
        self.shared.run_pending_tasks();
        (self.shared.entry_count(), self.shared.weighted_size())
    }
}

/// The roles parted by commas. A name that would read as something else there (other issuers may have any) is left out:
/// a service behind us must never see a role that the token does not carry.
fn role_list(claims: &Claims) -> String {
    let is_plain =
        |name: &&str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
    claims.roles.iter().filter(is_plain).collect::<Vec<_>>().join(",")
}

/// The header value of a text that is known to be visible ASCII.
fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use shared::testkit::{TestKey, TokenForge};
    use shared::time::UnixMillis;

    use super::*;

    fn forge() -> TokenForge {
        TokenForge::new(&TestKey::number(0), UnixMillis(1_795_376_000_000))
    }

    const ONE: NonZeroUsize = NonZeroUsize::MIN;

    fn kept(cache: &TokenCache, forge: &TokenForge) -> String {
        let token = forge.token();
        cache.keep(&Arc::new(CachedToken::new(&token, forge.signed(), 1)));
        token
    }

    /// A token that has come twice.
    fn shared(cache: &TokenCache, forge: &TokenForge) -> String {
        let token = kept(cache, forge);
        cache.find(&token);
        token
    }

    /// Whether a thread that has seen nothing finds it.
    fn is_shared(cache: &TokenCache, token: &str) -> bool {
        std::thread::scope(|scope| scope.spawn(|| cache.find(token).is_some()).join().unwrap())
    }

    #[test]
    fn a_token_is_not_shown() {
        let cache = TokenCache::new(1024 * 1024, ONE);
        let token = kept(&cache, &forge());
        let found = cache.find(&token).unwrap();
        for shown in [format!("{found:?}"), format!("{cache:?}")] {
            assert!(!shown.contains(&token), "{shown}");
        }
    }

    /// Attack: a token that another cached one could be taken for
    /// Source: CWE-694
    /// Result: it is found by all of its bytes or not at all
    #[test]
    fn what_was_kept_is_found_by_the_whole_token() {
        let cache = TokenCache::new(1024 * 1024, ONE);
        let (one, other) = (forge(), forge());
        let token = kept(&cache, &one);
        kept(&cache, &other);
        let found = cache.find(&token).unwrap();
        assert_eq!(found.signed.claims().subject.to_string(), one.claim_text("sub"));
        assert!(cache.find(&token[..token.len() - 1]).is_none());
        cache.forget(&token);
        assert!(cache.find(&token).is_none());
        assert_eq!(cache.hits_and_misses(), (1, 2));
    }

    #[test]
    fn what_one_thread_keeps_or_forgets_the_others_find_so() {
        let cache = TokenCache::new(1024 * 1024, ONE);
        let token = kept(&cache, &forge());
        // Not before it has come twice.
        assert!(!is_shared(&cache, &token));
        cache.find(&token).unwrap();
        assert!(is_shared(&cache, &token));
        cache.forget(&token);
        assert!(cache.find(&token).is_none() && !is_shared(&cache, &token));
    }

    #[test]
    fn a_token_that_two_threads_have_checked_is_shared() {
        let cache = TokenCache::new(1024 * 1024, ONE);
        let forge = forge();
        let token = kept(&cache, &forge);
        let checked_again = || cache.keep(&Arc::new(CachedToken::new(&token, forge.signed(), 1)));
        std::thread::scope(|scope| scope.spawn(checked_again).join().unwrap());
        assert!(is_shared(&cache, &token));
    }

    #[test]
    fn caches_of_one_process_are_told_apart() {
        let (one, other) = (
            TokenCache::new(1024 * 1024, ONE),
            TokenCache::new(1024 * 1024, ONE),
        );
        let token = kept(&one, &forge());
        assert!(other.find(&token).is_none());
    }

    /// Attack: more tokens than fit
    /// Source: CWE-770
    /// Result: the cache stays within its bytes
    #[test]
    fn the_bytes_are_bounded() {
        let cache = TokenCache::new(40_000, ONE);
        let (forge, long) = (forge(), "r".repeat(2000));
        let token = shared(&cache, &forge);
        let (entries, bytes) = cache.entries_and_bytes();
        assert_eq!(entries, 1);
        assert!(
            bytes > token.len() as u64 && bytes < 4 * token.len() as u64,
            "{bytes}"
        );
        let mut tokens = Vec::new();
        for number in 0..50 {
            tokens.push(shared(&cache, &forge.clone().claim("n", number).roles(&[&long])));
        }
        let (entries, bytes) = cache.entries_and_bytes();
        assert!(
            entries > 0 && bytes <= 20_000,
            "{entries} entries of {bytes} bytes"
        );
        // The front has no more either.
        let found = tokens.iter().filter(|token| cache.fronts.find(token).is_some());
        assert!((1..=4).contains(&found.count()));
    }

    #[test]
    fn a_token_that_goes_on_being_presented_stays_in_its_front() {
        let cache = TokenCache::new(40_000, ONE);
        let token = kept(&cache, &forge());
        for _ in 0..50 {
            kept(&cache, &forge());
            assert!(cache.fronts.find(&token).is_some());
        }
    }

    #[test]
    fn nothing_is_kept_in_no_bytes() {
        let cache = TokenCache::new(0, ONE);
        let token = kept(&cache, &forge());
        assert!(cache.find(&token).is_none());
    }

    #[test]
    fn what_is_not_wanted_is_dropped() {
        let cache = TokenCache::new(1024 * 1024, ONE);
        let token = shared(&cache, &forge());
        let superuser = shared(&cache, &forge().claim("superuser", true));
        cache.retain(|cached| cached.signed.claims().superuser);
        assert!(!is_shared(&cache, &token) && is_shared(&cache, &superuser));
        // What a front has not been asked for goes at the second time; before that, its key and its claims are looked at anew.
        cache.find(&superuser).unwrap();
        cache.retain(|_| true);
        assert!(cache.find(&token).is_none() && cache.find(&superuser).is_some());
    }

    #[test]
    fn identity_is_rendered_once_and_cannot_be_misread() {
        let forge = forge()
            .roles(&["user", "admin", "a,b", "c d", "é", "", "e\r\nf"])
            .claim("superuser", true);
        let identity = IdentityHeaders::of(forge.signed().claims());
        assert_eq!(identity.subject, forge.claim_text("sub"));
        assert_eq!(identity.session, forge.claim_text("sid"));
        assert_eq!(
            (&identity.roles, &identity.superuser),
            (&text("admin,user"), &text("true"))
        );
        assert_eq!(IdentityHeaders::anonymous().roles, "");
    }
}
