//! From settings to parts.

use std::sync::Arc;

use shared::config::TrustedPeers;
use shared::crypto::random;
use shared::feed::RevocationFeed;
use shared::feed::key::FeedKeys;
use shared::feed::reader::{ReaderStart, StreamFeed};
use shared::feed::redis_log::RedisLog;
use shared::redis::RedisClient;
use shared::serve::{Peer, Tls, TlsError, TlsFiles};
use shared::token::ClaimsPolicy;

use super::StartError;
use super::followers::Followed;
use super::snapshot::{self, SnapshotKeeper};
use crate::http::Context;
use crate::http::grpc::render::Refusals;
use crate::http::redirect::LoginRedirect;
use crate::http::respond::Answers;
use crate::keys::KeySchedule;
use crate::keys::feed::{FeedKeyReplica, feed_keys_url};
use crate::keys::http::KeysAt;
use crate::metrics::DecisionCounts;
use crate::pipeline::Pipeline;
use crate::pipeline::shadow::Shadow;
use crate::policy::{Basis, PolicyStore, RulesSource};
use crate::settings::{Revocations, Settings, http_url};

/// Where revocations come from.
pub(super) enum FeedFrom {
    /// From nowhere.
    Off,
    /// From whoever started this.
    Given(Box<dyn RevocationFeed>),
    /// From Redis.
    Redis(Box<RedisClient>),
}

/// What the settings ask for.
pub(super) fn feed_of(
    settings: &Settings,
    feed: Option<Box<dyn RevocationFeed>>,
) -> Result<FeedFrom, StartError> {
    match (settings.revocations, feed) {
        (Revocations::Off, _) => {
            tracing::warn!(
                "revocations are off: a token is believed until it expires, whatever has happened since"
            );
            Ok(FeedFrom::Off)
        }
        (Revocations::Redis, Some(feed)) => Ok(FeedFrom::Given(feed)),
        (Revocations::Redis, None) if settings.redis.is_given() => {
            Ok(FeedFrom::Redis(Box::new(RedisClient::open(&settings.redis)?)))
        }
        (Revocations::Redis, None) => Err(StartError::Setting {
            key: "redis.url",
            problem: "missing; say where the revocation feed is, such as \"redis://127.0.0.1:6379\" (or                       redis.sentinels with redis.master, or redis.cluster), or set revocations to \"off\" to believe                       tokens until they expire",
        }),
    }
}

/// Has the feed on Redis followed, from where the snapshot ends if there is one.
pub(super) async fn read_feed(
    settings: &Settings,
    client: RedisClient,
    schedule: KeySchedule,
    pipeline: &Arc<Pipeline>,
    followed: &mut Followed,
) -> Result<(), StartError> {
    let restored = snapshot::restore(settings, pipeline).await;
    let feed_keys = feed_keys(settings, schedule, restored.feed_keys)?;
    let start = ReaderStart {
        keys: feed_keys.view(),
        clock: Arc::clone(&pipeline.clock),
        newest_seen: restored.newest_seen,
        labels_at: restored.labels_at,
        jitter_seed: u64::from_ne_bytes(random::bytes()),
    };
    followed.feed = Some(Box::new(StreamFeed::start(RedisLog::new(client), start)));
    followed.snapshot = SnapshotKeeper::of(settings, &feed_keys);
    followed.feed_keys = Some(feed_keys);
    Ok(())
}

/// The feed keys' replica, which begins with a snapshot's.
fn feed_keys(
    settings: &Settings,
    schedule: KeySchedule,
    known: FeedKeys,
) -> Result<Arc<FeedKeyReplica>, StartError> {
    let jwks_url = settings.jwks_url.as_deref().and_then(http_url);
    let url = feed_keys_url(&settings.issuer, jwks_url.as_ref()).ok_or(StartError::Setting {
        key: "issuer",
        problem: "no URL, so its feed keys cannot be found",
    })?;
    Ok(Arc::new(FeedKeyReplica::new(url, schedule, known)?))
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
    Ok(PolicyStore::open(source, basis(settings))?)
}

/// The rules that are tried, if there are any.
pub(super) fn open_shadow(settings: &Settings) -> Result<Option<Arc<Shadow>>, StartError> {
    let Some(path) = &settings.shadow_rules else {
        return Ok(None);
    };
    let rules = PolicyStore::open(RulesSource::File(path.clone()), basis(settings))?;
    Ok(Some(Arc::new(Shadow::new(rules))))
}

/// What rules are compiled against.
fn basis(settings: &Settings) -> Basis {
    Basis {
        claims: ClaimsPolicy {
            issuer: settings.issuer.as_str().into(),
            audience: settings.audience.as_str().into(),
            leeway_s: i64::try_from(settings.leeway.get().as_secs()).unwrap_or(0),
        },
        has_labels: settings.revocations != Revocations::Off,
    }
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
    let answers = Answers::new(&settings.realm);
    Context {
        pipeline,
        grpc_refusals: Refusals::new(&answers),
        answers,
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
