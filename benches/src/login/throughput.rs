//! Logins a second, in turns with the bare hash on as many threads as the issuer hashes on.

use std::time::Duration;

use anyhow::ensure;

use super::floor;
use super::pace::per_second;
use super::site::{Client, PASSWORD, Site, cores};
use crate::report::{Figure, Report, Spread};

/// Pairs of a run of each.
const ROUNDS: usize = 9;

/// How long one run lasts.
const RUN: Duration = Duration::from_secs(4);

/// Clients at once for each thread that hashes: enough that none waits for work.
const CLIENTS_PER_CORE: usize = 4;

pub fn run() -> anyhow::Result<Report> {
    let site = Site::start(&[
        ("ISSUER__LIMITS__LOGIN_PER_IP", "off"),
        ("ISSUER__LIMITS__LOGIN_PER_ACCOUNT", "off"),
    ])?;
    let clients = cores() * CLIENTS_PER_CORE;
    for number in 0..clients {
        site.register(&format!("user{number}"))?;
    }
    let (mut hashes, mut logins) = (Vec::new(), Vec::new());
    logins_per_second(&site, clients, RUN)?;
    for _ in 0..ROUNDS {
        hashes.push(floor::hashes_per_second(cores(), RUN)?);
        logins.push(logins_per_second(&site, clients, RUN)?);
    }
    let ratios = logins.iter().zip(&hashes).map(|(login, hash)| login / hash);
    let ratios = ratios.collect();
    let mut report = Report {
        bench: "login --part throughput",
        setting: format!(
            "{clients} clients, each its own user; {}, commits reach the disk; all of it, the clients and the \
             servers too, on {} cores",
            site.servers,
            cores()
        ),
        figures: vec![
            Figure::median("bare argon2id, 19 MiB, 2 passes", Spread::of(hashes), "a second"),
            Figure::median("logins", Spread::of(logins), "a second"),
        ],
        notes: vec![],
    };
    report.compare("logins by bare hashes", ratios);
    Ok(report)
}

fn logins_per_second(site: &Site, clients: usize, lasting: Duration) -> anyhow::Result<f64> {
    let client = |number| {
        let client = Client::from(site.issuer.address(), &format!("192.0.2.{number}"))?;
        Ok((client, format!("user{number}")))
    };
    per_second(clients, lasting, client, |(client, login)| {
        let answer = client.log_in(login, PASSWORD)?;
        ensure!(answer.status == 200, "login: {answer:?}");
        Ok(())
    })
}
