//! Decisions before and after everything but the verifier has stopped: they are served from memory, so nothing of it may
//! show, until the revocations are too old.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use shared::time::{Clock as _, SystemClock};

use super::site::{self, Database, LOGIN, Site};
use crate::http::HttpConnection;
use crate::report::{Figure, Report, Spread};
use crate::server::usher::Programs;

/// Long enough for everything that is asked while it is all stopped.
const MAX_STALENESS: Duration = Duration::from_secs(40);

/// So many decisions give one percentile …
const DECISIONS: usize = 5_000;
/// … and so many of those a median.
const RUNS: usize = 15;

/// Past `max_staleness` it has so long to notice, by its own clock.
const NOTICED_WITHIN: Duration = Duration::from_secs(5);

/// Percentiles of runs, in microseconds.
#[derive(Default)]
struct Measured {
    p50: Vec<f64>,
    p99: Vec<f64>,
}

/// Starts everything, asks, stops all but the verifier, and asks again.
pub fn run() -> anyhow::Result<Report> {
    let programs = Programs::build()?;
    let site = match Site::start(&programs, Database::InMemory, MAX_STALENESS)? {
        Some(site) => site,
        None => Site::start(&programs, Database::Sqlite, MAX_STALENESS)?.context("SQLite needs no server")?,
    };
    let setting = format!(
        "{RUNS} runs of {DECISIONS} decisions before and after; issuer on {}, verifier, {}",
        site.database,
        site.redis.version()
    );
    let mut issuer = HttpConnection::open(site.issuer.address())?;
    let mut verifier = HttpConnection::open(site.verifier.address())?;
    let registered = issuer.post_json("/api/v1/user", LOGIN)?;
    let token = site::access_token(&registered)?;
    site::until(&mut verifier, &token, 200, SystemClock.boot())?;
    let before = measure(&mut verifier, &token)?;
    let stopped = SystemClock.boot();
    let _verifier = site.stop_all_but_the_verifier();
    let after = measure(&mut verifier, &token)?;
    let served_for = SystemClock.boot().since(stopped);
    ensure!(
        served_for < MAX_STALENESS,
        "asking took {served_for:?}; is something else running?"
    );
    let refused_after = loop {
        let answer = site::ask(&mut verifier, &token)?;
        let since = SystemClock.boot().since(stopped);
        if answer.status == 503 {
            break since;
        }
        ensure!(
            answer.status == 200 && since < MAX_STALENESS + NOTICED_WITHIN,
            "{since:?} after everything stopped: {answer:?}"
        );
    };
    let open = "X-Original-Method: GET\r\nX-Original-URI: /open\r\n";
    for _ in 0..DECISIONS {
        let answer = verifier.request("GET", "/authz/auth-request", open, "")?;
        ensure!(
            answer.status == 200,
            "an anonymous caller on an open route: {answer:?}"
        );
    }
    Ok(report(setting, before, after, refused_after))
}

fn measure(verifier: &mut HttpConnection, token: &str) -> anyhow::Result<Measured> {
    let mut measured = Measured::default();
    for _ in 0..RUNS {
        let mut took = Vec::with_capacity(DECISIONS);
        for _ in 0..DECISIONS {
            let begin = SystemClock.boot();
            let answer = site::ask(verifier, token)?;
            took.push(site::micros(SystemClock.boot().since(begin)));
            ensure!(answer.status == 200, "{answer:?}");
        }
        measured.p50.push(site::percentile(&took, 50));
        measured.p99.push(site::percentile(&took, 99));
    }
    Ok(measured)
}

fn report(setting: String, before: Measured, after: Measured, refused_after: Duration) -> Report {
    let mut report = Report {
        bench: "revocation --part outage",
        setting,
        figures: Vec::new(),
        notes: vec![
            "over one connection, the answer to one question before the next; each of them 200".into(),
            format!(
                "past max_staleness ({} s) {DECISIONS} anonymous questions about an open route were all answered by 200",
                MAX_STALENESS.as_secs()
            ),
        ],
    };
    for (percent, [up, down]) in [(50, [before.p50, after.p50]), (99, [before.p99, after.p99])] {
        let ratios = down.iter().zip(&up).map(|(down, up)| down / up).collect();
        for (when, runs) in [("everything up", up), ("all but the verifier stopped", down)] {
            let name = format!("a decision with {when}, p{percent}");
            report.figures.push(Figure::median(name, Spread::of(runs), "µs"));
        }
        report.compare(&format!("stopped by up, p{percent}"), ratios);
    }
    report.figures.push(Figure::once(
        "a valid token is no longer decided about after",
        refused_after.as_secs_f64(),
        "s",
    ));
    report
}
