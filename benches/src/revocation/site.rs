//! An issuer, a verifier, their database and their Redis, the real programs.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use shared::time::{BootTime, Clock as _, SystemClock};

use crate::http::{Answer, HttpConnection};
use crate::server::Serving;
use crate::server::postgres::Postgres;
use crate::server::redis::Redis;
use crate::server::usher::Programs;

/// Whose sessions they are.
pub const LOGIN: &str = r#"{"login":"neo","password":"follow the white rabbit"}"#;

/// The `iss` of the tokens; nobody asks there.
const ISSUER: &str = "http://issuer.test";

/// An answer that is not there by then will never be.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

const RULES: &str = "default = \"authenticated\"\n[[rule]]\npath = \"/open\"\nanonymous = true\n";

/// The issuer's database, and whether its commits reach the disk.
#[derive(Clone, Copy, Debug)]
pub enum Database {
    /// PostgreSQL, with commits that reach the disk.
    Durable,
    /// PostgreSQL with `fsync=off`.
    InMemory,
    /// SQLite.
    Sqlite,
}

/// Everything that runs.
pub struct Site {
    /// The issuer.
    pub issuer: Serving,
    /// The verifier.
    pub verifier: Serving,
    /// What the feed is on.
    pub redis: Redis,
    /// What the database is, in words.
    pub database: String,
    _postgres: Option<Postgres>,
    _folder: tempfile::TempDir,
}

impl Site {
    /// `None` if the database is not installed.
    pub fn start(
        programs: &Programs,
        database: Database,
        max_staleness: Duration,
    ) -> anyhow::Result<Option<Self>> {
        let redis = Redis::start()?;
        let folder = tempfile::tempdir()?;
        let file = |name: &str, text: &str| -> anyhow::Result<String> {
            let path = folder.path().join(name);
            std::fs::write(&path, text)?;
            Ok(path.to_string_lossy().into_owned())
        };
        let postgres = match database {
            Database::Sqlite => None,
            Database::Durable => Postgres::start(true)?,
            Database::InMemory => Postgres::start(false)?,
        };
        let (url, name) = match (&postgres, database) {
            (Some(postgres), Database::Durable) => (postgres.url().to_owned(), postgres.version().to_owned()),
            (Some(postgres), _) => (
                postgres.url().to_owned(),
                format!("{} with fsync=off", postgres.version()),
            ),
            (None, Database::Sqlite) => (format!("sqlite:{}", file("usher.db", "")?), "SQLite".to_owned()),
            (None, _) => return Ok(None),
        };
        // 32 bytes in base64.
        let key = file("key", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")?;
        let issuer = [
            ("ISSUER__LISTEN", "127.0.0.1:0"),
            ("ISSUER__ADMIN_LISTEN", "127.0.0.1:0"),
            ("ISSUER__PUBLIC_URL", ISSUER),
            ("ISSUER__DATABASE__URL", &url),
            ("ISSUER__REDIS__URL", redis.url()),
            ("ISSUER__KEYS__ENCRYPTION_KEY_FILE", &key),
            ("ISSUER__LIMITS__LOGIN_PER_IP", "off"),
            ("ISSUER__LIMITS__LOGIN_PER_ACCOUNT", "off"),
            // A thousand logins are no part of what is measured.
            ("ISSUER__PASSWORD__MEMORY_KIB", "8"),
            ("ISSUER__PASSWORD__ITERATIONS", "1"),
        ];
        let issuer = programs.serve("issuer", &issuer, "the issuer listens")?;
        let jwks_url = format!("http://{}/.well-known/jwks.json", issuer.address());
        let verifier = [
            ("VERIFIER__LISTEN", "127.0.0.1:0"),
            ("VERIFIER__ADMIN_LISTEN", "127.0.0.1:0"),
            ("VERIFIER__ISSUER", ISSUER),
            ("VERIFIER__JWKS_URL", &jwks_url),
            ("VERIFIER__REDIS__URL", redis.url()),
            (
                "VERIFIER__MAX_STALENESS",
                &format!("{}ms", max_staleness.as_millis()),
            ),
            ("VERIFIER__RULES", &file("rules.toml", RULES)?),
        ];
        let verifier = programs.serve("verifier", &verifier, "the verifier listens")?;
        Ok(Some(Self {
            issuer,
            verifier,
            redis,
            database: name,
            _postgres: postgres,
            _folder: folder,
        }))
    }

    /// Ends the rest, and gives back what goes on.
    pub fn stop_all_but_the_verifier(self) -> Serving {
        self.verifier
    }
}

/// Asks until it is answered so.
pub fn until(
    verifier: &mut HttpConnection,
    token: &str,
    status: u16,
    begin: BootTime,
) -> anyhow::Result<BootTime> {
    loop {
        let answer = ask(verifier, token)?;
        let now = SystemClock.boot();
        if answer.status == status {
            return Ok(now);
        }
        ensure!(now.since(begin) < ANSWERED_WITHIN, "still {answer:?}");
    }
}

/// What the verifier says to whoever has this token.
pub fn ask(verifier: &mut HttpConnection, token: &str) -> anyhow::Result<Answer> {
    let headers = format!(
        "{}X-Original-Method: GET\r\nX-Original-URI: /films\r\n",
        bearer(token)
    );
    verifier.request("GET", "/authz/auth-request", &headers, "")
}

/// The header with a token.
pub fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// The access token of an answer.
pub fn access_token(answer: &Answer) -> anyhow::Result<String> {
    let body: Value = serde_json::from_slice(&answer.body)?;
    let token = body.get("access_token").and_then(Value::as_str);
    token.map(str::to_owned).context("an answer without a token")
}

/// The value that so many percent of the runs are below.
pub fn percentile(runs: &[f64], percent: usize) -> f64 {
    let mut sorted = runs.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = sorted.len() * percent / 100;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

/// A duration in microseconds.
pub fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
