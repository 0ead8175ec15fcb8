//! Programs under test, as processes.

#[path = "../../support/programs.rs"]
mod programs;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

pub(crate) use programs::program;

/// How often something that tells nobody is looked at.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A program starts within this time, or not at all.
pub(crate) const START_TIMEOUT: Duration = Duration::from_mins(1);

/// Bytes of a log that are shown when a test fails.
const LOG_SHOWN_BYTES: u64 = 12_000;

/// A process, killed by its id when dropped. What it says is kept in a file, and shown if a test fails.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    pub(super) child: Child,
    log: PathBuf,
    /// Where the log of this start begins: starts of one name share the file.
    log_from: u64,
}

impl Process {
    /// Starts it with nothing of the environment but what the command says.
    pub(crate) fn start(name: &str, command: &mut Command, folder: &Path) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let log_from = file.metadata().unwrap().len();
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self {
            name: name.to_owned(),
            child,
            log,
            log_from,
        }
    }

    /// The address in the line of the log with this message, which is waited for.
    pub(crate) fn address(&mut self, message: &str) -> SocketAddr {
        let mut waited = Duration::ZERO;
        loop {
            let line = self.said().lines().find_map(|line| {
                let said: Value = serde_json::from_str(line).ok()?;
                (said["message"] == message).then(|| said["address"].as_str().unwrap().to_owned())
            });
            if let Some(address) = line {
                return address.parse().unwrap();
            }
            let is_running = self.is_running();
            assert!(
                is_running && waited < START_TIMEOUT,
                "{} did not say {message:?}: {}",
                self.name,
                self.said()
            );
            std::thread::sleep(LOOK_EVERY);
            waited += LOOK_EVERY;
        }
    }

    /// What it has said since this start.
    pub(crate) fn said(&self) -> String {
        tail(&self.log, self.log_from)
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        shared::testkit::signal(&self.child, signal);
    }

    /// Signals it, and waits for its end.
    pub(crate) fn end(mut self, signal: Signal) {
        self.signal(signal);
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SIGKILL, which ends a stopped process too. It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Shows what every process of a folder said last.
pub(super) fn show_logs(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let log = entry.unwrap().path();
        if log.extension().is_some_and(|extension| extension == "log") {
            let length = std::fs::metadata(&log).map_or(0, |log| log.len());
            let from = length.saturating_sub(LOG_SHOWN_BYTES);
            eprintln!("── {}, the end of it:\n{}", log.display(), tail(&log, from));
        }
    }
}

fn tail(log: &Path, from: u64) -> String {
    let mut bytes = Vec::new();
    let read = File::open(log).and_then(|mut file| {
        file.seek(SeekFrom::Start(from))?;
        file.read_to_end(&mut bytes)
    });
    // Shown while a test fails already, it is no place to fail again.
    if let Err(error) = read {
        return format!("(no log: {error})");
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
