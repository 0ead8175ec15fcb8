//! Tokens that nobody has seen yet, each once.

use std::hint::black_box;

use anyhow::{Context as _, ensure};
use shared::encoding::base64url_decode;
use shared::time::{Clock as _, SystemClock};

use super::contestant::{Contestant, Kind, Run};
use super::site::Site;
use super::throughput::tell;
use crate::load::Until;
use crate::report::{Figure, Report, Spread};

const ROUNDS: usize = 5;

/// Peers without a memory of tokens, and a verifier that is started anew each time, so that it has none yet.
pub fn run(site: &Site) -> anyhow::Result<Report> {
    let tokens = site.tokens.all();
    let mut report = Report {
        bench: "verify --part cold",
        setting: format!(
            "{} tokens, each once; {}; {ROUNDS} rounds",
            tokens.len(),
            site.words()
        ),
        figures: Vec::new(),
        notes: Vec::new(),
    };
    let kinds = [Kind::Floor, Kind::Haproxy, Kind::Envoy];
    let peers = Contestant::start_all(&kinds, site, &mut report.notes)?;
    let mut runs: Vec<(Kind, Vec<Run>)> = vec![(Kind::Verifier, Vec::new())];
    runs.extend(peers.iter().map(|peer| (peer.kind, Vec::new())));
    let (mut raw_us, mut sums) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let verifier = Contestant::start(Kind::Verifier, site)?;
        let mut round = Vec::new();
        for contestant in std::iter::once(&verifier).chain(&peers) {
            round.push(contestant.run(&contestant.requests(tokens, 0)?, Until::EachOnce)?);
        }
        drop(verifier);
        let raw = site.cores.on_server(|| verify(site))?;
        if let [ours, floor, ..] = round.as_slice() {
            sums.push(ours.cpu_us / (floor.cpu_us + raw));
        }
        raw_us.push(raw);
        for ((_, runs), run) in runs.iter_mut().zip(round) {
            runs.push(run);
        }
    }
    tell(&mut report, &runs);
    report.figures.push(Figure::median(
        "aws-lc alone, RSA-2048",
        Spread::of(raw_us),
        "µs a signature",
    ));
    report.compare("verifier by bare hyper and aws-lc added up, processor", sums);
    Ok(report)
}

/// Microseconds that a bare check of a signature takes, with the key parsed beforehand.
#[expect(clippy::cast_precision_loss, reason = "some thousands")]
fn verify(site: &Site) -> anyhow::Result<f64> {
    let signed = site.tokens.all().iter().map(|token| {
        let (message, signature) = token.rsplit_once('.').context("no signature")?;
        let signature = base64url_decode(signature.as_bytes()).context("no base64url")?;
        Ok((message, signature))
    });
    let signed: Vec<_> = signed.collect::<anyhow::Result<_>>()?;
    let begin = SystemClock.boot();
    for (message, signature) in &signed {
        let holds = site.tokens.key().verify(message.as_bytes(), signature);
        ensure!(black_box(holds), "a signature that does not hold");
    }
    let took = SystemClock.boot().since(begin);
    Ok(took.as_secs_f64() * 1e6 / signed.len() as f64)
}
