//! A Redis that keeps nothing on disk.

use std::io::ErrorKind;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use rustix::process::Signal;
use tempfile::TempDir;

use super::{Process, free_port};

const SCHEME: &str = "redis://";

/// A `redis-server` on a port of the loopback.
#[derive(Debug)]
pub struct Redis {
    _process: Process,
    _folder: TempDir,
    url: String,
    version: String,
}

impl Redis {
    /// Starts one.
    pub fn start() -> anyhow::Result<Self> {
        let version = version()?;
        let folder = tempfile::tempdir()?;
        let port = free_port()?;
        let url = format!("{SCHEME}127.0.0.1:{port}");
        let mut command = Command::new("redis-server");
        command
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &port.to_string(), "--dir"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut process = Process::start(&mut command, Signal::TERM)?;
        let client = redis::Client::open(url.as_str())?;
        let answers = || {
            client
                .get_connection()
                .and_then(|mut connection| redis::cmd("PING").query::<()>(&mut connection))
                .is_ok()
        };
        process.wait_until(answers).context("redis-server")?;
        Ok(Self {
            _process: process,
            _folder: folder,
            url,
            version,
        })
    }

    /// `redis://127.0.0.1:PORT`
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `127.0.0.1:PORT`
    pub fn address(&self) -> &str {
        self.url.strip_prefix(SCHEME).unwrap_or(&self.url)
    }

    /// `Redis 7.0.15`
    pub fn version(&self) -> &str {
        &self.version
    }
}

fn version() -> anyhow::Result<String> {
    let output = match Command::new("redis-server").arg("--version").output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "redis-server is not installed; it comes with `apt-get install redis-server`, `dnf install redis`, or from \
             https://redis.io"
        ),
        Err(error) => return Err(error).context("redis-server"),
    };
    // `Redis server v=7.0.15 sha=…`
    let text = String::from_utf8_lossy(&output.stdout);
    let number = text.split_whitespace().find_map(|word| word.strip_prefix("v="));
    Ok(format!("Redis {}", number.unwrap_or("of unknown version")))
}
