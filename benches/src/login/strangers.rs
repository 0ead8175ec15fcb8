//! A good login while a stranger tries to guess the same account's password, 10 000 times a minute.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{anyhow, ensure};
use shared::time::{Clock as _, SystemClock};

use super::site::{Client, PASSWORD, Site};
use crate::report::{Figure, Report, Spread};

/// Attempts of the stranger, a minute.
const ATTEMPTS_PER_MINUTE: u32 = 10_000;

/// Connections that they come over.
const CONNECTIONS: u32 = 4;

/// Pairs of a run without and a run with the stranger.
const ROUNDS: usize = 7;

/// Good logins a run. The limits let an address log in 30 times a minute: each run is of another one.
const LOGINS: usize = 20;

/// Between two of them.
const PAUSE: Duration = Duration::from_millis(250);

pub fn run() -> anyhow::Result<Report> {
    let site = Site::start(&[])?;
    site.register("neo")?;
    let mut answers = BTreeMap::new();
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        alone.push(good_logins(&site, &format!("198.51.100.{round}"))?);
        let stop = AtomicBool::new(false);
        let measured = std::thread::scope(|scope| {
            let strangers: Vec<_> = (0..CONNECTIONS)
                .map(|_| scope.spawn(|| attempts(&site, &stop)))
                .collect();
            let measured = good_logins(&site, &format!("198.51.100.{}", 100 + round));
            stop.store(true, Ordering::Relaxed);
            for stranger in strangers {
                let counted = stranger.join().map_err(|_| anyhow!("a thread panicked"))??;
                for (status, count) in counted {
                    *answers.entry(status).or_insert(0_u32) += count;
                }
            }
            measured
        })?;
        beside.push(measured);
    }
    let ratios = beside.iter().zip(&alone).map(|(with, without)| with / without);
    let ratios = ratios.collect();
    let mut figures = vec![
        Figure::median("a good login", Spread::of(alone), "ms"),
        Figure::median("a good login beside the stranger", Spread::of(beside), "ms"),
    ];
    for (status, count) in answers {
        figures.push(Figure::once(
            format!("attempts answered {status}"),
            f64::from(count),
            "attempts",
        ));
    }
    let mut report = Report {
        bench: "login --part strangers",
        setting: format!(
            "{ATTEMPTS_PER_MINUTE} attempts a minute at the login that logs in well, from one address; {}; the default limits",
            site.servers
        ),
        figures,
        notes: vec!["every good login was answered 200".into()],
    };
    report.compare("beside the stranger by alone", ratios);
    Ok(report)
}

/// The median of some good logins from one address, in milliseconds.
fn good_logins(site: &Site, address: &str) -> anyhow::Result<f64> {
    let mut client = Client::from(site.issuer.address(), address)?;
    let mut took = Vec::new();
    for _ in 0..LOGINS {
        std::thread::sleep(PAUSE);
        let begun = SystemClock.boot();
        let answer = client.log_in("neo", PASSWORD)?;
        took.push(SystemClock.boot().since(begun).as_secs_f64() * 1e3);
        ensure!(answer.status == 200, "a good login: {answer:?}");
    }
    Ok(Spread::of(took).median)
}

/// Guesses at one connection's share of the pace until told to stop, and counts the answers.
fn attempts(site: &Site, stop: &AtomicBool) -> anyhow::Result<BTreeMap<u16, u32>> {
    let mut client = Client::from(site.issuer.address(), "203.0.113.66")?;
    let pace = Duration::from_mins(1) * CONNECTIONS / ATTEMPTS_PER_MINUTE;
    let begun = SystemClock.boot();
    let mut counted = BTreeMap::new();
    for number in 0_u32.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        std::thread::sleep((pace * number).saturating_sub(SystemClock.boot().since(begun)));
        let answer = client.log_in("neo", "not this password")?;
        ensure!(matches!(answer.status, 401 | 429), "a guess: {answer:?}");
        *counted.entry(answer.status).or_default() += 1;
    }
    Ok(counted)
}
