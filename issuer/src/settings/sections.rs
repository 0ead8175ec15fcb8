//! The tables of the settings file, with their defaults.

use std::path::PathBuf;

use serde::Deserialize;
use shared::config::{HttpUrl, HumanDuration, Limit, Rate, Secret};
use shared::crypto::rsa::KeyBits;
use shared::limits::{LOGIN_FAILURE_FLOOR, RATE_LIMIT_TIMEOUT};

use crate::http::SameSite;

/// `database.*`
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Database {
    /// `postgres://…` or `sqlite:PATH`.
    pub url: Secret,
    /// Connections open at once.
    pub max_connections: u32,
    /// Whether every command brings the schema up to date; if not, `migrate` alone does, and the others refuse another schema.
    pub migrate: bool,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: Secret::from(shared::secret::SecretString::from("sqlite:data/usher.db")),
            max_connections: 16,
            migrate: true,
        }
    }
}

/// `tls.*`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Tls {
    /// Certificate chain, PEM.
    pub certificate: Option<PathBuf>,
    /// Private key, PEM.
    pub private_key: Option<PathBuf>,
}

/// `keys.*`
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Keys {
    /// 32 bytes in base64: what signing keys are encrypted under. Beside the SQLite file if not given.
    pub encryption_key_file: Option<PathBuf>,
    /// Size of new signing keys: 2048, 3072 or 4096.
    pub bits: u32,
    /// How long a key signs.
    pub rotate_every: Limit<HumanDuration>,
    /// How long a key is published before it signs.
    pub publish_ahead: HumanDuration,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            encryption_key_file: None,
            bits: 2048,
            rotate_every: Limit::At(HumanDuration::from_secs(30 * 24 * 60 * 60)),
            publish_ahead: HumanDuration::from_secs(60 * 60),
        }
    }
}

impl Keys {
    /// The size as the crypto library knows it. `None` for others.
    pub fn key_bits(&self) -> Option<KeyBits> {
        match self.bits {
            2048 => Some(KeyBits::Rsa2048),
            3072 => Some(KeyBits::Rsa3072),
            4096 => Some(KeyBits::Rsa4096),
            _ => None,
        }
    }
}

/// `roles.*`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Roles {
    /// Roles that a superuser alone handles.
    pub reserved: Vec<String>,
}

/// `portal.*`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Portal {
    /// Where somebody is sent to sign in; our own page if not given.
    pub login_url: Option<HttpUrl>,
    /// Hosts that a browser may be sent back to, beside our own.
    pub allowed_return_hosts: Vec<String>,
    /// Admin addresses of the verifiers, for the page that shows how they are.
    pub verifiers: Vec<HttpUrl>,
}

/// `tokens.*`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default)]
pub struct Tokens {
    /// How long an access token lives.
    pub access_ttl: HumanDuration,
    /// How long a session lives without a refresh.
    pub refresh_ttl: HumanDuration,
    /// How long a session lives at most.
    pub session_ttl: HumanDuration,
    /// How long after its successor's first use a refresh token may still come back.
    pub refresh_grace: HumanDuration,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            access_ttl: HumanDuration::from_secs(15 * 60),
            refresh_ttl: HumanDuration::from_secs(30 * 24 * 60 * 60),
            session_ttl: HumanDuration::from_secs(90 * 24 * 60 * 60),
            refresh_grace: HumanDuration::from_secs(10),
        }
    }
}

/// `account.*`
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Account {
    /// Whether a change of one's own account needs the current password.
    pub require_current_password: bool,
}

/// `password.*`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default)]
pub struct Password {
    /// Least length, in characters.
    pub min_length: usize,
    /// argon2id memory, in KiB.
    pub memory_kib: u32,
    /// argon2id iterations.
    pub iterations: u32,
    /// argon2id lanes.
    pub parallelism: u32,
    /// Hashes computed at once; as many as there are cores if not given.
    pub max_concurrent: Option<usize>,
    /// Hashes that may wait.
    pub queue: usize,
    /// A wrong password is told no sooner than this, whatever it was checked against.
    pub failure_floor: Limit<HumanDuration>,
}

impl Default for Password {
    fn default() -> Self {
        Self {
            min_length: 8,
            memory_kib: 19_456,
            iterations: 2,
            parallelism: 1,
            max_concurrent: None,
            queue: 64,
            failure_floor: Limit::At(HumanDuration(LOGIN_FAILURE_FLOOR)),
        }
    }
}

/// `limits.*`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Logins from one address.
    pub login_per_ip: Rate,
    /// Failed logins to one account from one network.
    pub login_per_account: Rate,
    /// Registrations from one address.
    pub register_per_ip: Rate,
    /// Clients that are not who they say, from one address.
    pub client_per_ip: Rate,
    /// How long Redis may take to answer before it is done without.
    pub redis_timeout: HumanDuration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            login_per_ip: Rate::per_minute(30),
            login_per_account: Rate::per_minute(10),
            register_per_ip: Rate::per_minute(10),
            client_per_ip: Rate::per_minute(30),
            redis_timeout: HumanDuration(RATE_LIMIT_TIMEOUT),
        }
    }
}

/// `cookies.*`
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Cookies {
    /// Name of the access cookie.
    pub access_name: String,
    /// Name of the refresh cookie.
    pub refresh_name: String,
    /// `Domain` of both.
    pub domain: Option<String>,
    /// `SameSite` of the access cookie.
    pub same_site: SameSite,
}

impl Default for Cookies {
    fn default() -> Self {
        Self {
            access_name: "__Host-access_token".to_owned(),
            refresh_name: "__Secure-refresh_token".to_owned(),
            domain: None,
            same_site: SameSite::Lax,
        }
    }
}

/// `cors.*`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Cors {
    /// Origins whose pages may call the API, with cookies.
    pub allowed_origins: Vec<String>,
}

/// `relay.*`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default)]
pub struct Relay {
    /// How often the verifiers hear that all is well.
    pub heartbeat: HumanDuration,
    /// For how long they hear it while the database is away.
    pub without_database: HumanDuration,
}

impl Default for Relay {
    fn default() -> Self {
        Self {
            heartbeat: HumanDuration::from_secs(1),
            without_database: HumanDuration::from_secs(5 * 60),
        }
    }
}

/// `history.*`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default)]
pub struct History {
    /// Login history older than this is dropped.
    pub retention: Limit<HumanDuration>,
}

impl Default for History {
    fn default() -> Self {
        Self {
            retention: Limit::At(HumanDuration::from_secs(365 * 24 * 60 * 60)),
        }
    }
}
