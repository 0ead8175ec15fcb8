//! Errors as answers: the one place where a use case's error becomes a status and a problem document.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use shared::problem::Problem;
use shared::reason::Reason;

use crate::service::ServiceError;

/// Retry after this many seconds, where nothing better is known.
const RETRY_AFTER_S: u64 = 1;

/// Why a request was not carried out: for what HTTP adds, or what a use case said.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// No JSON.
    MalformedBody(&'static str),
    /// A body of more than its bound.
    BodyTooLarge,
    /// A body of another type than this.
    UnsupportedMediaType(&'static str),
    /// From a use case.
    Service(ServiceError),
}

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        Self::Service(error)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self {
            Self::MalformedBody(detail) => answer(
                Problem::new(
                    "malformed-body",
                    StatusCode::BAD_REQUEST,
                    "The body cannot be read",
                )
                .with_detail(detail),
            ),
            Self::BodyTooLarge => answer(Problem::new(
                "body-too-large",
                StatusCode::PAYLOAD_TOO_LARGE,
                "The body is larger than this endpoint takes",
            )),
            Self::UnsupportedMediaType(wanted) => answer(
                Problem::new(
                    "unsupported-media-type",
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "The body's type is not taken",
                )
                .with_detail(format!("send `Content-Type: {wanted}`")),
            ),
            Self::Service(error) => from_service(&error),
        }
    }
}

/// No such path.
pub(super) fn not_found() -> Problem {
    Problem::new("not-found", StatusCode::NOT_FOUND, "There is nothing here")
}

/// A path, but not with this method.
pub(super) fn method_not_allowed() -> Problem {
    let title = "This method is not allowed here";
    Problem::new("method-not-allowed", StatusCode::METHOD_NOT_ALLOWED, title)
}

/// A defect, of which nothing is told.
pub(super) fn internal() -> Problem {
    Problem::new(
        "internal",
        StatusCode::INTERNAL_SERVER_ERROR,
        "Something is wrong on our side",
    )
}

/// A response that carries its problem along. The body is written where the request id is known.
pub(super) fn answer(problem: Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = status.into_response();
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.extensions_mut().insert(problem);
    response
}

fn from_service(error: &ServiceError) -> Response {
    let problem = problem_of(error);
    let mut response = answer(problem);
    let headers = response.headers_mut();
    match error {
        ServiceError::NotSignedIn
        | ServiceError::InvalidCredentials
        | ServiceError::InvalidRefreshToken
        | ServiceError::RefreshTokenReused => {
            // RFC 9110 section 15.5.2 wants a challenge with every 401.
            headers.insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"usher\""),
            );
        }
        ServiceError::InvalidToken(reason) => {
            headers.insert(WWW_AUTHENTICATE, challenge(*reason));
        }
        ServiceError::Forbidden => {
            // RFC 6750 section 3.1.
            let challenge = HeaderValue::from_static("Bearer realm=\"usher\", error=\"insufficient_scope\"");
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        ServiceError::TooManyRequests { retry_after } => {
            let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        ServiceError::Overloaded => {
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
        }
        ServiceError::Unavailable(source) => {
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
            tracing::warn!(error = source.as_ref() as &dyn std::error::Error, "unavailable");
        }
        ServiceError::Defect(source) => {
            tracing::error!(
                error = source.as_ref() as &dyn std::error::Error,
                "a request failed"
            );
        }
        ServiceError::CrossSite
        | ServiceError::AlreadySignedIn
        | ServiceError::LoginTaken
        | ServiceError::AccountDisabled
        | ServiceError::WrongPassword
        | ServiceError::RoleNameTaken
        | ServiceError::BuiltInRole
        | ServiceError::LabelInUse
        | ServiceError::LastSuperuser
        | ServiceError::NotFound
        | ServiceError::Invalid(_) => {}
    }
    response
}

/// RFC 6750 section 3.
fn challenge(reason: Reason) -> HeaderValue {
    let description = format!("{}: {}", reason.as_str(), reason.describe());
    let text =
        format!("Bearer realm=\"usher\", error=\"invalid_token\", error_description=\"{description}\"");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("Bearer"))
}

fn problem_of(error: &ServiceError) -> Problem {
    let problem = |kind, status, title| Problem::new(kind, status, title);
    match error {
        ServiceError::NotSignedIn => {
            problem("not-signed-in", StatusCode::UNAUTHORIZED, "Sign in first").with_reason(Reason::Missing)
        }
        ServiceError::InvalidToken(reason) => problem(
            "invalid-token",
            StatusCode::UNAUTHORIZED,
            "The credentials do not hold",
        )
        .with_detail(reason.describe())
        .with_reason(*reason),
        ServiceError::Forbidden => problem("forbidden", StatusCode::FORBIDDEN, "This is not yours to do"),
        ServiceError::CrossSite => problem(
            "cross-site",
            StatusCode::FORBIDDEN,
            "This must not come from another site",
        )
        .with_detail(Reason::CrossSite.describe())
        .with_reason(Reason::CrossSite),
        ServiceError::AlreadySignedIn => problem(
            "already-signed-in",
            StatusCode::FORBIDDEN,
            "You are signed in already",
        ),
        ServiceError::LoginTaken => problem("login-taken", StatusCode::CONFLICT, "The login is taken"),
        ServiceError::InvalidCredentials => problem(
            "invalid-credentials",
            StatusCode::UNAUTHORIZED,
            "Wrong login or password",
        ),
        ServiceError::AccountDisabled => problem(
            "account-disabled",
            StatusCode::FORBIDDEN,
            "The account is disabled",
        ),
        ServiceError::WrongPassword => problem(
            "wrong-password",
            StatusCode::FORBIDDEN,
            "The current password is wrong",
        ),
        ServiceError::InvalidRefreshToken => problem(
            "invalid-refresh-token",
            StatusCode::UNAUTHORIZED,
            "The refresh token does not hold",
        ),
        ServiceError::RefreshTokenReused => problem(
            "refresh-token-reused",
            StatusCode::UNAUTHORIZED,
            "The refresh token was used before; the session has been ended",
        ),
        ServiceError::RoleNameTaken => {
            problem("role-name-taken", StatusCode::CONFLICT, "The role name is taken")
        }
        ServiceError::BuiltInRole => problem(
            "built-in-role",
            StatusCode::CONFLICT,
            "A built-in role stays as it is",
        ),
        ServiceError::LabelInUse => problem("label-in-use", StatusCode::CONFLICT, "Films carry this label")
            .with_detail("with `?force=true` it is taken from them"),
        ServiceError::LastSuperuser => problem(
            "last-superuser",
            StatusCode::CONFLICT,
            "The last superuser must stay one",
        ),
        ServiceError::NotFound => not_found(),
        ServiceError::Invalid(errors) => {
            let title = "Some fields cannot be taken";
            Problem {
                errors: errors.clone(),
                ..problem("invalid", StatusCode::UNPROCESSABLE_ENTITY, title)
            }
        }
        ServiceError::TooManyRequests { .. } => problem(
            "too-many-requests",
            StatusCode::TOO_MANY_REQUESTS,
            "Too many attempts: wait a while",
        ),
        ServiceError::Overloaded => problem(
            "overloaded",
            StatusCode::SERVICE_UNAVAILABLE,
            "Too much at once: try again",
        ),
        ServiceError::Unavailable(_) => problem(
            "unavailable",
            StatusCode::SERVICE_UNAVAILABLE,
            "Out of order for a moment: try again",
        ),
        ServiceError::Defect(_) => internal(),
    }
}
