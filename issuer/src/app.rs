//! The issuer put together: from settings to a running service, for `issuer` and for `usher`.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use shared::admin::Check;
use shared::config::{self, HumanDuration};
use shared::feed::channel::ChannelPublisher;
use shared::limits::RATE_LIMIT_TIMEOUT;
use shared::redis::{RedisClient, RedisError};
use shared::serve::{
    ListenError, Listener, RELOAD_EVERY, ServeMetrics, ServeOptions, Tls, TlsError, TlsFiles,
    UNIX_SOCKET_MODE, serve,
};
use shared::time::Clock;
use shared::token::ClaimsPolicy;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::http::{Api, CookieSettings, HttpMetrics, Site, router};
use crate::password::{self, HashParams, HashingPool, PasswordPolicy};
use crate::publish::{InProcessRelay, Publisher};
use crate::rate_limit::{CentralLanes, LimitSettings, Limits, Rate};
use crate::service::{Policy, Service, ServiceError};
use crate::settings::Settings;
use crate::signing::{Keyring, KeyringError, RefreshSecret, SealError, SealingKey, load_or_create_secret};
use crate::store::{OpenError, Store};

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
}

/// The issuer, ready to serve.
#[derive(Debug)]
pub struct Issuer {
    service: Arc<Service>,
    site: Arc<Site>,
    relay: Option<InProcessRelay>,
}

/// Opens the database of the settings and, if `migrate` says so, brings its schema up to date.
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
    }
    Ok(store)
}

/// Reads the encryption key; beside a SQLite file one is made where there is none.
fn sealing_key(settings: &Settings) -> Result<SealingKey, StartError> {
    let (path, read) = if let Some(path) = settings.keys.encryption_key_file.clone() {
        let read = SealingKey::read(&path);
        (path, read)
    } else {
        let path = beside_sqlite(settings.database.url.expose());
        let read = SealingKey::read_or_create(&path);
        (path, read)
    };
    read.map_err(|source| StartError::EncryptionKey { path, source })
}

/// `data/usher.db` → `data/usher.key`.
fn beside_sqlite(url: &str) -> PathBuf {
    let path = url.strip_prefix("sqlite:").unwrap_or(url);
    let path = path.strip_prefix("//").unwrap_or(path);
    let path = path.split('?').next().unwrap_or(path);
    Path::new(path).with_extension("key")
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
        let store = open_store(settings, Arc::clone(&clock), true).await?;
        let sealing = sealing_key(settings)?;
        let bits = settings
            .keys
            .key_bits()
            .ok_or_else(|| StartError::Setting("keys.bits: expected 2048, 3072 or 4096".to_owned()))?;
        let keyring = Keyring::load_or_create(&store, &sealing, bits).await?;
        let refresh_secret = RefreshSecret::load_or_create(&store, &sealing).await?;
        let (relay, publisher) = match feed {
            Feed::Disabled => (None, Publisher::Disabled),
            Feed::InProcess(channel) => {
                let (relay, publisher) =
                    InProcessRelay::new(store.clone(), channel, settings.relay.heartbeat.get());
                (Some(relay), publisher)
            }
        };
        let central = central_lanes(settings, &store, &sealing, &clock).await?;
        let service = Service {
            policy: policy(settings),
            store,
            keyring: ArcSwap::from_pointee(keyring),
            refresh_secret,
            passwords: hashing_pool(settings)?,
            limits: Limits::new(limit_settings(settings), Arc::clone(&clock), central),
            publisher,
            clock,
        };
        // Before the first token is signed: how long a revocation is kept depends on it.
        service.record_lifetime().await?;
        Ok(Self {
            service: Arc::new(service),
            site: Arc::new(site(settings)),
            relay,
        })
    }

    /// The use cases, for commands and for `usher`.
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// The key set as it is published.
    pub fn jwks(&self) -> Bytes {
        self.service.keyring.load().jwks().clone()
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
        connections.register(registry.sub_registry_with_prefix("issuer"));
        registry.register_collector(Box::new(Gauges(Arc::clone(&self.service))));
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
                let relay = service
                    .publisher
                    .in_force()
                    .await
                    .map_err(|error| error.to_string());
                vec![Check::new("database", database), Check::new("relay", relay)]
            })
        }
    }

    /// Serves until `stop`, then finishes what is under way within `grace`, and only then stops what that needs.
    pub async fn run(
        self,
        listeners: Vec<Listener>,
        metrics: Metrics,
        grace: Duration,
        stop: CancellationToken,
    ) {
        let api = Api {
            service: Arc::clone(&self.service),
            site: self.site,
        };
        let options = ServeOptions {
            shutdown_grace: grace,
            metrics: metrics.connections,
            ..ServeOptions::default()
        };
        let (background, tasks) = (CancellationToken::new(), TaskTracker::new());
        // A future that is dropped takes its tasks along.
        let _stop_background = background.clone().drop_guard();
        if let Some(relay) = self.relay {
            tasks.spawn(relay.run(background.clone()));
        }
        let (maintained, until) = (Arc::clone(&self.service), background.clone());
        tasks.spawn(async move { maintained.maintain(until).await });
        let (limited, until) = (Arc::clone(&self.service), background.clone());
        tasks.spawn(async move {
            if let Some(central) = limited.limits.central() {
                central.keep(until).await;
            }
        });
        serve(listeners, router(api, metrics.http), options, stop).await;
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

/// Figures that are read when somebody asks for the metrics.
#[derive(Debug)]
struct Gauges(Arc<Service>);

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let (open, idle) = self.0.store.connections();
        let hashing = self.0.passwords.counts();
        for (name, help, value) in [
            (
                "issuer_database_connections_open",
                "Connections to the database",
                u64::from(open),
            ),
            (
                "issuer_database_connections_idle",
                "Connections to the database that are free",
                idle as u64,
            ),
            (
                "issuer_password_hashes_queued",
                "Password hashes that wait",
                hashing.queued as u64,
            ),
            (
                "issuer_password_hashes_running",
                "Password hashes under way",
                hashing.running as u64,
            ),
            (
                "issuer_password_hashes_done",
                "Password hashes computed since the start",
                hashing.done,
            ),
        ] {
            let gauge = ConstGauge::new(value);
            let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        self.encode_central(&mut encoder)
    }
}

