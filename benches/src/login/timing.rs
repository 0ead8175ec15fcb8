//! Whether time tells an unknown login, a wrong password and a disabled account apart.

use anyhow::ensure;
use shared::time::{Clock as _, SystemClock};

use super::site::{Client, PASSWORD, Site};
use crate::report::{Figure, Report, Spread};

/// Attempts of each kind, one of each in turn, in an order that changes.
const SAMPLES: usize = 500;

/// What is attempted: how it is called, the login, the password, the answer.
const KINDS: [(&str, &str, &str, u16); 4] = [
    ("unknown login", "nobody", "not this password", 401),
    ("wrong password", "neo", "not this password", 401),
    (
        "disabled account, wrong password",
        "cypher",
        "not this password",
        401,
    ),
    ("disabled account, right password", "cypher", PASSWORD, 403),
];

/// Beyond this a difference is shown: one time in a thousand it is by chance.
const Z_SHOWN: f64 = 3.29;

pub fn run() -> anyhow::Result<Report> {
    let site = Site::start(&[
        ("ISSUER__LIMITS__LOGIN_PER_IP", "off"),
        ("ISSUER__LIMITS__LOGIN_PER_ACCOUNT", "off"),
        // It would hide what there is to see.
        ("ISSUER__PASSWORD__FAILURE_FLOOR", "off"),
    ])?;
    site.register("neo")?;
    let cypher = site.register("cypher")?;
    site.disable(&cypher)?;
    let mut client = Client::from(site.issuer.address(), "192.0.2.1")?;
    let mut took = KINDS.map(|_| Vec::with_capacity(SAMPLES));
    for round in 0..SAMPLES + 10 {
        for turn in 0..KINDS.len() {
            // Each kind stands behind each other one equally often.
            let kind = if round % 2 == 0 {
                turn + round / 2
            } else {
                KINDS.len() - 1 - turn + round / 2
            };
            let kind = kind % KINDS.len();
            let (Some((name, login, password, status)), Some(samples)) =
                (KINDS.get(kind), took.get_mut(kind))
            else {
                continue;
            };
            let begun = SystemClock.boot();
            let answer = client.log_in(login, password)?;
            let ms = SystemClock.boot().since(begun).as_secs_f64() * 1e3;
            ensure!(answer.status == *status, "{name}: {answer:?}");
            // The first few warm things up.
            if round >= 10 {
                samples.push(ms);
            }
        }
    }
    Ok(report(&site, &took))
}

fn report(site: &Site, took: &[Vec<f64>; KINDS.len()]) -> Report {
    let mut figures = Vec::new();
    for ((name, ..), samples) in KINDS.iter().zip(took) {
        figures.push(Figure::median(*name, Spread::of(samples.clone()), "ms"));
    }
    let mut notes = vec![format!(
        "z of the Mann-Whitney test: what lies within ±{Z_SHOWN} shows no difference (one time in a thousand by chance)"
    )];
    let [unknown, rest @ ..] = took;
    for ((name, _, _, status), samples) in KINDS.iter().skip(1).zip(rest) {
        // What is answered otherwise tells by its answer.
        if *status != 401 {
            continue;
        }
        let z = mann_whitney(unknown, samples);
        figures.push(Figure::once(format!("unknown login against {name}"), z, "z"));
        if z.abs() > Z_SHOWN {
            notes.push(format!("THE TIME TELLS an unknown login from: {name}"));
        }
    }
    Report {
        bench: "login --part timing",
        setting: format!(
            "{SAMPLES} attempts of each kind, in turns; {}; without `password.failure_floor`",
            site.servers
        ),
        figures,
        notes,
    }
}

/// How far two sets of samples are from being of one kind, in standard deviations (Mann and Whitney 1947, by the normal
/// distribution): positive where the first is the slower.
#[expect(clippy::cast_precision_loss, reason = "some hundreds of samples")]
fn mann_whitney(first: &[f64], second: &[f64]) -> f64 {
    let (m, n) = (first.len() as f64, second.len() as f64);
    let wins: f64 = first
        .iter()
        .map(|a| second.iter().filter(|b| a > *b).count() as f64)
        .sum();
    (wins - m * n / 2.0) / (m * n * (m + n + 1.0) / 12.0).sqrt()
}
