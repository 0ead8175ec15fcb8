//! A thousand logins at once: what they are answered, and how much memory that takes.

use std::collections::BTreeMap;
use std::sync::Barrier;

use anyhow::{anyhow, ensure};

use super::floor::MEMORY_KIB;
use super::site::{Client, PASSWORD, Site, cores};
use crate::report::{Figure, Report};

/// Logins at once.
const CROWD: usize = 1000;

pub fn run() -> anyhow::Result<Report> {
    let site = Site::start(&[
        ("ISSUER__LIMITS__LOGIN_PER_IP", "off"),
        ("ISSUER__LIMITS__LOGIN_PER_ACCOUNT", "off"),
    ])?;
    site.register("neo")?;
    // So that one hash after the other has been made, and what a hash needs is there.
    for _ in 0..cores() * 4 {
        let answer = Client::from(site.issuer.address(), "192.0.2.1")?.log_in("neo", PASSWORD)?;
        ensure!(answer.status == 200, "login: {answer:?}");
    }
    let before = site.issuer.peak_bytes()?;
    let answers = crowd(&site)?;
    let after = site.issuer.peak_bytes()?;
    let mut figures: Vec<Figure> = answers
        .into_iter()
        .map(|(status, count)| Figure::once(format!("answered {status}"), f64::from(count), "logins"))
        .collect();
    let blocks = u64::from(MEMORY_KIB) * 1024 * u64::try_from(cores())?;
    for (name, bytes) in [
        ("the most memory before", before),
        ("the most memory", after),
        ("of it for hashes, at most", blocks),
    ] {
        figures.push(Figure::once(name, mib(bytes), "MiB"));
    }
    Ok(Report {
        bench: "login --part crowd",
        setting: format!(
            "{CROWD} logins at once; {}; {} hashes at once, 64 in the queue",
            site.servers,
            cores()
        ),
        figures,
        notes: vec!["each 503 says when to come again".into()],
    })
}

/// How many were answered how.
fn crowd(site: &Site) -> anyhow::Result<BTreeMap<u16, u32>> {
    let gate = Barrier::new(CROWD);
    let mut answers = BTreeMap::new();
    std::thread::scope(|scope| {
        let mut people = Vec::new();
        for _ in 0..CROWD {
            people.push(scope.spawn(|| {
                let client = Client::from(site.issuer.address(), "192.0.2.1");
                gate.wait();
                client?.log_in("neo", PASSWORD)
            }));
        }
        for person in people {
            let answer = person.join().map_err(|_| anyhow!("a thread panicked"))??;
            ensure!(
                answer.status == 200 || (answer.status == 503 && answer.has_retry_after),
                "{answer:?}"
            );
            *answers.entry(answer.status).or_default() += 1;
        }
        Ok(answers)
    })
}

#[expect(clippy::cast_precision_loss, reason = "no machine has 2^52 bytes")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1024 * 1024)
}
