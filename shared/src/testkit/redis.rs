mod cluster;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

/// How often a server is asked whether it is there yet.
const POLL_EVERY: Duration = Duration::from_millis(5);

/// How long that may go on.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// How often a port that somebody else took in the meantime is replaced.
const PORTS_TRIED: usize = 5;

/// A `redis-server` (or Sentinel) of a test's own: on a free port of the loopback and, but for a Sentinel, on a Unix
/// socket, with its files in a folder that goes with it. What it was told survives [`RedisServer::kill`] (an
/// append-only file is written before it answers). Its methods block for as long as a server takes to start: some 20 ms.
#[derive(Debug)]
pub struct RedisServer {
    folder: TempDir,
    port: u16,
    other_port: u16,
    password: Option<String>,
    kind: Kind,
    process: Option<Child>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Server,
    Sentinel,
}

impl RedisServer {
    /// Starts one with these lines at the end of its configuration, in which `{port}`, `{folder}` and
    /// `{other_port}` (free as well) are replaced.
    /// Where Redis is not installed, the test says aloud that it was skipped (`None`); in CI it fails.
    pub fn start_or_skip(test: &str, configuration: &str) -> Option<Self> {
        is_installed(test).then(|| Self::start_new(Kind::Server, configuration))
    }

    /// Starts a Sentinel likewise.
    pub fn start_sentinel_or_skip(test: &str, configuration: &str) -> Option<Self> {
        is_installed(test).then(|| Self::start_new(Kind::Sentinel, configuration))
    }

    /// `redis://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// `unix:/PATH`
    pub fn unix_url(&self) -> String {
        format!("unix:{}", self.folder.path().join("redis.sock").display())
    }

    /// Its port on 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sends one command on a connection of its own and gives the answer in RESP2, one line an element, whatever it
    /// is (`-ERR …` too). It logs in as the configuration's `requirepass` says.
    pub fn command(&self, words: &[&str]) -> String {
        self.try_command(words).unwrap()
    }

    /// Whether it runs, stalled or not.
    pub const fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Stops it in good order (SIGTERM) and waits for its end.
    pub fn stop(&mut self) {
        self.end_by(Signal::TERM);
    }

    /// Kills it (SIGKILL), as a crash or a power cut would.
    pub fn kill(&mut self) {
        self.end_by(Signal::KILL);
    }

    /// Stalls it (SIGSTOP): connections stand, nothing answers.
    pub fn stall(&self) {
        self.signal(Signal::STOP);
    }

    /// Ends the stall (SIGCONT).
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Starts it again, on the same port, with its data. One that runs is killed first.
    pub fn restart(&mut self) {
        if self.is_running() {
            self.kill();
        }
        self.start().unwrap();
    }

    /// Starts it again without its data. One that runs is killed first.
    pub fn restart_empty(&mut self) {
        if self.is_running() {
            self.kill();
        }
        remove(&self.data());
        self.start().unwrap();
    }

    /// Copies its data aside, to come back to with [`RedisServer::restart_saved`].
    pub fn save_data(&self) {
        remove(&self.saved());
        copy(&self.data(), &self.saved());
    }

    /// Starts it again with the data of [`RedisServer::save_data`]. One that runs is killed first.
    pub fn restart_saved(&mut self) {
        if self.is_running() {
            self.kill();
        }
        remove(&self.data());
        copy(&self.saved(), &self.data());
        self.start().unwrap();
    }

    fn start_new(kind: Kind, configuration: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Self {
            folder,
            port: 0,
            other_port: 0,
            password: password(configuration),
            kind,
            process: None,
        };
        for tried in 1.. {
            (server.port, server.other_port) = free_ports();
            server.configure(configuration);
            match server.start() {
                Ok(()) => break,
                Err(log) if tried < PORTS_TRIED && log.contains("Address already in use") => {}
                Err(log) => panic!("redis-server does not start: {log}"),
            }
        }
        server
    }

    fn configure(&self, configuration: &str) {
        let folder = self.folder.path().display().to_string();
        let mut text =
            "bind 127.0.0.1\nport {port}\ndir {folder}/data\nlogfile {folder}/redis.log\n".to_owned();
        if self.kind == Kind::Server {
            text +=
                "save \"\"\nappendonly yes\nappendfsync no\ndatabases 4\nunixsocket {folder}/redis.sock\n";
        }
        text += configuration;
        text += "\n";
        let text = text
            .replace("{port}", &self.port.to_string())
            .replace("{other_port}", &self.other_port.to_string())
            .replace("{folder}", &folder);
        fs::write(self.folder.path().join("redis.conf"), text).unwrap();
    }

