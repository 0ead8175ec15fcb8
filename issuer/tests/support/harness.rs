//! A real issuer in this process, on random loopback ports and with a database of its own.
//!
//! For every integration test binary: `#[path = "../support/harness.rs"] mod support;`, then
//! [`on_both_databases!`](crate::on_both_databases) at the top of each file of tests.

#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "not every test binary uses all of it"
)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on ends there"
)]

mod client;
mod clock;
mod database;
mod people;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use issuer::app::{Feed, Issuer};
use issuer::service::Service;
use issuer::settings::Settings;
use prometheus_client::registry::Registry;
use serde_json::{Map, Value};
use shared::cli::Shutdown;
use shared::config::{Sources, load};
use shared::encoding::{base64url, base64url_decode};
use shared::serve::BoundAddress;
use shared::time::Clock;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use client::{Answer, Request};
pub use clock::ShiftedClock;
pub use database::{Database, OwnDatabase};
pub use people::{ADMIN, Machine, PASSWORD, Person, ROLE_EDITOR, USER};

/// Makes each test of a file run on SQLite and on PostgreSQL. A test is an `async fn(Database)`.
#[macro_export]
macro_rules! on_both_databases {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                super::$test($crate::support::Database::Sqlite).await;
            })+
        }
        mod postgres {
            $(#[tokio::test]
            async fn $test() {
                if let Some(database) = $crate::support::Database::postgres_or_skip(stringify!($test)) {
                    super::$test(database).await;
                }
            })+
        }
    };
}

/// What every test starts from: no limits, cheap hashes, few connections.
const SETTINGS: &str = r#"
public_url = "https://auth.example.org"
listen = "127.0.0.1:0"
database.max_connections = 4
password.memory_kib = 8
password.iterations = 1
password.max_concurrent = 2
password.failure_floor = "off"
limits.login_per_ip = "off"
limits.login_per_account = "off"
limits.register_per_ip = "off"
limits.client_per_ip = "off"
cors.allowed_origins = ["https://app.example.org"]
portal.allowed_return_hosts = ["movies.example.org"]
shutdown_grace = "2s"
"#;

/// A running issuer.
pub struct Site {
    /// Its use cases, and what they work with.
    pub service: Arc<Service>,
    /// Its time, which a test may shift.
    pub clock: Arc<ShiftedClock>,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its database.
    pub database: Arc<OwnDatabase>,
    registry: Registry,
    stop: CancellationToken,
    server: Option<JoinHandle<()>>,
}

impl Site {
    /// An issuer with the settings of tests.
    pub async fn start(database: Database) -> Self {
        Self::start_with(database, "").await
    }

    /// An issuer with these settings (TOML) above those of tests.
    pub async fn start_with(database: Database, toml: &str) -> Self {
        Self::start_fed(database, toml, Feed::Disabled).await
    }

    /// An issuer whose revocations go somewhere.
    pub async fn start_fed(database: Database, toml: &str, feed: Feed) -> Self {
        let database = Arc::new(OwnDatabase::create(&database).await);
        Self::start_on(database, toml, feed).await
    }

    /// A second issuer on the database of this one.
    pub async fn start_beside(&self, toml: &str) -> Self {
        Self::start_on(Arc::clone(&self.database), toml, Feed::Disabled).await
    }

