//! An HTTP/1.1 client that sends what it is told to the byte, one connection a request.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    address: SocketAddr,
    method: String,
    path: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Option<Vec<u8>>,
    may_fail: bool,
}

impl Request {
    pub(super) fn new(address: SocketAddr, method: &str, path: &str) -> Self {
        Self {
            address,
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: None,
            may_fail: false,
        }
    }

    /// Another header field.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// `Authorization: Bearer`.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// `Authorization: Basic`, of a client.
    #[must_use]
    pub fn basic(self, name: &str, secret: &str) -> Self {
        let pair = shared::encoding::base64(format!("{name}:{secret}").as_bytes());
        self.header("authorization", format!("Basic {pair}"))
    }

    /// A form as the body.
    #[must_use]
    pub fn form(self, pairs: &[(&str, &str)]) -> Self {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        self.header("content-type", "application/x-www-form-urlencoded")
            .body(form)
    }

    /// A cookie.
    #[must_use]
    pub fn cookie(self, name: &str, value: &str) -> Self {
        self.header("cookie", format!("{name}={value}"))
    }

    /// The access cookie.
    #[must_use]
    pub fn access_cookie(self, token: &str) -> Self {
        self.cookie("__Host-access_token", token)
    }

    /// The refresh cookie.
    #[must_use]
    pub fn refresh_cookie(self, token: &str) -> Self {
        self.cookie("__Secure-refresh_token", token)
    }

    /// `Origin`: the site's own.
    #[must_use]
    pub fn own_origin(self) -> Self {
        self.header("origin", "https://auth.example.org")
    }

    /// A JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json")
            .body(body.to_string())
    }

    /// A body of any bytes, and nothing said of its type.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// A 5xx is an answer that the test asks for.
    #[must_use]
    pub fn may_fail(mut self) -> Self {
        self.may_fail = true;
        self
    }

    /// The bytes on the wire.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.path).into_bytes();
        if !self.headers.iter().any(|(name, _)| name == "host") {
            bytes.extend(b"host: auth.example.org\r\n");
        }
        for (name, value) in &self.headers {
            bytes.extend(name.as_bytes());
            bytes.extend(b": ");
            bytes.extend(value);
            bytes.extend(b"\r\n");
        }
        if let Some(body) = &self.body {
            bytes.extend(format!("content-length: {}\r\n", body.len()).into_bytes());
        }
        bytes.extend(b"connection: close\r\n\r\n");
        bytes.extend(self.body.iter().flatten());
        bytes
    }

    /// Sends it. Whatever is asked, the answer is no 5xx, and names its request.
    pub async fn send(self) -> Answer {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut from, mut to) = stream.into_split();
        let bytes = self.bytes();
        let mut received = Vec::new();
        // An answer may come, and the connection end, before all was sent.
        let (_, _) = tokio::join!(to.write_all(&bytes), from.read_to_end(&mut received));
        let answer = Answer::parse(&received, &self);
        let text = String::from_utf8_lossy(&answer.body);
        let what = format!("{} {}", self.method, self.path);
        assert!(
            self.may_fail || answer.status < 500,
            "{what}: {} {text}",
            answer.status
        );
        let before_http = matches!(answer.status, 400 | 414 | 431) && answer.body.is_empty();
        assert!(
            before_http || answer.header("x-request-id").is_some(),
            "{what}: no request id"
        );
        answer
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The fields, in lower case, as they came.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    what: String,
}

impl Answer {
    fn parse(bytes: &[u8], request: &Request) -> Self {
        let what = format!("{} {}", request.method, request.path);
        let end = bytes
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .unwrap_or_else(|| panic!("{what}: no answer: {:?}", String::from_utf8_lossy(bytes)));
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .map(|line| {
                let (name, value) = line.split_once(':').unwrap();
                (name.to_ascii_lowercase(), value.trim().to_owned())
            })
            .collect();
        let mut answer = Self {
            status,
            headers,
            body: bytes[end + 4..].to_vec(),
            what,
        };
        if request.method == "HEAD" || matches!(status, 204 | 304) {
            assert!(answer.body.is_empty(), "{}: a body", answer.what);
        } else if answer.header("transfer-encoding") == Some("chunked") {
            answer.body = whole(&answer.body, &answer.what);
        } else {
            let length = answer.header("content-length").map(|text| text.parse().unwrap());
            assert_eq!(length, Some(answer.body.len()), "{}: cut short", answer.what);
        }
        answer
    }

