//! Programs of the system that tests need.

use std::path::PathBuf;

/// Where a program is. `None`, with a word about it, where it is not installed; with `CI` set it has to be.
pub(crate) fn installed(program: &str, test: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Where Debian has servers, which not everybody's PATH names.
    let found = std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|folder| folder.join(program))
        .find(|program| program.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "CI needs {program}");
        eprintln!("SKIPPED: {test}: {program} is not installed (deploy/README.md says where from)");
    }
    found
}
