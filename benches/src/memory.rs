//! How much memory servers have that nobody asks.

use crate::load::Until;
use crate::report::{Figure, Report};
use crate::verify::contestant::{Contestant, Kind};
use crate::verify::site::Site;

const KINDS: [Kind; 5] = [
    Kind::Verifier,
    Kind::Floor,
    Kind::Nginx,
    Kind::Haproxy,
    Kind::EnvoyRbac,
];

/// Starts each, and looks at it once it has answered.
pub fn run() -> anyhow::Result<Report> {
    let site = Site::start(0, 1)?;
    let mut report = Report {
        bench: "memory",
        setting: format!(
            "proportional share (PSS) of each process after one request; {}",
            site.words()
        ),
        figures: Vec::new(),
        notes: Vec::new(),
    };
    let started = Contestant::start_all(&KINDS, &site, &mut report.notes)?;
    let mut measured = Vec::new();
    for contestant in &started {
        let requests = contestant.requests(site.tokens.all(), 0)?;
        contestant.run(&requests, Until::EachOnce)?;
        let mib = mib(contestant.serving.process().pss_bytes()?);
        report
            .figures
            .push(Figure::once(contestant.kind.name(), mib, "MiB"));
        measured.push((contestant.kind, mib));
    }
    if let Some(((_, ours), others)) = measured.split_first() {
        for (kind, theirs) in others {
            let name = format!("verifier by {}", kind.name());
            report.figures.push(Figure::once(name, ours / theirs, "times"));
        }
    }
    site.cores.be_free()?;
    drop(started);
    site.end()?;
    Ok(report)
}

#[expect(clippy::cast_precision_loss, reason = "some millions")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
