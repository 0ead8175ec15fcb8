//! One verifier, asked over its Unix socket and over TCP.

use std::time::Duration;

use super::contestant::{self, Run};
use super::site::{Site, request};
use crate::load::{Target, Until};
use crate::report::{Figure, Report, Spread};

const ROUNDS: usize = 9;
const LASTING: Duration = Duration::from_secs(1);

/// Both in turns, with one token.
pub fn run(site: &Site) -> anyhow::Result<Report> {
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("verifier.sock");
    let verifier = site.verifier(Some(&socket))?;
    let token = site.tokens.all().first().map_or("", String::as_str);
    let requests = [request(token, 200)];
    let targets = [Target::Unix(socket), Target::Tcp(verifier.address())];
    let (mut unix, mut tcp): (Vec<Run>, Vec<Run>) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for (target, runs) in targets.iter().zip([&mut unix, &mut tcp]) {
            runs.push(contestant::run(
                &[&verifier],
                target,
                &requests,
                Until::Passed(LASTING),
            )?);
        }
    }
    let mut report = Report {
        bench: "verify --part unix",
        setting: format!("one token; {}; {ROUNDS} rounds", site.words()),
        figures: Vec::new(),
        notes: Vec::new(),
    };
    for (name, runs) in [("over the Unix socket", &unix), ("over TCP", &tcp)] {
        let per_second = Spread::of(runs.iter().map(|run| run.per_second).collect());
        let cpu_us = Spread::of(runs.iter().map(|run| run.cpu_us).collect());
        report.figures.extend([
            Figure::median(name, per_second, "requests a second"),
            Figure::median(format!("{name}, processor"), cpu_us, "µs a request"),
        ]);
    }
    let ratios = unix.iter().zip(&tcp).map(|(unix, tcp)| unix.cpu_us / tcp.cpu_us);
    report.compare("Unix socket by TCP, processor", ratios.collect());
    Ok(report)
}
