//! The OpenAPI document, and the page that shows it.

use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};

use super::openapi::complete;
use super::routes::routes;

/// The OpenAPI 3.1 document of the public API, as JSON.
pub fn document() -> String {
    let (_, mut document) = routes().split_for_parts();
    complete(&mut document);
    // A tree of texts and numbers always serialises.
    document.to_pretty_json().unwrap_or_default()
}

/// The document.
pub(super) async fn json() -> Response {
    (
        [(CONTENT_TYPE, HeaderValue::from_static("application/json"))],
        document(),
    )
        .into_response()
}

/// To the page, whose parts lie below a slash.
pub(super) async fn redirect() -> Redirect {
    Redirect::permanent("/docs/")
}

/// The page itself.
pub(super) async fn index() -> Response {
    file("index.html")
}

/// A part of the page.
pub(super) async fn asset(Path(path): Path<String>) -> Response {
    file(&path)
}

fn file(path: &str) -> Response {
    let config = utoipa_swagger_ui::Config::from("/api/openapi.json").validator_url("none");
    match utoipa_swagger_ui::serve(path, config.into()) {
        Ok(Some(file)) => {
            let media_type = HeaderValue::from_str(&file.content_type);
            let mut response = file.bytes.into_owned().into_response();
            let headers = response.headers_mut();
            if let Ok(media_type) = media_type {
                headers.insert(CONTENT_TYPE, media_type);
            }
            // The page styles itself inline; nothing comes from anywhere else.
            let policy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                          frame-ancestors 'none'; base-uri 'none'; form-action 'self'";
            headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
            response
        }
        Ok(None) | Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}
