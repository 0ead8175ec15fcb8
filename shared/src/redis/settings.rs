//! The table `redis` of the settings.

use std::path::PathBuf;

use serde::Deserialize;

use super::sentinel::Sentinels;
use super::server::{Server, login};
use super::{Cluster, Route};
use crate::config::{Invalid, OneOrMany, Secret};
use crate::limits::REDIS_SERVERS_MAX;

/// `redis.*`: one of `url`, `sentinels` with `master`, and `cluster`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct RedisSettings {
    /// One server: `redis://HOST:PORT`, `rediss://HOST:PORT` (TLS) or `unix:/PATH`. User name and password may stand
    /// in it.
    pub url: Option<Secret>,
    /// Sentinels, as such URLs; a user name and a password in one are for that Sentinel.
    pub sentinels: OneOrMany<Secret>,
    /// The name under which the Sentinels watch the master.
    pub master: Option<String>,
    /// The first nodes of a Cluster to ask, as such URLs.
    pub cluster: OneOrMany<Secret>,
    /// The user; Redis calls the one without a name `default`.
    pub username: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// The authorities that the servers' certificates come from, PEM; if not given, those of the public web.
    pub ca: Option<PathBuf>,
    /// The certificate that we show, PEM.
    pub client_certificate: Option<PathBuf>,
    /// Its private key, PEM.
    pub client_key: Option<PathBuf>,
    /// Said aloud: no Redis. For the issuer alone.
    pub disabled: bool,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            url: None,
            sentinels: OneOrMany(Vec::new()),
            master: None,
            cluster: OneOrMany(Vec::new()),
            username: None,
            password: None,
            ca: None,
            client_certificate: None,
            client_key: None,
            disabled: false,
        }
    }
}

impl RedisSettings {
    /// The settings of one server, without a login; for tests and programs that know their server.
    pub fn at(url: &str) -> Self {
        Self {
            url: Some(crate::secret::SecretString::from(url).into()),
            ..Self::default()
        }
    }

    /// Whether some server is named.
    pub fn is_given(&self) -> bool {
        self.url.is_some() || !self.sentinels.is_empty() || !self.cluster.is_empty()
    }

    /// Checks that they fit together. Naming no server at all is allowed here; whoever needs one asks
    /// [`RedisSettings::is_given`].
    ///
    /// # Errors
    ///
    /// The first setting that is impossible, its key without the table's name; nothing secret is quoted.
    pub fn check(&self) -> Result<(), Invalid> {
        if !self.is_given() {
            return self.check_nothing_is_left_over();
        }
        if self.disabled {
            let problem = "contradicts the servers that are named; give one or the other";
            return Err(Invalid::new("disabled", problem));
        }
        self.route().map(drop)
    }

    fn check_nothing_is_left_over(&self) -> Result<(), Invalid> {
        let left_over = [
            ("master", self.master.is_some()),
            ("username", self.username.is_some()),
            ("password", self.password.is_some()),
            ("ca", self.ca.is_some()),
            ("client_certificate", self.client_certificate.is_some()),
            ("client_key", self.client_key.is_some()),
        ];
        match left_over.iter().find(|(_, is_given)| *is_given) {
            Some((key, _)) => Err(Invalid::new(*key, NO_SERVER)),
            None => Ok(()),
        }
    }

    /// What they come to.
    pub(super) fn route(&self) -> Result<Route, Invalid> {
        self.check_login()?;
        match (&self.url, self.sentinels.is_empty(), self.cluster.is_empty()) {
            (None, true, true) => Err(Invalid::new(
                "url",
                "is missing; expected the URL of a server, or redis.sentinels with redis.master, or redis.cluster",
            )),
            (Some(url), true, true) => self.single(url),
            (None, false, true) => self.by_sentinels(),
            (None, true, false) => self.by_cluster(),
            (Some(_), _, _) => Err(Invalid::new("url", TWO_WAYS)),
            (None, false, false) => Err(Invalid::new("sentinels", TWO_WAYS)),
        }
    }

    fn check_login(&self) -> Result<(), Invalid> {
        if self.username.is_some() && self.password.is_none() {
            let problem =
                "is given, and redis.password or redis.password_file is not: Redis takes no name alone";
            return Err(Invalid::new("username", problem));
        }
        if self.username.as_deref() == Some("") {
            return Err(Invalid::new(
                "username",
                "is empty; leave it out for the user `default`",
            ));
        }
        Ok(())
    }

    fn single(&self, url: &Secret) -> Result<Route, Invalid> {
        self.check_has_no_master()?;
        let server = Server::parse(url).map_err(|problem| Invalid::new("url", problem))?;
        self.check_one_login("url", &server)?;
        self.check_tls(server.is_tls())?;
        Ok(Route::Single(
            server.with_login(self.username.as_deref(), self.password.as_ref()),
        ))
    }

