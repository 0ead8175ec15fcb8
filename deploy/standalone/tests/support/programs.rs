//! The programs of the workspace that Cargo does not build for the tests of `usher`.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

use serde_json::Value;

/// The issuer's or the verifier's program, as fresh as its sources: it is built if it is not.
pub(crate) fn program(name: &str) -> PathBuf {
    static FRESH: OnceLock<()> = OnceLock::new();
    FRESH.get_or_init(|| {
        if !["issuer", "verifier"].iter().all(|name| is_fresh(name)) {
            build();
        }
    });
    path(name)
}

/// Where Cargo puts the program of this name.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_usher")).with_file_name(name)
}

/// Whether the program is there, and none of its sources is younger.
pub(crate) fn is_fresh(name: &str) -> bool {
    let built = path(name).metadata().and_then(|file| file.modified());
    built.is_ok_and(|built| {
        packages_of(name)
            .iter()
            .all(|folder| youngest(folder).is_none_or(|changed| changed <= built))
    })
}

/// The folders of the packages that a program is made of.
fn packages_of(program: &str) -> BTreeSet<PathBuf> {
    static METADATA: OnceLock<Value> = OnceLock::new();
    let metadata = METADATA.get_or_init(|| {
        let mut cargo = cargo("metadata");
        cargo.args(["--no-deps", "--format-version", "1", "--offline"]);
        serde_json::from_slice(&cargo.output().unwrap().stdout).unwrap()
    });
    let packages = metadata["packages"].as_array().unwrap();
    let folder = |package: &Value| Path::new(package["manifest_path"].as_str().unwrap()).with_file_name("");
    let makes = |package: &&Value| {
        let targets = package["targets"].as_array().unwrap();
        targets
            .iter()
            .any(|target| target["name"] == program && target["kind"][0] == "bin")
    };
    let own = packages.iter().find(makes).unwrap();
    let mut found = BTreeSet::new();
    let mut left = vec![own];
    while let Some(package) = left.pop() {
        if found.insert(folder(package)) {
            let dependencies = package["dependencies"].as_array().unwrap();
            let needed = dependencies
                .iter()
                .filter(|dependency| dependency["kind"] != "dev");
            left.extend(
                needed.filter_map(|needed| packages.iter().find(|other| other["name"] == needed["name"])),
            );
        }
    }
    // They are compiled into the issuer.
    let root = Path::new(metadata["workspace_root"].as_str().unwrap());
    if found.contains(&root.join("issuer/")) {
        found.insert(root.join("migrations/"));
    }
    found
}

/// When the last change was to what a package is built from. Tests and pages are not, nor is another package inside.
fn youngest(folder: &Path) -> Option<SystemTime> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let changed = entries.filter_map(|path| {
        let is_elsewhere = path.file_stem() == Some(OsStr::new("tests"))
            || path.extension() == Some(OsStr::new("md"))
            || path.join("Cargo.toml").exists();
        match (is_elsewhere, path.is_dir()) {
            (true, _) => None,
            (false, true) => youngest(&path),
            (false, false) => path.metadata().unwrap().modified().ok(),
        }
    });
    changed.max()
}

fn build() {
    let folder = Path::new(env!("CARGO_BIN_EXE_usher")).parent().unwrap();
    let mut cargo = cargo("build");
    cargo.args([
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
    assert!(cargo.status().unwrap().success(), "the programs cannot be built");
}

/// Cargo, which is not told what it told this test: build scripts would run again each time.
fn cargo(subcommand: &str) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.arg(subcommand);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let is_ours = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "LD_LIBRARY_PATH"];
        if is_ours.iter().any(|prefix| name.starts_with(prefix)) {
            cargo.env_remove(&*name);
        }
    }
    cargo
}
