//! How to reach Redis: one server, the master that Sentinel names, or a Cluster; over TCP, TLS or a Unix socket.
//!
//! Every connection is a new one of the caller's own, so that a blocking read holds up nobody else, and every time-out
//! is the caller's. A lost connection is not mended, nothing is sent twice, and no redirection of a Cluster is followed
//! silently: the caller sees the error and connects again. (A Cluster's connection learns the new layout from a
//! redirection, so that the same command, sent again, goes to the right node.)
//!
//! A user of Redis that may only do what it must needs, beside its own commands: `+ping`; with Sentinel `+role`; with
//! Cluster `+cluster|slots`.

mod connection;
mod sentinel;
mod server;
mod settings;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::redis::cluster::ClusterClientBuilder;
use ::redis::{AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionInfo, TlsCertificates};

use crate::config::{Invalid, Secret};
use crate::serve::{TlsError, tls};
use server::Server;

pub use connection::RedisConnection;
pub use settings::RedisSettings;

/// Time-outs of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectOptions {
    /// Until it stands, logged in and, with Sentinel, known to be the master: all of it together.
    pub connect_timeout: Duration,
    /// Between a command and its answer. `None`: as long as it takes; for commands that block, ask for longer than
    /// they do.
    pub response_timeout: Option<Duration>,
}

/// Redis cannot be reached. No text of it shows a password.
#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    /// The settings do not say how.
    #[error(transparent)]
    Settings(#[from] Invalid),
    /// A file for TLS cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// No connection to the server.
    #[error("cannot reach Redis at {servers}: {source}")]
    Unreachable {
        /// Host and port, or path, of those that were tried.
        servers: String,
        /// Why.
        source: ::redis::RedisError,
    },
    /// No connection within the time for it.
    #[error("cannot reach Redis at {servers} within {after:?}")]
    TimedOut {
        /// Host and port, or path, of those that were tried.
        servers: String,
        /// The time that it had.
        after: Duration,
    },
    /// No Sentinel leads to a master.
    #[error("no Sentinel of {sentinels} leads to a master of {master:?}: {reason}")]
    NoMaster {
        /// The name of the monitored master.
        master: String,
        /// The Sentinels that were asked.
        sentinels: String,
        /// What the last of them came to.
        reason: String,
    },
}

/// Where Redis is, and how to log in.
#[derive(Clone)]
pub struct RedisClient {
    route: Route,
    files: TlsFiles,
}

/// One of the three ways.
#[derive(Clone)]
enum Route {
    Single(Server),
    Sentinel(sentinel::Sentinels),
    Cluster(Cluster),
}

/// The nodes of a Cluster to ask first, and the login to all of them where it is not in their URLs.
#[derive(Clone)]
struct Cluster {
    nodes: Vec<Server>,
    username: Option<String>,
    password: Option<Secret>,
}

/// The files for TLS. They are read for each connection, so that renewed ones are taken up.
#[derive(Clone, Debug, Default)]
struct TlsFiles {
    ca: Option<PathBuf>,
    client: Option<(PathBuf, PathBuf)>,
}

impl RedisClient {
    /// A client for these settings. It connects to nothing yet.
    ///
    /// # Errors
    ///
    /// [`RedisError::Settings`] if they name no server or contradict themselves, [`RedisError::Tls`] if a file cannot
    /// be used.
    pub fn open(settings: &RedisSettings) -> Result<Self, RedisError> {
        // There is one provider in this program; whoever comes first names it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Self {
            route: settings.route()?,
            files: TlsFiles {
                ca: settings.ca.clone(),
                client: settings
                    .client_certificate
                    .clone()
                    .zip(settings.client_key.clone()),
            },
        };
        client.files.read()?;
        Ok(client)
    }

    /// A new connection, which nobody else uses.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from standing within its time.
    pub async fn connect(&self, options: ConnectOptions) -> Result<RedisConnection, RedisError> {
        let certificates = self.files.read_aside().await?;
        let connecting = async {
            match &self.route {
                Route::Single(server) => connect_to(server.info(), certificates, options).await,
                Route::Sentinel(sentinels) => sentinels.connect(certificates, options).await,
                Route::Cluster(cluster) => cluster.connect(certificates, options).await,
            }
        };
        tokio::time::timeout(options.connect_timeout, connecting)
            .await
            .unwrap_or_else(|_| {
                Err(RedisError::TimedOut {
                    servers: self.to_string(),
                    after: options.connect_timeout,
                })
            })
    }
}

