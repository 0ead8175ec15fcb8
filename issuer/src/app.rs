//! The issuer put together: from settings to a running service, for `issuer` and for `usher`.

mod build;
mod metrics;

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use shared::admin::Check;
use shared::cli::Shutdown;
use shared::feed::channel::ChannelPublisher;
use shared::feed::redis_log::RedisLog;
use shared::limits::KEYS_UNSEEN_MAX;
use shared::redis::RedisError;
use shared::serve::{
    ListenError, Listener, RELOAD_EVERY, ServeMetrics, ServeOptions, Tls, TlsError, TlsFiles,
    UNIX_SOCKET_MODE, serve,
};
use shared::time::Clock;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::http::{Api, HttpMetrics, Site, router};
use crate::password::{self};
use crate::portal;
use crate::publish::{InProcessRelay, Publisher, Relay, RelayStatus, StoreDatabase, wake_at_commits};
use crate::rate_limit::Limits;
use crate::service::{Service, ServiceError};
use crate::settings::Settings;
use crate::signing::{KeyFile, KeyringError, RefreshSecret, SealError, SigningKeys, load_or_create_feed_key};
use crate::store::{CommitObserver, OpenError, OutboxListener, Store};
use crate::verifiers::{ClientError, Verifiers};

/// Why the issuer did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database.
    #[error("the database cannot be used")]
    Database(#[from] OpenError),
    /// The encryption key.
    #[error("keys.encryption_key_file ({path}) cannot be used")]
    EncryptionKey {
        /// The file.
        path: PathBuf,
        /// Why.
        source: SealError,
    },
    /// The signing keys.
    #[error("the signing keys cannot be used")]
    Keys(#[from] KeyringError),
    /// An address.
    #[error("cannot listen")]
    Listen(#[from] ListenError),
    /// TLS files.
    #[error("TLS cannot be set up")]
    Tls(#[from] TlsError),
    /// Redis, as the settings name it. That it is away is no reason.
    #[error("redis cannot be used")]
    Redis(#[from] RedisError),
    /// Password hashing.
    #[error("passwords cannot be hashed")]
    Passwords(#[from] password::StartError),
    /// What asks the verifiers how they are.
    #[error("the verifiers cannot be asked")]
    Verifiers(#[from] ClientError),
    /// The first words with the database.
    #[error("the database refused the first work")]
    Service(#[from] ServiceError),
    /// A setting that cannot be.
    #[error("{0}")]
    Setting(String),
}

/// Where revocations go.
#[derive(Debug)]
pub enum Feed {
    /// Nowhere: the operator said so.
    Disabled,
    /// To a reader in this process.
    InProcess(ChannelPublisher),
    /// To the stream on the Redis of the settings.
    Redis,
}

/// What brings revocations there, to be run.
#[derive(Debug)]
enum RelayTask {
    InProcess(InProcessRelay),
    Redis {
        relay: Box<Relay<StoreDatabase, RedisLog>>,
        status: Arc<RelayStatus>,
        listener: Option<Box<OutboxListener>>,
    },
}

/// The issuer, ready to serve.
#[derive(Debug)]
pub struct Issuer {
    service: Arc<Service>,
    site: Arc<Site>,
    relay: Option<RelayTask>,
}

/// Opens the database of the settings, and brings its schema up to date if `migrate` says so. If not, it has to be already.
///
/// # Errors
///
/// [`StartError::Database`].
pub async fn open_store(
    settings: &Settings,
    clock: Arc<dyn Clock>,
    migrate: bool,
) -> Result<Store, StartError> {
    let url = settings.database.url.clone().into_inner();
    let store = Store::open(&url, settings.database.max_connections, clock).await?;
    if migrate {
        store.migrate().await?;
    } else {
        store.check_schema().await?;
    }
    Ok(store)
}

/// Opens the database and the signing keys of the settings, for an operator.
///
/// # Errors
///
/// [`StartError`].
pub async fn open_keys(settings: &Settings, clock: Arc<dyn Clock>) -> Result<SigningKeys, StartError> {
    let store = open_store(settings, Arc::clone(&clock), settings.database.migrate).await?;
    let file = build::key_file(settings)?;
    Ok(SigningKeys::open(store, file, build::key_policy(settings)?, clock).await?)
}

/// Reads the encryption key of the settings.
///
/// # Errors
///
/// [`StartError::EncryptionKey`].
pub fn open_key_file(settings: &Settings) -> Result<KeyFile, StartError> {
    build::key_file(settings)
}

/// Production needs synchronous replication: a fail-over that loses answered commits loses revocations.
async fn warn_of_lost_commits(store: &Store) -> Result<(), StartError> {
    if !store
        .commits_survive_failover()
        .await
        .map_err(ServiceError::from)?
    {
        tracing::warn!(
            "PostgreSQL does not replicate synchronously (synchronous_standby_names, synchronous_commit): a fail-over may lose \
             logouts that were answered, and what the feed proves of them is all that comes back"
        );
    }
    Ok(())
}

impl Issuer {
    /// Opens everything that the settings name.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub async fn open(settings: &Settings, clock: Arc<dyn Clock>, feed: Feed) -> Result<Self, StartError> {
        if matches!(feed, Feed::InProcess(_)) && !settings.uses_sqlite() {
            // With several writers a lower number of the outbox can be committed after a higher one was read, and
            // would never be published.
            return Err(StartError::Setting(
                "database.url: in one process the database is SQLite: `sqlite:PATH`".to_owned(),
            ));
        }
        let mut store = open_store(settings, Arc::clone(&clock), settings.database.migrate).await?;
        let file = build::key_file(settings)?;
        let sealing = file.key();
        let policy = build::key_policy(settings)?;
        let keys = SigningKeys::open(store.clone(), file, policy, Arc::clone(&clock)).await?;
        let refresh_secret = RefreshSecret::load_or_create(&store, &sealing).await?;
        let feed_key = Arc::new(load_or_create_feed_key(&store, &sealing).await?);
        let feed_keys = feed_key.public().to_jwks().into();
        let (relay, publisher) = match feed {
            Feed::Disabled => (None, Publisher::Disabled),
            Feed::InProcess(channel) => {
                let (relay, publisher) =
                    InProcessRelay::new(store.clone(), channel, settings.relay.heartbeat.get());
                (Some(RelayTask::InProcess(relay)), publisher)
            }
            Feed::Redis => {
                warn_of_lost_commits(&store).await?;
                let status = RelayStatus::new(Arc::clone(&clock));
                // The relay's own work revokes nothing.
                let relay = build::redis_relay(settings, &store, feed_key, Arc::clone(&status), &clock)?;
                store = store.observed_by(Arc::clone(&status) as Arc<dyn CommitObserver>);
                (Some(relay), Publisher::Relay(status))
            }
        };
        let central = build::central_lanes(settings, &store, &sealing, &clock).await?;
        let service = Service {
            policy: build::policy(settings),
            store,
            keys,
            refresh_secret,
            passwords: build::hashing_pool(settings, &clock)?,
            limits: Limits::new(build::limit_settings(settings), Arc::clone(&clock), central),
            verifiers: Verifiers::new(settings.portal.verifiers.clone())?,
            publisher,
            feed_keys,
            clock,
        };
        // Before the first token is signed: how long a revocation is kept depends on it.
        service.record_lifetime().await?;
        Ok(Self {
            service: Arc::new(service),
            site: Arc::new(build::site(settings)),
            relay,
        })
    }

    /// The use cases, for commands and for `usher`.
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// The key set as it is published, to be watched.
    pub fn jwks(&self) -> watch::Receiver<Bytes> {
        self.service.keys.jwks()
    }

    /// Binds the public listener.
    ///
    /// # Errors
    ///
    /// [`StartError::Listen`], [`StartError::Tls`].
    pub async fn bind(settings: &Settings, stop: &CancellationToken) -> Result<Vec<Listener>, StartError> {
        let tls = match (&settings.tls.certificate, &settings.tls.private_key) {
            (Some(certificate), Some(private_key)) => {
                let tls = Tls::load(TlsFiles {
                    certificate: certificate.clone(),
                    private_key: private_key.clone(),
                    client_ca: None,
                })?;
                tokio::spawn(Arc::clone(&tls).watch(RELOAD_EVERY, stop.clone()));
                Some(tls)
            }
            _ => None,
        };
        let mut listeners = Vec::new();
        for address in &settings.listen {
            listeners.push(
                Listener::bind(address, UNIX_SOCKET_MODE)
                    .await?
                    .with_tls(tls.clone()),
            );
        }
        Ok(listeners)
    }

    /// Metrics of this issuer in a registry.
    pub fn register_metrics(&self, registry: &mut Registry) -> Metrics {
        let connections = ServeMetrics::default();
        let own = registry.sub_registry_with_prefix("issuer");
        own.register(
            "build",
            "What runs",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        connections.register(own);
        registry.register_collector(Box::new(metrics::Gauges(Arc::clone(&self.service))));
        Metrics {
            connections,
            http: HttpMetrics::register(registry),
        }
    }

    /// What must hold for the issuer to be ready.
    pub fn checks(
        &self,
    ) -> impl Fn() -> Pin<Box<dyn Future<Output = Vec<Check>> + Send>> + Send + Sync + use<> {
        let service = Arc::clone(&self.service);
        move || {
            let service = Arc::clone(&service);
            Box::pin(async move {
                let database = service.store.ping().await.map_err(|error| error.to_string());
                let relay = service.publisher.check().await.map_err(|error| error.to_string());
                let keys = match service.keys.unseen_for() {
                    unseen if unseen > KEYS_UNSEEN_MAX => Err(format!("not seen for {} s", unseen.as_secs())),
                    _ => Ok(()),
                };
                vec![
                    Check::new("database", database),
                    Check::new("keys", keys),
                    Check::new("relay", relay),
                ]
            })
        }
    }

    /// Serves until it is to stop, then finishes what is under way within `grace`, and only then stops what that needs.
    pub async fn run(self, listeners: Vec<Listener>, metrics: Metrics, grace: Duration, shutdown: Shutdown) {
        let api = Api {
            service: Arc::clone(&self.service),
            site: self.site,
        };
        let options = ServeOptions {
            shutdown_grace: grace,
            leaving: shutdown.leaving,
            metrics: metrics.connections,
            ..ServeOptions::default()
        };
        let (background, tasks) = (CancellationToken::new(), TaskTracker::new());
        // A future that is dropped takes its tasks along.
        let _stop_background = background.clone().drop_guard();
        match self.relay {
            Some(RelayTask::InProcess(relay)) => _ = tasks.spawn(relay.run(background.clone())),
            Some(RelayTask::Redis {
                relay,
                status,
                listener,
            }) => {
                tasks.spawn(relay.run(background.clone()));
                if let Some(listener) = listener {
                    tasks.spawn(wake_at_commits(*listener, status, background.clone()));
                }
            }
            None => {}
        }
        let (maintained, until) = (Arc::clone(&self.service), background.clone());
        tasks.spawn(async move { maintained.maintain(until).await });
        let (keeper, until) = (Arc::clone(&self.service), background.clone());
        tasks.spawn(async move { keeper.keys.keep(until).await });
        let (limited, until) = (Arc::clone(&self.service), background.clone());
        tasks.spawn(async move {
            if let Some(central) = limited.limits.central() {
                central.keep(until).await;
            }
        });
        let pages = portal::routes(&api);
        serve(
            listeners,
            router(api, pages, metrics.http),
            options,
            shutdown.stop,
        )
        .await;
        background.cancel();
        tasks.close();
        tasks.wait().await;
        self.service.store.close().await;
    }
}

/// What the issuer counts.
#[derive(Debug)]
pub struct Metrics {
    connections: ServeMetrics,
    http: Arc<HttpMetrics>,
}
