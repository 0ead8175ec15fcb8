//! Requests a second and processor time a request, one server after the other, round by round.

use std::time::Duration;

use super::contestant::{Contestant, Kind, Run};
use super::site::{IN_ROTATION, Site};
use crate::load::{Request, Until};
use crate::report::{Figure, Report, Spread};

const ROUNDS: usize = 7;
const LASTING: Duration = Duration::from_secs(1);

/// Below this, it was not the server that was at its limit.
const BUSY_MIN: f64 = 0.9;

/// Of so many tokens one is bad.
const ONE_BAD_OF: usize = 5;

/// Which tokens come.
#[derive(Clone, Copy, Debug)]
pub enum Workload {
    /// Always the same.
    Hot,
    /// 10 000 in turns.
    Rotation,
    /// 10 000 in turns, a fifth of which has a signature that does not hold.
    Invalid,
}

impl Workload {
    fn bench(self) -> &'static str {
        match self {
            Self::Hot => "verify --part hot",
            Self::Rotation => "verify --part rotation",
            Self::Invalid => "verify --part invalid",
        }
    }

    fn words(self) -> String {
        match self {
            Self::Hot => "one token".to_owned(),
            Self::Rotation => format!("{IN_ROTATION} tokens in rotation"),
            Self::Invalid => {
                format!("{IN_ROTATION} tokens in rotation, one of {ONE_BAD_OF} with a bad signature")
            }
        }
    }

    fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Hot | Self::Rotation => &[
                Kind::Verifier,
                Kind::Floor,
                Kind::LeanFloor,
                Kind::Nginx,
                Kind::Haproxy,
                Kind::EnvoyCache,
                Kind::EnvoyRbac,
            ],
            Self::Invalid => &[Kind::Verifier, Kind::Floor, Kind::Haproxy, Kind::EnvoyRbac],
        }
    }
}

/// Measures one workload.
pub fn run(site: &Site, workload: Workload) -> anyhow::Result<Report> {
    let mut report = Report {
        bench: workload.bench(),
        setting: format!("{}; {}; {ROUNDS} rounds", workload.words(), site.words()),
        figures: Vec::new(),
        notes: Vec::new(),
    };
    let started = Contestant::start_all(workload.kinds(), site, &mut report.notes)?;
    let (count, one_bad_of) = match workload {
        Workload::Hot => (1, 0),
        Workload::Rotation => (IN_ROTATION, 0),
        Workload::Invalid => (IN_ROTATION, ONE_BAD_OF),
    };
    let tokens = site.tokens.all().get(..count).unwrap_or_default();
    let mut measured: Vec<(&Contestant, Vec<Request>, Vec<Run>)> = Vec::new();
    for contestant in &started {
        let requests = contestant.requests(tokens, one_bad_of)?;
        // So that caches are full.
        contestant.run(&requests, Until::EachOnce)?;
        measured.push((contestant, requests, Vec::new()));
    }
    for _ in 0..ROUNDS {
        for (contestant, requests, runs) in &mut measured {
            runs.push(contestant.run(requests, Until::Passed(LASTING))?);
        }
    }
    let runs: Vec<_> = measured
        .into_iter()
        .map(|(contestant, _, runs)| (contestant.kind, runs))
        .collect();
    tell(&mut report, &runs);
    Ok(report)
}

/// The figures of each, and the first beside each of the others.
pub fn tell(report: &mut Report, runs: &[(Kind, Vec<Run>)]) {
    for (kind, runs) in runs {
        let name = kind.name();
        let per_second = runs.iter().map(|run| run.per_second).collect();
        let cpu_us = runs.iter().map(|run| run.cpu_us).collect();
        let busy = Spread::of(runs.iter().map(|run| run.busy).collect()).median;
        report.figures.extend([
            Figure::median(name, Spread::of(per_second), "requests a second"),
            Figure::median(format!("{name}, processor"), Spread::of(cpu_us), "µs a request"),
        ]);
        if busy < BUSY_MIN {
            report.notes.push(format!(
                "{name}: its core was busy for {busy:.2} of the time only; compare processor times, not rates"
            ));
        }
    }
    let Some(((_, ours), others)) = runs.split_first() else {
        return;
    };
    for (kind, theirs) in others {
        let pairs = || ours.iter().zip(theirs);
        let rates = pairs().map(|(ours, theirs)| ours.per_second / theirs.per_second);
        let cpu = pairs().map(|(ours, theirs)| ours.cpu_us / theirs.cpu_us);
        let name = kind.name();
        report.compare(&format!("verifier by {name}, rate"), rates.collect());
        report.compare(&format!("verifier by {name}, processor"), cpu.collect());
    }
}