    /// Starts the process and waits until it answers. If it ends instead, the error is its log.
    fn start(&mut self) -> Result<(), String> {
        fs::create_dir_all(self.data()).unwrap();
        let mut command = Command::new("redis-server");
        command.arg(self.folder.path().join("redis.conf"));
        if self.kind == Kind::Sentinel {
            command.arg("--sentinel");
        }
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.process = Some(process);
        let mut waited = Duration::ZERO;
        while waited < START_TIMEOUT {
            let process = self.process.as_mut().unwrap();
            if process.try_wait().unwrap().is_some() {
                self.process = None;
                return Err(self.log());
            }
            if is_ready(&self.try_command(&["PING"])) {
                return Ok(());
            }
            std::thread::sleep(POLL_EVERY);
            waited += POLL_EVERY;
        }
        Err(format!("no answer after {START_TIMEOUT:?}; {}", self.log()))
    }

    fn end_by(&mut self, signal: Signal) {
        self.signal(signal);
        if let Some(mut process) = self.process.take() {
            process.wait().unwrap();
        }
    }

    fn signal(&self, signal: Signal) {
        super::signal(self.process.as_ref().unwrap(), signal);
    }

    fn try_command(&self, words: &[&str]) -> std::io::Result<String> {
        let login = self.password.as_deref().map(|password| ["AUTH", password]);
        let commands: Vec<&[&str]> = login.iter().map(<[_; 2]>::as_slice).chain([words]).collect();
        match self.kind {
            Kind::Server => {
                let stream = UnixStream::connect(self.folder.path().join("redis.sock"))?;
                stream.set_read_timeout(Some(START_TIMEOUT))?;
                converse(stream, &commands)
            }
            Kind::Sentinel => {
                let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
                stream.set_read_timeout(Some(START_TIMEOUT))?;
                converse(stream, &commands)
            }
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("redis.log")).unwrap_or_default()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn saved(&self) -> PathBuf {
        self.folder.path().join("saved")
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // SIGKILL, which ends a stalled process too.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn is_installed(test: &str) -> bool {
    let found = Command::new("redis-server")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    assert!(
        found || std::env::var_os("CI").is_none(),
        "{test}: CI must have `redis-server`"
    );
    if !found {
        eprintln!("SKIPPED: {test}; to run it install `redis-server`");
    }
    found
}

/// Two ports on which nobody listens, below those that the kernel gives to connections: a server that is away for a
/// while must find its own again.
fn free_ports() -> (u16, u16) {
    loop {
        let [high, low] = crate::crypto::random::bytes::<2>();
        let port = 10_000 + 2 * (u16::from_be_bytes([high, low]) % 10_000);
        let is_free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if is_free(port) && is_free(port + 1) {
            return (port, port + 1);
        }
    }
}

/// The password that the configuration asks of everybody.
fn password(configuration: &str) -> Option<String> {
    let line = configuration
        .lines()
        .find_map(|line| line.strip_prefix("requirepass "));
    line.map(|password| password.trim().to_owned())
}

/// Anything that is said is an answer, but for being busy reading data. Who is not logged in hears `-NOAUTH`.
fn is_ready(answer: &std::io::Result<String>) -> bool {
    answer
        .as_ref()
        .is_ok_and(|answer| !answer.is_empty() && !answer.starts_with("-LOADING"))
}

/// Sends the commands on one connection, and gives the answer to the last.
fn converse(mut stream: impl Read + Write, commands: &[&[&str]]) -> std::io::Result<String> {
    for words in commands {
        let mut command = format!("*{}\r\n", words.len()).into_bytes();
        for word in *words {
            write!(command, "${}\r\n{word}\r\n", word.len()).unwrap();
        }
        stream.write_all(&command)?;
    }
    let mut from = BufReader::new(stream);
    let mut answer = String::new();
    for _ in commands {
        answer.clear();
        element(&mut from, &mut answer)?;
    }
    Ok(answer.trim_end().to_owned())
}

/// Reads one element of RESP2; those of an array one after the other.
fn element(from: &mut impl BufRead, into: &mut String) -> std::io::Result<()> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    let line = line.trim_end();
    let length = |text: &str| text.parse::<usize>().ok();
    if let Some(length) = line.strip_prefix('$').and_then(length) {
        let mut bulk = vec![0; length + 2];
        from.read_exact(&mut bulk)?;
        *into += String::from_utf8_lossy(&bulk[..length]).trim_end();
    } else if let Some(length) = line.strip_prefix('*').and_then(length) {
        for _ in 0..length {
            element(from, into)?;
        }
        return Ok(());
    } else {
        *into += line;
    }
    into.push('\n');
    Ok(())
}

fn remove(folder: &Path) {
    if folder.exists() {
        fs::remove_dir_all(folder).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
