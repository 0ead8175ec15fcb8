//! An HTTP client that sends what it is told, byte by byte.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// No answer may take longer, whatever is away.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// The host of every request that names no other.
pub(crate) const HOST: &str = "movies.example.org";

/// A request under construction.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: String,
    target: Vec<u8>,
    host: String,
    lines: Vec<u8>,
    body: Vec<u8>,
}

/// What came back. A connection that was closed without an answer has status 0.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Ask {
    pub(crate) fn new(method: &str, target: impl Into<Vec<u8>>) -> Self {
        Self {
            method: method.to_owned(),
            target: target.into(),
            host: HOST.to_owned(),
            lines: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(crate) fn get(target: impl Into<Vec<u8>>) -> Self {
        Self::new("GET", target)
    }

    pub(crate) fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.lines.extend(format!("{name}: {value}\r\n").into_bytes());
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn body(mut self, body: &str) -> Self {
        self.body = body.as_bytes().to_vec();
        let length = body.len().to_string();
        self.header("Content-Length", &length)
    }

    /// Sends it on a connection of its own.
    pub(crate) async fn send(&self, to: SocketAddr) -> Answer {
        let mut request = format!("{} ", self.method).into_bytes();
        request.extend(&self.target);
        request.extend(format!(" HTTP/1.1\r\nHost: {}\r\n", self.host).into_bytes());
        // A request that says what becomes of its connection has a reason to.
        let says = String::from_utf8_lossy(&self.lines).to_lowercase();
        if !says.contains("connection:") {
            request.extend(b"Connection: close\r\n");
        }
        request.extend(&self.lines);
        request.extend(b"\r\n");
        request.extend(&self.body);
        let exchange = async {
            let mut stream = TcpStream::connect(to).await.unwrap();
            let mut answer = Vec::new();
            // A front end that refuses early may reset the connection behind its answer.
            if stream.write_all(&request).await.is_ok() {
                read_answer(&mut stream, &mut answer, &self.method).await;
            }
            answer
        };
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, exchange).await;
        Answer::read(&answer.unwrap_or_else(|_| panic!("no answer to {self:?}")))
    }
}

/// Reads one answer, to its end or to the connection's.
async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>, method: &str) {
    let mut chunk = vec![0; 16_384];
    while !is_whole(answer, method) {
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return,
            Ok(read) => answer.extend(&chunk[..read]),
        }
    }
}

fn is_whole(answer: &[u8], method: &str) -> bool {
    let Some((head, body)) = split_head(answer) else {
        return false;
    };
    let head = String::from_utf8_lossy(head).to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .map(|length| length.trim().parse::<usize>().unwrap());
    if method == "HEAD" || head.starts_with("http/1.1 101 ") {
        return true;
    }
    match length {
        Some(length) => body.len() >= length,
        None => head.contains("transfer-encoding: chunked") && body.ends_with(b"0\r\n\r\n"),
    }
}

fn split_head(answer: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some((&answer[..end], &answer[end + 4..]))
}

impl Answer {
    fn read(bytes: &[u8]) -> Self {
        let Some((head, body)) = split_head(bytes) else {
            return Self {
                status: 0,
                headers: Vec::new(),
                body: String::from_utf8_lossy(bytes).into_owned(),
            };
        };
        let head = String::from_utf8_lossy(head);
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
            .collect();
        Self {
            status,
            headers,
            body: String::from_utf8_lossy(body).into_owned(),
        }
    }

    /// The value of a header; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut values = self.headers.iter().filter(|(own, _)| own == name);
        values.next().map_or("", |(_, value)| value)
    }
}
