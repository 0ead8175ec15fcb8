//! The set of revocations, with as many in it as a large site has.

mod ids;
mod lookup;
mod memory;

use clap::{Args, ValueEnum};

use crate::report::Report;

/// What to measure.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Revoked sessions in the set
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    entries: u64,
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
    /// Nanoseconds a lookup, beside hashbrown
    Lookup,
}

/// Runs the parts, and shows each one's report when it is there.
pub fn run(arguments: &Arguments, show: &mut dyn FnMut(Report)) -> anyhow::Result<()> {
    let entries = arguments.entries;
    if let Some(subject) = arguments.measured {
        return memory::measure(subject, entries);
    }
    let is_wanted = |part| arguments.part.is_none_or(|only| only == part);
    if is_wanted(Part::Memory) {
        show(memory::run(entries)?);
    }
    if is_wanted(Part::Lookup) {
        show(lookup::run(entries));
    }
    Ok(())
}
