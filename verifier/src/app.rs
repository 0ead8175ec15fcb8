//! The verifier put together: replicas that follow their sources, rules that follow their file, and listeners.

mod build;
mod explain;
mod followers;
mod snapshot;

use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use shared::admin::Admin;
use shared::admin::Check;
use shared::cli::Shutdown;
use shared::config::{ListenAddress, OneOrMany};
use shared::feed::RevocationFeed;
use shared::keys::KeySetError;
use shared::limits::RULE_CASES_BYTES_MAX;
use shared::redis::RedisError;
use shared::serve::{
    BoundAddress, Drained, ListenError, Listener, ServeMetrics, ServeOptions, Tls, TlsError,
    UNIX_SOCKET_MODE, Workers, serve_per_connection,
};
use shared::time::{Clock, SystemClock};
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;

use self::build::FeedFrom;
pub use self::explain::{FromFiles, explain};
use self::followers::{Followed, Followers};
use crate::cache::TokenCache;
use crate::http::admin::ExplainingAdmin;
use crate::http::{Authz, Context};
use crate::keys::http::{ClientError, HttpKeys};
use crate::keys::{FetchError, KeyReplica, KeySchedule, KeySource};
use crate::metrics::Observed;
use crate::pipeline::Pipeline;
use crate::policy::cases::{Cases, Difference};
use crate::policy::{self, Finding, PolicyError, PolicyStore};
use crate::revocation::{RevocationReplica, StalenessBounds};
use crate::settings::Settings;

/// What a verifier is made of beside its settings.
#[derive(Default)]
pub struct Parts {
    /// Where the keys come from; `None`: over HTTP, from where the settings say.
    pub key_source: Option<Box<dyn KeySource>>,
    /// Where the revocations come from, unless the settings say that there are none.
    pub feed: Option<Box<dyn RevocationFeed>>,
    /// The rules where the settings name no file.
    pub built_in_rules: Option<&'static str>,
    /// The time; `None`: the machine's clocks.
    pub clock: Option<Arc<dyn Clock>>,
}

