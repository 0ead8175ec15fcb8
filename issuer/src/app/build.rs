//! From settings to parts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use shared::config::{self, HumanDuration};
use shared::crypto::random;
use shared::feed::key::FeedSigningKey;
use shared::feed::redis_log::RedisLog;
use shared::limits;
use shared::redis::RedisClient;
use shared::time::Clock;
use shared::token::ClaimsPolicy;

use super::{RelayTask, StartError};
use crate::http::{CookieSettings, Site};
use crate::password::{self, HashParams, HashingPool, PasswordPolicy, PoolSettings};
use crate::publish::{Relay, RelaySettings, RelayStatus, StoreDatabase};
use crate::rate_limit::{CentralLanes, LimitSettings, Rate};
use crate::service::Policy;
use crate::settings::Settings;
use crate::signing::{KeyFile, KeyPolicy, SealingKey, load_or_create_secret};
use crate::store::Store;

/// The file of the encryption key, read; beside a SQLite file one is made where there is none.
pub(super) fn key_file(settings: &Settings) -> Result<KeyFile, StartError> {
    let (path, read) = if let Some(path) = settings.keys.encryption_key_file.clone() {
        let read = SealingKey::read(&path);
        (path, read)
    } else {
        let path = beside_sqlite(settings.database.url.expose());
        let read = SealingKey::read_or_create(&path);
        (path, read)
    };
    match read {
        Ok(key) => Ok(KeyFile::new(path, key)),
        Err(source) => Err(StartError::EncryptionKey { path, source }),
    }
}

/// What the operator decided about signing keys.
pub(super) fn key_policy(settings: &Settings) -> Result<KeyPolicy, StartError> {
    let keys = &settings.keys;
    let bits = keys
        .key_bits()
        .ok_or_else(|| StartError::Setting("keys.bits: expected 2048, 3072 or 4096".to_owned()))?;
    Ok(KeyPolicy {
        bits,
        rotate_every: keys.rotate_every.at().map(HumanDuration::get),
        publish_ahead: keys.publish_ahead.get(),
    })
}

/// `data/usher.db` → `data/usher.key`.
fn beside_sqlite(url: &str) -> PathBuf {
    let path = url.strip_prefix("sqlite:").unwrap_or(url);
    let path = path.strip_prefix("//").unwrap_or(path);
    let path = path.split('?').next().unwrap_or(path);
    Path::new(path).with_extension("key")
}

/// The relay to the Redis of the settings, which is not reached for here.
pub(super) fn redis_relay(
    settings: &Settings,
    store: &Store,
    key: Arc<FeedSigningKey>,
    status: Arc<RelayStatus>,
    clock: &Arc<dyn Clock>,
) -> Result<RelayTask, StartError> {
    let relay = Relay::new(
        StoreDatabase::new(store.clone()),
        RedisLog::new(RedisClient::open(&settings.redis)?),
        key,
        Arc::clone(&status),
        Arc::clone(clock),
        RelaySettings {
            heartbeat: settings.relay.heartbeat.get(),
            without_database: settings.relay.without_database.get(),
            label_changes_bytes: limits::LABEL_CHANGES_BYTES,
        },
        u64::from_be_bytes(random::bytes()),
    );
    Ok(RelayTask::Redis {
        relay: Box::new(relay),
        status,
        listener: store.outbox_listener().map(Box::new),
    })
}

/// The lanes that issuers share, if Redis is named. It is not reached for here.
pub(super) async fn central_lanes(
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
        settings.limits.redis_timeout.get(),
        clock,
    )))
}

/// What the operator decided about tokens and accounts.
pub(super) fn policy(settings: &Settings) -> Policy {
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

/// Where passwords are hashed.
pub(super) fn hashing_pool(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
) -> Result<HashingPool, password::StartError> {
    let hashing = settings.password;
    let params = HashParams {
        memory_kib: hashing.memory_kib,
        iterations: hashing.iterations,
        parallelism: hashing.parallelism,
    };
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let floor = hashing.failure_floor.at();
    let settings = PoolSettings {
        max_concurrent: hashing.max_concurrent.unwrap_or_else(cores),
        queue: hashing.queue,
        failure_floor: floor.map(HumanDuration::get).unwrap_or_default(),
    };
    HashingPool::new(params, settings, Arc::clone(clock))
}

/// How often may be tried.
pub(super) fn limit_settings(settings: &Settings) -> LimitSettings {
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
        client_per_ip: rate(settings.limits.client_per_ip),
    }
}

/// What the API shows to browsers.
pub(super) fn site(settings: &Settings) -> Site {
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
