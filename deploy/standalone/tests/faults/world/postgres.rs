//! A PostgreSQL of a world's own, which can be killed, restarted and set back.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Signal, geteuid};
use tempfile::TempDir;

use super::process::{LOOK_EVERY, Process, START_TIMEOUT};

/// What must be installed.
const PROGRAMS: &str = "/usr/lib/postgresql";

/// A server on a port of its own. Its methods block for as long as a server takes.
#[derive(Debug)]
pub(crate) struct Postgres {
    folder: TempDir,
    port: u16,
    process: Option<Process>,
}

impl Postgres {
    /// Starts on a copy of the template.
    pub(crate) fn start_new(template: &TempDir) -> Self {
        let folder = tempfile::tempdir().unwrap();
        open_to_server(folder.path());
        copy(&template.path().join("data"), &folder.path().join("data"));
        let mut postgres = Self {
            folder,
            port: 0,
            process: None,
        };
        postgres.start();
        postgres
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Starts it again. What a killed server left behind may take a moment to go.
    pub(crate) fn start(&mut self) {
        let mut waited = Duration::ZERO;
        while !self.try_start() {
            assert!(waited < START_TIMEOUT, "PostgreSQL does not start");
            std::thread::sleep(LOOK_EVERY);
            waited += LOOK_EVERY;
        }
    }

    /// Ends it in good order, sessions and all.
    pub(crate) fn stop(&mut self) {
        self.process.take().unwrap().end(Signal::INT);
    }

    /// Ends it as a crash would: what was committed must be there after the next start.
    pub(crate) fn kill(&mut self) {
        self.process.take().unwrap().end(Signal::KILL);
    }

    /// Stops and restarts it with a copy of its data made in between.
    pub(crate) fn back_up(&mut self) {
        self.stop();
        let backup = self.backup();
        if backup.exists() {
            std::fs::remove_dir_all(&backup).unwrap();
        }
        copy(&self.data(), &backup);
        self.start();
    }

    /// Sets it back to the last backup.
    pub(crate) fn set_back(&mut self) {
        self.stop();
        std::fs::remove_dir_all(self.data()).unwrap();
        copy(&self.backup(), &self.data());
        self.start();
    }

    /// A session of `psql` with these statements, which lasts as long as they do.
    pub(crate) fn psql(&self, statements: &str) -> Process {
        let port = self.port.to_string();
        let mut command = Command::new(program("psql"));
        command
            .args([
                "-X",
                "-v",
                "ON_ERROR_STOP=1",
                "-h",
                "127.0.0.1",
                "-U",
                "postgres",
                "-p",
                &port,
                "-c",
            ])
            .arg(statements);
        Process::start("psql", &mut command, self.folder.path())
    }

    fn try_start(&mut self) -> bool {
        self.port = free_port();
        let port = self.port.to_string();
        let mut command = as_server(&program("postgres"));
        command.arg("-D").arg(self.data()).args(["-p", &port]);
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=100",
            "shared_buffers=16MB",
            // A power cut is not among the faults; all else that a commit promises is kept.
            "fsync=off",
            "full_page_writes=off",
        ] {
            command.args(["-c", setting]);
        }
        let mut process = Process::start("postgres", &mut command, self.folder.path());
        while process.is_running() {
            let ready = Command::new(program("pg_isready"))
                .args(["-q", "-h", "127.0.0.1", "-p", &port])
                .status()
                .unwrap();
            if ready.success() {
                self.process = Some(process);
                return true;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        false
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn backup(&self) -> PathBuf {
        self.folder.path().join("backup")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            // SIGQUIT: at once, and with its children.
            process.end(Signal::QUIT);
        }
    }
}

/// Whether the tests can be run. Where PostgreSQL is not installed they say aloud that they were skipped; in CI they fail.
pub(crate) fn is_installed(test: &str) -> bool {
    let is_there = newest_programs().is_some();
    assert!(
        is_there || std::env::var_os("CI").is_none(),
        "{test}: CI must have PostgreSQL under {PROGRAMS}"
    );
    if !is_there {
        eprintln!("SKIPPED: {test}; to run it install PostgreSQL (Debian: apt-get install postgresql)");
    }
    is_there
}

fn newest_programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir(PROGRAMS).ok()?;
    let version = |path: &PathBuf| -> Option<u32> { path.file_name()?.to_str()?.parse().ok() };
    let folders = versions.filter_map(|entry| Some(entry.ok()?.path()));
    let newest = folders
        .filter(|path| version(path).is_some())
        .max_by_key(version)?;
    Some(newest.join("bin")).filter(|bin| bin.join("postgres").is_file())
}

fn program(name: &str) -> PathBuf {
    newest_programs().unwrap().join(name)
}

/// A cluster that nobody has used, in a folder that is to be kept as long as copies of it are made.
pub(crate) fn template() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    open_to_server(folder.path());
    let made = as_server(&program("initdb"))
        .arg("-D")
        .arg(folder.path().join("data"))
        .args([
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ])
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success(), "initdb");
    folder
}

/// A server refuses to run as root: it runs as the user that Debian makes for it.
fn as_server(program: &Path) -> Command {
    if !geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"])
        .arg(program);
    command
}

fn open_to_server(folder: &Path) {
    if !geteuid().is_root() {
        return;
    }
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let answer = Command::new("id").args(["-u", "postgres"]).output().unwrap();
    let id = String::from_utf8(answer.stdout).unwrap().trim().parse().unwrap();
    chown(folder, Some(id), None).unwrap();
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success(), "cp {} {}", from.display(), to.display());
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}