/// The servers, without user names and passwords.
impl fmt::Display for RedisClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.route {
            Route::Single(server) => server.fmt(f),
            Route::Sentinel(sentinels) => sentinels.fmt(f),
            Route::Cluster(cluster) => f.write_str(&server::listed(&cluster.nodes)),
        }
    }
}

impl fmt::Debug for RedisClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisClient").field(&self.to_string()).finish()
    }
}

impl Cluster {
    async fn connect(
        &self,
        certificates: Option<TlsCertificates>,
        options: ConnectOptions,
    ) -> Result<RedisConnection, RedisError> {
        let mut builder = ClusterClientBuilder::new(self.nodes.iter().map(Server::info))
            .connection_timeout(options.connect_timeout)
            .overall_response_timeout(options.response_timeout)
            .tcp_settings(server::tcp_settings())
            .retries(0);
        if let Some(timeout) = options.response_timeout {
            builder = builder.response_timeout(timeout);
        }
        if let Some(username) = &self.username {
            builder = builder.username(username);
        }
        if let Some(password) = &self.password {
            builder = builder.password(password.expose());
        }
        if let Some(certificates) = certificates {
            builder = builder.certs(certificates);
        }
        let unreachable = |source| RedisError::Unreachable {
            servers: server::listed(&self.nodes),
            source,
        };
        let client = builder.build().map_err(unreachable)?;
        let connection = client.get_async_connection().await.map_err(unreachable)?;
        Ok(RedisConnection::Cluster(connection))
    }
}

/// Connects to one server.
async fn connect_to(
    info: ConnectionInfo,
    certificates: Option<TlsCertificates>,
    options: ConnectOptions,
) -> Result<RedisConnection, RedisError> {
    let servers = info.addr().to_string();
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(options.connect_timeout))
        .set_response_timeout(options.response_timeout);
    let connecting = async {
        let client = match certificates {
            Some(certificates) => Client::build_with_tls(info, certificates)?,
            None => Client::open(info)?,
        };
        client.get_multiplexed_async_connection_with_config(&config).await
    };
    match connecting.await {
        Ok(connection) => Ok(RedisConnection::Single(connection)),
        Err(source) => Err(RedisError::Unreachable { servers, source }),
    }
}

impl TlsFiles {
    /// `None` if there are no such files.
    fn read(&self) -> Result<Option<TlsCertificates>, TlsError> {
        if self.ca.is_none() && self.client.is_none() {
            return Ok(None);
        }
        let chain = |path: &Path| {
            let pem = tls::read(path)?;
            tls::certificates(&pem, path)?;
            Ok::<_, TlsError>(pem)
        };
        let client_tls = match &self.client {
            None => None,
            Some((certificate, key)) => {
                let client_key = tls::read(key)?;
                tls::private_key(&client_key, key)?;
                Some(ClientTlsConfig {
                    client_cert: chain(certificate)?,
                    client_key,
                })
            }
        };
        let root_cert = self.ca.as_deref().map(chain).transpose()?;
        Ok(Some(TlsCertificates {
            client_tls,
            root_cert,
        }))
    }

    async fn read_aside(&self) -> Result<Option<TlsCertificates>, RedisError> {
        if self.ca.is_none() && self.client.is_none() {
            return Ok(None);
        }
        let files = self.clone();
        match tokio::task::spawn_blocking(move || files.read()).await {
            Ok(read) => Ok(read?),
            // The runtime is going down, or the reading panicked.
            Err(_) => Err(Invalid::new("ca", "could not be read: the program is stopping").into()),
        }
    }
}
