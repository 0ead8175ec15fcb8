//! Errors of OAuth (RFC 6749 section 5.2).

use axum::Json as JsonBody;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, StatusCode};
use serde::Serialize;
use shared::problem::Problem;
use utoipa::ToSchema;

use crate::http::respond::ApiError;
use crate::service::ServiceError;

/// An error (RFC 6749 section 5.2).
#[derive(Serialize, ToSchema)]
#[schema(as = OauthError)]
pub(in crate::http) struct ErrorBody {
    /// What kind of error: stable.
    #[schema(example = "invalid_client")]
    error: &'static str,
    /// A sentence for a developer.
    error_description: String,
}

/// Why a request of a client was not carried out.
#[derive(Debug)]
pub(in crate::http) enum OauthError {
    /// Not as the standard has it.
    InvalidRequest(&'static str),
    /// This parameter is missing.
    MissingParameter(&'static str),
    /// Not who it says.
    InvalidClient,
    /// The refresh token does not hold.
    InvalidGrant(&'static str),
    /// Not for this client.
    UnauthorizedClient(&'static str),
    /// No such grant.
    UnsupportedGrantType,
    /// No such scope: there are none.
    InvalidScope,
    /// Nothing that can be revoked here.
    UnsupportedTokenType(&'static str),
    /// What can happen to any request.
    Any(ApiError),
}

impl From<ApiError> for OauthError {
    fn from(error: ApiError) -> Self {
        Self::Any(error)
    }
}

impl From<ServiceError> for OauthError {
    fn from(error: ServiceError) -> Self {
        Self::Any(error.into())
    }
}

impl IntoResponse for OauthError {
    fn into_response(self) -> Response {
        let bad = |error, description: &str| answer(StatusCode::BAD_REQUEST, error, description);
        match self {
            Self::InvalidRequest(problem) => bad("invalid_request", problem),
            Self::MissingParameter(name) => {
                bad("invalid_request", &format!("the parameter {name} is missing"))
            }
            Self::InvalidClient => {
                let description = "no such client, a wrong secret, or a client that may not do this";
                let mut response = answer(StatusCode::UNAUTHORIZED, "invalid_client", description);
                let challenge = HeaderValue::from_static("Basic realm=\"usher\", charset=\"UTF-8\"");
                response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
                response
            }
            Self::InvalidGrant(problem) => bad("invalid_grant", problem),
            Self::UnauthorizedClient(problem) => bad("unauthorized_client", problem),
            Self::UnsupportedGrantType => bad(
                "unsupported_grant_type",
                "refresh_token and client_credentials are the grants that there are",
            ),
            Self::InvalidScope => bad(
                "invalid_scope",
                "there are no scopes: what a client may do is said by its roles",
            ),
            Self::UnsupportedTokenType(problem) => bad("unsupported_token_type", problem),
            // Its problem document becomes an error of OAuth on the way out.
            Self::Any(error) => error.into_response(),
        }
    }
}

fn answer(status: StatusCode, error: &'static str, description: &str) -> Response {
    let body = ErrorBody {
        error,
        error_description: description.to_owned(),
    };
    (status, JsonBody(body)).into_response()
}

/// Says in OAuth's words what a problem document would.
pub(in crate::http) fn write_error(response: &mut Response, problem: Problem, method: &Method) {
    let error = match problem.status {
        429 | 503 => "temporarily_unavailable",
        500 => "server_error",
        _ => "invalid_request",
    };
    let body = ErrorBody {
        error,
        error_description: problem.detail.unwrap_or(problem.title),
    };
    // A struct of texts always serialises.
    let json = serde_json::to_vec(&body).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.remove(CONTENT_LENGTH);
    if method != Method::HEAD {
        *response.body_mut() = json.into();
    }
}
