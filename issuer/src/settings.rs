//! The issuer's settings. `operations.md` of the docs has them as a table; here are their types, defaults and bounds.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use shared::config::{
    HttpUrl, HumanDuration, Invalid, Limit, ListenAddress, OneOrMany, Rate, Secret, Settings as Checked,
    TrustedPeers,
};
use shared::crypto::rsa::KeyBits;
use shared::role::RoleName;

use crate::http::SameSite;

/// All of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Where the public API listens.
    pub listen: OneOrMany<ListenAddress>,
    /// Where health and metrics are.
    pub admin_listen: OneOrMany<ListenAddress>,
    /// The `iss` claim, and the base of links; see [`Settings::public_url`].
    pub public_url: Option<HttpUrl>,
    /// The `aud` claim.
    pub audience: String,
    /// The database.
    pub database: Database,
    /// Where the feed is.
    pub redis: Redis,
    /// TLS of the public listener.
    pub tls: Tls,
    /// Signing keys.
    pub keys: Keys,
    /// Roles.
    pub roles: Roles,
    /// Where people sign in.
    pub portal: Portal,
    /// Lifetimes.
    pub tokens: Tokens,
    /// Accounts.
    pub account: Account,
    /// Passwords and their hashing.
    pub password: Password,
    /// How often may be tried.
    pub limits: Limits,
    /// Cookies.
    pub cookies: Cookies,
    /// Cross-origin requests.
    pub cors: Cors,
    /// Whose `X-Forwarded-For` counts.
    pub trusted_proxies: TrustedPeers,
    /// From unready to the end of accepting.
    pub shutdown_delay: HumanDuration,
    /// How long what is under way may take then.
    pub shutdown_grace: HumanDuration,
    /// The revocation relay.
    pub relay: Relay,
    /// Login history.
    pub history: History,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: OneOrMany(vec![ListenAddress::tcp("127.0.0.1", 8080)]),
            admin_listen: OneOrMany(vec![ListenAddress::tcp("127.0.0.1", 9080)]),
            public_url: None,
            audience: "movies".to_owned(),
            database: Database::default(),
            redis: Redis::default(),
            tls: Tls::default(),
            keys: Keys::default(),
            roles: Roles::default(),
            portal: Portal::default(),
            tokens: Tokens::default(),
            account: Account::default(),
            password: Password::default(),
            limits: Limits::default(),
            cookies: Cookies::default(),
            cors: Cors::default(),
            trusted_proxies: TrustedPeers::default(),
            shutdown_delay: HumanDuration::from_secs(0),
            shutdown_grace: HumanDuration(shared::limits::SHUTDOWN_GRACE),
            relay: Relay::default(),
            history: History::default(),
        }
    }
}

/// `database.*`
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Database {
    /// `postgres://…` or `sqlite:PATH`.
    pub url: Secret,
    /// Connections open at once.
    pub max_connections: u32,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: Secret::from(shared::secret::SecretString::from("sqlite:data/usher.db")),
            max_connections: 16,
        }
    }
}

/// `redis.*`
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Redis {
    /// Said aloud: no feed, so that no verifier hears of revocations.
    pub disabled: bool,
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
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            encryption_key_file: None,
            bits: 2048,
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
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            login_per_ip: Rate::per_minute(30),
            login_per_account: Rate::per_minute(10),
            register_per_ip: Rate::per_minute(10),
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
}