    /// The first field of the name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).into_iter().next()
    }

    /// Every field of the name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(key, _)| key == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// The JSON of a success.
    #[track_caller]
    pub fn ok(&self, status: u16) -> Value {
        self.is(status);
        assert_eq!(
            self.header("content-type"),
            Some("application/json"),
            "{}",
            self.what
        );
        serde_json::from_slice(&self.body).unwrap()
    }

    /// A success without a body.
    #[track_caller]
    pub fn no_content(&self) {
        self.is(204);
        assert_eq!(self.header("cache-control"), Some("no-store"), "{}", self.what);
    }

    /// A status.
    #[track_caller]
    pub fn is(&self, status: u16) {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{}: {text}", self.what);
    }

    /// A refusal: its status, its kind, and the form that every problem document has.
    #[track_caller]
    pub fn refused(&self, status: u16, kind: &str) -> Value {
        self.is(status);
        let what = &self.what;
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{what}"
        );
        assert_eq!(self.header("cache-control"), Some("no-store"), "{what}");
        let problem: Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem["type"], format!("/problems/{kind}"), "{what}: {problem}");
        assert_eq!(problem["status"], status, "{what}: {problem}");
        assert!(
            problem["title"].as_str().is_some_and(|title| !title.is_empty()),
            "{what}: {problem}"
        );
        assert_eq!(
            problem["request_id"].as_str(),
            self.header("x-request-id"),
            "{what}"
        );
        assert_eq!(
            problem["errors"].is_array(),
            status == 422,
            "{what}: errors stand in a 422 alone: {problem}"
        );
        if status == 401 {
            let challenge = self.header("www-authenticate");
            assert!(
                challenge.is_some_and(|challenge| challenge.starts_with("Bearer realm=")),
                "{what}: RFC 9110 wants a challenge: {challenge:?}"
            );
        }
        if kind == "forbidden" {
            let challenge = self.header("www-authenticate").unwrap_or_default();
            assert!(
                challenge.starts_with("Bearer realm=") && challenge.ends_with("error=\"insufficient_scope\""),
                "{what}: RFC 6750 section 3.1: {challenge}"
            );
        }
        problem
    }

    /// An error of OAuth: its status, its code, and the form that each of them has (RFC 6749 section 5.2).
    #[track_caller]
    pub fn oauth_error(&self, status: u16, error: &str) -> Value {
        self.is(status);
        let what = &self.what;
        assert_eq!(self.header("content-type"), Some("application/json"), "{what}");
        assert_eq!(self.header("cache-control"), Some("no-store"), "{what}");
        assert_eq!(self.header("pragma"), Some("no-cache"), "{what}");
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(body["error"], error, "{what}: {body}");
        let description = body["error_description"].as_str().unwrap();
        let is_allowed = |c: char| matches!(c, ' '..='!' | '#'..='[' | ']'..='~');
        assert!(
            !description.is_empty() && description.chars().all(is_allowed),
            "{what}: {body}"
        );
        let challenge = self.header("www-authenticate");
        assert_eq!(
            challenge.is_some_and(|challenge| challenge.starts_with("Basic realm=")),
            status == 401,
            "{what}: {challenge:?}"
        );
        body
    }

    /// A 401 `invalid-token` (or `not-signed-in`, for `missing`) for this reason.
    #[track_caller]
    pub fn unauthorised(&self, reason: &str) {
        let kind = if reason == "missing" {
            "not-signed-in"
        } else {
            "invalid-token"
        };
        let problem = self.refused(401, kind);
        assert_eq!(problem["reason"], reason, "{}: {problem}", self.what);
        let challenge = self.header("www-authenticate").unwrap();
        if reason == "missing" {
            assert!(!challenge.contains("error="), "{}: {challenge}", self.what);
        } else {
            let wanted = format!("error=\"invalid_token\", error_description=\"{reason}");
            assert!(challenge.contains(&wanted), "{}: {challenge}", self.what);
        }
    }

    /// A 422 that names these fields with these codes, in any order.
    #[track_caller]
    pub fn invalid(&self, fields: &[(&str, &str)]) {
        let problem = self.refused(422, "invalid");
        let mut found: Vec<(String, String)> = Vec::new();
        for error in problem["errors"].as_array().unwrap() {
            let text = |name: &str| error[name].as_str().unwrap().to_owned();
            assert!(!text("message").is_empty(), "{}: {problem}", self.what);
            found.push((text("field"), text("code")));
        }
        found.sort();
        let mut wanted: Vec<(String, String)> = fields
            .iter()
            .map(|(field, code)| ((*field).to_owned(), (*code).to_owned()))
            .collect();
        wanted.sort();
        assert_eq!(found, wanted, "{}", self.what);
    }
}

/// The body that came in chunks (RFC 9112 section 7.1), which must have come to its end.
fn whole(mut chunks: &[u8], what: &str) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = chunks.windows(2).position(|window| window == b"\r\n");
        let end = end.unwrap_or_else(|| panic!("{what}: cut short"));
        let length = std::str::from_utf8(&chunks[..end]).unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        let data = &chunks[end + 2..];
        body.extend(&data[..length]);
        chunks = &data[length + 2..];
        if length == 0 {
            return body;
        }
    }
}
