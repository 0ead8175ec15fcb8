//! What clients and services look up: keys and metadata.

use axum::Json as JsonBody;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use ring::digest;
use serde::Serialize;
use shared::encoding::base64url;
use shared::limits::JWKS_CACHEABLE_MAX;
use utoipa::ToSchema;

use super::Api;

/// How long a key set or metadata may be kept: a key is published for longer than this before it signs.
fn cacheable(api: &Api) -> HeaderValue {
    let max_age = JWKS_CACHEABLE_MAX.min(api.service.keys.policy().publish_ahead / 2);
    let text = format!("public, max-age={}", max_age.as_secs());
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("no-cache"))
}

/// RFC 8414 section 2: what there is of it.
#[derive(Serialize, ToSchema)]
#[schema(as = ServerMetadata)]
pub(super) struct Metadata {
    /// The `iss` of our tokens.
    issuer: String,
    /// Where the keys are.
    jwks_uri: String,
    /// Where clients get tokens.
    token_endpoint: String,
    /// Where services ask about tokens (RFC 7662).
    introspection_endpoint: String,
    /// Where tokens are revoked (RFC 7009).
    revocation_endpoint: String,
    /// None: there is no authorization endpoint.
    response_types_supported: Vec<&'static str>,
    /// How tokens are got.
    grant_types_supported: Vec<&'static str>,
    /// How a client says who it is; `none` for the site's own, which has no secret.
    token_endpoint_auth_methods_supported: Vec<&'static str>,
    /// The same for introspection.
    introspection_endpoint_auth_methods_supported: Vec<&'static str>,
    /// The same for revocation.
    revocation_endpoint_auth_methods_supported: Vec<&'static str>,
    /// Where people read about the API.
    service_documentation: String,
}

/// The keys that may verify a live token (RFC 7517), the next one included before it signs.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "discovery",
    responses((status = 200, content_type = "application/jwk-set+json"), (status = 304))
)]
pub(super) async fn jwks(State(api): State<Api>, headers: HeaderMap) -> Response {
    let jwks = api.service.keys.freshest().await.jwks().clone();
    key_set(jwks, &headers, cacheable(&api))
}

/// The keys that heartbeats of the revocation feed are signed with (RFC 7517, RFC 8037): Ed25519. No token is.
#[utoipa::path(
    get, path = "/.well-known/revocation-feed.json", tag = "discovery",
    responses((status = 200, content_type = "application/jwk-set+json"), (status = 304))
)]
pub(super) async fn revocation_feed(State(api): State<Api>, headers: HeaderMap) -> Response {
    key_set(api.service.feed_keys.clone(), &headers, cacheable(&api))
}

/// A key set, unless it is known already.
fn key_set(jwks: Bytes, headers: &HeaderMap, cacheable: HeaderValue) -> Response {
    let digest = digest::digest(&digest::SHA256, &jwks);
    let tag = format!("\"{}\"", base64url(digest.as_ref()));
    let known = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let names_it = |known: &str| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag;
    let mut response = if known
        .flat_map(|tags| tags.split(','))
        .map(str::trim)
        .any(names_it)
    {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let media_type = HeaderValue::from_static("application/jwk-set+json");
        ([(CONTENT_TYPE, media_type)], jwks).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, cacheable);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    response
}

/// Metadata of the authorization server (RFC 8414).
#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server", tag = "discovery",
    responses((status = 200, body = Metadata))
)]
pub(super) async fn metadata(State(api): State<Api>) -> Response {
    answer(&api)
}

/// The same document, for clients that only look here.
#[utoipa::path(
    get, path = "/.well-known/openid-configuration", tag = "discovery",
    responses((status = 200, body = Metadata))
)]
pub(super) async fn openid_configuration(State(api): State<Api>) -> Response {
    answer(&api)
}

fn answer(api: &Api) -> Response {
    let issuer = api.service.policy.claims.issuer.to_string();
    let below = |path: &str| format!("{}{path}", issuer.trim_end_matches('/'));
    let by_secret = || vec!["client_secret_basic", "client_secret_post"];
    let by_secret_or_none = || [by_secret(), vec!["none"]].concat();
    let metadata = Metadata {
        jwks_uri: below("/.well-known/jwks.json"),
        token_endpoint: below("/oauth2/token"),
        introspection_endpoint: below("/oauth2/introspect"),
        revocation_endpoint: below("/oauth2/revoke"),
        response_types_supported: Vec::new(),
        grant_types_supported: vec!["client_credentials", "refresh_token"],
        token_endpoint_auth_methods_supported: by_secret_or_none(),
        introspection_endpoint_auth_methods_supported: by_secret(),
        revocation_endpoint_auth_methods_supported: by_secret_or_none(),
        service_documentation: below("/docs/"),
        issuer,
    };
    ([(CACHE_CONTROL, cacheable(api))], JsonBody(metadata)).into_response()
}
