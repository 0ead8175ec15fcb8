//! Explaining without a verifier that runs: from the files and the keys that one would start with.

use std::num::NonZeroUsize;
use std::sync::Arc;

use shared::time::{Clock, SystemClock};

use super::{StartError, build, snapshot};
use crate::cache::TokenCache;
use crate::http::explain::{self, Explanation, Inquiry};
use crate::keys::http::HttpKeys;
use crate::keys::{KeyReplica, KeySchedule, KeySource as _};
use crate::pipeline::Pipeline;
use crate::revocation::{RevocationReplica, StalenessBounds};
use crate::settings::{Revocations, Settings};

/// An explanation, and what it could not take into account.
#[derive(Debug)]
pub struct FromFiles {
    /// The explanation.
    pub explanation: Explanation,
    /// What a running verifier may know better, a sentence each.
    pub notes: Vec<&'static str>,
}

/// Explains by the rules file, and by the keys and revocations of the snapshot. Without a snapshot the keys are fetched,
/// if there is a token at all, and neither revocations nor labels are looked at: a rule
/// that asks the labels of a film then answers 503.
///
/// # Errors
///
/// A [`StartError`] if the rules cannot be used, or the keys cannot be fetched.
pub async fn explain(settings: &Settings, inquiry: &Inquiry) -> Result<FromFiles, StartError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let policy = Arc::new(build::open_rules(settings, None)?);
    let bounds = StalenessBounds {
        max_staleness: settings.max_staleness.get(),
        leeway: settings.leeway.get(),
    };
    let schedule = KeySchedule {
        refresh: settings.jwks_refresh.get(),
        cooldown: settings.jwks_cooldown.get(),
    };
    let keys = Arc::new(KeyReplica::new(schedule, Arc::clone(&clock)));
    let pipeline = |revocations| {
        Arc::new(Pipeline {
            keys: Arc::clone(&keys),
            revocations: Arc::new(revocations),
            policy: Arc::clone(&policy),
            token_format: settings.token_format(),
            cache: TokenCache::new(settings.cache.capacity.bytes(), NonZeroUsize::MIN),
            on_stale: settings.on_stale,
            shadow: None,
            clock: Arc::clone(&clock),
        })
    };
    let mut notes = Vec::new();
    let restored = pipeline(RevocationReplica::new(bounds));
    snapshot::restore(settings, &restored).await;
    let pipeline = if restored.revocations.is_loaded() {
        restored
    } else {
        if settings.revocations != Revocations::Off {
            notes.push(
                "revocations and labels were not looked at: there is no snapshot; ask the running verifier (--socket)",
            );
        }
        pipeline(RevocationReplica::off(bounds))
    };
    if inquiry.token.is_some() && keys.current().is_empty() {
        let mut source = HttpKeys::new(build::keys_at(settings))?;
        keys.take(source.fetch().await?)?;
    }
    let context = build::context(settings, pipeline);
    Ok(FromFiles {
        explanation: explain::explain(&context, inquiry),
        notes,
    })
}
