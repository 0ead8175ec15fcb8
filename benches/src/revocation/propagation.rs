//! From a logout's answer at the issuer to the first refusal at the verifier, the real programs on one machine, beside
//! one hop through the same Redis.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use shared::time::{Clock as _, SystemClock};

use super::hop::{Hop, Took};
use super::site::{Database, LOGIN, Site, access_token, ask, bearer, micros, percentile, until};
use crate::http::HttpConnection;
use crate::report::{Figure, Report};
use crate::server::usher::Programs;

/// Logouts, one after the other.
const LOGOUTS: usize = 5000;

/// So many of them, with the hops in between, give one ratio.
const PART: usize = 1000;

/// The verifiers' own default.
const MAX_STALENESS: Duration = Duration::from_secs(30);

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
        let Some(site) = Site::start(&programs, database, MAX_STALENESS)? else {
            let site =
                Site::start(&programs, Database::Sqlite, MAX_STALENESS)?.context("SQLite needs no server")?;
            let mut report = measure(&site)?;
            report
                .notes
                .push("PostgreSQL is not installed: this is SQLite, whose commits reach the disk".into());
            return Ok(vec![report]);
        };
        reports.push(measure(&site)?);
    }
    Ok(reports)
}

fn measure(site: &Site) -> anyhow::Result<Report> {
    let mut issuer = HttpConnection::open(site.issuer.address())?;
    let mut verifier = HttpConnection::open(site.verifier.address())?;
    let registered = issuer.post_json("/api/v1/user", LOGIN)?;
    ensure!(registered.status == 201, "registration: {registered:?}");
    // Until it has keys, and has loaded the feed.
    until(
        &mut verifier,
        &access_token(&registered)?,
        200,
        SystemClock.boot(),
    )?;
    let mut tokens = VecDeque::new();
    for _ in 0..LOGOUTS {
        let answer = issuer.post_json("/api/v1/user/login", LOGIN)?;
        ensure!(answer.status == 200, "login: {answer:?}");
        tokens.push_back(access_token(&answer)?);
    }
    let mut hop = Hop::open(site.redis.url())?;
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
    Ok(report(site, &measured))
}

fn report(site: &Site, measured: &Measured) -> Report {
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
            site.database,
            site.redis.version()
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
