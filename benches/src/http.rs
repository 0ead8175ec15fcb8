//! A client of HTTP/1.1 over one connection, which costs next to nothing itself.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, ensure};

/// No answer takes longer.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// A connection that is kept alive.
#[derive(Debug)]
pub struct HttpConnection {
    stream: BufReader<TcpStream>,
    host: SocketAddr,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Whether it says when to come again.
    pub has_retry_after: bool,
    /// The body.
    pub body: Vec<u8>,
}

impl HttpConnection {
    /// Connects.
    pub fn open(host: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        Ok(Self {
            stream: BufReader::new(stream),
            host,
        })
    }

    /// Posts a JSON text.
    pub fn post_json(&mut self, path: &str, body: &str) -> anyhow::Result<Answer> {
        self.request("POST", path, "Content-Type: application/json\r\n", body)
    }

    /// Sends a request and reads its answer. Each line of `headers` ends with CR LF.
    pub fn request(&mut self, method: &str, path: &str, headers: &str, body: &str) -> anyhow::Result<Answer> {
        let (host, length) = (self.host, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        let status = self.line()?;
        let status = status.split(' ').nth(1).context("no status")?.parse()?;
        let (mut length, mut has_retry_after) = (0, false);
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').context("a header without a colon")?;
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse()?;
            }
            has_retry_after |= name.eq_ignore_ascii_case("retry-after");
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(Answer {
            status,
            has_retry_after,
            body,
        })
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        ensure!(line.ends_with("\r\n"), "the connection ended");
        line.truncate(line.len() - 2);
        Ok(line)
    }
}
