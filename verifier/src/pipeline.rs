//! The whole decision, in one function.

pub mod observe;
pub mod shadow;

use std::sync::Arc;

use ::http::HeaderValue;
use arc_swap::Guard;
use shared::credentials::{Credentials, CredentialsError};
use shared::id::FilmId;
use shared::label::{Definitions, Satisfied};
use shared::limits::LEEWAY_MAX;
use shared::reason::Reason;
use shared::revocation::Refusal;
use shared::time::{BootTime, Clock};
use shared::token::{CompactToken, TokenError, TokenFormat};

use self::observe::{FilmStep, Observer, Step, Unobserved};
use self::shadow::Shadow;
use crate::cache::{CachedToken, TokenCache};
use crate::keys::{KeyReplica, KeyRing};
use crate::policy::decide::Met;
use crate::policy::{Ask, Caller, FilmVerdict, OnStale, Permitted, Policy, PolicyStore, Route, meet};
use crate::revocation::{Freshness, KnownLabels, LabelView, RevocationReplica, RevocationView};

/// What a proxy asks: may this request, with these credentials, pass?
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The original request's method.
    pub method: &'a str,
    /// Its path, canonical.
    pub path: &'a str,
    /// Its host, canonical; `None` where none is known.
    pub host: Option<&'a str>,
    /// What it presents.
    pub credentials: Result<Credentials<'a>, CredentialsError>,
    /// Whether a browser may have been made to send it by a page of another site, so that a cookie proves nothing about
    /// whose wish it is.
    pub is_cross_site: bool,
}

/// Somebody who may pass.
#[derive(Debug)]
pub struct Admitted {
    /// The proof.
    pub permitted: Permitted,
    /// Who it is; `None`: anonymous.
    pub token: Option<Arc<CachedToken>>,
    /// The labels that the caller satisfies, parted by commas; empty where too little is known of labels.
    pub labels: HeaderValue,
}

/// Everything that a decision looks into.
#[derive(Debug)]
pub struct Pipeline {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The keys.
    pub keys: Arc<KeyReplica>,
    /// The revocations.
    pub revocations: Arc<RevocationReplica>,
    /// The rules.
    pub policy: Arc<PolicyStore>,
    /// What tokens look like.
    pub token_format: TokenFormat,
    /// Tokens whose signature was checked.
    pub cache: TokenCache,
    /// What to do past `max_staleness` where a rule does not say it.
    pub on_stale: OnStale,
    /// Rules that are tried, and not enforced.
    pub shadow: Option<Arc<Shadow>>,
}

/// What a decision looks into, as of one moment.
struct Moment<'a> {
    boot: BootTime,
    keys: &'a KeyRing,
    revocations: RevocationView<'a>,
    labels: LabelView,
}

/// What decides about a caller, as of one moment.
struct Ground<'a> {
    ask: &'a Ask,
    film: Option<FilmId>,
    freshness: Freshness,
    /// What may be decided by.
    known: Option<&'a KnownLabels>,
}

impl Pipeline {
    /// Decides. Nothing here waits for anything.
    ///
    /// # Errors
    ///
    /// The [`Reason`] for a refusal, which has its HTTP status.
    pub fn decide(&self, question: &Question<'_>) -> Result<Admitted, Reason> {
        self.at_this_moment(|policy, moment| {
            let decided = self.decide_by(policy, moment, question, &mut Unobserved);
            if let Some(shadow) = &self.shadow {
                let others = shadow.rules.current();
                let other = self.decide_by(&others.policy, moment, question, &mut Unobserved);
                let enforced = (policy, outcome(&decided));
                shadow.compare(question, enforced, (&others.policy, outcome(&other)), moment.boot);
            }
            decided
        })
    }

    /// Decides, and tells each step of it: the same decision, of which [`Pipeline::decide`] wants the verdict alone.
    ///
    /// # Errors
    ///
    /// Those of [`Pipeline::decide`].
    pub fn decide_observed(
        &self,
        question: &Question<'_>,
        observer: &mut impl Observer,
    ) -> Result<Admitted, Reason> {
        self.at_this_moment(|policy, moment| self.decide_by(policy, moment, question, observer))
    }

