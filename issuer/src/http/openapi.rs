//! The OpenAPI document, and the page that shows it.

use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi, ToSchema};

use super::router;
use super::token::Transport;

/// An error (RFC 9457).
#[derive(Serialize, ToSchema)]
pub(super) struct Problem {
    /// What kind of problem: stable.
    #[serde(rename = "type")]
    #[schema(example = "/problems/login-taken")]
    type_: String,
    /// The kind in a few words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What is wrong this time.
    detail: Option<String>,
    /// Why credentials were refused: a stable word.
    reason: Option<String>,
    /// What to quote when asking for help.
    request_id: String,
    /// Of a 422: what is wrong with which field.
    errors: Option<Vec<FieldError>>,
}

/// A field that was refused.
#[derive(Serialize, ToSchema)]
pub(super) struct FieldError {
    /// The field's name.
    field: String,
    /// A stable word.
    code: String,
    /// A sentence for a person.
    message: String,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Usher issuer",
        description = "Registration, login, sessions and roles; access tokens as RFC 9068 JWTs that the verifiers \
                       judge without asking here."
    ),
    components(schemas(Problem, Transport)),
    modifiers(&Credentials),
    tags(
        (name = "account", description = "Registering, signing in, and one's own account"),
        (name = "roles", description = "Roles, and who has them"),
        (name = "discovery", description = "Keys and metadata"),
    )
)]
pub(super) struct Document;

struct Credentials;

impl Modify for Credentials {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let cookie = ApiKey::Cookie(ApiKeyValue::new("__Host-access_token"));
        components.add_security_scheme("cookie", SecurityScheme::ApiKey(cookie));
    }
}

/// The OpenAPI 3.1 document of the public API, as JSON.
pub fn document() -> String {
    let (_, document) = router::routes().split_for_parts();
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
pub(super) async fn docs() -> Redirect {
    Redirect::permanent("/docs/")
}

/// The page itself.
pub(super) async fn docs_index() -> Response {
    asset("index.html")
}

/// A part of the page.
pub(super) async fn docs_asset(Path(path): Path<String>) -> Response {
    asset(&path)
}

fn asset(path: &str) -> Response {
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
