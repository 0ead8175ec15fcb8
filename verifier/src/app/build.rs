//! From settings to parts.

use std::sync::Arc;

use shared::config::TrustedPeers;
use shared::feed::RevocationFeed;
use shared::serve::{Peer, Tls, TlsError, TlsFiles};
use shared::token::ClaimsPolicy;

use super::StartError;
use crate::http::Context;
use crate::http::redirect::LoginRedirect;
use crate::http::respond::Answers;
use crate::keys::http::KeysAt;
use crate::metrics::DecisionCounts;
use crate::pipeline::Pipeline;
use crate::policy::{PolicyStore, RulesSource};
use crate::settings::{Revocations, Settings, http_url};

/// The feed that the settings ask for, or none if they ask for none.
pub(super) fn feed_of(
    settings: &Settings,
    feed: Option<Box<dyn RevocationFeed>>,
) -> Result<Option<Box<dyn RevocationFeed>>, StartError> {
    match (settings.revocations, feed) {
        (Revocations::Off, _) => {
            tracing::warn!(
                "revocations are off: a token is believed until it expires, whatever has happened since"
            );
            Ok(None)
        }
        (Revocations::Redis, Some(feed)) => Ok(Some(feed)),
        (Revocations::Redis, None) => Err(StartError::Setting {
            key: "revocations",
            problem: "the feed on Redis is not part of this version yet; set it to \"off\" to verify tokens without \
                      revocations, or run `usher`, which has issuer and verifier in one process",
        }),
    }
}

/// The rules in force at the start.
pub(super) fn open_rules(
    settings: &Settings,
    built_in: Option<&'static str>,
) -> Result<PolicyStore, StartError> {
    let source = match (&settings.rules, built_in) {
        (Some(path), _) => RulesSource::File(path.clone()),
        (None, Some(text)) => RulesSource::BuiltIn(text),
        (None, None) => {
            return Err(StartError::Setting {
                key: "rules",
                problem: "missing; name the rules file in the settings, as --rules, or as the environment variable \
                          VERIFIER__RULES",
            });
        }
    };
    let claims = ClaimsPolicy {
        issuer: settings.issuer.as_str().into(),
        audience: settings.audience.as_str().into(),
        leeway_s: i64::try_from(settings.leeway.get().as_secs()).unwrap_or(0),
    };
    Ok(PolicyStore::open(source, claims)?)
}

/// Where the keys are fetched from, if nothing else was given.
pub(super) fn keys_at(settings: &Settings) -> KeysAt {
    match settings.jwks_url.as_deref().and_then(http_url) {
        Some(url) => KeysAt::Url(url),
        None => KeysAt::Issuer(settings.issuer.clone()),
    }
}

/// The TLS files, if there are any.
pub(super) fn load_tls(settings: &Settings) -> Result<Option<Arc<Tls>>, TlsError> {
    let files = &settings.tls;
    let (Some(certificate), Some(private_key)) = (&files.certificate, &files.private_key) else {
        return Ok(None);
    };
    let files = TlsFiles {
        certificate: certificate.clone(),
        private_key: private_key.clone(),
        client_ca: files.client_ca.clone(),
    };
    Tls::load(files).map(Some)
}

/// What every connection's service needs.
pub(super) fn context(settings: &Settings, pipeline: Arc<Pipeline>) -> Context {
    let login_url = settings.login_url.as_deref().and_then(http_url);
    Context {
        pipeline,
        answers: Answers::new(&settings.realm),
        cookie: settings.cookie.as_str().into(),
        allowed_origins: settings
            .allowed_origins
            .iter()
            .map(|origin| origin.as_str().into())
            .collect(),
        redirect: login_url.map(|login_url| LoginRedirect {
            login_url,
            allowed_return_hosts: settings
                .allowed_return_hosts
                .iter()
                .map(|host| host.as_str().into())
                .collect(),
        }),
        decisions: DecisionCounts::new(),
    }
}

/// Whether a peer may ask on behalf of others.
pub(super) fn is_trusted(trusted: &TrustedPeers, peer: Peer) -> bool {
    match peer.ip() {
        Some(address) => trusted.contains(address),
        None => trusted.trusts_unix(),
    }
}
