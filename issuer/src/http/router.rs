//! The routes, and what surrounds them.

use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use axum::{Router, middleware};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::openapi::Document;
use super::respond::{self, internal};
use super::{Api, account, context, discovery, openapi, role, session, token};

/// Every documented route.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(token::register, account::users))
        .routes(routes!(token::login))
        .routes(routes!(token::logout))
        .routes(routes!(token::refresh))
        .routes(routes!(token::continue_to))
        .routes(routes!(account::me, account::change_me, account::delete_me))
        .routes(routes!(account::user, account::change_user, account::delete_user))
        .routes(routes!(account::disable))
        .routes(routes!(account::enable))
        .routes(routes!(account::set_superuser))
        .routes(routes!(account::own_history))
        .routes(routes!(account::history))
        .routes(routes!(session::sessions))
        .routes(routes!(session::end_session))
        .routes(routes!(role::create, role::list))
        .routes(routes!(role::see, role::change, role::delete))
        .routes(routes!(role::of_user))
        .routes(routes!(role::grant, role::revoke))
        .routes(routes!(discovery::jwks))
        .routes(routes!(discovery::metadata))
        .routes(routes!(discovery::openid_configuration))
}

/// The service of the public listener.
pub fn router(api: Api, metrics: Arc<HttpMetrics>) -> Router {
    let (documented, _) = routes().split_for_parts();
    let inner = documented
        .route("/api/openapi.json", axum::routing::get(openapi::json))
        .route("/docs", axum::routing::get(openapi::docs))
        .route("/docs/", axum::routing::get(openapi::docs_index))
        .route("/docs/{*path}", axum::routing::get(openapi::docs_asset))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(cors(&api))
        .layer(middleware::from_fn_with_state(
            (api.clone(), metrics),
            context::around,
        ))
        .with_state(api);
    // Outside the routes, so that the path is put right before one is looked for.
    Router::new().fallback_service(tower::ServiceExt::map_request(
        inner,
        context::without_trailing_slash,
    ))
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    // The panic's own message went to the log through the panic hook.
    respond::answer(internal()).into_response()
}

/// Other origins may read answers where the operator allows them (Fetch standard), credentials included.
fn cors(api: &Api) -> CorsLayer {
    let origins: Vec<HeaderValue> = api
        .site
        .allowed_origins
        .iter()
        .filter_map(|origin| origin.parse().ok())
        .collect();
    if origins.is_empty() {
        return CorsLayer::new();
    }
    CorsLayer::new()
        .allow_origin(origins)
        .allow_credentials(true)
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers([http::header::AUTHORIZATION, http::header::CONTENT_TYPE])
        .expose_headers([http::header::LOCATION, HeaderName::from_static("x-request-id")])
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabel {
    route: String,
}

/// Requests by route, for Prometheus.
#[derive(Debug)]
pub struct HttpMetrics {
    requests: Family<Labels, Counter>,
    duration: Family<RouteLabel, Histogram, fn() -> Histogram>,
}

fn duration_histogram() -> Histogram {
    // From 1 ms to 8 s: a login takes tens of milliseconds, everything else a few.
    Histogram::new(exponential_buckets(0.001, 2.0, 14))
}

impl HttpMetrics {
    /// Metrics that a registry will show.
    pub fn register(registry: &mut Registry) -> Arc<Self> {
        let metrics = Self {
            requests: Family::default(),
            duration: Family::new_with_constructor(duration_histogram),
        };
        registry.register(
            "issuer_http_requests",
            "Requests answered",
            metrics.requests.clone(),
        );
        registry.register(
            "issuer_http_request_duration_seconds",
            "From a request's header block to its answer's",
            metrics.duration.clone(),
        );
        Arc::new(metrics)
    }

    pub(super) fn count(&self, method: &Method, route: Option<&str>, status: StatusCode, took: Duration) {
        // Paths that are no route are one label, or anybody could make any number of them; so are odd methods.
        let route = route.unwrap_or("none").to_owned();
        let method = if method.as_str().len() <= 7 && STANDARD_METHODS.contains(method) {
            method.as_str().to_owned()
        } else {
            "other".to_owned()
        };
        self.duration
            .get_or_create(&RouteLabel { route: route.clone() })
            .observe(took.as_secs_f64());
        self.requests
            .get_or_create(&Labels {
                method,
                route,
                status: status.as_u16(),
            })
            .inc();
    }
}

const STANDARD_METHODS: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
];
