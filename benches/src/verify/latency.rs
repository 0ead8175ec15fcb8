//! Latency at half of what the floor can do at most, in an open loop.

use std::time::Duration;

use super::contestant::{Contestant, Kind};
use super::site::{IN_ROTATION, Site};
use crate::load::{Until, open};
use crate::report::{Figure, Report, Spread};

const ROUNDS: usize = 7;
const LASTING: Duration = Duration::from_secs(2);
const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)];

/// The verifier and the floor in turns, each at half of the verifier's saturation.
pub fn run(site: &Site) -> anyhow::Result<Report> {
    let kinds = [Kind::Verifier, Kind::Floor];
    let mut notes = Vec::new();
    let started = Contestant::start_all(&kinds, site, &mut notes)?;
    let tokens = site.tokens.all().get(..IN_ROTATION).unwrap_or_default();
    let mut subjects = Vec::new();
    for contestant in &started {
        let requests = contestant.requests(tokens, 0)?;
        contestant.run(&requests, Until::EachOnce)?;
        let full = contestant.run(&requests, Until::Passed(LASTING))?;
        subjects.push((contestant, requests, full));
    }
    let rates = subjects.iter().map(|(_, _, full)| full.per_second / 2.0);
    let rate = rates.fold(f64::INFINITY, f64::min);
    let mut runs = vec![vec![Vec::new(); QUANTILES.len()]; subjects.len()];
    for _ in 0..ROUNDS {
        for ((contestant, requests, _), runs) in subjects.iter().zip(&mut runs) {
            let latencies = open(&contestant.target, requests, rate, LASTING)?;
            for ((_, quantile), runs) in QUANTILES.iter().zip(runs) {
                runs.push(micros(latencies.value_at_quantile(*quantile)));
            }
        }
    }
    let mut report = Report {
        bench: "verify --part latency",
        setting: format!(
            "{rate:.0} requests a second, half of what the slower one can; {IN_ROTATION} tokens in rotation; {}; \
             {ROUNDS} rounds",
            site.words()
        ),
        figures: Vec::new(),
        notes,
    };
    report
        .notes
        .push("counted from when a request was meant to be sent, so that no wait is left out".into());
    for ((contestant, ..), runs) in subjects.iter().zip(&runs) {
        for ((quantile, _), runs) in QUANTILES.iter().zip(runs) {
            let name = format!("{}, {quantile}", contestant.kind.name());
            report
                .figures
                .push(Figure::median(name, Spread::of(runs.clone()), "µs"));
        }
    }
    if let [ours, floor] = runs.as_slice() {
        for (((quantile, _), ours), floor) in QUANTILES.iter().zip(ours).zip(floor) {
            let ratios = ours.iter().zip(floor).map(|(ours, floor)| ours / floor);
            let name = format!("verifier by bare hyper 204, {quantile}");
            report.compare(&name, ratios.collect());
        }
    }
    Ok(report)
}

#[expect(clippy::cast_precision_loss, reason = "nanoseconds of some seconds")]
fn micros(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e3
}
