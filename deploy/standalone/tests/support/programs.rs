//! The programs of the workspace that Cargo does not build for the tests of `usher`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The program of this name, as fresh as its sources: it is none that Cargo would build for this test.
pub(crate) fn program(name: &str) -> PathBuf {
    static FRESH: OnceLock<()> = OnceLock::new();
    let usher = Path::new(env!("CARGO_BIN_EXE_usher"));
    let folder = usher.parent().unwrap();
    FRESH.get_or_init(|| {
        if !["issuer", "verifier"]
            .iter()
            .all(|name| is_fresh(&folder.join(name)))
        {
            build(folder);
        }
    });
    folder.join(name)
}

/// Whether no source of a program, as Cargo wrote them down beside it, is younger than it.
pub(crate) fn is_fresh(program: &Path) -> bool {
    let changed = |path: &Path| path.metadata().and_then(|file| file.modified()).ok();
    let (Some(built), Ok(sources)) = (
        changed(program),
        std::fs::read_to_string(program.with_extension("d")),
    ) else {
        return false;
    };
    let (_, sources) = sources.split_once(": ").unwrap();
    sources
        .split_whitespace()
        .all(|source| changed(Path::new(source)).is_some_and(|at| at <= built))
}

fn build(folder: &Path) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "build",
        "--quiet",
        "--locked",
        "--package",
        "issuer",
        "--package",
        "verifier",
        "--bins",
    ]);
    if folder.file_name().is_some_and(|profile| profile == "release") {
        cargo.arg("--release");
    }
    cargo.arg("--target-dir").arg(folder.parent().unwrap());
    // What Cargo told this test is not to be told to build scripts: they would run again each time.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let is_ours = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "LD_LIBRARY_PATH"];
        if is_ours.iter().any(|prefix| name.starts_with(prefix)) {
            cargo.env_remove(&*name);
        }
    }
    assert!(cargo.status().unwrap().success(), "the programs cannot be built");
}
