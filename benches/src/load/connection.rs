//! One connection: a request goes out whole, its answer comes in, and its status is what is expected.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use rustix::fd::OwnedFd;
use rustix::io::Errno;

/// No answer is longer.
const ANSWER_BYTES: usize = 16 * 1024;

const HEAD_END: &[u8] = b"\r\n\r\n";

/// Where a server listens.
#[derive(Clone, Debug)]
pub enum Target {
    /// There.
    Tcp(SocketAddr),
    /// On a Unix socket.
    Unix(PathBuf),
}

/// A request, ready to be sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// Line, headers and the empty line.
    pub bytes: Vec<u8>,
    /// The status of the only right answer.
    pub expects: u16,
}

/// A connection that is kept alive, with one request at a time.
pub struct Connection {
    socket: OwnedFd,
    buffer: Vec<u8>,
    filled: usize,
    expects: u16,
    /// Lengths of the last answer of that status, head and whole: the next one likely has the same.
    last: Option<(u16, usize, usize)>,
}

impl Connection {
    pub fn open(target: &Target) -> anyhow::Result<Self> {
        let socket = match target {
            Target::Tcp(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                OwnedFd::from(stream)
            }
            Target::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_nonblocking(true)?;
                OwnedFd::from(stream)
            }
        };
        Ok(Self {
            socket,
            buffer: vec![0; ANSWER_BYTES],
            filled: 0,
            expects: 0,
            last: None,
        })
    }

    pub fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    /// Sends a request. The one before has been answered, so there is room for it.
    pub fn send(&mut self, request: &Request) -> anyhow::Result<()> {
        let sent = rustix::io::write(&self.socket, &request.bytes)?;
        ensure!(sent == request.bytes.len(), "a request went out in part");
        self.expects = request.expects;
        Ok(())
    }

    /// Takes what has come in; whether the answer is whole now.
    pub fn receive(&mut self) -> anyhow::Result<bool> {
        let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
        ensure!(!room.is_empty(), "an answer of more than {ANSWER_BYTES} bytes");
        match rustix::io::read(&self.socket, room) {
            Ok(0) => bail!("the server closed the connection"),
            Ok(received) => self.filled += received,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let received = self.buffer.get(..self.filled).unwrap_or_default();
        let status = status(received);
        let is_as_before = self.last.is_some_and(|(status_before, head, whole)| {
            whole == received.len()
                && status == Some(status_before)
                && received.get(..head).is_some_and(|head| head.ends_with(HEAD_END))
        });
        if !is_as_before {
            let Some((head, whole)) = lengths(received)? else {
                return Ok(false);
            };
            if received.len() < whole {
                return Ok(false);
            }
            ensure!(received.len() == whole, "more than one answer to a request");
            self.last = status.map(|status| (status, head, whole));
        }
        ensure!(
            status == Some(self.expects),
            "{status:?} instead of {}: {}",
            self.expects,
            String::from_utf8_lossy(received)
        );
        self.filled = 0;
        Ok(true)
    }
}

/// The status in `HTTP/1.1 204 …`.
fn status(answer: &[u8]) -> Option<u16> {
    let digits = answer.get(9..12)?;
    digits.iter().try_fold(0, |status, digit| {
        let digit = u16::from(digit.checked_sub(b'0')?);
        Some(status * 10 + digit)
    })
}

/// How long the head is, and how long the answer will be; `None`: the head is not whole yet.
fn lengths(received: &[u8]) -> anyhow::Result<Option<(usize, usize)>> {
    let Some(end) = received
        .windows(HEAD_END.len())
        .position(|bytes| bytes == HEAD_END)
    else {
        return Ok(None);
    };
    let head = std::str::from_utf8(received.get(..end).unwrap_or_default())?;
    let mut body = 0;
    for line in head.lines().skip(1) {
        let (name, value) = line.split_once(':').context("a header without a colon")?;
        ensure!(
            !name.eq_ignore_ascii_case("transfer-encoding"),
            "an answer in chunks"
        );
        if name.eq_ignore_ascii_case("content-length") {
            body = value.trim().parse()?;
        }
    }
    let head = end + HEAD_END.len();
    Ok(Some((head, head + body)))
}
