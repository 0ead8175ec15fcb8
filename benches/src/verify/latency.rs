//! Latency at half of saturation, in an open loop.

use std::time::Duration;

use super::contestant::{Contestant, Kind};
use super::site::{IN_ROTATION, Site};
use crate::load::{Request, Until, open};
use crate::report::{Figure, Report, Spread};

const ROUNDS: usize = 7;
const LASTING: Duration = Duration::from_secs(2);
const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)];

/// The first two are compared, and so have the same to do.
const KINDS: [Kind; 4] = [Kind::Verifier, Kind::Floor, Kind::Haproxy, Kind::EnvoyRbac];

/// One whose answers are timed.
struct Subject<'a> {
    contestant: &'a Contestant,
    requests: Vec<Request>,
    /// Requests a second.
    rate: f64,
    /// Microseconds, by quantile.
    runs: [Vec<f64>; QUANTILES.len()],
}

/// Each at half of what it can; the verifier and bare hyper at half of what the slower of them can.
pub fn run(site: &Site) -> anyhow::Result<Report> {
    let mut report = Report {
        bench: "verify --part latency",
        setting: format!(
            "{IN_ROTATION} tokens in rotation; {}; {ROUNDS} rounds",
            site.words()
        ),
        figures: Vec::new(),
        notes: vec!["counted from when a request was meant to be sent, so that no wait is left out".into()],
    };
    let started = Contestant::start_all(&KINDS, site, &mut report.notes)?;
    let tokens = site.tokens.all().get(..IN_ROTATION).unwrap_or_default();
    let mut subjects = Vec::new();
    for contestant in &started {
        let requests = contestant.requests(tokens, 0)?;
        contestant.run(&requests, Until::EachOnce)?;
        let full = contestant.run(&requests, Until::Passed(LASTING))?;
        subjects.push(Subject {
            contestant,
            requests,
            rate: full.per_second / 2.0,
            runs: [const { Vec::new() }; QUANTILES.len()],
        });
    }
    if let [ours, floor, ..] = subjects.as_mut_slice() {
        ours.rate = ours.rate.min(floor.rate);
        floor.rate = ours.rate;
    }
    for _ in 0..ROUNDS {
        for subject in &mut subjects {
            let latencies = open(
                &subject.contestant.target,
                &subject.requests,
                subject.rate,
                LASTING,
            )?;
            for ((_, quantile), runs) in QUANTILES.iter().zip(&mut subject.runs) {
                runs.push(micros(latencies.value_at_quantile(*quantile)));
            }
        }
    }
    tell(&mut report, &subjects);
    Ok(report)
}

fn tell(report: &mut Report, subjects: &[Subject<'_>]) {
    for subject in subjects {
        let name = subject.contestant.kind.name();
        let at = format!("{name}: measured at {:.0} requests a second", subject.rate);
        report.notes.push(at);
        for ((quantile, _), runs) in QUANTILES.iter().zip(&subject.runs) {
            let spread = Spread::of(runs.clone());
            report
                .figures
                .push(Figure::median(format!("{name}, {quantile}"), spread, "µs"));
        }
    }
    if let [ours, floor, ..] = subjects {
        for (((quantile, _), ours), floor) in QUANTILES.iter().zip(&ours.runs).zip(&floor.runs) {
            let ratios = ours.iter().zip(floor).map(|(ours, floor)| ours / floor);
            report.compare(
                &format!("verifier by bare hyper 204, {quantile}"),
                ratios.collect(),
            );
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "nanoseconds of some seconds")]
fn micros(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e3
}
