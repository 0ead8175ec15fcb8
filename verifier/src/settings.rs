//! What the verifier can be told, and the defaults.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use shared::config::{ByteSize, HostName, HumanDuration, Invalid, ListenAddress, OneOrMany, TrustedPeers};
use shared::host::CanonicalHost;
use shared::limits;
use shared::redis::RedisSettings;
use shared::token::{TokenFormat, TokenProfile};
use url::Url;

use crate::policy::OnStale;

/// The settings of the verifier. Each field is the setting of its name.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Where proxies ask.
    pub listen: OneOrMany<ListenAddress>,
    /// Health and metrics.
    pub admin_listen: OneOrMany<ListenAddress>,
    /// Names by which health and metrics are asked for, beside addresses and names without a dot.
    pub admin_hosts: OneOrMany<HostName>,
    /// The `iss` of the tokens that are taken, byte by byte.
    pub issuer: String,
    /// What their `aud` must have.
    pub audience: String,
    /// What the tokens look like.
    pub token_profile: TokenProfile,
    /// Where in a token the role names are, as a dotted path.
    pub roles_claim: String,
    /// Where the keys are; absent: where the issuer's metadata says.
    pub jwks_url: Option<String>,
    /// Time between fetches of the keys.
    pub jwks_refresh: HumanDuration,
    /// The least time between fetches caused by unknown `kid`s.
    pub jwks_cooldown: HumanDuration,
    /// Where the feed is.
    pub redis: RedisSettings,
    /// Where revocations come from.
    pub revocations: Revocations,
    /// How old the revocations may be.
    pub max_staleness: HumanDuration,
    /// What to do past it, where a rule does not say.
    pub on_stale: OnStale,
    /// What is forgiven in `exp`, `nbf` and `iat`: whole seconds.
    pub leeway: HumanDuration,
    /// Where the last keys and revocations are kept, so that it starts while everything else is down.
    pub snapshot: Option<PathBuf>,
    /// The rules file.
    pub rules: Option<PathBuf>,
    /// A second rules file, whose decisions are counted and not enforced.
    pub shadow_rules: Option<PathBuf>,
    /// Who may ask on behalf of others.
    pub trusted_proxies: TrustedPeers,
    /// From which origins a cookie counts for more than reading; none: from anywhere.
    pub allowed_origins: OneOrMany<String>,
    /// The access cookie's name.
    pub cookie: String,
    /// Where browsers are sent to log in.
    pub login_url: Option<String>,
    /// Hosts that a login may lead back to.
    pub allowed_return_hosts: OneOrMany<String>,
    /// The realm of the `WWW-Authenticate` challenges.
    pub realm: String,
    /// The cache of verified tokens.
    pub cache: CacheSettings,
    /// Threads that answer requests; absent: one for each core.
    pub threads: Option<NonZeroUsize>,
    /// TLS on the TCP listeners.
    pub tls: TlsSettings,
    /// From the signal to the end of accepting: unready all the while.
    pub shutdown_delay: HumanDuration,
    /// How long what is under way may take after that.
    pub shutdown_grace: HumanDuration,
}

/// Where revocations come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Revocations {
    /// From the feed.
    #[default]
    Redis,
    /// From nowhere: tokens are believed until they expire.
    Off,
}

/// `cache.*`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct CacheSettings {
    /// At most about so many bytes.
    pub capacity: ByteSize,
}

