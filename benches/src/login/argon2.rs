//! The bare hash as this program was built, in turns with the reference implementation as Debian builds it.

use std::io::ErrorKind;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use shared::time::{Clock as _, SystemClock};

use super::floor;
use crate::cores::Cores;
use crate::report::{Figure, Report, Spread};

/// Pairs of a run of each.
const ROUNDS: usize = 9;

/// Passes of one run: so many that neither its start nor the reference's clock, of milliseconds, shows.
const PASSES: u32 = 60;

pub fn run() -> anyhow::Result<Report> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut turns = || {
        for _ in 0..ROUNDS {
            theirs.push(hashes_per_second(reference()?));
            ours.push(hashes_per_second(own()?));
        }
        Ok(())
    };
    match Cores::apart()? {
        Some(apart) => apart.on_client(|| apart.on_server(turns))?,
        None => turns()?,
    }
    let ratios = ours
        .iter()
        .zip(&theirs)
        .map(|(ours, theirs)| ours / theirs)
        .collect();
    let mut report = Report {
        bench: "login --part argon2",
        setting: format!(
            "argon2id, {} KiB, of {} passes, one thread, built {}",
            floor::MEMORY_KIB,
            floor::PASSES,
            if cfg!(target_feature = "avx2") {
                "for a machine with AVX2 at least"
            } else {
                "for any machine"
            }
        ),
        figures: vec![
            Figure::median("the system's argon2 program", Spread::of(theirs), "a second"),
            Figure::median("this build", Spread::of(ours), "a second"),
        ],
        notes: vec![],
    };
    report.compare("this build by the system's", ratios);
    Ok(report)
}

/// Hashes a second, where [`PASSES`] took so many seconds.
fn hashes_per_second(seconds: f64) -> f64 {
    f64::from(PASSES) / f64::from(floor::PASSES) / seconds
}

fn own() -> anyhow::Result<f64> {
    let (argon2, mut memory) = floor::hash_of(PASSES)?;
    let begun = SystemClock.boot();
    floor::hash(&argon2, &mut memory)?;
    Ok(SystemClock.boot().since(begun).as_secs_f64())
}

/// It says itself how long its hash took.
fn reference() -> anyhow::Result<f64> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), "follow the white rabbit")?;
    let run = Command::new("argon2")
        .args(["saltsaltsaltsalt", "-id", "-l", "32", "-p", "1"])
        .args(["-k", &floor::MEMORY_KIB.to_string(), "-t", &PASSES.to_string()])
        .stdin(Stdio::from(file.reopen()?))
        .output();
    let output = match run {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("the program argon2 is not installed; it comes with `apt-get install argon2`")
        }
        Err(error) => return Err(error).context("argon2"),
    };
    ensure!(output.status.success(), "argon2: {output:?}");
    let told = String::from_utf8(output.stdout)?;
    let seconds = told.lines().find_map(|line| line.strip_suffix(" seconds"));
    Ok(seconds.context("argon2 did not say how long it took")?.parse()?)
}
