//! A PostgreSQL of a bench's own.

use std::fs::{File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use rustix::process::Signal;
use tempfile::TempDir;

use super::{Process, free_port};

/// A `postgres` on a port of the loopback.
#[derive(Debug)]
pub struct Postgres {
    _process: Process,
    _folder: TempDir,
    psql: PathBuf,
    url: String,
    version: String,
}

impl Postgres {
    /// Starts one, whose commits reach the disk or not. `None` if PostgreSQL is not installed.
    pub fn start(is_durable: bool) -> anyhow::Result<Option<Self>> {
        Self::start_with(is_durable, &[], None)
    }

    /// Starts one with further settings (`name=value`), whose log goes to a file.
    pub fn start_with(
        is_durable: bool,
        settings: &[&str],
        log: Option<File>,
    ) -> anyhow::Result<Option<Self>> {
        let Some(programs) = programs() else {
            return Ok(None);
        };
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        std::fs::create_dir(&data)?;
        // It refuses to run as root.
        let user = rustix::process::getuid().is_root().then(user).transpose()?;
        if let Some((uid, gid)) = user {
            std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
            chown(&data, Some(uid), Some(gid))?;
        }
        let program = |name: &str| {
            let path = programs.join(name);
            let mut command = match user {
                None => Command::new(path),
                Some((uid, gid)) => {
                    let mut command = Command::new("setpriv");
                    let (uid, gid) = (format!("--reuid={uid}"), format!("--regid={gid}"));
                    command.args([&uid, &gid, "--clear-groups", "--"]).arg(path);
                    command
                }
            };
            command
                .current_dir(&data)
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command
        };
        let cluster = data.join("db");
        let made = program("initdb")
            .args([
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
                "-D",
            ])
            .arg(&cluster)
            .status()
            .context("initdb")?;
        ensure!(made.success(), "initdb failed");
        let (port, durable) = (free_port()?.to_string(), if is_durable { "on" } else { "off" });
        let mut server = program("postgres");
        server.arg("-D").arg(&cluster).args(["-p", &port]);
        for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories="] {
            server.args(["-c", setting]);
        }
        for name in ["fsync", "synchronous_commit", "full_page_writes"] {
            server.arg("-c").arg(format!("{name}={durable}"));
        }
        for setting in settings {
            server.args(["-c", setting]);
        }
        if let Some(log) = log {
            server.stderr(log);
        }
        // SIGINT has it end its sessions.
        let mut process = Process::start(&mut server, Signal::INT)?;
        let is_ready = || {
            let asked = program("pg_isready")
                .args(["-q", "-h", "127.0.0.1", "-p", &port])
                .status();
            asked.is_ok_and(|status| status.success())
        };
        process.wait_until(is_ready).context("postgres")?;
        let version = program("postgres")
            .arg("--version")
            .stdout(Stdio::piped())
            .output()?;
        // `postgres (PostgreSQL) 15.14 …`
        let version = String::from_utf8_lossy(&version.stdout)
            .split_whitespace()
            .nth(2)
            .map_or_else(
                || "PostgreSQL".to_owned(),
                |number| format!("PostgreSQL {number}"),
            );
        Ok(Some(Self {
            _process: process,
            _folder: folder,
            psql: programs.join("psql"),
            url: format!("postgres://postgres@127.0.0.1:{port}/postgres"),
            version,
        }))
    }

    /// Runs SQL, as often as need be over several statements. What the last one gives, as text.
    pub fn run(&self, sql: &str) -> anyhow::Result<String> {
        let ran = Command::new(&self.psql)
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set", "ON_ERROR_STOP=1", "--command", sql, &self.url])
            .output()
            .context("psql")?;
        ensure!(
            ran.status.success(),
            "psql: {}",
            String::from_utf8_lossy(&ran.stderr)
        );
        Ok(String::from_utf8(ran.stdout)?.trim().to_owned())
    }

    /// `postgres://…`
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `PostgreSQL 15.14`
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// Where `initdb` and `postgres` are: where distributions put the newest, or on the path.
fn programs() -> Option<PathBuf> {
    let has_all = |folder: &Path| {
        ["initdb", "postgres", "pg_isready", "psql"]
            .iter()
            .all(|name| folder.join(name).exists())
    };
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut packaged: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    packaged.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let newest_first = packaged.into_iter().rev().map(|(_, folder)| folder);
    newest_first.chain(on_path).find(|folder| has_all(folder))
}

/// The user that the package made.
fn user() -> anyhow::Result<(u32, u32)> {
    let id = |what: &str| -> anyhow::Result<u32> {
        let output = Command::new("id").args([what, "postgres"]).output()?;
        let text = String::from_utf8(output.stdout)?;
        text.trim()
            .parse()
            .context("PostgreSQL does not run as root, and there is no user `postgres`")
    };
    Ok((id("-u")?, id("-g")?))
}
