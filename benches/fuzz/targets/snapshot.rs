//! A verifier's snapshot, whose digest the target writes so that it is right. What is read is read again when it is written.
#![no_main]
#![expect(clippy::unwrap_used, reason = "what cannot go on fails the fuzzing")]

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ring::digest::{SHA256, digest};
use shared::label::{LabelChange, LabelTable};
use tempfile::TempDir;
use verifier::snapshot::{ReadSnapshot, Snapshot};

const ISSUER: &str = "https://issuer.example.org";

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

fuzz_target!(|content: &[u8]| {
    let path: PathBuf = FOLDER.path().join("snapshot");
    std::fs::write(&path, [content, digest(&SHA256, content).as_ref()].concat()).unwrap();
    let Ok(read) = Snapshot::read(&path, ISSUER) else {
        return;
    };
    assert_eq!(read.snapshot.issuer, ISSUER);
    let ReadSnapshot {
        snapshot,
        revocations,
        labels,
        ..
    } = &read;
    snapshot
        .write(&path, labels.as_ref(), |take| {
            revocations.iter().cloned().for_each(take);
        })
        .unwrap();
    let again = Snapshot::read(&path, ISSUER).unwrap();
    assert_eq!(&again.snapshot, snapshot);
    assert_eq!(again.statement, read.statement);
    assert_eq!(&again.revocations, revocations);
    assert_eq!(again.labels.as_ref().map(changes), labels.as_ref().map(changes));
});

/// What a table says, in an order of its own.
fn changes(table: &LabelTable) -> Vec<String> {
    let mut found = Vec::new();
    table.for_each(|change: LabelChange| found.push(format!("{change:?}")));
    found.sort_unstable();
    found
}