impl Gauges {
    /// Whether the limits are shared, where they are to be.
    fn encode_central(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(central) = self.0.limits.central() else {
            return Ok(());
        };
        let shared = ConstGauge::new(u64::from(central.is_reached()));
        shared.encode(encoder.encode_descriptor(
            "issuer_rate_limits_shared",
            "1 while rate limits are shared through Redis, 0 while this issuer counts for itself",
            None,
            shared.metric_type(),
        )?)?;
        let fallbacks = ConstCounter::new(central.fallbacks());
        fallbacks.encode(encoder.encode_descriptor(
            "issuer_rate_limit_fallbacks",
            "Steps of rate limits that were done in memory because Redis did not answer",
            None,
            fallbacks.metric_type(),
        )?)
    }
}

/// The lanes that issuers share, if Redis is named. It is not reached for here.
async fn central_lanes(
    settings: &Settings,
    store: &Store,
    sealing: &SealingKey,
    clock: &Arc<dyn Clock>,
) -> Result<Option<CentralLanes>, StartError> {
    /// Under which the secret that names the lanes is kept.
    const SECRET: &str = "server-secret/rate-limits";
    if settings.redis.disabled || !settings.redis.is_given() {
        return Ok(None);
    }
    let client = RedisClient::open(&settings.redis)?;
    let secret = load_or_create_secret(store, sealing, SECRET).await?;
    let clock = Arc::clone(clock);
    Ok(Some(CentralLanes::new(
        client,
        &secret,
        RATE_LIMIT_TIMEOUT,
        clock,
    )))
}

fn policy(settings: &Settings) -> Policy {
    let tokens = settings.tokens;
    Policy {
        claims: ClaimsPolicy {
            issuer: settings.public_url().as_str().into(),
            audience: settings.audience.as_str().into(),
            leeway_s: 0,
        },
        access_ttl: tokens.access_ttl.get(),
        refresh_ttl: tokens.refresh_ttl.get(),
        session_ttl: tokens.session_ttl.get(),
        refresh_grace: tokens.refresh_grace.get(),
        require_current_password: settings.account.require_current_password,
        password: PasswordPolicy {
            min_length: settings.password.min_length,
        },
        // Checked with the other settings.
        reserved_roles: settings
            .roles
            .reserved
            .iter()
            .filter_map(|name| name.parse().ok())
            .collect(),
        history_retention: settings.history.retention.at().map(HumanDuration::get),
    }
}

fn hashing_pool(settings: &Settings) -> Result<HashingPool, password::StartError> {
    let hashing = settings.password;
    let params = HashParams {
        memory_kib: hashing.memory_kib,
        iterations: hashing.iterations,
        parallelism: hashing.parallelism,
    };
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    HashingPool::new(
        params,
        hashing.max_concurrent.unwrap_or_else(cores),
        hashing.queue,
    )
}

fn limit_settings(settings: &Settings) -> LimitSettings {
    let rate = |rate| match rate {
        config::Rate::Off => None,
        config::Rate::Limited { count, per } => Some(Rate {
            count: count.get(),
            per,
        }),
    };
    LimitSettings {
        login_per_ip: rate(settings.limits.login_per_ip),
        login_per_account: rate(settings.limits.login_per_account),
        register_per_ip: rate(settings.limits.register_per_ip),
    }
}

fn site(settings: &Settings) -> Site {
    let public_url = settings.public_url().url().clone();
    let login_url = match &settings.portal.login_url {
        Some(url) => url.url().clone(),
        None => public_url.join("/login").unwrap_or_else(|_| public_url.clone()),
    };
    let cookies = &settings.cookies;
    Site {
        login_url,
        cookies: CookieSettings {
            access_name: cookies.access_name.clone(),
            refresh_name: cookies.refresh_name.clone(),
            domain: cookies.domain.clone(),
            same_site: cookies.same_site,
        },
        allowed_origins: settings.cors.allowed_origins.clone(),
        trusted_proxies: settings.trusted_proxies.clone(),
        allowed_return_hosts: settings.portal.allowed_return_hosts.clone(),
        public_url,
    }
}
