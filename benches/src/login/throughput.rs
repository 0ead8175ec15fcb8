//! Logins a second, in turns with the bare hash on the same cores and as many threads as the issuer hashes on.

use std::time::Duration;

use anyhow::ensure;

use super::floor;
use super::pace::per_second;
use super::site::{Client, PASSWORD, Site, cores};
use crate::cores::Cores;
use crate::report::{Figure, Report, Spread};

/// Pairs of a run of each.
const ROUNDS: usize = 9;

/// How long one run lasts.
const RUN: Duration = Duration::from_secs(4);

/// Clients at once for each thread that hashes: enough that none waits for work.
const CLIENTS_PER_CORE: usize = 4;

const UNLIMITED: [(&str, &str); 2] = [
    ("ISSUER__LIMITS__LOGIN_PER_IP", "off"),
    ("ISSUER__LIMITS__LOGIN_PER_ACCOUNT", "off"),
];

/// Logins and hashes a second, run by run.
#[derive(Debug, Default)]
struct Runs {
    hashes: Vec<f64>,
    logins: Vec<f64>,
    /// Milliseconds of the issuer's time on a core, hash and all, for each login.
    cpu_ms: Vec<f64>,
}

pub fn run() -> anyhow::Result<Report> {
    let mut report = Report {
        bench: "login --part throughput",
        setting: format!(
            "{CLIENTS_PER_CORE} clients for each thread that hashes, each its own user; bare argon2id has 19 MiB and 2 passes"
        ),
        figures: vec![],
        notes: vec![],
    };
    match Cores::apart()? {
        Some(apart) => {
            let (runs, servers) = apart.on_client(|| alone(&apart))?;
            report.notes.push(format!(
                "apart: the issuer alone on one core, where the bare hash has its turn; its servers and the clients on the \
                 others; {servers}, commits reach the disk"
            ));
            show(&mut report, "apart", runs);
        }
        None => report
            .notes
            .push("there is one core: nothing can run apart".to_owned()),
    }
    let (runs, servers) = together()?;
    report.notes.push(format!(
        "together: all of it, the clients and the servers too, on the same {} cores; {servers}, commits reach the disk",
        cores()
    ));
    show(&mut report, "together", runs);
    Ok(report)
}

/// The issuer has a core to itself.
fn alone(apart: &Cores) -> anyhow::Result<(Runs, String)> {
    let mut settings = UNLIMITED.to_vec();
    settings.push(("ISSUER__PASSWORD__MAX_CONCURRENT", "1"));
    let site = Site::start_apart(Some(apart), &settings)?;
    let runs = turns(&site, CLIENTS_PER_CORE, || {
        apart.on_server(|| floor::hashes_per_second(1, RUN))
    })?;
    Ok((runs, site.servers))
}

/// Everything shares all cores.
fn together() -> anyhow::Result<(Runs, String)> {
    let site = Site::start(&UNLIMITED)?;
    let runs = turns(&site, cores() * CLIENTS_PER_CORE, || {
        floor::hashes_per_second(cores(), RUN)
    })?;
    Ok((runs, site.servers))
}

fn turns(site: &Site, clients: usize, hash: impl Fn() -> anyhow::Result<f64>) -> anyhow::Result<Runs> {
    for number in 0..clients {
        site.register(&format!("user{number}"))?;
    }
    let mut runs = Runs::default();
    logins_per_second(site, clients, RUN)?;
    for _ in 0..ROUNDS {
        runs.hashes.push(hash()?);
        let before = site.issuer.process().cpu_seconds()?;
        let logins = logins_per_second(site, clients, RUN)?;
        let spent = site.issuer.process().cpu_seconds()? - before;
        runs.cpu_ms.push(1000.0 * spent / (logins * RUN.as_secs_f64()));
        runs.logins.push(logins);
    }
    Ok(runs)
}

fn show(report: &mut Report, how: &str, runs: Runs) {
    let ratios = runs
        .logins
        .iter()
        .zip(&runs.hashes)
        .map(|(login, hash)| login / hash)
        .collect();
    let mut figure = |name: &str, runs, unit| {
        report
            .figures
            .push(Figure::median(format!("{how}: {name}"), Spread::of(runs), unit));
    };
    figure("bare argon2id", runs.hashes, "a second");
    figure("logins", runs.logins, "a second");
    figure("the issuer's time on a core", runs.cpu_ms, "ms a login");
    report.compare(&format!("{how}: logins by bare hashes"), ratios);
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