    /// Reads once what a decision looks into.
    fn at_this_moment<T>(&self, decide: impl FnOnce(&Policy, &Moment<'_>) -> T) -> T {
        let (now, boot) = (self.clock.now(), self.clock.boot());
        let keys = self.keys.current();
        let revocations = self.revocations.view(now, boot);
        let labels = self.revocations.labels().view(now, boot);
        let rules = self.policy.current();
        let moment = Moment {
            boot,
            keys: &keys,
            revocations,
            labels,
        };
        decide(&rules.policy, &moment)
    }

    fn decide_by(
        &self,
        policy: &Policy,
        moment: &Moment<'_>,
        question: &Question<'_>,
        observer: &mut impl Observer,
    ) -> Result<Admitted, Reason> {
        let Moment {
            boot,
            keys,
            revocations,
            labels,
        } = moment;
        let route = policy.route(question.path, question.method, question.host);
        observer.take(Step::Route(route));
        if route.is_host_unknown() || route.is_film_malformed() {
            return Err(Reason::Request);
        }
        let on_stale = route.on_stale().unwrap_or(self.on_stale);
        let ground = Ground::of(route, labels, on_stale);
        observer.take(Step::Credentials(question.credentials));
        let (token, is_cookie) = match question.credentials {
            Ok(Credentials::None) => return ground.admit_anonymous(observer),
            Ok(Credentials::Bearer(token)) => (token, false),
            Ok(Credentials::Cookie(token)) => (token, true),
            Err(error @ CredentialsError::AmbiguousCookie) => {
                return ground.admit_as_anonymous(error.reason(), observer);
            }
            Err(error) => return Err(error.reason()),
        };

        let checked = self.check_signature(token, keys, *boot);
        observer.take(Step::Signature(checked.as_deref().map_err(|reason| *reason)));
        let judged = checked.as_ref().map_err(|reason| *reason).and_then(|cached| {
            let valid = cached
                .signed
                .validate(route.claims(), revocations.now.to_seconds())
                .map_err(TokenError::reason);
            observer.take(Step::Claims(valid.map(|_| ())));
            let live = revocations.set.check(valid?).map_err(Refusal::reason);
            observer.take(Step::Revocations(live.map(|_| ())));
            live
        });
        let live = match judged {
            Ok(live) => live,
            Err(reason) if is_cookie && is_about_credentials(reason) => {
                return ground.admit_as_anonymous(reason, observer);
            }
            Err(reason) => return Err(reason),
        };
        observer.take(Step::Freshness(revocations.freshness, on_stale));
        if !revocations.freshness.is_trusted() && on_stale == OnStale::Deny {
            return Err(Reason::StaleReplica);
        }
        if is_cookie {
            observer.take(Step::CrossSite(question.is_cross_site));
            if question.is_cross_site {
                return Err(Reason::CrossSite);
            }
        }
        let met = meet(ground.ask, Caller::live(live));
        observer.take(Step::Rule(ground.ask, met.map(|_| ())));
        let (met, cached) = (met?, checked.as_ref().map_err(|reason| *reason)?);
        let kept;
        let satisfied = match ground.known.map(|known| &**known.definitions) {
            None => None,
            Some(by) if cached.signed.claims().superuser => Some(by.all()),
            Some(by) => {
                kept = self.satisfied(cached, by);
                kept.as_deref()
            }
        };
        let permitted = ground.ask_labels(met, satisfied, observer)?;
        Ok(Admitted {
            permitted,
            labels: names(satisfied),
            token: checked.ok(),
        })
    }

    /// The labels that the holder of a token satisfies, kept with the token until the definitions change.
    fn satisfied(&self, cached: &Arc<CachedToken>, by: &Definitions) -> Guard<Option<Arc<Satisfied>>> {
        cached.satisfied(by).unwrap_or_else(|| {
            let satisfied = cached.satisfy(by);
            self.cache.weigh(cached);
            Guard::from_inner(Some(satisfied))
        })
    }

    /// Drops from the cache what could not be believed any more: what a withdrawn key proved, and what has expired.
    pub fn sweep_cache(&self) {
        let keys = self.keys.current();
        let now = self.clock.now().minus(LEEWAY_MAX).to_seconds();
        self.cache.retain(|cached| {
            keys.holds(cached.signed.kid(), cached.key_since) && cached.signed.claims().expires_at > now
        });
    }

    /// What the token's signature proves: from the cache while its key is in force, or from the key itself.
    fn check_signature(
        &self,
        token: &str,
        keys: &KeyRing,
        boot: BootTime,
    ) -> Result<Arc<CachedToken>, Reason> {
        if let Some(cached) = self.cache.find(token) {
            if keys.holds(cached.signed.kid(), cached.key_since) {
                return Ok(cached);
            }
            self.cache.forget(token);
        }
        let compact = CompactToken::parse_as(token, &self.token_format).map_err(TokenError::reason)?;
        if keys.is_empty() {
            return Err(Reason::NoKeys);
        }
        let Some(held) = keys.get(compact.kid()) else {
            self.keys.report_unknown(boot);
            return Err(Reason::UnknownKey);
        };
        let signed = compact.verify(held.key).map_err(TokenError::reason)?;
        let cached = Arc::new(CachedToken::new(token, signed, held.since));
        self.cache.keep(&cached);
        Ok(cached)
    }
}

impl<'a> Ground<'a> {
    fn of(route: Route<'a>, labels: &'a LabelView, on_stale: OnStale) -> Self {
        Self {
            ask: route.ask(),
            film: route.film(),
            freshness: labels.freshness,
            known: match on_stale {
                OnStale::Deny => labels.trusted(),
                OnStale::Allow => labels.known(),
            },
        }
    }

