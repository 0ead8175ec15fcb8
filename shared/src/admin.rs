//! What the admin listener answers: is it alive, is it ready, and its metrics.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use prometheus_client::registry::Registry;
use serde::Serialize;

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
#[derive(Clone)]
pub struct Admin {
    registry: Arc<Registry>,
    checks: Arc<dyn Fn() -> Checks + Send + Sync>,
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
        }
    }

    /// Answers a request.
    pub async fn respond<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
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
