//! The whole decision, in one function.

use std::sync::Arc;

use shared::credentials::{Credentials, CredentialsError};
use shared::limits::LEEWAY_MAX;
use shared::reason::Reason;
use shared::revocation::Refusal;
use shared::time::{BootTime, Clock};
use shared::token::{CompactToken, TokenError, TokenFormat};

use crate::cache::{CachedToken, TokenCache};
use crate::keys::{KeyReplica, KeyRing};
use crate::policy::{Ask, Caller, OnStale, Permitted, PolicyStore, decide};
use crate::revocation::RevocationReplica;

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
}

impl Pipeline {
    /// Decides. Nothing here waits for anything.
    ///
    /// # Errors
    ///
    /// The [`Reason`] for a refusal, which has its HTTP status.
    pub fn decide(&self, question: &Question<'_>) -> Result<Admitted, Reason> {
        let (now, boot) = (self.clock.now(), self.clock.boot());
        let keys = self.keys.current();
        let revocations = self.revocations.view(now, boot);
        let rules = self.policy.current();

        let route = rules.policy.route(question.path, question.method, question.host);
        if route.is_host_unknown() {
            return Err(Reason::Request);
        }
        let ask = route.ask();
        let (token, is_cookie) = match question.credentials {
            Ok(Credentials::None) => return admit_anonymous(ask),
            Ok(Credentials::Bearer(token)) => (token, false),
            Ok(Credentials::Cookie(token)) => (token, true),
            Err(CredentialsError::AmbiguousCookie) if ask.is_open() => return admit_anonymous(ask),
            Err(error) => return Err(error.reason()),
        };

        let checked = self.check_signature(token, &keys, boot);
        let judged = checked.as_ref().map_err(|reason| *reason).and_then(|cached| {
            let valid = cached
                .signed
                .validate(route.claims(), revocations.now.to_seconds())
                .map_err(TokenError::reason)?;
            revocations.set.check(valid).map_err(Refusal::reason)
        });
        let live = match judged {
            Ok(live) => live,
            // Browsers send cookies unasked, so one that says nothing is no reason to keep somebody out.
            Err(reason) if is_cookie && ask.is_open() && is_about_credentials(reason) => {
                return admit_anonymous(ask);
            }
            Err(reason) => return Err(reason),
        };
        if !revocations.freshness.is_trusted() && route.on_stale().unwrap_or(self.on_stale) == OnStale::Deny {
            return Err(Reason::StaleReplica);
        }
        if is_cookie && question.is_cross_site {
            return Err(Reason::CrossSite);
        }
        let permitted = decide(ask, Caller::live(live))?;
        Ok(Admitted {
            permitted,
            token: checked.ok(),
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
        let cached = Arc::new(CachedToken::new(signed, held.since));
        self.cache.keep(token, Arc::clone(&cached));
        Ok(cached)
    }
}

fn admit_anonymous(ask: &Ask) -> Result<Admitted, Reason> {
    let permitted = decide(ask, Caller::ANONYMOUS)?;
    Ok(Admitted {
        permitted,
        token: None,
    })
}

/// Whether it is the token that is wrong, and not we who cannot judge it.
fn is_about_credentials(reason: Reason) -> bool {
    reason.status() == ::http::StatusCode::UNAUTHORIZED
}

#[cfg(test)]
mod tests;
