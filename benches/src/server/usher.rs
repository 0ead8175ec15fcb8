//! The project's own programs, built as they are shipped.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use rustix::process::Signal;
use serde_json::Value;

use super::{Process, Serving};

/// The folder of the programs.
#[derive(Debug)]
pub struct Programs(PathBuf);

impl Programs {
    /// Builds them beside this one, if need be.
    pub fn build() -> anyhow::Result<Self> {
        let own = std::env::current_exe()?;
        let profile = own.parent().context("a program without a folder")?;
        let target = profile.parent().context("a profile without a folder")?;
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--quiet", "--release", "--locked"])
            .args(["--package", "issuer", "--package", "verifier", "--target-dir"])
            .arg(target)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .context("cargo")?;
        ensure!(built.success(), "the programs could not be built");
        Ok(Self(target.join("release")))
    }

    /// One that runs to its end, in a folder, with these settings, variables of the environment.
    pub fn command(&self, name: &str, settings: &[(&str, &str)], folder: &Path) -> Command {
        let mut command = Command::new(self.0.join(name));
        command
            .current_dir(folder)
            .env_clear()
            .envs(settings.iter().copied())
            .stdin(Stdio::null());
        command
    }

    /// Starts one with these settings, variables of the environment, and waits until it has said where it listens.
    ///
    /// `listens` is how it says so.
    pub fn serve(&self, name: &str, settings: &[(&str, &str)], listens: &str) -> anyhow::Result<Serving> {
        let folder = tempfile::tempdir()?;
        let log = folder.path().join("log");
        let mut command = Command::new(self.0.join(name));
        command
            .args(["serve", "--log-format", "json"])
            .current_dir(folder.path())
            .env_clear()
            .envs(settings.iter().copied())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?);
        let mut process = Process::start(&mut command, Signal::TERM)?;
        let mut address = None;
        let waited = process.wait_until(|| {
            address = said(&log, listens);
            address.is_some()
        });
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        waited.with_context(|| format!("{name} said: {}", said()))?;
        Ok(Serving::new(
            process,
            Some(folder),
            address.context("an address")?,
        ))
    }
}

/// The address in the line that says this.
fn said(log: &Path, message: &str) -> Option<SocketAddr> {
    let log = std::fs::read_to_string(log).ok()?;
    log.lines().find_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        let is_it = line.get("message")?.as_str()? == message;
        line.get("address")?.as_str()?.parse().ok().filter(|_| is_it)
    })
}
