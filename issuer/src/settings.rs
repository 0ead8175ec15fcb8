//! The issuer's settings. `operations.md` of the docs has them as a table; here are their types, defaults and bounds.

mod check;
mod sections;

use serde::Deserialize;
use shared::config::{HostName, HttpUrl, HumanDuration, ListenAddress, OneOrMany, TrustedPeers};
use shared::redis::RedisSettings;

pub use sections::{
    Account, Cookies, Cors, Database, History, Keys, Limits, Password, Portal, Relay, Roles, Tls, Tokens,
};

/// All of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Where the public API listens.
    pub listen: OneOrMany<ListenAddress>,
    /// Where health and metrics are.
    pub admin_listen: OneOrMany<ListenAddress>,
    /// Names by which health and metrics are asked for, beside addresses and names without a dot.
    pub admin_hosts: OneOrMany<HostName>,
    /// The `iss` claim, and the base of links; see [`Settings::public_url`].
    pub public_url: Option<HttpUrl>,
    /// The `aud` claim.
    pub audience: String,
    /// The database.
    pub database: Database,
    /// Where the feed and the shared counts of the limits are.
    pub redis: RedisSettings,
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
            admin_hosts: OneOrMany(Vec::new()),
            public_url: None,
            audience: "movies".to_owned(),
            database: Database::default(),
            redis: RedisSettings::default(),
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

impl Settings {
    /// The `iss` claim, and the base of links: `http://127.0.0.1:8080` if not given.
    pub fn public_url(&self) -> HttpUrl {
        self.public_url.clone().unwrap_or_else(|| HttpUrl::loopback(8080))
    }

    /// Whether the database is SQLite.
    pub fn uses_sqlite(&self) -> bool {
        self.database.url.expose().starts_with("sqlite:")
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
            ("keys.publish_ahead = '0s'", "keys.publish_ahead"),
            ("keys.publish_ahead = '8d'", "keys.publish_ahead"),
            ("keys.rotate_every = '1h'", "keys.rotate_every"),
            (
                "keys = { rotate_every = '30s', publish_ahead = '1s' }",
                "keys.rotate_every",
            ),
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
            ("portal.verifiers = ['https://a.example']", "portal.verifiers"),
            ("portal.verifiers = ['a.example:9081']", "portal.verifiers"),
            ("relay.without_database = '2h'", "relay.without_database"),
            ("nonsense = 1", "nonsense"),
            ("redis.url = 'http://redis'", "redis.url"),
            ("limits.redis_timeout = '0s'", "limits.redis_timeout"),
            ("limits.redis_timeout = '1m'", "limits.redis_timeout"),
            ("redis.sentinels = ['redis://a']", "redis.master"),
            ("redis = { url = 'redis://a', disabled = true }", "redis.disabled"),
        ] {
            let said = refused(toml);
            assert!(said.contains(key), "{toml}: {said}");
        }
    }
}
