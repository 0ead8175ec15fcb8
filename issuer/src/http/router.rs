//! The service of the public listener: the routes, and what surrounds them.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use axum::{Router, middleware};
use http::{HeaderName, HeaderValue, Method};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;

use super::metrics::HttpMetrics;
use super::respond::{self, internal};
use super::routes::routes;
use super::{Api, context, docs};

/// The service of the public listener. `pages` are what people see beside the API; no other origin may read them.
pub fn router(api: Api, pages: Router<Api>, metrics: Arc<HttpMetrics>) -> Router {
    let (documented, _) = routes().split_for_parts();
    let documented = documented
        .route("/api/openapi.json", axum::routing::get(docs::json))
        .route("/docs", axum::routing::get(docs::redirect))
        .route("/docs/", axum::routing::get(docs::index))
        .route("/docs/{*path}", axum::routing::get(docs::asset))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(cors(&api));
    // Of two routers, what the later one says to a path that neither has is said.
    let inner = pages
        .layer(CatchPanicLayer::custom(panicked))
        .merge(documented)
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
