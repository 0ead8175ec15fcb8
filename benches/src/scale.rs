//! Scale: what many verifiers cost, measured with as many readers as fit here, and worked out for more.

mod fanout;
mod rows;
mod simulation;

use clap::{Args, ValueEnum};

use self::simulation::Load;
use crate::report::Report;

/// What to work out.
#[derive(Debug, Args)]
pub struct Arguments {
    /// One part alone
    #[arg(long)]
    part: Option<Part>,
    /// For how many verifiers
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    verifiers: u32,
    /// Revocations a second
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    revocations: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// What Redis spends on handing an entry to a waiting reader, and then how many replicas of it so many verifiers need
    Fanout,
    /// Bytes of PostgreSQL a user, a session, a refresh, an attempt to log in
    Rows,
}

/// Runs the parts, and shows each one's report when it is there.
pub fn run(arguments: &Arguments, show: &mut dyn FnMut(Report)) -> anyhow::Result<()> {
    let is_wanted = |part| arguments.part.is_none_or(|only| only == part);
    if is_wanted(Part::Fanout) {
        let (report, delivery) = fanout::run()?;
        show(report);
        show(simulation::run(
            delivery,
            Load {
                verifiers: arguments.verifiers,
                revocations_per_second: arguments.revocations,
            },
        )?);
    }
    if is_wanted(Part::Rows) {
        show(rows::run()?);
    }
    Ok(())
}
