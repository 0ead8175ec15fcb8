//! Around every request: its id, where it came from, its span, and the last word on its answer.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, PRAGMA, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, Uri};
use shared::problem::{self, Problem};
use shared::serve::Peer;
use shared::telemetry::{REQUEST_ID, RequestId, TraceContext};
use tracing::Instrument;

use super::metrics::HttpMetrics;
use super::respond::{ApiError, method_not_allowed, not_found};
use super::{Api, Site, oauth};
use crate::client_address::client_address;
use crate::device::{clean_user_agent, device};
use crate::store::session::Origin;

/// Where a request came from.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// The client's address, if it is known.
    pub(crate) ip: Option<IpAddr>,
    /// What is kept of it.
    pub(crate) origin: Origin,
}

impl Client {
    /// The address that its attempts are counted by. Clients whose address nobody told share one, so that no limit
    /// vanishes.
    pub(crate) fn counted_as(&self) -> IpAddr {
        self.ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }
}

impl Client {
    pub(crate) fn of(parts: &Parts, site: &Site) -> Self {
        let peer = parts.extensions.get::<Peer>().and_then(Peer::ip);
        let ip = client_address(
            peer,
            &parts.headers,
            site.trusted_proxies.networks(),
            site.trusted_proxies.trusts_unix(),
        );
        let user_agent = clean_user_agent(&parts.headers);
        let device = user_agent.as_deref().and_then(device);
        Self {
            ip,
            origin: Origin {
                ip: ip.map(|ip| ip.to_string()),
                user_agent,
                device,
                request_id: parts.extensions.get::<RequestId>().map(ToString::to_string),
            },
        }
    }
}

impl FromRequestParts<Api> for Client {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        Ok(Self::of(parts, &api.site))
    }
}

/// Gives the request its id and span, counts it, and finishes the answer: problem documents get their body here,
/// and everything that does not say otherwise must not be stored.
pub(super) async fn around(
    State((api, metrics)): State<(Api, Arc<HttpMetrics>)>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = RequestId::of(request.headers(), api.service.clock.now());
    request.extensions_mut().insert(id.clone());
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned());
    let trace_id = TraceContext::of(request.headers()).map(|trace| trace.trace_id());
    let span = tracing::info_span!(
        "request",
        request_id = %id,
        trace_id = trace_id.as_deref(),
        %method,
        route = route.as_deref()
    );
    let started = api.service.clock.boot();
    let is_oauth = request.uri().path().starts_with(oauth::PATH);
    let mut response = next.run(request).instrument(span).await;
    let problem = response.extensions_mut().remove::<Problem>();
    let problem = problem.or_else(|| problem_of_router(&response));
    match problem {
        Some(problem) if is_oauth => oauth::write_error(&mut response, problem, &method),
        Some(problem) => write_problem(&mut response, problem, &id, &method),
        None => {}
    }
    let headers = response.headers_mut();
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    if is_oauth {
        // RFC 6749 section 5.1.
        headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    }
    // Whatever is no page, or says nothing of it, loads nothing; and no page of another site has it in a frame.
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'",
        ));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers
        .entry(REFERRER_POLICY)
        .or_insert(HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REQUEST_ID, id.to_header_value());
    let took = api.service.clock.boot().since(started);
    metrics.count(&method, route.as_deref(), response.status(), took);
    response
}

/// What the router says in its own words, which have no body. A page that says as much has one.
fn problem_of_router(response: &Response) -> Option<Problem> {
    if response.headers().contains_key(CONTENT_TYPE) {
        return None;
    }
    match response.status() {
        StatusCode::NOT_FOUND => Some(not_found()),
        StatusCode::METHOD_NOT_ALLOWED => Some(method_not_allowed()),
        _ => None,
    }
}

fn write_problem(response: &mut Response, problem: Problem, id: &RequestId, method: &Method) {
    let problem = Problem {
        request_id: Some(id.as_str().to_owned()),
        ..problem
    };
    let body = problem.to_json();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(problem::MEDIA_TYPE));
    headers.remove(http::header::CONTENT_LENGTH);
    if method != Method::HEAD {
        *response.body_mut() = body.into();
    }
}

/// `/api/v1/role/` is `/api/v1/role`, everywhere but below `/docs/`, whose page names its parts relative to itself.
pub(super) fn without_trailing_slash<B>(mut request: http::Request<B>) -> http::Request<B> {
    let uri = request.uri();
    let path = uri.path();
    let Some(shorter) = path.strip_suffix('/').filter(|shorter| !shorter.is_empty()) else {
        return request;
    };
    if path.starts_with("/docs/") {
        return request;
    }
    let path_and_query = match uri.query() {
        Some(query) => format!("{shorter}?{query}"),
        None => shorter.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    if let Ok(path_and_query) = path_and_query.parse() {
        parts.path_and_query = Some(path_and_query);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}
