//! Bytes a revocation, and a film with its labels. Each structure is built in a process of its own, so that none finds memory that another left.

use std::process::Command;

use anyhow::{Context as _, ensure};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use shared::label::wire::{self, Chunk};
use shared::label::{LabelChange, LabelTable};
use shared::limits;
use shared::revocation::RevocationSet;

use super::ids;
use super::lookup::{Id, Peer};
use crate::report::{Figure, Report};

/// How many are taken in at once: what a read of the feed brings.
const BATCH: u64 = 1_000;

/// What a process of its own measures.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Subject {
    /// `RevocationSet`.
    Set,
    /// hashbrown's map.
    Hashbrown,
    /// `LabelTable`.
    Labels,
}

/// What a process found: bytes beyond those that it had before.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Measured {
    resident: u64,
    peak: u64,
    /// What the structure itself says.
    counted: u64,
    swept_resident: u64,
    swept_peak: u64,
}

/// Starts the processes and puts together what they found.
pub fn run(entries: u64) -> anyhow::Result<Report> {
    let set = in_own_process("set", entries)?;
    let hashbrown = in_own_process("hashbrown", entries)?;
    let figure = |name: &str, bytes: u64| Figure::once(name, each(bytes, entries), "bytes a revocation");
    Ok(Report {
        bench: "revocation --part memory",
        setting: format!("{entries} revoked sessions"),
        figures: vec![
            figure("set, resident", set.resident),
            figure("set, peak while growing", set.peak),
            figure("set, by its own count", set.counted),
            figure("set, peak while half of it is swept", set.swept_peak),
            figure("set, resident after that", set.swept_resident),
            figure("hashbrown, resident", hashbrown.resident),
            figure("hashbrown, peak while growing", hashbrown.peak),
        ],
        notes: vec!["all of them are bytes by the number of revocations before the sweep".into()],
    })
}

/// The same for films with labels.
pub fn labels(films: u64) -> anyhow::Result<Report> {
    let table = in_own_process("labels", films)?;
    let figure = |name: &str, bytes: u64| Figure::once(name, mebibytes(bytes), "MiB");
    Ok(Report {
        bench: "revocation --part labels",
        setting: format!("{films} films, each with one to three of 40 labels"),
        figures: vec![
            figure("table, resident", table.resident),
            figure("table, peak while loading", table.peak),
            figure("table, by its own count", table.counted),
            figure("peak while another is loaded beside it", table.swept_peak),
        ],
        notes: vec!["loaded as a verifier does: part by part, as a table of the feed comes".into()],
    })
}

#[expect(clippy::cast_precision_loss, reason = "bytes of memory")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1024 * 1024)
}

#[expect(clippy::cast_precision_loss, reason = "bytes of memory")]
fn each(bytes: u64, entries: u64) -> f64 {
    bytes as f64 / entries as f64
}

fn in_own_process(subject: &str, entries: u64) -> anyhow::Result<Measured> {
    let output = Command::new(std::env::current_exe()?)
        .args([
            "revocation",
            "--measured",
            subject,
            "--entries",
            &entries.to_string(),
        ])
        .output()?;
    ensure!(
        output.status.success(),
        "measuring {subject}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).context("what the measured process printed")
}

/// Measures in this process, which does nothing else, and prints what it found.
pub fn measure(subject: Subject, entries: u64) -> anyhow::Result<()> {
    let measured = match subject {
        Subject::Set => set(entries)?,
        Subject::Hashbrown => hashbrown(entries)?,
        Subject::Labels => table_of_labels(entries)?,
    };
    println!("{}", serde_json::to_string(&measured)?);
    Ok(())
}

fn set(entries: u64) -> anyhow::Result<Measured> {
    let before = status("VmRSS")?;
    let set = RevocationSet::default();
    let mut batch = Vec::new();
    for number in 0..entries {
        batch.push(ids::revocation(number));
        if batch.len() as u64 == BATCH || number + 1 == entries {
            set.apply_all(&batch);
            batch.clear();
        }
    }
    let mut measured = Measured {
        resident: status("VmRSS")? - before,
        peak: status("VmHWM")? - before,
        counted: set.memory_bytes() as u64,
        ..Measured::default()
    };
    // The peak begins anew (proc(5)).
    std::fs::write("/proc/self/clear_refs", "5").context("cannot reset the peak")?;
    set.sweep(ids::HALF_EXPIRED);
    measured.swept_peak = status("VmHWM")? - before;
    measured.swept_resident = status("VmRSS")? - before;
    let [(_, left), ..] = set.counts();
    ensure!(left as u64 == entries / 2, "{left} are left");
    Ok(measured)
}

fn hashbrown(entries: u64) -> anyhow::Result<Measured> {
    let before = status("VmRSS")?;
    let mut map = Peer::default();
    for number in 0..entries {
        map.insert(Id::of(ids::session(number)), 0);
    }
    let measured = Measured {
        resident: status("VmRSS")? - before,
        peak: status("VmHWM")? - before,
        ..Measured::default()
    };
    drop(map);
    Ok(measured)
}

fn table_of_labels(films: u64) -> anyhow::Result<Measured> {
    let before = status("VmRSS")?;
    let table = LabelTable::default();
    load(&table, films)?;
    let mut measured = Measured {
        resident: status("VmRSS")? - before,
        peak: status("VmHWM")? - before,
        counted: table.memory_bytes() as u64,
        ..Measured::default()
    };
    ensure!(table.films() as u64 == films, "{} films", table.films());
    let beside = LabelTable::default();
    load(&beside, films)?;
    measured.swept_peak = status("VmHWM")? - before;
    Ok(measured)
}

/// Part by part, each as bytes first, as it comes from Redis.
fn load(table: &LabelTable, films: u64) -> anyhow::Result<()> {
    let mut part = Vec::new();
    for number in 0..films {
        part.push(ids::film(number)?);
        if part.len() as u64 == u64::from(limits::LABEL_BATCH) || number + 1 == films {
            let bytes = Chunk::of(&part).into_bytes();
            part.clear();
            let changes: Vec<LabelChange> = wire::read_chunk(&bytes).collect::<Result<_, _>>()?;
            table.apply(&changes);
        }
    }
    Ok(())
}

/// A field of this process's status, in bytes.
fn status(field: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
        .with_context(|| format!("no {field}"))?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024)
}
