//! Signing in, refreshing, and signing out.

use axum::Json as JsonBody;
use axum::extract::{FromRequest, Query, Request, State};
use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use shared::credentials;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Api;
use super::body::{Fields, FromFields, Json, OptionalJson};
use super::caller::{PresentedToken, check_site, is_signed_in};
use super::context::Client;
use super::page::query;
use super::respond::ApiError;
use super::schema::Problem;
use crate::service::{Credentials, ServiceError, TokenPair};

/// A login and a password.
#[derive(ToSchema)]
#[schema(as = Credentials)]
pub(super) struct CredentialsBody {
    /// 3 to 64 characters after RFC 8265 folding.
    #[schema(example = "neo")]
    login: String,
    /// 8 to 256 characters.
    #[schema(value_type = String, format = Password, example = "follow the white rabbit")]
    password: SecretString,
}

impl FromFields for CredentialsBody {
    fn from_fields(fields: &mut Fields) -> Self {
        Self {
            login: fields.text("login"),
            password: fields.secret("password"),
        }
    }
}

impl From<CredentialsBody> for Credentials {
    fn from(body: CredentialsBody) -> Self {
        Self {
            login: body.login,
            password: body.password,
        }
    }
}

/// A refresh token.
#[derive(ToSchema)]
#[schema(as = Refresh)]
pub(super) struct RefreshBody {
    /// The newest refresh token of the session.
    #[schema(value_type = String)]
    refresh_token: SecretString,
}

impl FromFields for RefreshBody {
    fn from_fields(fields: &mut Fields) -> Self {
        Self {
            refresh_token: fields.secret("refresh_token"),
        }
    }
}

/// An access token and a refresh token. The tokens are left out where they are set as cookies.
#[derive(Serialize, ToSchema)]
#[schema(as = TokenPair)]
pub(super) struct TokenPairBody {
    /// An RFC 9068 JWT.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds that the access token lives.
    #[schema(example = 900)]
    expires_in: u64,
    /// Opaque; good for one exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// Seconds that the refresh token lives.
    refresh_expires_in: u64,
    /// Whose they are.
    user_id: Uuid,
}

/// How tokens travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Transport {
    /// In the body.
    Body,
    /// As `HttpOnly` cookies.
    Cookie,
}

/// How the tokens of the answer travel.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TransportQuery {
    /// `cookie`: the tokens are set as cookies and left out of the body.
    #[param(value_type = Option<Transport>)]
    transport: Option<String>,
}

impl TransportQuery {
    fn read(&self) -> Result<Option<Transport>, ServiceError> {
        match self.transport.as_deref() {
            None => Ok(None),
            Some("body") => Ok(Some(Transport::Body)),
            Some("cookie") => Ok(Some(Transport::Cookie)),
            Some(_) => Err(ServiceError::field(
                "transport",
                "invalid",
                "`body` or `cookie` is expected",
            )),
        }
    }
}

fn answer(api: &Api, status: StatusCode, pair: &TokenPair, transport: Transport) -> Response {
    let in_body =
        |token: &SecretString| (transport == Transport::Body).then(|| token.expose_secret().to_owned());
    let body = TokenPairBody {
        access_token: in_body(&pair.access_token),
        token_type: "Bearer",
        expires_in: pair.expires_in.as_secs(),
        refresh_token: in_body(&pair.refresh_token),
        refresh_expires_in: pair.refresh_expires_in.as_secs(),
        user_id: pair.user_id.0,
    };
    let mut response = (status, JsonBody(body)).into_response();
    if transport == Transport::Cookie {
        api.site.cookies.set_on(response.headers_mut(), pair);
    }
    response
}

/// Register, and be signed in.
#[utoipa::path(
    post, path = "/api/v1/user", tag = "account", params(TransportQuery), request_body = CredentialsBody,
    responses(
        (status = 201, body = TokenPairBody, headers(("Location", description = "The new user"))),
        (status = 403, body = Problem, description = "`already-signed-in`"),
        (status = 409, body = Problem, description = "`login-taken`"),
        (status = 422, body = Problem), (status = 429, body = Problem),
    )
)]
pub(super) async fn register(
    State(api): State<Api>,
    client: Client,
    request: Request,
) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    if is_signed_in(&parts, &api).await? {
        return Err(ServiceError::AlreadySignedIn.into());
    }
    let transport = query::<TransportQuery, _>(&mut parts, &api).await?.read()?;
    let Json(credentials) =
        Json::<CredentialsBody>::from_request(Request::from_parts(parts, body), &api).await?;
    let pair = api
        .service
        .register(&credentials.into(), client.counted_as(), &client.origin)
        .await?;
    let mut response = answer(
        &api,
        StatusCode::CREATED,
        &pair,
        transport.unwrap_or(Transport::Body),
    );
    if let Ok(location) = HeaderValue::from_str(&format!("/api/v1/user/{}", pair.user_id)) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// Log in.
