//! An HTTP client that sends what it is told, byte by byte: forged headers have spellings that no proper client has.

use std::net::SocketAddr;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A request under construction.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: String,
    target: String,
    lines: String,
    body: String,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Ask {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            lines: String::new(),
            body: String::new(),
        }
    }

    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub(crate) fn post(target: &str) -> Self {
        Self::new("POST", target)
    }

    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        self.line(&format!("{name}: {value}"))
    }

    /// A line of the header block, right or wrong.
    pub(crate) fn line(mut self, line: &str) -> Self {
        self.lines += line;
        self.lines += "\r\n";
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string();
        let length = self.body.len().to_string();
        self.header("Content-Type", "application/json")
            .header("Content-Length", &length)
    }

    /// A body with a document on each line.
    pub(crate) fn lines(mut self, body: &str) -> Self {
        body.clone_into(&mut self.body);
        let length = body.len().to_string();
        self.header("Content-Type", "application/x-ndjson")
            .header("Content-Length", &length)
    }

    /// A body in chunks, with a trailer field.
    pub(crate) fn chunked(mut self, body: &str, trailer: &str) -> Self {
        self.body = format!("{:x}\r\n{body}\r\n0\r\n{trailer}\r\n\r\n", body.len());
        self.header("Transfer-Encoding", "chunked")
    }

    /// Sends it on a connection of its own.
    pub(crate) async fn send(&self, to: SocketAddr) -> Answer {
        let Self {
            method,
            target,
            lines,
            body,
        } = self;
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: movies.example.org\r\nConnection: close\r\n{lines}\r\n{body}"
        );
        let exchange = async {
            let mut stream = TcpStream::connect(to).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            String::from_utf8(answer).unwrap()
        };
        let answer = tokio::time::timeout(Duration::from_secs(20), exchange).await;
        Answer::read(&answer.unwrap_or_else(|_| panic!("no answer to {method} {target}")))
    }
}

impl Answer {
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let headers: HeaderMap = lines
            .map(|line| {
                let (name, value) = line.split_once(':').unwrap();
                (
                    HeaderName::try_from(name).unwrap(),
                    HeaderValue::try_from(value.trim()).unwrap(),
                )
            })
            .collect();
        let is_chunked = headers.contains_key("transfer-encoding");
        Self {
            status: status.parse().unwrap(),
            body: if is_chunked {
                unchunk(body)
            } else {
                body.to_owned()
            },
            headers,
        }
    }

    /// The body, as JSON.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The body's member, as text.
    pub(crate) fn text(&self, member: &str) -> String {
        let value = self.value();
        value[member]
            .as_str()
            .unwrap_or_else(|| panic!("no `{member}` in {value}"))
            .to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and `reason` of a refusal.
    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status, self.text("reason"))
    }
}

fn unchunk(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            break;
        }
        body += &after[..size];
        rest = &after[size + 2..];
    }
    body
}
