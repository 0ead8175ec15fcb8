//! Servers of a bench's own, which end with it.

pub mod postgres;
pub mod redis;
pub mod usher;

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, Signal, kill_process};
use shared::time::{Clock as _, SystemClock};

/// How long a server may take to answer.
const START_WITHIN: Duration = Duration::from_secs(30);

/// A process that ends when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    end_by: Signal,
}

impl Process {
    /// Starts a command, whose input is empty. What it says goes where the command says.
    pub fn start(command: &mut Command, end_by: Signal) -> anyhow::Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self { child, end_by })
    }

    /// The most memory that it has ever had resident, in bytes.
    pub fn peak_bytes(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(kib.context("no VmHWM")?.trim().parse::<u64>()? * 1024)
    }

    /// The time that it has had on a core since it started, in its own code and the system's for it, in seconds.
    pub fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name before it, in parentheses, may have spaces (proc(5)).
        let (_, fields) = stat.rsplit_once(')').context("no name")?;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
        let ticks: u32 = ticks.sum::<Result<u32, _>>()?;
        #[expect(clippy::cast_precision_loss, reason = "a hundred or so")]
        Ok(f64::from(ticks) / clock_ticks_per_second() as f64)
    }

    /// Asks again and again whether it answers, until it does.
    pub fn wait_until(&mut self, mut answers: impl FnMut() -> bool) -> anyhow::Result<()> {
        let begin = SystemClock.boot();
        while !answers() {
            ensure!(self.child.try_wait()?.is_none(), "it ended at its start");
            ensure!(
                SystemClock.boot().since(begin) < START_WITHIN,
                "no answer within {START_WITHIN:?}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already is as good.
        let _ = kill_process(Pid::from_child(&self.child), self.end_by);
        let _ = self.child.wait();
    }
}

/// A port of the loopback on which nobody listens.
fn free_port() -> anyhow::Result<u16> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    Ok(listener.local_addr()?.port())
}
