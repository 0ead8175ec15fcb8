//! Refreshes: what one costs the issuer, beside the signature that it cannot do without.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use clap::Args;
use serde_json::json;
use shared::crypto::rsa::{KeyBits, SigningKey};

use crate::cores::Cores;
use crate::login::pace::per_second;
use crate::login::site::{Client, PASSWORD, Site, text};
use crate::report::{Figure, Report, Spread};

/// Pairs of a run of each.
const ROUNDS: usize = 9;

/// How long one run lasts.
const RUN: Duration = Duration::from_secs(3);

/// Clients at once: enough that the issuer's core never waits for work.
const CLIENTS: usize = 8;

/// About as long as what is signed of an access token.
const SIGNED_BYTES: usize = 512;

/// What to measure: there is one part.
#[derive(Debug, Args)]
pub struct Arguments {}

/// Measures, and shows the report.
pub fn run(_: &Arguments, show: &mut dyn FnMut(Report)) -> anyhow::Result<()> {
    let mut report = Report {
        bench: "refresh",
        setting: format!("{CLIENTS} clients, each with a session of its own"),
        figures: vec![],
        notes: vec![],
    };
    match Cores::apart()? {
        Some(apart) => apart.on_client(|| turns(&apart, &mut report))?,
        None => report
            .notes
            .push("there is one core: nothing can run apart".to_owned()),
    }
    show(report);
    Ok(())
}

fn turns(apart: &Cores, report: &mut Report) -> anyhow::Result<()> {
    let site = Site::start_apart(Some(apart), &[])?;
    let key = SigningKey::generate(KeyBits::Rsa2048)?;
    let sessions = (0..CLIENTS).map(|number| Session::begin(&site, number));
    let sessions = sessions.collect::<anyhow::Result<Vec<_>>>()?;
    let (mut signatures, mut refreshes, mut costs, mut ratios) = (vec![], vec![], vec![], vec![]);
    refreshes_per_second(&sessions)?;
    for _ in 0..ROUNDS {
        let bare_us = apart.on_server(|| signature_us(&key))?;
        let before = site.issuer.process().cpu_seconds()?;
        let rate = refreshes_per_second(&sessions)?;
        let cost_us = 1e6 * (site.issuer.process().cpu_seconds()? - before) / (rate * RUN.as_secs_f64());
        signatures.push(bare_us);
        refreshes.push(rate);
        costs.push(cost_us);
        ratios.push(cost_us / bare_us);
    }
    report.notes.push(format!(
        "the issuer on a core of its own, where the bare signature has its turn; its servers and the clients on the others; \
         {}, commits reach the disk",
        site.servers
    ));
    let us = "µs";
    report.figures.extend([
        Figure::median(
            "bare signature, RSA-2048, parsed key kept",
            Spread::of(signatures),
            us,
        ),
        Figure::median("refreshes", Spread::of(refreshes), "a second"),
        Figure::median("the issuer's time on a core, for each", Spread::of(costs), us),
    ]);
    report.compare("a refresh by a bare signature", ratios);
    Ok(())
}

/// Microseconds of one signature, one after the other on this core.
fn signature_us(key: &SigningKey) -> anyhow::Result<f64> {
    let message = [b'a'; SIGNED_BYTES];
    let sign = |(): &mut ()| {
        let signature = key.sign(&message).map_err(|error| anyhow!("{error}"))?;
        std::hint::black_box(signature);
        Ok(())
    };
    Ok(1e6 / per_second(1, RUN, |_| Ok(()), sign)?)
}

/// Somebody who is signed in.
struct Session {
    client: Client,
    refresh_token: String,
}

impl Session {
    fn begin(site: &Site, number: usize) -> anyhow::Result<Mutex<Self>> {
        let login = format!("user{number}");
        site.register(&login)?;
        let mut client = Client::from(site.issuer.address(), &format!("192.0.2.{number}"))?;
        let refresh_token = text(&client.log_in(&login, PASSWORD)?, "refresh_token")?;
        Ok(Mutex::new(Self {
            client,
            refresh_token,
        }))
    }

    fn refresh(&mut self) -> anyhow::Result<()> {
        let body = json!({"refresh_token": self.refresh_token}).to_string();
        let answer = self.client.post("/api/v1/token/refresh", &body)?;
        ensure!(answer.status == 200, "refresh: {answer:?}");
        self.refresh_token = text(&answer, "refresh_token")?;
        Ok(())
    }
}

fn refreshes_per_second(sessions: &[Mutex<Session>]) -> anyhow::Result<f64> {
    let own = |number: usize| {
        let session = sessions.get(number).context("one for each client")?;
        Ok(session.lock().unwrap_or_else(PoisonError::into_inner))
    };
    per_second(CLIENTS, RUN, own, |session| session.refresh())
}
