//! `issuer user import` of a file into an empty PostgreSQL, and of the same file again.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use shared::time::{Clock as _, SystemClock};

use super::{HASH, borrowed, settings};
use crate::report::{Figure, Report};
use crate::server::postgres::Postgres;
use crate::server::usher::Programs;

/// How often the memory of the program is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Imports so many users.
pub fn run(users: u64) -> anyhow::Result<Report> {
    let programs = Programs::build()?;
    let folder = tempfile::tempdir()?;
    let postgres = Postgres::start(true)?.context("PostgreSQL is not installed")?;
    let settings = settings(postgres.url(), folder.path())?;
    let settings = borrowed(&settings);
    let file = folder.path().join("users.jsonl");
    let bytes = write_lines(&file, users)?;
    let mut report = Report {
        bench: "users --part import",
        setting: format!(
            "{users} users in {} MiB, {}, commits reach the disk",
            bytes / 1024 / 1024,
            postgres.version()
        ),
        figures: Vec::new(),
        notes: Vec::new(),
    };
    // The schema and the keys are no part of it.
    let mut migrate = programs.command("issuer", &settings, folder.path());
    ensure!(
        migrate.arg("migrate").stdout(Stdio::null()).status()?.success(),
        "migrate"
    );
    for (what, taken) in [("into an empty database", users), ("again", 0)] {
        let mut command = programs.command("issuer", &settings, folder.path());
        command.args(["user", "import"]).arg(&file);
        let ran = run_to_end(&mut command)?;
        ensure!(
            ran.said
                .starts_with(&format!("{taken} users taken, {} passed", users - taken)),
            "it said: {}",
            ran.said
        );
        #[expect(clippy::cast_precision_loss, reason = "far below 2⁵²")]
        report.figures.extend([
            Figure::once(
                format!("{what}: users a second"),
                users as f64 / ran.took.as_secs_f64(),
                "a second",
            ),
            Figure::once(format!("{what}: seconds"), ran.took.as_secs_f64(), "s"),
            Figure::once(
                format!("{what}: most memory"),
                ran.peak_kib as f64 / 1024.0,
                "MiB",
            ),
        ]);
    }
    let stored = postgres.run("SELECT count(*) FROM users")?;
    ensure!(stored == users.to_string(), "{stored} users are there");
    Ok(report)
}

/// Writes the file. How large it is.
fn write_lines(path: &Path, users: u64) -> anyhow::Result<u64> {
    let mut file = BufWriter::new(File::create(path)?);
    for number in 0..users {
        // In no order.
        let login = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        writeln!(
            file,
            "{{\"login\":\"user{login:016x}\",\"password_hash\":\"{HASH}\",\"roles\":[\"admin\"],\
             \"created_at\":\"2020-01-31T12:00:00Z\"}}"
        )?;
    }
    file.flush()?;
    Ok(std::fs::metadata(path)?.len())
}

struct Ran {
    said: String,
    took: Duration,
    peak_kib: u64,
}

fn run_to_end(command: &mut Command) -> anyhow::Result<Ran> {
    let began = SystemClock.boot();
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut peak_kib = 0;
    while child.try_wait()?.is_none() {
        peak_kib = peak_kib.max(peak_of(child.id()).unwrap_or(0));
        std::thread::sleep(LOOK_EVERY);
    }
    let took = SystemClock.boot().since(began);
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "it ended with {}", output.status);
    Ok(Ran {
        said: String::from_utf8(output.stdout)?,
        took,
        peak_kib,
    })
}

/// The most memory that a process has had, in KiB; `None` once it has ended.
fn peak_of(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}
