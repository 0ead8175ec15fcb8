//! What the admin listener answers: is it alive, is it ready, and its metrics.

use std::future::Future;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, ORIGIN};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use prometheus_client::registry::Registry;
use serde::Serialize;

use crate::config::HostName;
use crate::host::CanonicalHost;
use crate::serve::Peer;

/// One thing that must hold for a program to be ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What is checked: `database`, `keys`.
    pub name: &'static str,
    /// Whether it holds, and what is wrong otherwise. The text is for operators and is shown to whoever asks.
    pub outcome: Result<(), String>,
}

impl Check {
    /// A check and what came of it.
    pub fn new(name: &'static str, outcome: Result<(), String>) -> Self {
        Self { name, outcome }
    }
}

type Checks = Pin<Box<dyn Future<Output = Vec<Check>> + Send>>;

/// A tower service with `GET /healthz` (200 while the process lives), `GET /readyz` (200, or 503 when a check fails;
/// JSON either way) and `GET /metrics` (`OpenMetrics`, or Prometheus text for who does not ask for it).
///
/// It is for programs, so whatever a browser may have been made to send is refused: see [`Admin::refusal`].
#[derive(Clone)]
pub struct Admin {
    registry: Arc<Registry>,
    checks: Arc<dyn Fn() -> Checks + Send + Sync>,
    hosts: Arc<[HostName]>,
}

/// Checks that take longer have failed: whoever asks gives up at about this time.
const CHECKS_TIMEOUT: Duration = Duration::from_secs(5);

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Serialize)]
struct Readiness<'a> {
    ready: bool,
    checks: Vec<CheckResult<'a>>,
}

#[derive(Serialize)]
struct CheckResult<'a> {
    name: &'a str,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

impl Admin {
    /// `checks` is asked at each `GET /readyz`; a program without any is ready.
    pub fn new<F>(registry: Arc<Registry>, checks: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Vec<Check>> + Send + 'static,
    {
        Self {
            registry,
            checks: Arc::new(move || Box::pin(checks())),
            hosts: Arc::default(),
        }
    }

    /// The same, reached by these names too.
    #[must_use]
    pub fn at_hosts<'a>(mut self, hosts: impl IntoIterator<Item = &'a HostName>) -> Self {
        self.hosts = hosts.into_iter().cloned().collect();
        self
    }

    /// Why a request is not answered, if it could be a web page's: 403 for one with an `Origin`, and over TCP 421 for one
    /// by a name that is not ours. A page can have its own name lead here (DNS rebinding), but neither an address nor a
    /// name without a dot.
    pub fn refusal<B>(&self, request: &Request<B>) -> Option<Response<Full<Bytes>>> {
        let headers = request.headers();
        if headers.contains_key(ORIGIN) {
            let text = "this is not for web pages\n".into();
            return Some(response(StatusCode::FORBIDDEN, "text/plain", text));
        }
        if request.extensions().get::<Peer>() == Some(&Peer::Unix) {
            return None;
        }
        let authority = request
            .uri()
            .authority()
            .map(|authority| authority.as_str().as_bytes());
        let mut named = headers
            .get_all(HOST)
            .iter()
            .map(HeaderValue::as_bytes)
            .chain(authority);
        if named.all(|host| self.is_ours(host)) {
            return None;
        }
        let text = "this name is none of ours: see `admin_hosts`\n".into();
        Some(response(StatusCode::MISDIRECTED_REQUEST, "text/plain", text))
    }

    fn is_ours(&self, host: &[u8]) -> bool {
        let Ok(host) = CanonicalHost::parse(host) else {
            return false;
        };
        let host = host.as_str();
        let is_address = host.starts_with('[') || host.parse::<Ipv4Addr>().is_ok();
        is_address || !host.contains('.') || self.hosts.iter().any(|own| own.as_str() == host)
    }

    /// Answers a request.
    pub async fn respond<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if let Some(refusal) = self.refusal(request) {
            return refusal;
        }
        let accept = request
            .headers()
            .get(ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .unwrap_or_default();
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let openmetrics = accept.contains("application/openmetrics-text");
        self.answer(&method, &path, openmetrics).await
    }

