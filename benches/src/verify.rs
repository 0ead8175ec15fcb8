//! The verifier beside its floors and its peers, on one core.

mod cold;
pub mod contestant;
mod feed;
mod keys;
mod latency;
pub mod site;
mod throughput;
pub mod tokens;
mod unix;

use clap::{Args, ValueEnum};

use self::site::{REVOCATIONS, Site, TOKENS};
use self::throughput::Workload;
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
    /// One token, again and again
    Hot,
    /// 10 000 tokens in rotation
    Rotation,
    /// Tokens that nobody has seen yet, each once
    Cold,
    /// 10 000 tokens in rotation, a fifth of which is bad
    Invalid,
    /// How long answers take at half of saturation
    Latency,
    /// Over a Unix socket, and over TCP
    Unix,
}

/// Runs the parts, and shows each one's report when it is there.
pub fn run(arguments: &Arguments, show: &mut dyn FnMut(Report)) -> anyhow::Result<()> {
    let site = Site::start(REVOCATIONS, TOKENS)?;
    let is_wanted = |part| arguments.part.is_none_or(|only| only == part);
    if is_wanted(Part::Hot) {
        show(throughput::run(&site, Workload::Hot)?);
    }
    if is_wanted(Part::Rotation) {
        show(throughput::run(&site, Workload::Rotation)?);
    }
    if is_wanted(Part::Cold) {
        show(cold::run(&site)?);
    }
    if is_wanted(Part::Invalid) {
        show(throughput::run(&site, Workload::Invalid)?);
    }
    if is_wanted(Part::Latency) {
        show(latency::run(&site)?);
    }
    if is_wanted(Part::Unix) {
        show(unix::run(&site)?);
    }
    site.cores.be_free()?;
    site.end()
}