#[utoipa::path(
    post, path = "/api/v1/user/login", tag = "account", params(TransportQuery), request_body = CredentialsBody,
    responses(
        (status = 200, body = TokenPairBody),
        (status = 401, body = Problem, description = "`invalid-credentials`"),
        (status = 403, body = Problem, description = "`account-disabled`, after a right password only"),
        (status = 422, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
    )
)]
pub(super) async fn login(
    State(api): State<Api>,
    client: Client,
    request: Request,
) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    let transport = query::<TransportQuery, _>(&mut parts, &api).await?.read()?;
    let Json(credentials) =
        Json::<CredentialsBody>::from_request(Request::from_parts(parts, body), &api).await?;
    let pair = api
        .service
        .login(&credentials.into(), client.counted_as(), &client.origin)
        .await?;
    Ok(answer(
        &api,
        StatusCode::OK,
        &pair,
        transport.unwrap_or(Transport::Body),
    ))
}

/// Exchange a refresh token, given in the body or as the refresh cookie, for a new pair.
#[utoipa::path(
    post, path = "/api/v1/token/refresh", tag = "account", params(TransportQuery), request_body = Option<RefreshBody>,
    responses(
        (status = 200, body = TokenPairBody),
        (status = 401, body = Problem, description = "`invalid-refresh-token`, or `refresh-token-reused`: the session has been ended"),
        (status = 403, body = Problem, description = "`cross-site`"),
        (status = 422, body = Problem),
    )
)]
pub(super) async fn refresh(
    State(api): State<Api>,
    client: Client,
    request: Request,
) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    let transport = query::<TransportQuery, _>(&mut parts, &api).await?.read()?;
    let cookie = credentials::cookie(&parts.headers, &api.site.cookies.refresh_name)
        .map(|cookie| cookie.map(SecretString::from));
    let site = check_site(&parts.method, &parts.headers, &api.site);
    let OptionalJson(body) =
        OptionalJson::<RefreshBody>::from_request(Request::from_parts(parts, body), &api).await?;
    let (token, came_by) = if let Some(body) = body {
        (body.refresh_token, Transport::Body)
    } else {
        let token = cookie.map_err(|error| ServiceError::InvalidToken(error.reason()))?;
        let token = token.ok_or(ServiceError::InvalidRefreshToken)?;
        site?;
        (token, Transport::Cookie)
    };
    let pair = api.service.refresh(&token, &client.origin).await?;
    Ok(answer(&api, StatusCode::OK, &pair, transport.unwrap_or(came_by)))
}

/// Which sessions to end.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LogoutQuery {
    /// `true`: every session of the user.
    #[param(value_type = Option<bool>)]
    all: Option<String>,
}

/// Log out. A token that has expired, is stale or was revoked will do.
#[utoipa::path(
    post, path = "/api/v1/user/logout", tag = "account", params(LogoutQuery),
    security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 204, description = "This session's tokens stop working at every edge"),
        (status = 401, body = Problem, description = "`not-signed-in`, `invalid-token`"),
        (status = 403, body = Problem, description = "`cross-site`"),
        (status = 422, body = Problem),
    )
)]
pub(super) async fn logout(
    State(api): State<Api>,
    client: Client,
    PresentedToken(token): PresentedToken,
    request: Request,
) -> Result<Response, ApiError> {
    let (mut parts, _) = request.into_parts();
    let all = match query::<LogoutQuery, _>(&mut parts, &api).await?.all.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(ServiceError::field("all", "invalid", "`true` or `false` is expected").into()),
    };
    api.service.logout(&token, all, &client.origin).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    api.site.cookies.delete_on(response.headers_mut());
    Ok(response)
}

/// Where to go on afterwards.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ContinueQuery {
    /// An address on an allowed host, or a path on ours.
    return_to: Option<String>,
}

/// Renew a browser's session by its refresh cookie and send it back where it came from, or to the login page.
#[utoipa::path(
    get, path = "/api/v1/token/continue", tag = "account", params(ContinueQuery),
    responses((status = 303, description = "To `return_to` with fresh cookies, or to the login page"))
)]
pub(super) async fn continue_to(
    State(api): State<Api>,
    client: Client,
    request: Request,
) -> Result<Response, ApiError> {
    let (mut parts, _) = request.into_parts();
    // A browser stands here, not a program: a query that cannot be read leads to the login page as well.
    let asked = query::<ContinueQuery, _>(&mut parts, &api).await;
    let return_to = asked.ok().and_then(|Query(asked)| asked.return_to);
    let return_to = return_to.and_then(|address| api.site.return_address(&address));
    let cookie = credentials::cookie(&parts.headers, &api.site.cookies.refresh_name)
        .ok()
        .flatten();
    let refreshed = match (&return_to, cookie) {
        (Some(_), Some(token)) => api.service.refresh(&token.into(), &client.origin).await,
        _ => Err(ServiceError::InvalidRefreshToken),
    };
    let target = match (&refreshed, return_to) {
        (Ok(_), Some(address)) => address,
        (Err(ServiceError::Unavailable(_) | ServiceError::Defect(_) | ServiceError::Overloaded), _) => {
            return refreshed
                .map(|_| StatusCode::NO_CONTENT.into_response())
                .map_err(Into::into);
        }
        (_, return_to) => api.site.login_address(return_to.as_deref()),
    };
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    headers.insert(
        LOCATION,
        HeaderValue::from_str(&target).map_err(|_| ServiceError::NotFound)?,
    );
    if let Ok(pair) = &refreshed {
        api.site.cookies.set_on(headers, pair);
    }
    Ok(response)
}
