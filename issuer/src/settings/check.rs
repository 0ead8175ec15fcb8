//! What a type alone cannot say of the settings: bounds, and what only makes sense together.

use std::time::Duration;

use shared::config::{Invalid, Settings as Checked};
use shared::limits::{
    ACCESS_TTL_MAX, KEY_MARGIN, LEEWAY_MAX, LOGIN_FAILURE_FLOOR_MAX, RATE_LIMIT_TIMEOUT_MAX,
    SIGNING_KEYS_MAX, VERIFIERS_LISTED_MAX,
};
use shared::role::RoleName;

use super::{Cookies, Password, Settings, Tokens};

/// A key that is published for a shorter time than this is not published ahead.
const PUBLISH_AHEAD_MIN: Duration = Duration::from_secs(1);

/// Nobody keeps a key set for longer.
const PUBLISH_AHEAD_MAX: Duration = Duration::from_hours(7 * 24);

impl Checked for Settings {
    fn check(&self) -> Result<(), Invalid> {
        self.check_database()?;
        self.check_lifetimes()?;
        self.check_passwords()?;
        self.check_web()?;
        self.check_limits()?;
        self.redis.check().map_err(|invalid| invalid.within("redis"))?;
        if self.audience.is_empty() {
            return Err(Invalid::new("audience", "expected a name, such as `movies`"));
        }
        self.check_keys()?;
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

impl Settings {
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
        if !(Duration::from_secs(1)..=ACCESS_TTL_MAX).contains(&access_ttl.get()) {
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
        if self.relay.without_database.get() > Duration::from_hours(1) {
            return Err(Invalid::new("relay.without_database", "expected 0s to 1h"));
        }
        Ok(())
    }

    fn check_keys(&self) -> Result<(), Invalid> {
        if self.keys.key_bits().is_none() {
            return Err(Invalid::new("keys.bits", "expected 2048, 3072 or 4096"));
        }
        let publish_ahead = self.keys.publish_ahead.get();
        if !(PUBLISH_AHEAD_MIN..=PUBLISH_AHEAD_MAX).contains(&publish_ahead) {
            return Err(Invalid::new("keys.publish_ahead", "expected 1s to 7d"));
        }
        let Some(rotate_every) = self.keys.rotate_every.at() else {
            return Ok(());
        };
        // Else keys would be retired faster than their tokens expire, and more of them published than verifiers take.
        let published_for = self.tokens.access_ttl.get() + LEEWAY_MAX + KEY_MARGIN;
        let retired_max = u32::try_from(SIGNING_KEYS_MAX - 2).unwrap_or(u32::MAX);
        let least = (publish_ahead * 2).max(published_for / retired_max);
        if rotate_every.get() < least {
            let problem = format!(
                "expected {least:?} or more, or `off`: twice keys.publish_ahead, and not so often that too many keys are published"
            );
            return Err(Invalid::new("keys.rotate_every", problem));
        }
        Ok(())
    }

    fn check_limits(&self) -> Result<(), Invalid> {
        let timeout = self.limits.redis_timeout.get();
        if (Duration::from_millis(1)..=RATE_LIMIT_TIMEOUT_MAX).contains(&timeout) {
            Ok(())
        } else {
            Err(Invalid::new("limits.redis_timeout", "expected 1ms to 10s"))
        }
    }

    fn check_passwords(&self) -> Result<(), Invalid> {
        let Password {
            min_length,
            memory_kib,
            iterations,
            parallelism,
            max_concurrent,
            queue,
            failure_floor,
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
        if failure_floor
            .at()
            .is_some_and(|floor| floor.get() > LOGIN_FAILURE_FLOOR_MAX)
        {
            return Err(Invalid::new(
                "password.failure_floor",
                "expected 0s to 10s, or `off`",
            ));
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
        if self.portal.verifiers.len() > VERIFIERS_LISTED_MAX {
            let problem = format!("expected {VERIFIERS_LISTED_MAX} addresses at most");
            return Err(Invalid::new("portal.verifiers", problem));
        }
        if let Some(address) = self.portal.verifiers.iter().find(|address| address.is_secure()) {
            let problem = format!(
                "{:?}: expected plain HTTP, such as `http://10.0.0.7:9081`",
                address.as_str()
            );
            return Err(Invalid::new("portal.verifiers", problem));
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
