//! Users: how fast they move in, and how the database of many finds them again.

mod import;
pub mod plans;

use std::path::Path;

use clap::{Args, ValueEnum};

use crate::report::Report;

/// As many as a large site has.
const USERS: u64 = 1_000_000;

/// Attempts to log in of each.
const ATTEMPTS_EACH: u64 = 10;

/// Everybody's password, and its hash as Django makes it, with little work: nothing of it is measured.
const PASSWORD: &str = "correct horse battery staple";
const HASH: &str = "pbkdf2_sha256$1000$s4ltS4ltS4lt$iIs2VV927JaaDv8cdGq9Qw0T+Ro2DLp3I2PmcIBfZI0=";

/// What to measure.
#[derive(Debug, Args)]
pub struct Arguments {
    /// How many users; each has ten attempts to log in
    #[arg(long, default_value_t = USERS, value_parser = clap::value_parser!(u64).range(1000..=100_000_000))]
    entries: u64,
    /// One part alone
    #[arg(long)]
    part: Option<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Users a second from a file into PostgreSQL, and the memory that it takes
    Import,
    /// How PostgreSQL finds its way among all of them, statement by statement
    Plans,
}

/// Runs the parts, and shows each one's report when it is there.
pub fn run(arguments: &Arguments, show: &mut dyn FnMut(Report)) -> anyhow::Result<()> {
    let is_wanted = |part| arguments.part.is_none_or(|only| only == part);
    if is_wanted(Part::Import) {
        show(import::run(arguments.entries)?);
    }
    if is_wanted(Part::Plans) {
        show(plans::run(arguments.entries)?);
    }
    Ok(())
}

/// The settings of an issuer on this database, as variables of the environment.
fn settings(database: &str, folder: &Path) -> anyhow::Result<Vec<(&'static str, String)>> {
    let key = folder.join("key");
    // 32 bytes in base64.
    std::fs::write(&key, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")?;
    let off = || "off".to_owned();
    Ok(vec![
        ("ISSUER__LISTEN", "127.0.0.1:0".to_owned()),
        ("ISSUER__ADMIN_LISTEN", "127.0.0.1:0".to_owned()),
        ("ISSUER__DATABASE__URL", database.to_owned()),
        // So few that every statement is run often enough for PostgreSQL to settle on a plan for whatever arguments.
        ("ISSUER__DATABASE__MAX_CONNECTIONS", "1".to_owned()),
        ("ISSUER__REDIS__DISABLED", "true".to_owned()),
        (
            "ISSUER__KEYS__ENCRYPTION_KEY_FILE",
            key.to_string_lossy().into_owned(),
        ),
        ("ISSUER__LIMITS__LOGIN_PER_IP", off()),
        ("ISSUER__LIMITS__LOGIN_PER_ACCOUNT", off()),
        ("ISSUER__PASSWORD__MEMORY_KIB", "8".to_owned()),
        ("ISSUER__PASSWORD__ITERATIONS", "1".to_owned()),
    ])
}

/// The same, borrowed.
fn borrowed<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}
