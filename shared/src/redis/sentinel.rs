use std::fmt;

use ::redis::{RedisConnectionInfo, TlsCertificates, Value, cmd};
use tokio::task::JoinSet;

use super::server::{Server, listed};
use super::{ConnectOptions, RedisConnection, RedisError, connect_to};

/// The Sentinels, and how to log in to the master that they name.
#[derive(Clone)]
pub(super) struct Sentinels {
    pub(super) servers: Vec<Server>,
    pub(super) master: String,
    pub(super) login: RedisConnectionInfo,
    /// Whether the master speaks TLS: as the Sentinels do.
    pub(super) tls: bool,
}

/// What one of the tasks on the way to the master came to.
enum Step {
    /// A Sentinel named it.
    Named(Result<(String, u16), String>),
    /// A server that was named.
    Connected(Result<RedisConnection, String>),
}

impl Sentinels {
    /// Connects to the present master.
    ///
    /// All Sentinels are asked at once, and every server that one of them names is tried: one that is away, or knows
    /// of yesterday's master, costs no time. An answer counts once the server says itself that it is the master
    /// (<https://redis.io/docs/latest/develop/reference/sentinel-clients/>).
    pub(super) async fn connect(
        &self,
        certificates: Option<TlsCertificates>,
        options: ConnectOptions,
    ) -> Result<RedisConnection, RedisError> {
        let mut steps = JoinSet::new();
        for sentinel in &self.servers {
            let (sentinel, master, certificates) =
                (sentinel.clone(), self.master.clone(), certificates.clone());
            steps.spawn(async move {
                Step::Named(master_known_to(&sentinel, &master, certificates, options).await)
            });
        }
        let mut reason = String::new();
        let mut tried = Vec::new();
        while let Some(step) = steps.join_next().await {
            match step {
                Ok(Step::Connected(Ok(connection))) => return Ok(connection),
                Ok(Step::Named(Ok(address))) if tried.contains(&address) => {}
                Ok(Step::Named(Ok(address))) => {
                    tried.push(address.clone());
                    let (this, certificates) = (self.clone(), certificates.clone());
                    steps.spawn(async move {
                        Step::Connected(this.connect_to_master(address, certificates, options).await)
                    });
                }
                Ok(Step::Named(Err(why)) | Step::Connected(Err(why))) => reason = why,
                Err(_) => {}
            }
        }
        Err(RedisError::NoMaster {
            master: self.master.clone(),
            sentinels: self.to_string(),
            reason,
        })
    }

    async fn connect_to_master(
        &self,
        (host, port): (String, u16),
        certificates: Option<TlsCertificates>,
        options: ConnectOptions,
    ) -> Result<RedisConnection, String> {
        let server = Server::at(host, port, self.tls, &self.login).ok_or("its address cannot be used")?;
        let mut connection = connect_to(server.info(), certificates, options)
            .await
            .map_err(|error| error.to_string())?;
        let role: Vec<Value> = cmd("ROLE")
            .query_async(&mut connection)
            .await
            .map_err(|error| format!("{server} does not say its role: {error}"))?;
        match role.first() {
            Some(Value::BulkString(role)) if role == b"master" => Ok(connection),
            _ => Err(format!("{server} is not the master, or not yet")),
        }
    }
}

/// Host and port of the master in the eyes of one Sentinel.
async fn master_known_to(
    sentinel: &Server,
    master: &str,
    certificates: Option<TlsCertificates>,
    options: ConnectOptions,
) -> Result<(String, u16), String> {
    let options = ConnectOptions {
        response_timeout: Some(options.connect_timeout),
        ..options
    };
    let mut connection = connect_to(sentinel.info(), certificates, options)
        .await
        .map_err(|error| error.to_string())?;
    let address: Option<(String, u16)> = cmd("SENTINEL")
        .arg("GET-MASTER-ADDR-BY-NAME")
        .arg(master)
        .query_async(&mut connection)
        .await
        .map_err(|error| format!("{sentinel}: {error}"))?;
    address.ok_or_else(|| format!("{sentinel} does not know it"))
}

impl fmt::Display for Sentinels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&listed(&self.servers))
    }
}