impl Default for Relay {
    fn default() -> Self {
        Self {
            heartbeat: HumanDuration::from_secs(1),
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

impl Settings {
    /// The `iss` claim, and the base of links: `http://127.0.0.1:8080` if not given.
    pub fn public_url(&self) -> HttpUrl {
        self.public_url.clone().unwrap_or_else(|| HttpUrl::loopback(8080))
    }

    /// Whether the database is SQLite.
    pub fn uses_sqlite(&self) -> bool {
        self.database.url.expose().starts_with("sqlite:")
    }

    fn check_database(&self) -> Result<(), Invalid> {
        let url = self.database.url.expose();
        let known = ["sqlite:", "postgres://", "postgresql://"]
            .iter()
            .any(|scheme| url.starts_with(scheme));
        if !known {
            return Err(Invalid::new(
                "database.url",
                "expected `postgres://…` or `sqlite:PATH`",
            ));
        }
        if self.database.max_connections == 0 {
            return Err(Invalid::new("database.max_connections", "expected 1 or more"));
        }
        if !self.uses_sqlite() && self.keys.encryption_key_file.is_none() {
            let problem = "is needed with PostgreSQL: a file with 32 bytes in base64, as `openssl rand -base64 32` prints them";
            return Err(Invalid::new("keys.encryption_key_file", problem));
        }
        Ok(())
    }

    fn check_lifetimes(&self) -> Result<(), Invalid> {
        let Tokens {
            access_ttl,
            refresh_ttl,
            session_ttl,
            ..
        } = self.tokens;
        if !(Duration::from_secs(1)..=Duration::from_hours(24)).contains(&access_ttl.get()) {
            return Err(Invalid::new("tokens.access_ttl", "expected 1s to 1d"));
        }
        if refresh_ttl <= access_ttl {
            return Err(Invalid::new(
                "tokens.refresh_ttl",
                "expected more than tokens.access_ttl",
            ));
        }
        if session_ttl < refresh_ttl {
            return Err(Invalid::new(
                "tokens.session_ttl",
                "expected tokens.refresh_ttl or more",
            ));
        }
        let heartbeat = self.relay.heartbeat.get();
        if !(Duration::from_millis(100)..=Duration::from_secs(10)).contains(&heartbeat) {
            return Err(Invalid::new("relay.heartbeat", "expected 100ms to 10s"));
        }
        Ok(())
    }

    fn check_passwords(&self) -> Result<(), Invalid> {
        let Password {
            min_length,
            memory_kib,
            iterations,
            parallelism,
            max_concurrent,
            queue,
        } = self.password;
        let bounds = [
            ("password.min_length", min_length, 1..=256),
            ("password.memory_kib", memory_kib as usize, 8..=1_048_576),
            ("password.iterations", iterations as usize, 1..=64),
            ("password.parallelism", parallelism as usize, 1..=16),
            ("password.max_concurrent", max_concurrent.unwrap_or(1), 1..=1024),
            ("password.queue", queue, 0..=100_000),
        ];
        for (key, value, range) in bounds {
            if !range.contains(&value) {
                let problem = format!(
                    "{value} is out of range: expected {} to {}",
                    range.start(),
                    range.end()
                );
                return Err(Invalid::new(key, problem));
            }
        }
        if memory_kib < 8 * parallelism {
            return Err(Invalid::new(
                "password.memory_kib",
                "expected 8 or more for each of password.parallelism",
            ));
        }
        Ok(())
    }

    fn check_web(&self) -> Result<(), Invalid> {
        let Cookies {
            access_name,
            refresh_name,
            domain,
            ..
        } = &self.cookies;
        let token = |name: &str| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|c| c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c))
        };
        for (key, name) in [
            ("cookies.access_name", access_name),
            ("cookies.refresh_name", refresh_name),
        ] {
            if !token(name) {
                return Err(Invalid::new(
                    key,
                    "expected a cookie name: letters, digits, `-` and `_`",
                ));
            }
        }
        if access_name == refresh_name {
            return Err(Invalid::new(
                "cookies.refresh_name",
                "expected another name than cookies.access_name",
            ));
        }
        if refresh_name.starts_with("__Host-") {
            let problem = "a `__Host-` cookie is sent everywhere; expected `__Secure-` or no prefix";
            return Err(Invalid::new("cookies.refresh_name", problem));
        }
        if domain.is_some() && access_name.starts_with("__Host-") {
            let problem =
                "a cookie with cookies.domain cannot be `__Host-`; expected `__Secure-` or no prefix";
            return Err(Invalid::new("cookies.access_name", problem));
        }
        if domain
            .as_ref()
            .is_some_and(|domain| url::Host::parse(domain).is_err())
        {
            return Err(Invalid::new(
                "cookies.domain",
                "expected a domain such as `example.org`",
            ));
        }
        for origin in &self.cors.allowed_origins {
            let is_origin =
                url::Url::parse(origin).is_ok_and(|url| url.origin().ascii_serialization() == *origin);
            if !is_origin {
                let problem =
                    format!("{origin:?} is no origin; expected one such as `https://app.example.org`");
                return Err(Invalid::new("cors.allowed_origins", problem));
            }
        }
        for host in &self.portal.allowed_return_hosts {
            if url::Host::parse(host).is_err() {
                let problem = format!("{host:?} is no host; expected one such as `movies.example.org`");
                return Err(Invalid::new("portal.allowed_return_hosts", problem));
            }
        }
        Ok(())
    }
}

impl Checked for Settings {
    fn check(&self) -> Result<(), Invalid> {
        self.check_database()?;
        self.check_lifetimes()?;
        self.check_passwords()?;
        self.check_web()?;
        if self.audience.is_empty() {
            return Err(Invalid::new("audience", "expected a name, such as `movies`"));
        }
        if self.keys.key_bits().is_none() {
            return Err(Invalid::new("keys.bits", "expected 2048, 3072 or 4096"));
        }
        if self.tls.certificate.is_some() != self.tls.private_key.is_some() {
            return Err(Invalid::new(
                "tls",
                "expected both tls.certificate and tls.private_key, or neither",
            ));
        }
        for name in &self.roles.reserved {
            if let Err(invalid) = name.parse::<RoleName>() {
                return Err(Invalid::new("roles.reserved", format!("{name:?}: {invalid}")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use shared::config::{Sources, load};

    use super::*;

    fn refused(toml: &str) -> String {
        let error = load::<Settings>(&Sources::new().built_in(toml)).unwrap_err();
        shared::cli::describe(&error)
    }

    #[test]
    fn the_defaults_hold() {
        let settings: Settings = load(&Sources::new()).unwrap();
        assert_eq!(settings.public_url().as_str(), "http://127.0.0.1:8080");
        assert!(settings.uses_sqlite());
    }

    #[test]
    fn impossible_settings_are_told_by_their_keys() {
        for (toml, key) in [
            ("database.url = 'mysql://x'", "database.url"),
            ("database.url = 'postgres://x'", "keys.encryption_key_file"),
            ("tokens.access_ttl = '0s'", "tokens.access_ttl"),
            ("tokens.refresh_ttl = '1m'", "tokens.refresh_ttl"),
            ("tokens.session_ttl = '1h'", "tokens.session_ttl"),
            ("keys.bits = 1024", "keys.bits"),
            ("password.memory_kib = 4", "password.memory_kib"),
            ("cookies.domain = 'example.org'", "cookies.access_name"),
            ("cookies.refresh_name = '__Host-x'", "cookies.refresh_name"),
            (
                "cors.allowed_origins = ['https://a.example/']",
                "cors.allowed_origins",
            ),
            ("roles.reserved = ['Staff']", "roles.reserved"),
            ("tls.certificate = 'x.pem'", "tls"),
            ("audience = ''", "audience"),
            ("nonsense = 1", "nonsense"),
        ] {
            let said = refused(toml);
            assert!(said.contains(key), "{toml}: {said}");
        }
    }
}