/// `tls.*`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TlsSettings {
    /// Certificate chain, in PEM.
    pub certificate: Option<PathBuf>,
    /// Its private key, in PEM.
    pub private_key: Option<PathBuf>,
    /// Authorities that clients' certificates must come from, in PEM.
    pub client_ca: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: ListenAddress::tcp("127.0.0.1", 8081).into(),
            admin_listen: ListenAddress::tcp("127.0.0.1", 9081).into(),
            admin_hosts: OneOrMany(Vec::new()),
            issuer: "http://127.0.0.1:8080".into(),
            audience: "movies".into(),
            token_profile: TokenProfile::default(),
            roles_claim: TokenFormat::OURS.roles_claim.into_owned(),
            jwks_url: None,
            jwks_refresh: HumanDuration(Duration::from_mins(5)),
            jwks_cooldown: HumanDuration::from_secs(30),
            redis: RedisSettings::default(),
            revocations: Revocations::default(),
            max_staleness: HumanDuration::from_secs(30),
            on_stale: OnStale::default(),
            leeway: HumanDuration::from_secs(5),
            snapshot: None,
            rules: None,
            shadow_rules: None,
            trusted_proxies: TrustedPeers::default(),
            allowed_origins: OneOrMany(Vec::new()),
            cookie: "__Host-access_token".into(),
            login_url: None,
            allowed_return_hosts: OneOrMany(Vec::new()),
            realm: "usher".into(),
            cache: CacheSettings::default(),
            threads: None,
            tls: TlsSettings::default(),
            shutdown_delay: HumanDuration::default(),
            shutdown_grace: HumanDuration(limits::SHUTDOWN_GRACE),
        }
    }
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            capacity: ByteSize::from_mib(64),
        }
    }
}

impl shared::config::Settings for Settings {
    fn check(&self) -> Result<(), Invalid> {
        self.check_listeners()?;
        self.check_issuer()?;
        self.check_tokens()?;
        self.check_times()?;
        self.check_redis()?;
        self.check_browsers()
    }
}

impl Settings {
    fn check_listeners(&self) -> Result<(), Invalid> {
        if self.listen.is_empty() {
            return Err(Invalid::new(
                "listen",
                "there is no address; name one, such as \"127.0.0.1:8081\"",
            ));
        }
        if self.trusted_proxies == TrustedPeers::none() {
            let problem =
                "nobody could ask; name the proxies' networks, or leave it out for [\"loopback\", \"unix\"]";
            return Err(Invalid::new("trusted_proxies", problem));
        }
        match (&self.tls.certificate, &self.tls.private_key, &self.tls.client_ca) {
            (Some(_), None, _) => Err(Invalid::new(
                "tls.private_key",
                "the certificate needs its private key",
            )),
            (None, Some(_), _) => Err(Invalid::new(
                "tls.certificate",
                "the private key needs its certificate",
            )),
            (None, None, Some(_)) => Err(Invalid::new(
                "tls.client_ca",
                "clients can only be checked over TLS; give tls.certificate and tls.private_key too",
            )),
            (Some(_), Some(_), _) | (None, None, None) => Ok(()),
        }
    }

    fn check_issuer(&self) -> Result<(), Invalid> {
        if http_url(&self.issuer).is_none_or(|url| url.query().is_some() || url.fragment().is_some()) {
            let problem =
                "no issuer's name; write the `iss` of its tokens, such as \"https://issuer.example.org\"";
            return Err(Invalid::new("issuer", problem));
        }
        if self.audience.is_empty() {
            return Err(Invalid::new(
                "audience",
                "it is empty; write the `aud` of the tokens, such as \"movies\"",
            ));
        }
        if self
            .jwks_url
            .as_deref()
            .is_some_and(|url| http_url(url).is_none())
        {
            let problem = "no URL; write one such as \"https://issuer.example.org/.well-known/jwks.json\"";
            return Err(Invalid::new("jwks_url", problem));
        }
        Ok(())
    }

    fn check_tokens(&self) -> Result<(), Invalid> {
        if self.roles_claim.split('.').any(str::is_empty) {
            let problem = "no claim's name; write one such as \"roles\", or the way to it such as \"realm_access.roles\"";
            return Err(Invalid::new("roles_claim", problem));
        }
        if self.token_profile == TokenProfile::Jwt && self.revocations != Revocations::Off {
            let problem = "the feed is about our own issuer's tokens, which are \"at+jwt\"; say revocations = \"off\" too, \
                           to believe another issuer's until they expire";
            return Err(Invalid::new("token_profile", problem));
        }
        Ok(())
    }

