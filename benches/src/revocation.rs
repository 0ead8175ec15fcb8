//! Revocations and labels: the sets of them, with as many in it as a large site has, and their way to it.

pub mod epoch;
mod hop;
pub mod ids;
mod load;
mod lookup;
mod memory;
mod outage;
mod propagation;
mod site;

use clap::{Args, ValueEnum};

use crate::report::Report;

/// As many as a large site has.
const IN_SET: u64 = 10_000_000;
/// As many films as a large site has.
const FILMS: u64 = 1_000_000;
/// Enough for a rate.
const IN_STREAM: u64 = 1_000_000;

/// What to measure.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Revoked sessions [default: 10 million in the set, 1 million in the stream, 1 million films]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    entries: Option<u64>,
    /// One part alone
    #[arg(long)]
    part: Option<Part>,
    /// Used by `memory` for the processes that it measures
    #[arg(long, hide = true)]
    measured: Option<memory::Subject>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Bytes a revocation: at rest, while growing, while swept
    Memory,
    /// Bytes a film with its labels: at rest, while loading, while another table is loaded beside
    Labels,
    /// Nanoseconds a lookup, beside hashbrown
    Lookup,
    /// Entries a second from Redis into a verifier, beside the client library alone
    Load,
    /// From a logout's answer to the refusal, beside one hop through Redis
    Propagation,
    /// Decisions before and after everything but the verifier has stopped
    Outage,
}

/// Runs the parts, and shows each one's report when it is there.
pub fn run(arguments: &Arguments, show: &mut dyn FnMut(Report)) -> anyhow::Result<()> {
    let entries = arguments.entries.unwrap_or(IN_SET);
    if let Some(subject) = arguments.measured {
        return memory::measure(subject, entries);
    }
    let is_wanted = |part| arguments.part.is_none_or(|only| only == part);
    if is_wanted(Part::Memory) {
        show(memory::run(entries)?);
    }
    if is_wanted(Part::Labels) {
        show(memory::labels(arguments.entries.unwrap_or(FILMS))?);
    }
    if is_wanted(Part::Lookup) {
        show(lookup::run(entries));
    }
    if is_wanted(Part::Load) {
        show(load::run(arguments.entries.unwrap_or(IN_STREAM))?);
    }
    if is_wanted(Part::Propagation) {
        propagation::run()?.into_iter().for_each(&mut *show);
    }
    if is_wanted(Part::Outage) {
        show(outage::run()?);
    }
    Ok(())
}
