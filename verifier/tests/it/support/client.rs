use std::fmt::Write as _;
use std::io;

use serde_json::Value;
use shared::serve::BoundAddress;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use verifier::http::Endpoint;

use super::call::{self, CheckRequest};

/// A request, as it will be written.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    /// Whether it is told in a message of gRPC.
    is_call: bool,
}

impl Request {
    /// A request of exactly this.
    pub(crate) fn raw(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            is_call: false,
        }
    }

    /// What a proxy of this family asks about an original request.
    pub(crate) fn about(endpoint: Endpoint, method: &str, target: &str) -> Self {
        match endpoint {
            Endpoint::AuthRequest => Self::raw("GET", "/authz/auth-request")
                .header("X-Original-Method", method)
                .header("X-Original-URI", target),
            Endpoint::ForwardAuth => Self::raw("GET", "/authz/forward-auth")
                .header("X-Forwarded-Method", method)
                .header("X-Forwarded-Uri", target),
            Endpoint::ExtAuthz => Self::raw(method, &format!("/authz/ext-authz{target}")),
            Endpoint::Grpc => Self {
                is_call: true,
                ..Self::raw(method, target)
            },
        }
    }

    /// The same, of this host.
    pub(crate) fn host(self, endpoint: Endpoint, host: &str) -> Self {
        match endpoint {
            Endpoint::AuthRequest => self.header("X-Original-Host", host),
            Endpoint::ForwardAuth => self.header("X-Forwarded-Host", host),
            Endpoint::ExtAuthz => self.header("Host", host),
            Endpoint::Grpc => self.header(":authority", host),
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The value of a header.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let own = self.headers.iter().find(|(own, _)| own == name);
        own.map(|(_, value)| value.as_str())
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn cookie(self, token: &str) -> Self {
        self.header("Cookie", &format!("theme=dark; __Host-access_token={token}"))
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            write!(text, "{name}: {value}\r\n").unwrap();
        }
        text.push_str("\r\n");
        text.into_bytes()
    }
}

/// An answer, as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The value of a header that is there once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self
            .headers
            .iter()
            .filter(|(own, _)| own.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} stands twice");
        value
    }

    /// The problem document's `reason`; empty where there is none.
    pub(crate) fn reason(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["reason"].as_str().unwrap_or_default().to_owned()
    }

    /// Status and reason.
    pub(crate) fn verdict(&self) -> (u16, String) {
        (self.status, self.reason())
    }

    /// Whether the connection is kept.
    pub(crate) fn is_kept(&self) -> bool {
        self.header("connection") != Some("close")
    }
}

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection that is spoken on byte by byte.
pub(crate) struct Client {
    stream: Box<dyn Stream>,
    address: BoundAddress,
    /// A second connection, for gRPC.
    channel: Option<tonic::transport::Channel>,
    read: Vec<u8>,
    /// Whether the answer to come has no body, whatever length it says.
    is_head: bool,
}

impl Client {
    pub(crate) async fn connect(address: &BoundAddress) -> Self {
        let stream: Box<dyn Stream> = match address {
            BoundAddress::Tcp(address) => Box::new(TcpStream::connect(address).await.unwrap()),
            BoundAddress::Unix(path) => Box::new(UnixStream::connect(path).await.unwrap()),
        };
        Self {
            stream,
            address: address.clone(),
            channel: None,
            read: Vec::new(),
            is_head: false,
        }
    }

    pub(crate) async fn ask(&mut self, request: &Request) -> Answer {
        if request.is_call {
            let channel = match self.channel.take() {
                Some(channel) => channel,
                None => call::channel(&self.address).await,
            };
            self.channel = Some(channel.clone());
            let response = call::call(channel, call::CHECK, CheckRequest::about(request)).await;
            return response.unwrap().into();
        }
        self.send(&request.to_bytes()).await.unwrap();
        self.is_head = request.method == "HEAD";
        self.answer().await.expect("an answer")
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Says that nothing more will be sent.
    pub(crate) async fn finish(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// The next answer; `None` if the connection was closed instead.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        let head_end = loop {
            if let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            if !self.read_more().await {
                return None;
            }
        };
        let head = String::from_utf8(self.read.drain(..head_end + 4).collect()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        let mut answer = Answer {
            status,
            headers,
            body: Vec::new(),
        };
        let length = answer
            .header("content-length")
            .filter(|_| !self.is_head)
            .map_or(0, |length| length.parse().unwrap());
        while self.read.len() < length {
            assert!(self.read_more().await, "the body broke off");
        }
        answer.body = self.read.drain(..length).collect();
        Some(answer)
    }

    /// Whether the other side closes without a further byte.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.read.is_empty() && !self.read_more().await
    }

    async fn read_more(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let read = self.stream.read(&mut buffer).await.unwrap_or(0);
        self.read.extend_from_slice(&buffer[..read]);
        read > 0
    }
}