    fn by_sentinels(&self) -> Result<Route, Invalid> {
        let Some(master) = self.master.clone().filter(|master| !master.is_empty()) else {
            let problem = "is missing; expected the name under which the Sentinels watch the master";
            return Err(Invalid::new("master", problem));
        };
        let servers = self.servers("sentinels", &self.sentinels)?;
        let tls = servers.iter().any(Server::is_tls);
        Ok(Route::Sentinel(Sentinels {
            servers,
            master,
            login: login(
                ::redis::RedisConnectionInfo::default(),
                self.username.as_deref(),
                self.password.as_ref(),
            ),
            tls,
        }))
    }

    fn by_cluster(&self) -> Result<Route, Invalid> {
        self.check_has_no_master()?;
        let nodes = self.servers("cluster", &self.cluster)?;
        for (position, node) in nodes.iter().enumerate() {
            let key = format!("cluster[{position}]");
            self.check_one_login(&key, node)?;
            let first = nodes.first().map(|first| (first.username(), first.password()));
            if first != Some((node.username(), node.password())) {
                let problem =
                    "expected the same user name and password as in the others: a Cluster has one login";
                return Err(Invalid::new(key, problem));
            }
        }
        Ok(Route::Cluster(Cluster {
            nodes,
            username: self.username.clone(),
            password: self.password.clone(),
        }))
    }

    /// The servers of a list, all reached in the same manner.
    fn servers(&self, key: &str, urls: &OneOrMany<Secret>) -> Result<Vec<Server>, Invalid> {
        if urls.0.len() > REDIS_SERVERS_MAX {
            let problem = format!("expected {REDIS_SERVERS_MAX} or fewer");
            return Err(Invalid::new(key, problem));
        }
        let mut servers: Vec<Server> = Vec::new();
        for (position, url) in urls.iter().enumerate() {
            let invalid = |problem: &str| Invalid::new(format!("{key}[{position}]"), problem);
            let server = Server::parse(url).map_err(invalid)?;
            if server.is_unix() {
                return Err(invalid(
                    "expected `redis://HOST:PORT` or `rediss://HOST:PORT`: the servers find each other by host and port",
                ));
            }
            if server.database() != 0 {
                return Err(invalid("expected no database's number here"));
            }
            if servers
                .first()
                .is_some_and(|first| first.is_tls() != server.is_tls())
            {
                return Err(invalid("expected `rediss://` in all of them or in none"));
            }
            servers.push(server);
        }
        self.check_tls(servers.iter().any(Server::is_tls))?;
        Ok(servers)
    }

    fn check_has_no_master(&self) -> Result<(), Invalid> {
        if self.master.is_some() {
            return Err(Invalid::new(
                "master",
                "is for redis.sentinels, which is not given",
            ));
        }
        Ok(())
    }

    fn check_one_login(&self, key: &str, server: &Server) -> Result<(), Invalid> {
        let in_url = server.username().is_some() || server.password().is_some();
        if in_url && (self.username.is_some() || self.password.is_some()) {
            let problem = "has a login in it, and so have redis.username and redis.password; give it once";
            return Err(Invalid::new(key, problem));
        }
        if server.username().is_some() && server.password().is_none() {
            return Err(Invalid::new(
                key,
                "has a user name without a password: Redis takes no name alone",
            ));
        }
        Ok(())
    }

    fn check_tls(&self, tls: bool) -> Result<(), Invalid> {
        let files = [
            ("ca", &self.ca),
            ("client_certificate", &self.client_certificate),
            ("client_key", &self.client_key),
        ];
        if let Some((key, _)) = files.iter().find(|(_, file)| file.is_some() && !tls) {
            return Err(Invalid::new(
                *key,
                "is for TLS; expected servers as `rediss://HOST:PORT`",
            ));
        }
        match (&self.client_certificate, &self.client_key) {
            (Some(_), None) => Err(Invalid::new(
                "client_key",
                "is missing: redis.client_certificate needs its private key",
            )),
            (None, Some(_)) => Err(Invalid::new(
                "client_certificate",
                "is missing: redis.client_key needs its certificate",
            )),
            (Some(_), Some(_)) | (None, None) => Ok(()),
        }
    }
}

const NO_SERVER: &str =
    "is given, and no server is; expected redis.url, or redis.sentinels with redis.master, or redis.cluster";
const TWO_WAYS: &str = "is one of three ways to name Redis, and another is given too; expected one of redis.url, redis.sentinels with redis.master, and redis.cluster";
