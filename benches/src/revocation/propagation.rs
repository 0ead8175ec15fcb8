//! From a logout's answer at the issuer to the first refusal at the verifier, the real programs on one machine, beside
//! one hop through the same Redis.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use shared::time::{BootTime, Clock as _, SystemClock};

use super::hop::{Hop, Took};
use crate::http::{Answer, HttpConnection};
use crate::report::{Figure, Report};
use crate::server::postgres::Postgres;
use crate::server::redis::Redis;
use crate::server::usher::{Programs, Serving};

/// Logouts, one after the other.
const LOGOUTS: usize = 1000;

/// So many of them, with the hops in between, give one ratio.
const PART: usize = 200;

/// Whose sessions they are.
const LOGIN: &str = r#"{"login":"neo","password":"follow the white rabbit"}"#;

/// The `iss` of the tokens; nobody asks there.
const ISSUER: &str = "http://issuer.test";

/// A refusal that is not there by then will never be.
const REFUSED_WITHIN: Duration = Duration::from_secs(10);

const RULES: &str = "default = \"authenticated\"\n";

/// The issuer's database, and whether its commits reach the disk.
#[derive(Clone, Copy, Debug)]
enum Database {
    Durable,
    InMemory,
    Sqlite,
}

/// Everything that runs.
struct Site {
    issuer: Serving,
    verifier: Serving,
    redis: Redis,
    database: String,
    _postgres: Option<Postgres>,
    _folder: tempfile::TempDir,
}

/// What was measured, in microseconds.
#[derive(Default)]
struct Measured {
    refused: Vec<f64>,
    sent: Vec<f64>,
    answered: Vec<f64>,
}

/// Starts everything, with PostgreSQL twice: with commits that reach the disk, and without.
pub fn run() -> anyhow::Result<Vec<Report>> {
    let programs = Programs::build()?;
    let mut reports = Vec::new();
    for database in [Database::Durable, Database::InMemory] {
        let Some(site) = Site::start(&programs, database)? else {
            let site = Site::start(&programs, Database::Sqlite)?.context("SQLite needs no server")?;
            let mut report = site.measure()?;
            report
                .notes
                .push("PostgreSQL is not installed: this is SQLite, whose commits reach the disk".into());
            return Ok(vec![report]);
        };
        reports.push(site.measure()?);
    }
    Ok(reports)
}

impl Site {
    /// `None` if the database is not installed.
    fn start(programs: &Programs, database: Database) -> anyhow::Result<Option<Self>> {
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

    fn measure(&self) -> anyhow::Result<Report> {
        let mut issuer = HttpConnection::open(self.issuer.address())?;
        let mut verifier = HttpConnection::open(self.verifier.address())?;
        let registered = issuer.post_json("/api/v1/user", LOGIN)?;
        ensure!(registered.status == 201, "registration: {registered:?}");
        wait_until_it_admits(&mut verifier, &access_token(&registered)?)?;
        let mut tokens = VecDeque::new();
        for _ in 0..LOGOUTS {
            let answer = issuer.post_json("/api/v1/user/login", LOGIN)?;
            ensure!(answer.status == 200, "login: {answer:?}");
            tokens.push_back(access_token(&answer)?);
        }
        let mut hop = Hop::open(self.redis.url())?;
        let mut measured = Measured::default();
        for token in tokens {
            measured
                .refused
                .push(log_out(&mut issuer, &mut verifier, &token)?);
            let Took {
                since_sent,
                since_answered,
            } = hop.measure()?;
            measured.sent.push(micros(since_sent));
            measured.answered.push(micros(since_answered));
        }
        Ok(self.report(&measured))
    }

    fn report(&self, measured: &Measured) -> Report {
        let mut figures = Vec::new();
        for (name, runs) in [
            ("logout's answer to refusal", &measured.refused),
            ("hop, XADD's sending to XREAD's return", &measured.sent),
            ("hop, XADD's answer to XREAD's return", &measured.answered),
        ] {
            for percent in [50, 99] {
                let value = percentile(runs, percent);
                figures.push(Figure::once(format!("{name}, p{percent}"), value, "µs"));
            }
        }
        let mut report = Report {
            bench: "revocation --part propagation",
            setting: format!(
                "{LOGOUTS} logouts in turns with hops; issuer on {}, verifier, {}",
                self.database,
                self.redis.version()
            ),
            figures,
            notes: vec![
                "the issuer answers when the logout is committed; then follow a second transaction, which numbers the \
                 revocation, the write into Redis, and the verifier's read"
                    .into(),
                "the refusal is seen by asking the verifier again and again over one connection".into(),
            ],
        };
        for percent in [50, 99] {
            let parts = measured.refused.chunks(PART).zip(measured.sent.chunks(PART));
            let ratios = parts.map(|(ours, hops)| percentile(ours, percent) / percentile(hops, percent));
            report.compare(&format!("logout by hop, p{percent}"), ratios.collect());
        }
        report
    }
}

/// Microseconds from the answer of a logout to the verifier's first refusal.
fn log_out(issuer: &mut HttpConnection, verifier: &mut HttpConnection, token: &str) -> anyhow::Result<f64> {
    // From now on the verifier knows the token's signature.
    let before = ask(verifier, token)?;
    ensure!(before.status == 200, "before the logout: {before:?}");
    let answer = issuer.request("POST", "/api/v1/user/logout", &bearer(token), "")?;
    let answered = SystemClock.boot();
    ensure!(answer.status == 204, "logout: {answer:?}");
    let refused = until(verifier, token, 401, answered)?;
    Ok(micros(refused.since(answered)))
}

/// Asks until it is answered so.
fn until(
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
        ensure!(now.since(begin) < REFUSED_WITHIN, "still {answer:?}");
    }
}

/// Until it has keys, and has loaded the feed.
fn wait_until_it_admits(verifier: &mut HttpConnection, token: &str) -> anyhow::Result<()> {
    until(verifier, token, 200, SystemClock.boot()).map(|_| ())
}

fn ask(verifier: &mut HttpConnection, token: &str) -> anyhow::Result<Answer> {
    let headers = format!(
        "{}X-Original-Method: GET\r\nX-Original-URI: /films\r\n",
        bearer(token)
    );
    verifier.request("GET", "/authz/auth-request", &headers, "")
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

fn access_token(answer: &Answer) -> anyhow::Result<String> {
    let body: Value = serde_json::from_slice(&answer.body)?;
    let token = body.get("access_token").and_then(Value::as_str);
    token.map(str::to_owned).context("an answer without a token")
}

fn percentile(runs: &[f64], percent: usize) -> f64 {
    let mut sorted = runs.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = sorted.len() * percent / 100;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