    async fn start_on(database: Arc<OwnDatabase>, toml: &str, feed: Feed) -> Self {
        let clock = Arc::new(ShiftedClock::default());
        let overrides = database.folder().join("settings.toml");
        std::fs::write(&overrides, toml).unwrap();
        let sources = Sources::new()
            .built_in(format!("{SETTINGS}{}", database.settings()))
            .file(overrides);
        let settings: Settings = load(&sources).unwrap();
        let issuer = Issuer::open(&settings, clock.clone(), feed).await.unwrap();
        let stop = CancellationToken::new();
        let listeners = Issuer::bind(&settings, &stop).await.unwrap();
        let BoundAddress::Tcp(address) = *listeners[0].address() else {
            panic!("a TCP port was asked for");
        };
        let mut registry = Registry::default();
        let metrics = issuer.register_metrics(&mut registry);
        let service = Arc::clone(issuer.service());
        let grace = Duration::from_secs(2);
        let shutdown = Shutdown {
            stop: stop.clone(),
            ..Shutdown::default()
        };
        let server = tokio::spawn(issuer.run(listeners, metrics, grace, shutdown));
        Self {
            service,
            clock,
            address,
            database,
            registry,
            stop,
            server: Some(server),
        }
    }

    /// Its metrics, as Prometheus reads them.
    pub fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }

    /// Stops it as SIGTERM would, and waits for its end.
    pub async fn stop(&mut self) {
        self.stop.cancel();
        if let Some(server) = self.server.take() {
            server.await.unwrap();
        }
    }

    /// A request, to be added to and sent.
    pub fn request(&self, method: &str, path: &str) -> Request {
        Request::new(self.address, method, path)
    }

    /// `GET`.
    pub fn get(&self, path: &str) -> Request {
        self.request("GET", path)
    }

    /// `POST`.
    pub fn post(&self, path: &str) -> Request {
        self.request("POST", path)
    }

    /// `PUT`.
    pub fn put(&self, path: &str) -> Request {
        self.request("PUT", path)
    }

    /// `PATCH`.
    pub fn patch(&self, path: &str) -> Request {
        self.request("PATCH", path)
    }

    /// `DELETE`.
    pub fn delete(&self, path: &str) -> Request {
        self.request("DELETE", path)
    }

    /// Rows of every table that requests write to.
    pub async fn rows(&self) -> BTreeMap<&'static str, i64> {
        let mut rows = BTreeMap::new();
        for table in TABLES {
            let count = self
                .database
                .number(&format!("SELECT COUNT(*) FROM {table}"))
                .await;
            rows.insert(table, count);
        }
        rows
    }

    /// Signs claims with the issuer's own key: a token that is truly ours, whatever it says.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let keyring = self.service.keys.current();
        let part = |value: &Value| base64url(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = keyring.signing().sign(signed.as_bytes()).unwrap();
        format!("{signed}.{}", base64url(&signature))
    }

    /// The header of the issuer's tokens.
    pub fn header(&self) -> Value {
        serde_json::json!({"alg": "RS256", "typ": "at+jwt", "kid": self.service.keys.current().kid()})
    }

    /// The same token with one claim changed, signed anew with the issuer's own key.
    pub fn resigned(&self, token: &str, claim: &str, value: impl Into<Value>) -> String {
        let mut claims = claims(token);
        claims.insert(claim.to_owned(), value.into());
        self.sign(&self.header(), &Value::Object(claims))
    }

    /// The same token as of long ago: expired, and truly ours.
    pub fn expired(&self, token: &str) -> String {
        let mut claims = claims(token);
        for name in ["iat", "nbf", "exp"] {
            let at = claims[name].as_i64().unwrap();
            claims.insert(name.to_owned(), (at - 100_000).into());
        }
        self.sign(&self.header(), &Value::Object(claims))
    }

    /// Now, in the issuer's time.
    pub fn now(&self) -> shared::time::UnixMillis {
        self.clock.now()
    }
}

/// Tables that requests write to.
const TABLES: [&str; 9] = [
    "users",
    "roles",
    "user_roles",
    "sessions",
    "refresh_tokens",
    "login_history",
    "outbox",
    "clients",
    "client_roles",
];

/// What a token says, unjudged.
pub fn claims(token: &str) -> Map<String, Value> {
    let payload = token.split('.').nth(1).unwrap();
    let json = base64url_decode(payload.as_bytes()).unwrap();
    serde_json::from_slice(&json).unwrap()
}