/// Why a verifier does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting that cannot be met.
    #[error("{key}: {problem}")]
    Setting {
        /// Its name.
        key: &'static str,
        /// What is wrong, and what would be right.
        problem: &'static str,
    },
    /// Rules that cannot be used.
    #[error(transparent)]
    Rules(#[from] PolicyError),
    /// No way to the Redis that the feed is on.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// No client to fetch the keys with.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// No keys to explain with.
    #[error("the keys cannot be fetched")]
    Keys(#[from] FetchError),
    /// Keys that cannot be used.
    #[error("the keys cannot be used")]
    KeySet(#[from] KeySetError),
    /// TLS files that cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An address that cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// No threads to answer on.
    #[error("the threads that answer could not be started")]
    Threads(#[from] io::Error),
}

impl StartError {
    /// Whether the settings or the rules are at fault, and not the machine.
    pub const fn is_misuse(&self) -> bool {
        matches!(
            self,
            Self::Setting { .. }
                | Self::Rules(_)
                | Self::Tls(_)
                | Self::Redis(RedisError::Settings(_) | RedisError::Tls(_))
        )
    }
}

/// A verifier that runs.
#[derive(Debug)]
pub struct Verifier {
    addresses: Vec<BoundAddress>,
    pipeline: Arc<Pipeline>,
    context: Arc<Context>,
    serve_metrics: ServeMetrics,
    leaving: CancellationToken,
    serving: JoinHandle<Drained>,
    followers: Followers,
}

impl Verifier {
    /// Starts a verifier: it listens and follows its sources when this returns, though it may not have keys yet.
    /// `shutdown` ends it.
    ///
    /// # Errors
    ///
    /// A [`StartError`] if settings, rules or TLS files cannot be used, or an address cannot be listened on.
    pub async fn start(settings: &Settings, parts: Parts, shutdown: &Shutdown) -> Result<Self, StartError> {
        let clock = parts.clock.unwrap_or_else(|| Arc::new(SystemClock));
        let feed = build::feed_of(settings, parts.feed)?;
        let policy = build::open_rules(settings, parts.built_in_rules)?;
        let shadow = build::open_shadow(settings)?;
        let key_source = match parts.key_source {
            Some(source) => source,
            None => Box::new(HttpKeys::new(build::keys_at(settings))?),
        };
        let tls = build::load_tls(settings)?;
        let listeners = bind(&settings.listen, tls.as_ref()).await?;

        let bounds = StalenessBounds {
            max_staleness: settings.max_staleness.get(),
            leeway: settings.leeway.get(),
        };
        let schedule = KeySchedule {
            refresh: settings.jwks_refresh.get(),
            cooldown: settings.jwks_cooldown.get(),
        };
        let pipeline = Arc::new(Pipeline {
            keys: Arc::new(KeyReplica::new(schedule, Arc::clone(&clock))),
            revocations: Arc::new(match feed {
                FeedFrom::Off => RevocationReplica::off(bounds),
                FeedFrom::Given(_) | FeedFrom::Redis(_) => RevocationReplica::new(bounds),
            }),
            policy: Arc::new(policy),
            token_format: settings.token_format(),
            cache: TokenCache::new(settings.cache.capacity.bytes(), threads(settings)),
            on_stale: settings.on_stale,
            shadow,
            clock,
        });
        let mut followed = Followed {
            key_source,
            feed: None,
            feed_keys: None,
            snapshot: None,
            tls,
        };
        match feed {
            FeedFrom::Off => {}
            FeedFrom::Given(feed) => followed.feed = Some(feed),
            FeedFrom::Redis(client) => {
                build::read_feed(settings, *client, schedule, &pipeline, &mut followed).await?;
            }
        }
        let followers = Followers::default();
        followers.follow(&pipeline, followed);

        let context = Arc::new(build::context(settings, Arc::clone(&pipeline)));
        let serve_metrics = ServeMetrics::default();
        let options = ServeOptions {
            shutdown_grace: settings.shutdown_grace.get(),
            leaving: shutdown.leaving.clone(),
            metrics: serve_metrics.clone(),
            workers: Some(Arc::new(Workers::start("request", threads(settings))?)),
            ..ServeOptions::default()
        };
        let addresses: Vec<BoundAddress> = listeners
            .iter()
            .map(|listener| listener.address().clone())
            .collect();
        for address in &addresses {
            tracing::info!(%address, "the verifier listens");
        }
        let (shared_context, trusted) = (Arc::clone(&context), settings.trusted_proxies.clone());
        let make_service =
            move |peer| Authz::new(Arc::clone(&shared_context), build::is_trusted(&trusted, peer));
        let serving = tokio::spawn(serve_per_connection(
            listeners,
            make_service,
            options,
            shutdown.stop.clone(),
        ));
        Ok(Self {
            addresses,
            pipeline,
            context,
            serve_metrics,
            leaving: shutdown.leaving.clone(),
            serving,
            followers,
        })
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[BoundAddress] {
        &self.addresses
    }

    /// Returns when it has keys and, if there is a feed, has loaded the revocations and, if a rule asks them, the labels.
    pub async fn ready(&self) {
        self.pipeline.keys.loaded().await;
        self.pipeline.revocations.loaded().await;
        if self.rules().current().policy.asks_labels() {
            self.pipeline.revocations.labels().loaded().await;
        }
    }

    /// The rules in force, as they are followed.
    pub fn rules(&self) -> &PolicyStore {
        &self.pipeline.policy
    }

    /// Puts its metrics into a registry, under names that begin with `verifier_`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("verifier");
        registry.register(
            "build",
            "What runs",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        self.context.decisions.register(registry);
        self.serve_metrics.register(registry);
        registry.register_collector(Box::new(Observed(Arc::clone(&self.pipeline))));
    }

    /// What `admin` answers and, on Unix sockets, explanations.
    pub fn explaining(&self, admin: Admin) -> ExplainingAdmin {
        ExplainingAdmin::new(admin, Arc::clone(&self.context))
    }

    /// What must hold for it to be ready, to be asked again and again. A replica that was loaded and has gone stale is
    /// no reason to send nobody here: anonymous callers are served, and the other verifiers are stale too.
    pub fn checks(&self) -> impl Fn() -> Vec<Check> + Send + Sync + use<> {
        let (pipeline, leaving) = (Arc::clone(&self.pipeline), self.leaving.clone());
        move || {
            let checked =
                |holds: bool, otherwise: &str| if holds { Ok(()) } else { Err(otherwise.to_owned()) };
            vec![
                Check::new(
                    "verifier_keys",
                    checked(!pipeline.keys.current().is_empty(), "none have been fetched yet"),
                ),
                Check::new("verifier_revocations", revocations_checked(&pipeline.revocations)),
                Check::new("verifier_labels", labels_checked(&pipeline)),
                Check::new(
                    "verifier_stays",
                    checked(!leaving.is_cancelled(), "it is about to stop"),
                ),
            ]
        }
    }

    /// Serves until it is told to stop and what was under way is done.
    ///
    /// # Errors
    ///
    /// [`JoinError`] if serving broke down.
    pub async fn wait(self) -> Result<Drained, JoinError> {
        let drained = self.serving.await;
        self.followers.end().await;
        drained
    }
}

/// How many threads answer.
fn threads(settings: &Settings) -> NonZeroUsize {
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    settings.threads.unwrap_or(cores)
}

/// Whether the revocations have ever been loaded and, if not, why.
fn revocations_checked(revocations: &RevocationReplica) -> Result<(), String> {
    if revocations.is_loaded() {
        return Ok(());
    }
    Err(match revocations.trouble() {
        Some(why) => format!("they are being loaded; {why}"),
        None => "they are being loaded".to_owned(),
    })
}

/// Whether the labels have ever been loaded, or no rule asks them.
fn labels_checked(pipeline: &Pipeline) -> Result<(), String> {
    if pipeline.revocations.labels().is_loaded() || !pipeline.policy.current().policy.asks_labels() {
        return Ok(());
    }
    Err("they are being loaded, and a rule asks them".to_owned())
}

/// Checks, without starting anything, whether a verifier of its own could start: the rules, the TLS files, and what
/// this version can do. Gives what is suspicious about the rules.
///
/// # Errors
///
/// The [`StartError`] that starting would end with.
pub fn check(settings: &Settings) -> Result<Vec<Finding>, StartError> {
    build::feed_of(settings, None)?;
    build::load_tls(settings)?;
    check_rules(settings)
}

/// Reads the rules files alone. Gives what is suspicious about the rules.
///
/// # Errors
///
/// [`StartError::Rules`], or [`StartError::Setting`] if no file is named.
pub fn check_rules(settings: &Settings) -> Result<Vec<Finding>, StartError> {
    let rules = build::open_rules(settings, None)?;
    let shadow = build::open_shadow(settings)?;
    let mut warnings = rules.current().policy.warnings().to_vec();
    if let Some(shadow) = shadow {
        warnings.extend_from_slice(shadow.rules.current().policy.warnings());
    }
    Ok(warnings)
}

/// Has the rules decide a table of cases. Gives how many there are, and those in which they say something else.
///
/// # Errors
///
/// [`StartError::Rules`] if rules or table cannot be used, or [`StartError::Setting`] if no rules file is named.
pub fn test_rules(settings: &Settings, table: &Path) -> Result<(usize, Vec<Difference>), StartError> {
    let rules = build::open_rules(settings, None)?;
    let text = policy::read_within(table, RULE_CASES_BYTES_MAX)?;
    let cases = Cases::parse(&text, &table.display().to_string())?;
    Ok((cases.len(), cases.differences(&rules.current().policy)))
}

/// Binds every address.
///
/// # Errors
///
/// The [`ListenError`] of the first that cannot be had.
pub async fn bind(
    addresses: &OneOrMany<ListenAddress>,
    tls: Option<&Arc<Tls>>,
) -> Result<Vec<Listener>, ListenError> {
    let mut listeners = Vec::new();
    for address in addresses {
        listeners.push(
            Listener::bind(address, UNIX_SOCKET_MODE)
                .await?
                .with_tls(tls.cloned()),
        );
    }
    Ok(listeners)
}
