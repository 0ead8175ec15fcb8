use std::fmt;

use ::redis::io::tcp::TcpSettings;
use ::redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo};
use socket2::TcpKeepalive;
use url::Url;

use crate::config::Secret;
use crate::limits::REDIS_KEEPALIVE;

const EXPECTED: &str = "expected `redis://HOST:PORT`, `rediss://HOST:PORT` (TLS) or `unix:/PATH`";
const EXPECTED_NO_MORE: &str =
    "expected no more behind the port than a database's number, as in `redis://HOST:PORT/0`";
const EXPECTED_NO_MORE_BEHIND_PATH: &str = "expected no more behind the path than a database's number, as in \
     `unix:/PATH?db=0`; user name and password have settings of their own";

/// A server and how to log in there. Shown by its address alone.
#[derive(Clone)]
pub(super) struct Server(ConnectionInfo);

impl Server {
    /// Reads a URL. A problem does not quote it: there may be a password in it.
    pub(super) fn parse(url: &Secret) -> Result<Self, &'static str> {
        let url = Url::parse(url.expose()).map_err(|_| EXPECTED)?;
        let info = match url.scheme() {
            "redis" | "rediss" => from_tcp(url)?,
            "unix" | "redis+unix" => from_unix(&url)?,
            _ => return Err(EXPECTED),
        };
        // The library would tell the server its name by a command that a user of least rights is not allowed.
        let login = info.redis_settings().clone().set_skip_set_lib_name();
        Ok(Self(
            info.set_redis_settings(login).set_tcp_settings(tcp_settings()),
        ))
    }

    /// Another server, which is reached and logged in to as this one is said to be.
    pub(super) fn at(host: String, port: u16, tls: bool, login: &RedisConnectionInfo) -> Option<Self> {
        let address = if tls {
            ConnectionAddr::TcpTls {
                host,
                port,
                insecure: false,
                tls_params: None,
            }
        } else {
            ConnectionAddr::Tcp(host, port)
        };
        let info = address.into_connection_info().ok()?;
        Some(Self(
            info.set_redis_settings(login.clone())
                .set_tcp_settings(tcp_settings()),
        ))
    }

    pub(super) fn with_login(self, username: Option<&str>, password: Option<&Secret>) -> Self {
        let login = login(self.0.redis_settings().clone(), username, password);
        Self(self.0.set_redis_settings(login))
    }

    /// As the client library takes it.
    pub(super) fn info(&self) -> ConnectionInfo {
        self.0.clone()
    }

    pub(super) fn is_tls(&self) -> bool {
        matches!(self.address(), ConnectionAddr::TcpTls { .. })
    }

    pub(super) fn is_unix(&self) -> bool {
        matches!(self.address(), ConnectionAddr::Unix(_))
    }

    pub(super) fn database(&self) -> i64 {
        self.0.redis_settings().db()
    }

    pub(super) fn username(&self) -> Option<&str> {
        self.0.redis_settings().username()
    }

    pub(super) fn password(&self) -> Option<&str> {
        self.0.redis_settings().password()
    }

    fn address(&self) -> &ConnectionAddr {
        self.0.addr()
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address().fmt(f)
    }
}

/// The addresses of several.
pub(super) fn listed(servers: &[Server]) -> String {
    servers
        .iter()
        .map(Server::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// A login with what is given beside it.
pub(super) fn login(
    mut login: RedisConnectionInfo,
    username: Option<&str>,
    password: Option<&Secret>,
) -> RedisConnectionInfo {
    if let Some(username) = username {
        login = login.set_username(username);
    }
    if let Some(password) = password {
        login = login.set_password(password.expose());
    }
    login.set_skip_set_lib_name()
}

pub(super) fn tcp_settings() -> TcpSettings {
    let keepalive = TcpKeepalive::new()
        .with_time(REDIS_KEEPALIVE)
        .with_interval(REDIS_KEEPALIVE / 3)
        .with_retries(3);
    TcpSettings::default().set_nodelay(true).set_keepalive(keepalive)
}

fn from_tcp(url: Url) -> Result<ConnectionInfo, &'static str> {
    if url.host_str().is_none_or(str::is_empty) {
        return Err(EXPECTED);
    }
    if url.fragment().is_some() || url.query().is_some() {
        return Err(EXPECTED_NO_MORE);
    }
    url.into_connection_info().map_err(|_| EXPECTED_NO_MORE)
}

fn from_unix(url: &Url) -> Result<ConnectionInfo, &'static str> {
    let database = match url.query() {
        None => 0,
        Some(query) => query
            .strip_prefix("db=")
            .and_then(|number| number.parse().ok())
            .ok_or(EXPECTED_NO_MORE_BEHIND_PATH)?,
    };
    if url.has_host() || url.fragment().is_some() {
        return Err(EXPECTED);
    }
    let path = url.to_file_path().map_err(|()| EXPECTED)?;
    if path.file_name().is_none() {
        return Err(EXPECTED);
    }
    let info = ConnectionAddr::Unix(path)
        .into_connection_info()
        .map_err(|_| EXPECTED)?;
    Ok(info.set_redis_settings(RedisConnectionInfo::default().set_db(database)))
}
