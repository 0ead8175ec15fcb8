//! What a program has of memory and files.

use std::path::PathBuf;

use super::process::Process;

/// What it has at an instant, as Linux says (proc(5)).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) resident_bytes: u64,
    pub(crate) descriptors: u64,
}

impl Usage {
    pub(super) fn of(process: &Process) -> Self {
        let folder = PathBuf::from(format!("/proc/{}", process.child.id()));
        let status = std::fs::read_to_string(folder.join("status")).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = resident.unwrap().trim().strip_suffix(" kB").unwrap();
        Self {
            resident_bytes: kib.parse::<u64>().unwrap() << 10,
            descriptors: std::fs::read_dir(folder.join("fd")).unwrap().count() as u64,
        }
    }
}
