//! A tree of Redis replicas and the verifiers that read from them, in simulated time: each server does one thing after the
//! other, at the cost that was measured for it.
//!
//! ```text
//! issuer ─► primary ─► replica ─► verifier, which asks again when it has its answer
//!                   └► replica …
//! ```
//!
//! All replicas are alike and as busy, so that one of them stands for all.

use std::collections::VecDeque;

use hdrhistogram::Histogram;

use super::fanout::Delivery;
use crate::report::{Figure, Report};

/// What is asked of the tree.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub verifiers: u32,
    pub revocations_per_second: u32,
}

/// Simulated time.
const SIMULATED_NS: u64 = 5_000_000_000;

/// From a machine to another and back, within one site.
const ROUND_TRIP_NS: u64 = 500_000;

/// Where chance begins.
const SEED: u64 = 0x9E37_79B9_7F4A_7C15;

/// Replicas to try, each time twice as many.
const REPLICAS_MAX: u32 = 1024;

/// Bytes of one entry in an answer, about: its id, its fact, and what Redis puts around them.
const ENTRY_BYTES: u32 = 75;

/// Enough replicas, if all but one entry in a hundred arrive within this time. How busy they are says little: a reader that
/// waits longer has more entries in one answer.
const P99_US_WANTED: u64 = 10_000;

/// What came of it.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    /// The part of a core that a replica is busy.
    busy_percent: u32,
    /// From the primary's entry to a verifier's: half of them are sooner.
    median_us: u64,
    /// 99 of 100 are.
    p99_us: u64,
}

/// Tries more and more replicas, until entries arrive soon enough.
pub fn run(delivery: Delivery, load: Load) -> anyhow::Result<Report> {
    let Delivery { first_ns, further_ns } = delivery;
    let mut report = Report {
        bench: "scale --part fanout",
        setting: format!(
            "simulated: {} verifiers, {} revocations a second at random times; {first_ns} ns of Redis for an answer and \
             {further_ns} ns for each further entry in it, as measured above; {ROUND_TRIP_NS} ns between machines and back",
            load.verifiers, load.revocations_per_second
        ),
        figures: vec![],
        notes: vec![],
    };
    let mut replicas = 1;
    while replicas <= REPLICAS_MAX {
        let readers = load.verifiers.div_ceil(replicas);
        let outcome = simulate(delivery, readers, load.revocations_per_second)?;
        let name = |what: &str| format!("{replicas} replicas of {readers} verifiers: {what}");
        let ms = |us: u64| Ok::<_, anyhow::Error>(f64::from(u32::try_from(us)?) / 1e3);
        report.figures.extend([
            Figure::once(name("busy"), outcome.busy_percent.into(), "% of a core"),
            Figure::once(
                name("half of the entries arrive within"),
                ms(outcome.median_us)?,
                "ms",
            ),
            Figure::once(name("99 of 100 arrive within"), ms(outcome.p99_us)?, "ms"),
        ]);
        if outcome.p99_us <= P99_US_WANTED {
            break;
        }
        replicas *= 2;
    }
    let bytes = f64::from(load.verifiers) * f64::from(load.revocations_per_second) * f64::from(ENTRY_BYTES);
    report.figures.push(Figure::once(
        "sent by all replicas together",
        8.0 * bytes / 1e9,
        "Gbit a second",
    ));
    Ok(report)
}

/// One replica with so many readers. Times are in nanoseconds since the beginning.
fn simulate(delivery: Delivery, readers: u32, revocations_per_second: u32) -> anyhow::Result<Outcome> {
    let mut replica = Replica {
        now: 0,
        entries: entries(revocations_per_second),
        written: 0,
        ready: VecDeque::new(),
        waiting: (0..readers).map(|_| 0).collect(),
        asked: VecDeque::new(),
    };
    let mut latencies = Histogram::<u64>::new(3)?;
    let mut busy_ns = 0;
    while let Some(known) = replica.next_answer() {
        let further = u64::try_from(replica.written - known - 1)?;
        let cost = delivery.first_ns + further * delivery.further_ns;
        let news = replica.entries.get(known..replica.written).unwrap_or_default();
        replica.now += cost;
        busy_ns += cost;
        for entry in news {
            // A round trip more: half of it to the replica, half to the verifier.
            latencies.record(replica.now - entry + ROUND_TRIP_NS)?;
        }
        replica
            .asked
            .push_back((replica.now + ROUND_TRIP_NS, replica.written));
    }
    let percent = |busy: u64, of: u64| 100 * busy / of.max(1);
    Ok(Outcome {
        busy_percent: u32::try_from(percent(busy_ns, replica.now))?,
        median_us: latencies.value_at_quantile(0.5) / 1000,
        p99_us: latencies.value_at_quantile(0.99) / 1000,
    })
}

/// When the primary wrote what, at random times.
fn entries(revocations_per_second: u32) -> Vec<u64> {
    let mean = 1_000_000_000 / u64::from(revocations_per_second);
    let (mut random, mut at) = (SEED, 0);
    let mut entries = Vec::new();
    while at < SIMULATED_NS {
        // Xorshift (Marsaglia 2003): the same times in every run.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        at += random % (2 * mean) + 1;
        entries.push(at);
    }
    entries
}

/// A server that does one thing after the other. Readers are told apart by nothing but how many entries they have.
struct Replica {
    now: u64,
    entries: Vec<u64>,
    /// How many there are by now.
    written: usize,
    /// Readers that have asked, and can be answered.
    ready: VecDeque<usize>,
    /// Readers that have asked, and have everything.
    waiting: Vec<usize>,
    /// Questions on their way, and when they come: in the order of the answers before them.
    asked: VecDeque<(u64, usize)>,
}

impl Replica {
    /// The next reader that is answered. `None` when all have everything.
    fn next_answer(&mut self) -> Option<usize> {
        loop {
            self.catch_up();
            if let Some(known) = self.ready.pop_front() {
                return Some(known);
            }
            let entry = self.entries.get(self.written).copied();
            let question = self.asked.front().map(|(at, _)| *at);
            // Nobody is answered before the one or the other.
            self.now = match (entry, question) {
                (Some(entry), Some(question)) => entry.min(question),
                (Some(next), None) => next,
                (None, Some(question)) if self.asked.iter().any(|(_, known)| *known < self.written) => {
                    question
                }
                (None, _) => return None,
            };
        }
    }

    /// Takes in what has come by now.
    fn catch_up(&mut self) {
        while let Some((_, known)) = self.asked.pop_front_if(|(at, _)| *at <= self.now) {
            self.waiting.push(known);
        }
        self.written = self.entries.partition_point(|at| *at <= self.now);
        let written = self.written;
        self.ready
            .extend(self.waiting.extract_if(.., |known| *known < written));
    }
}