    /// What tokens look like.
    pub(crate) fn token_format(&self) -> TokenFormat {
        TokenFormat {
            profile: self.token_profile,
            roles_claim: self.roles_claim.clone().into(),
        }
    }

    fn check_times(&self) -> Result<(), Invalid> {
        for (key, duration) in [
            ("jwks_refresh", self.jwks_refresh),
            ("jwks_cooldown", self.jwks_cooldown),
            ("max_staleness", self.max_staleness),
        ] {
            if duration.get().is_zero() {
                return Err(Invalid::new(
                    key,
                    "it must be longer than nothing; write some seconds, such as \"30s\"",
                ));
            }
        }
        let leeway = self.leeway.get();
        if leeway > limits::LEEWAY_MAX || leeway.subsec_nanos() != 0 {
            let problem = format!(
                "whole seconds up to {} are possible; \"5s\" is usual",
                limits::LEEWAY_MAX.as_secs()
            );
            return Err(Invalid::new("leeway", problem));
        }
        Ok(())
    }

    fn check_redis(&self) -> Result<(), Invalid> {
        if self.redis.disabled {
            let problem = "is the issuer's; a verifier does without by revocations = \"off\"";
            return Err(Invalid::new("redis.disabled", problem));
        }
        if self.snapshot.is_some() && self.revocations == Revocations::Off {
            let problem = "it is for revocations, which are \"off\"; leave it out";
            return Err(Invalid::new("snapshot", problem));
        }
        self.redis.check().map_err(|invalid| invalid.within("redis"))
    }

    fn check_browsers(&self) -> Result<(), Invalid> {
        if self.cookie.is_empty() || !self.cookie.bytes().all(is_token_byte) {
            let problem = "no cookie's name (RFC 6265); the issuer's is \"__Host-access_token\" by default";
            return Err(Invalid::new("cookie", problem));
        }
        if self.realm.is_empty()
            || !self
                .realm
                .bytes()
                .all(|c| matches!(c, b' '..=b'~') && c != b'"' && c != b'\\')
        {
            return Err(Invalid::new(
                "realm",
                "only ASCII without quotes and backslashes; write one such as \"usher\"",
            ));
        }
        for origin in &self.allowed_origins {
            let canonical = http_url(origin).map(|url| url.origin().ascii_serialization());
            if canonical.as_ref() != Some(origin) {
                let example = canonical.unwrap_or_else(|| "https://movies.example.org".into());
                let problem =
                    format!("{origin:?} is no origin as browsers send it; write one such as {example:?}");
                return Err(Invalid::new("allowed_origins", problem));
            }
        }
        for host in &self.allowed_return_hosts {
            if !CanonicalHost::parse(host.as_bytes()).is_ok_and(|canonical| canonical.as_str() == host) {
                let problem = format!(
                    "{host:?} is no host; write one in lower case without port, such as \"movies.example.org\""
                );
                return Err(Invalid::new("allowed_return_hosts", problem));
            }
        }
        if self
            .login_url
            .as_deref()
            .is_some_and(|url| http_url(url).is_none())
        {
            return Err(Invalid::new(
                "login_url",
                "no URL; write one such as \"https://issuer.example.org/login\"",
            ));
        }
        if self.login_url.is_some() && self.allowed_return_hosts.is_empty() {
            let problem = "no login could lead back anywhere; name the hosts that login_url may return to";
            return Err(Invalid::new("allowed_return_hosts", problem));
        }
        Ok(())
    }
}

/// An `http` or `https` URL with a host and without user information.
pub(crate) fn http_url(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
    })
}

/// RFC 9110 section 5.6.2.
const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

#[cfg(test)]
mod tests;
