//! Servers of a bench's own, which end with it.

pub mod envoy;
pub mod floor;
pub mod haproxy;
pub mod nginx;
pub mod postgres;
pub mod redis;
pub mod usher;

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, Signal, kill_process};
use shared::time::{Clock as _, SystemClock};
use tempfile::TempDir;

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
        self.status_bytes("VmHWM:")
    }

    /// The memory that it has resident, in bytes.
    pub fn resident_bytes(&self) -> anyhow::Result<u64> {
        self.status_bytes("VmRSS:")
    }

    /// A line of `/proc/PID/status` that says how much memory something takes.
    fn status_bytes(&self, name: &str) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(kib.with_context(|| format!("no {name}"))?.trim().parse::<u64>()? * 1024)
    }

    /// How many descriptors it has open.
    pub fn descriptors(&self) -> anyhow::Result<u64> {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.child.id()))?;
        Ok(open.count() as u64)
    }

    /// Processor time that all its threads have had, in seconds: whole ticks, of which Linux has 100 a second.
    pub fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name, which may have spaces, is in brackets; `utime` is field 14 of proc_pid_stat(5), `stime` 15.
        let (_, fields) = stat.rsplit_once(')').context("no name in brackets")?;
        let fields = fields.split_ascii_whitespace().skip(11).take(2);
        let ticks: u32 = fields.map(str::parse::<u32>).sum::<Result<_, _>>()?;
        let a_second = u32::try_from(clock_ticks_per_second())?;
        Ok(f64::from(ticks) / f64::from(a_second))
    }

    /// Its share of the memory, in bytes: what it has alone, and its part of what it shares.
    pub fn pss_bytes(&self) -> anyhow::Result<u64> {
        let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(kib.context("no Pss")?.trim().parse::<u64>()? * 1024)
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

/// A process that listens.
#[derive(Debug)]
pub struct Serving {
    process: Process,
    _folder: Option<TempDir>,
    address: SocketAddr,
}

impl Serving {
    /// A process that listens there, and the folder that goes with it.
    fn new(process: Process, folder: Option<TempDir>, address: SocketAddr) -> Self {
        Self {
            process,
            _folder: folder,
            address,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The most memory that it has ever had resident, in bytes.
    pub fn peak_bytes(&self) -> anyhow::Result<u64> {
        self.process.peak_bytes()
    }
}

/// What a program says of itself when it is asked with this argument: the first line. `None`: it is not installed.
pub fn said_of_itself(program: &str, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok()?;
    // nginx says it on standard error.
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    said.lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .map(str::to_owned)
}

/// A port of the loopback, for a server that does not say where it listens.
fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Whether somebody listens there.
fn listens(port: u16) -> bool {
    std::net::TcpStream::connect(loopback(port)).is_ok()
}

/// A port of the loopback on which nobody listens.
fn free_port() -> anyhow::Result<u16> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    Ok(listener.local_addr()?.port())
}