    async fn answer(&self, method: &Method, path: &str, openmetrics: bool) -> Response<Full<Bytes>> {
        let path = path.strip_suffix('/').unwrap_or(path);
        if !matches!(path, "/healthz" | "/readyz" | "/metrics") {
            return response(StatusCode::NOT_FOUND, "text/plain", "not found\n".into());
        }
        if method != Method::GET && method != Method::HEAD {
            let mut refusal = response(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "GET only\n".into());
            refusal
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refusal;
        }
        match path {
            "/readyz" => self.readiness().await,
            "/metrics" => self.metrics(openmetrics),
            _ => response(StatusCode::OK, "text/plain", "ok\n".into()),
        }
    }

    async fn readiness(&self) -> Response<Full<Bytes>> {
        let checks = tokio::time::timeout(CHECKS_TIMEOUT, (self.checks)())
            .await
            .unwrap_or_else(|_| {
                vec![Check::new(
                    "checks",
                    Err(format!("not done within {} s", CHECKS_TIMEOUT.as_secs())),
                )]
            });
        let ready = checks.iter().all(|check| check.outcome.is_ok());
        let checks = checks
            .iter()
            .map(|check| CheckResult {
                name: check.name,
                ok: check.outcome.is_ok(),
                detail: check.outcome.as_ref().err().map(String::as_str),
            })
            .collect();
        let status = if ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        let body = serde_json::to_string(&Readiness { ready, checks }).unwrap_or_default();
        response(status, "application/json", body)
    }

    fn metrics(&self, openmetrics: bool) -> Response<Full<Bytes>> {
        let mut text = String::new();
        match prometheus_client::encoding::text::encode(&mut text, &self.registry) {
            Ok(()) => {
                let content_type = if openmetrics { OPENMETRICS } else { PROMETHEUS_TEXT };
                response(StatusCode::OK, content_type, text)
            }
            Err(error) => {
                tracing::error!(%error, "the metrics cannot be written");
                response(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "text/plain",
                    "no metrics\n".into(),
                )
            }
        }
    }
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

impl<B> tower::Service<Request<B>> for Admin {
    type Response = Response<Full<Bytes>>;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let admin = self.clone();
        let request = request.map(|_| ());
        Box::pin(async move { Ok(admin.respond(&request).await) })
    }
}

