//! Logins: how many a second beside what the password hash alone allows, and what strangers can do to them.

mod argon2;
mod crowd;
mod floor;
pub mod pace;
pub mod site;
mod strangers;
mod throughput;
mod timing;

use clap::{Args, ValueEnum};

use crate::report::Report;

/// What to measure.
#[derive(Debug, Args)]
pub struct Arguments {
    /// One part alone
    #[arg(long)]
    part: Option<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Logins a second, beside the bare hash on as many threads
    Throughput,
    /// The bare hash, beside the reference implementation as the system has it
    Argon2,
    /// A thousand logins at once: the answers, and the memory
    Crowd,
    /// A good login while a stranger tries 10 000 a minute
    Strangers,
    /// Whether time tells an unknown login, a wrong password and a disabled account apart
    Timing,
}

/// Runs the parts, and shows each one's report when it is there.
pub fn run(arguments: &Arguments, show: &mut dyn FnMut(Report)) -> anyhow::Result<()> {
    let is_wanted = |part| arguments.part.is_none_or(|only| only == part);
    if is_wanted(Part::Throughput) {
        show(throughput::run()?);
    }
    if is_wanted(Part::Argon2) {
        show(argon2::run()?);
    }
    if is_wanted(Part::Crowd) {
        show(crowd::run()?);
    }
    if is_wanted(Part::Strangers) {
        show(strangers::run()?);
    }
    if is_wanted(Part::Timing) {
        show(timing::run()?);
    }
    Ok(())
}
