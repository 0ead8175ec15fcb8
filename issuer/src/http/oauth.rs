//! The standard endpoints for clients: tokens (RFC 6749), introspection (RFC 7662) and revocation (RFC 7009).

mod client;
mod error;
mod form;
mod introspection;

use axum::Json as JsonBody;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;

pub(super) use error::{ErrorBody, OauthError, write_error};
pub(super) use form::Form;

use super::Api;
use super::context::Client;
use crate::service::{OauthClient, RevokeError, ServiceError};
use client::authenticated;
use introspection::IntrospectionBody;

/// Below this path errors are OAuth's.
pub(super) const PATH: &str = "/oauth2/";

/// A request for tokens. The client's credentials may stand here or in an `Authorization: Basic` header.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its description is used")]
pub(super) struct TokenRequest {
    /// `client_credentials` for services; `refresh_token` for people, through the client `web`.
    #[schema(example = "client_credentials")]
    grant_type: String,
    /// The newest refresh token of the session, for that grant.
    refresh_token: Option<String>,
    /// The client's name.
    client_id: Option<String>,
    /// The client's secret.
    #[schema(format = Password)]
    client_secret: Option<String>,
}

/// A request about a token.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its description is used")]
pub(super) struct AboutToken {
    /// An access token or a refresh token.
    token: String,
    /// `access_token` or `refresh_token`. Not needed: which it is can be seen.
    token_type_hint: Option<String>,
    /// The client's name.
    client_id: Option<String>,
    /// The client's secret.
    #[schema(format = Password)]
    client_secret: Option<String>,
}

/// Tokens (RFC 6749 section 5.1).
#[derive(Serialize, ToSchema)]
#[schema(as = OauthTokens)]
pub(super) struct TokensBody {
    /// An RFC 9068 JWT.
    access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds that the access token lives.
    #[schema(example = 900)]
    expires_in: u64,
    /// Good for one exchange; a service has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
}

/// Get tokens: a service in its own name, or a person's next pair for a refresh token.
#[utoipa::path(
    post, path = "/oauth2/token", tag = "oauth", security(("client" = [])),
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = TokensBody),
        (status = 400, body = ErrorBody, description = "`invalid_request`, `invalid_grant`, `invalid_scope`, `unauthorized_client`, `unsupported_grant_type`"),
        (status = 401, body = ErrorBody, description = "`invalid_client`"),
        (status = 429, body = ErrorBody, description = "Too many wrong secrets from this address"),
    )
)]
pub(super) async fn token(
    State(api): State<Api>,
    from: Client,
    headers: HeaderMap,
    mut form: Form,
) -> Result<JsonBody<TokensBody>, OauthError> {
    let client = authenticated(&api, &from, &headers, &mut form).await?;
    let grant = form.needed("grant_type")?;
    let scope = form.take("scope");
    let tokens = match (grant.as_str(), &client) {
        ("refresh_token" | "client_credentials", _) if scope.is_some() => {
            return Err(OauthError::InvalidScope);
        }
        ("refresh_token", OauthClient::Web) => {
            let presented = form.secret("refresh_token")?;
            let pair = api
                .service
                .refresh(&presented, &from.origin)
                .await
                .map_err(grant_error)?;
            TokensBody {
                access_token: pair.access_token.expose_secret().to_owned(),
                token_type: "Bearer",
                expires_in: pair.expires_in.as_secs(),
                refresh_token: Some(pair.refresh_token.expose_secret().to_owned()),
            }
        }
        ("client_credentials", OauthClient::Service(service)) => {
            let token = api.service.service_token(service).await?;
            let token = token.ok_or(OauthError::InvalidClient)?;
            TokensBody {
                access_token: token.access_token.expose_secret().to_owned(),
                token_type: "Bearer",
                expires_in: token.expires_in.as_secs(),
                refresh_token: None,
            }
        }
        ("refresh_token", OauthClient::Service(_)) => {
            return Err(OauthError::UnauthorizedClient("a service has no refresh tokens"));
        }
        ("client_credentials", OauthClient::Web) => {
            return Err(OauthError::UnauthorizedClient(
                "this client has no secret, and no tokens of its own",
            ));
        }
        _ => return Err(OauthError::UnsupportedGrantType),
    };
    Ok(JsonBody(tokens))
}

/// What became of a refresh token, in OAuth's words.
fn grant_error(error: ServiceError) -> OauthError {
    match error {
        ServiceError::InvalidRefreshToken => OauthError::InvalidGrant("the refresh token does not hold"),
        ServiceError::RefreshTokenReused => {
            OauthError::InvalidGrant("the refresh token was used before; the session has been ended")
        }
        other => other.into(),
    }
}

/// What is so of a token, for services: whether this issuer would take it now, and what it says.
#[utoipa::path(
    post, path = "/oauth2/introspect", tag = "oauth", security(("client" = [])),
    request_body(content = AboutToken, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = IntrospectionBody),
        (status = 400, body = ErrorBody, description = "`invalid_request`"),
        (status = 401, body = ErrorBody, description = "`invalid_client`, also for `web`, which has no secret"),
        (status = 429, body = ErrorBody, description = "Too many wrong secrets from this address"),
    )
)]
pub(super) async fn introspect(
    State(api): State<Api>,
    from: Client,
    headers: HeaderMap,
    mut form: Form,
) -> Result<JsonBody<IntrospectionBody>, OauthError> {
    let client = authenticated(&api, &from, &headers, &mut form).await?;
    if matches!(client, OauthClient::Web) {
        return Err(OauthError::InvalidClient);
    }
    let token = form.secret("token")?;
    let found = api.service.introspect(&token).await?;
    Ok(JsonBody(IntrospectionBody::of(
        found,
        &api.service.policy.claims.issuer,
    )))
}

/// Revoke a token of the client's own at every edge: `web` a person's session by either of its tokens, a service its access
/// token. A token that holds no more is no error.
#[utoipa::path(
    post, path = "/oauth2/revoke", tag = "oauth", security(("client" = [])),
    request_body(content = AboutToken, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The token does not hold any more"),
        (status = 400, body = ErrorBody, description = "`invalid_request`, `unauthorized_client` for another client's token, `unsupported_token_type`"),
        (status = 401, body = ErrorBody, description = "`invalid_client`"),
        (status = 429, body = ErrorBody, description = "Too many wrong secrets from this address"),
    )
)]
pub(super) async fn revoke(
    State(api): State<Api>,
    from: Client,
    headers: HeaderMap,
    mut form: Form,
) -> Result<StatusCode, OauthError> {
    let client = authenticated(&api, &from, &headers, &mut form).await?;
    let token = form.secret("token")?;
    match api.service.revoke_token(&client, &token, &from.origin).await {
        Ok(()) => Ok(StatusCode::OK),
        Err(RevokeError::NotYours) => Err(OauthError::UnauthorizedClient("the token is another client's")),
        Err(RevokeError::UnsupportedKind) => Err(OauthError::UnsupportedTokenType(
            "this is a client's secret: an operator rotates it",
        )),
        Err(RevokeError::Service(error)) => Err(error.into()),
    }
}