fn response(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use prometheus_client::metrics::counter::Counter;

    use super::*;

    fn admin(outcome: &'static Result<(), &'static str>) -> Admin {
        let mut registry = Registry::default();
        let logins = Counter::<u64>::default();
        logins.inc();
        registry.register("logins", "Logins", logins);
        Admin::new(Arc::new(registry), move || async move {
            vec![
                Check::new("keys", Ok(())),
                Check::new("database", outcome.map_err(str::to_owned)),
            ]
        })
    }

    async fn ask(admin: &Admin, method: Method, path: &str, accept: &str) -> (StatusCode, String, String) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(ACCEPT, accept)
            .body(())
            .unwrap();
        let response = admin.respond(&request).await;
        let content_type = response
            .headers()
            .get(CONTENT_TYPE)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, content_type, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readiness_is_all_checks() {
        let (status, _, body) = ask(&admin(&Ok(())), Method::GET, "/readyz", "*/*").await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(
            body,
            r#"{"ready":true,"checks":[{"name":"keys","ok":true},{"name":"database","ok":true}]}"#
        );
        let (status, _, body) = ask(&admin(&Err("away")), Method::GET, "/readyz/", "*/*").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(
            body.contains(r#"{"name":"database","ok":false,"detail":"away"}"#),
            "{body}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn checks_that_hang_have_failed() {
        let admin = Admin::new(Arc::new(Registry::default()), || {
            std::future::pending::<Vec<Check>>()
        });
        let (status, _, body) = ask(&admin, Method::GET, "/readyz", "*/*").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(body.contains("not done within 5 s"), "{body}");
    }

    #[tokio::test]
    async fn metrics_are_in_the_format_that_is_asked_for() {
        let admin = admin(&Ok(()));
        let (status, content_type, body) = ask(&admin, Method::GET, "/metrics", "*/*").await;
        assert_eq!((status, content_type.as_str()), (StatusCode::OK, PROMETHEUS_TEXT));
        assert!(body.contains("logins_total 1"), "{body}");
        let (_, content_type, _) = ask(&admin, Method::GET, "/metrics", OPENMETRICS).await;
        assert_eq!(content_type, OPENMETRICS);
    }

    /// The status of `/healthz` for this request.
    async fn health(admin: &Admin, request: http::request::Builder, peer: Peer) -> StatusCode {
        let request = request.extension(peer).body(()).unwrap();
        admin.respond(&request).await.status()
    }

    const NEIGHBOUR: Peer = Peer::Tcp(std::net::SocketAddr::new(
        std::net::IpAddr::V4(Ipv4Addr::LOCALHOST),
        1,
    ));

    /// Attack: a page has its own name lead to the admin listener.
    /// Source: CVE-2018-5702
    /// Result: 421; addresses, names without a dot and `admin_hosts` are answered
    #[tokio::test]
    async fn names_that_are_not_ours_are_refused() {
        let hosts = ["metrics.example.org".parse().unwrap()];
        let admin = admin(&Ok(())).at_hosts(&hosts);
        for (host, is_ours) in [
            ("127.0.0.1:9081", true),
            ("10.1.2.3", true),
            ("[::1]:9081", true),
            ("localhost:9081", true),
            ("verifier", true),
            ("Metrics.Example.org.:80", true),
            ("evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("xmetrics.example.org", false),
            ("a@b", false),
            ("", false),
        ] {
            let request = Request::builder().uri("/healthz").header(HOST, host);
            let status = health(&admin, request, NEIGHBOUR).await;
            assert_eq!(status == StatusCode::OK, is_ours, "{host}: {status}");
            assert!(is_ours || status == StatusCode::MISDIRECTED_REQUEST, "{host}");
        }
        let target = Request::builder()
            .uri("http://evil.example/healthz")
            .header(HOST, "localhost");
        let status = health(&admin, target, NEIGHBOUR).await;
        assert_eq!(status, StatusCode::MISDIRECTED_REQUEST);
        let two = Request::builder()
            .uri("/healthz")
            .header(HOST, "localhost")
            .header(HOST, "evil.example");
        assert_eq!(
            health(&admin, two, NEIGHBOUR).await,
            StatusCode::MISDIRECTED_REQUEST
        );
        let socket = Request::builder().uri("/healthz").header(HOST, "evil.example");
        assert_eq!(health(&admin, socket, Peer::Unix).await, StatusCode::OK);
        let nameless = Request::builder().uri("/healthz");
        assert_eq!(health(&admin, nameless, NEIGHBOUR).await, StatusCode::OK);
    }

    /// Attack: a page asks the admin listener from a browser on the same machine.
    /// Source: CWE-352, Fetch standard
    /// Result: 403, whatever the origin
    #[tokio::test]
    async fn pages_are_refused() {
        for origin in ["https://evil.example", "http://127.0.0.1:9081", "null", ""] {
            for peer in [NEIGHBOUR, Peer::Unix] {
                let request = Request::builder()
                    .uri("/healthz")
                    .header(HOST, "127.0.0.1:9081")
                    .header(ORIGIN, origin);
                let status = health(&admin(&Ok(())), request, peer).await;
                assert_eq!(status, StatusCode::FORBIDDEN, "{origin}");
            }
        }
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
        let admin = admin(&Ok(()));
        assert_eq!(
            ask(&admin, Method::GET, "/healthz", "*/*").await.0,
            StatusCode::OK
        );
        assert_eq!(
            ask(&admin, Method::GET, "/other", "*/*").await.0,
            StatusCode::NOT_FOUND
        );
        assert_eq!(
            ask(&admin, Method::POST, "/healthz", "*/*").await.0,
            StatusCode::METHOD_NOT_ALLOWED
        );
    }
}
