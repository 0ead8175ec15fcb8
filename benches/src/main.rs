//! Benches of the whole: what a part costs, beside something that the reader knows.
//!
//! A bench returns [`Report`]s; it prints nothing itself.
#![expect(unreachable_pub, reason = "a program's modules are for itself")]

mod cores;
mod http;
mod load;
mod login;
mod memory;
mod plot;
mod proxies;
mod refresh;
mod report;
mod revocation;
mod scale;
mod server;
mod soak;
mod users;
mod verify;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::report::Report;

/// Measures parts of Usher on this machine.
#[derive(Debug, Parser)]
struct Arguments {
    /// Write the figures to this file too, as JSON
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw rates and times into this file, as SVG
    #[arg(long, global = true, value_name = "FILE")]
    plot: Option<PathBuf>,
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Everything that has peers or floors, one after the other; the better part of an hour
    All,
    /// Logins: how many, and what strangers can do to them
    Login(login::Arguments),
    /// Refreshes: what one costs the issuer
    Refresh(refresh::Arguments),
    /// Idle memory of the verifier, beside its floor and its peers
    Memory,
    /// What asking costs: nginx with the verifier behind it, and with Envoy
    Proxies,
    /// Revocations: the set of them, and their way to it
    Revocation(revocation::Arguments),
    /// Scale: what many verifiers and users need
    Scale(scale::Arguments),
    /// A soak: mixed load for half an hour, after which memory and open files must be what they were
    Soak(soak::Arguments),
    /// Users: how fast they move in, and how their database finds them again
    Users(users::Arguments),
    /// The verifier: requests a second, processor time and latency, beside its floors and its peers
    Verify(verify::Arguments),
    /// Used by `verify`: a server that answers 204, and does nothing else
    #[command(hide = true)]
    Floor(server::floor::Arguments),
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut reports = Vec::new();
    let mut show = |report: Report| {
        println!("{report}");
        reports.push(report);
    };
    run(&arguments.bench, &mut show)?;
    if let Some(file) = &arguments.json {
        let json = serde_json::to_vec_pretty(&reports)?;
        std::fs::write(file, json).with_context(|| format!("cannot write {}", file.display()))?;
    }
    if let Some(file) = &arguments.plot {
        plot::write(file, &reports)?;
    }
    Ok(())
}

/// Of [`Bench::All`].
const ALL: [&str; 6] = ["verify", "login", "refresh", "revocation", "proxies", "memory"];

fn run(bench: &Bench, show: &mut dyn FnMut(Report)) -> anyhow::Result<()> {
    match bench {
        Bench::All => {
            for name in ALL {
                run(&Arguments::try_parse_from(["benches", name])?.bench, show)?;
            }
        }
        Bench::Login(bench) => login::run(bench, show)?,
        Bench::Refresh(bench) => refresh::run(bench, show)?,
        Bench::Memory => show(memory::run()?),
        Bench::Proxies => show(proxies::run()?),
        Bench::Revocation(bench) => revocation::run(bench, show)?,
        Bench::Scale(bench) => scale::run(bench, show)?,
        Bench::Soak(bench) => soak::run(bench, show)?,
        Bench::Users(bench) => users::run(bench, show)?,
        Bench::Verify(bench) => verify::run(bench, show)?,
        Bench::Floor(floor) => server::floor::serve(floor)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_benches_are_there() {
        for name in ALL {
            Arguments::try_parse_from(["benches", name]).unwrap();
        }
    }
}