    fn admit_anonymous(&self, observer: &mut impl Observer) -> Result<Admitted, Reason> {
        let met = meet(self.ask, Caller::ANONYMOUS);
        observer.take(Step::AnonymousRule(self.ask, met.map(|_| ())));
        let satisfied = self.known.map(|known| known.definitions.anonymous());
        Ok(Admitted {
            permitted: self.ask_labels(met?, satisfied, observer)?,
            token: None,
            labels: names(satisfied),
        })
    }

    /// Admits somebody whose cookie says nothing, for this reason, if an anonymous caller may pass: browsers send cookies
    /// unasked, so it is no reason to keep somebody out. Whoever may not is told what is wrong with the cookie.
    fn admit_as_anonymous(&self, reason: Reason, observer: &mut impl Observer) -> Result<Admitted, Reason> {
        if !self.ask.is_open() {
            return Err(reason);
        }
        self.admit_anonymous(observer).map_err(|closed| match closed {
            Reason::Missing => reason,
            other => other,
        })
    }

    fn ask_labels(
        &self,
        met: Met<'_>,
        satisfied: Option<&Satisfied>,
        observer: &mut impl Observer,
    ) -> Result<Permitted, Reason> {
        let Some(film) = self.film else {
            return met.permit(FilmVerdict::NotAsked);
        };
        let known = self.known.zip(satisfied);
        let by = known.map(|(known, satisfied)| (&**known.table, satisfied));
        let permitted = met.permit(FilmVerdict::of(film, by));
        observer.take(Step::Film(FilmStep {
            film,
            freshness: self.freshness,
            known,
            judged: permitted.map(|_| ()),
        }));
        permitted
    }
}

fn names(satisfied: Option<&Satisfied>) -> HeaderValue {
    const NOTHING_KNOWN: HeaderValue = HeaderValue::from_static("");
    satisfied.map_or(NOTHING_KNOWN, |satisfied| satisfied.names().clone())
}

fn outcome(decided: &Result<Admitted, Reason>) -> Result<(), Reason> {
    decided.as_ref().map(|_| ()).map_err(|reason| *reason)
}

/// Whether it is the token that is wrong, and not we who cannot judge it.
fn is_about_credentials(reason: Reason) -> bool {
    reason.status() == ::http::StatusCode::UNAUTHORIZED
}

#[cfg(test)]
mod tests;
