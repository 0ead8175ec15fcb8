//! Who sends a request: the token of its header or cookie, and whether a cookie may be used from there.

use axum::extract::{FromRequestParts, Path};
use http::header::ORIGIN;
use http::request::Parts;
use http::{HeaderMap, Method};
use shared::credentials::{self, Credentials};
use uuid::Uuid;

use super::context::Client;
use super::respond::ApiError;
use super::{Api, Site};
use crate::service::{Caller, ServiceError};

/// Somebody whose credentials hold. Without any the request is refused.
pub(super) struct SignedIn(pub(super) Caller);

impl FromRequestParts<Api> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let origin = Client::of(parts, &api.site).origin;
        let token = presented(parts, &api.site)?;
        Ok(Self(api.service.authenticate(token, origin).await?))
    }
}

/// Somebody whose credentials hold and who has an account. A service, which has none, is refused.
pub(super) struct SignedInPerson(pub(super) Caller);

impl FromRequestParts<Api> for SignedInPerson {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let SignedIn(caller) = SignedIn::from_request_parts(parts, api).await?;
        if caller.is_service {
            return Err(ServiceError::Forbidden.into());
        }
        Ok(Self(caller))
    }
}

/// The token that a request presents, unjudged, from a place that may use it.
pub(super) struct PresentedToken(pub(super) String);

impl FromRequestParts<Api> for PresentedToken {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        Ok(Self(presented(parts, &api.site)?.to_owned()))
    }
}

fn presented<'a>(parts: &'a Parts, site: &Site) -> Result<&'a str, ServiceError> {
    let found = credentials::find(&parts.headers, &site.cookies.access_name)
        .map_err(|error| ServiceError::InvalidToken(error.reason()))?;
    match found {
        Credentials::None => Err(ServiceError::NotSignedIn),
        Credentials::Bearer(token) => Ok(token),
        Credentials::Cookie(token) => {
            check_site(&parts.method, &parts.headers, site)?;
            Ok(token)
        }
    }
}

/// A request that a cookie authenticates and that changes something must come from an allowed origin.
pub(super) fn check_site(method: &Method, headers: &HeaderMap, site: &Site) -> Result<(), ServiceError> {
    if method.is_safe() {
        return Ok(());
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let from_allowed_origin = text(ORIGIN.as_str()).is_some_and(|origin| site.allows_origin(origin));
    let from_same_origin = text("sec-fetch-site") == Some("same-origin");
    if from_allowed_origin || from_same_origin {
        Ok(())
    } else {
        Err(ServiceError::CrossSite)
    }
}

/// Whether a request comes with credentials that hold, for what only the anonymous may do. Broken ones count as none.
pub(super) async fn is_signed_in(parts: &Parts, api: &Api) -> Result<bool, ServiceError> {
    let found = credentials::find(&parts.headers, &api.site.cookies.access_name);
    let Ok(Credentials::Bearer(token) | Credentials::Cookie(token)) = found else {
        return Ok(false);
    };
    let origin = Client::of(parts, &api.site).origin;
    match api.service.authenticate(token, origin).await {
        Ok(_) => Ok(true),
        Err(ServiceError::InvalidToken(_)) => Ok(false),
        Err(other) => Err(other),
    }
}

/// An id in the path. What is no UUID in its usual spelling names nothing: 404.
pub(super) struct Id<T>(pub(super) T);

impl<T: From<Uuid>> FromRequestParts<Api> for Id<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let Path(text) = Path::<String>::from_request_parts(parts, api)
            .await
            .map_err(|_| ServiceError::NotFound)?;
        Ok(Self(id(&text)?))
    }
}

/// Two ids in the path.
pub(super) struct Ids<A, B>(pub(super) A, pub(super) B);

impl<A: From<Uuid>, B: From<Uuid>> FromRequestParts<Api> for Ids<A, B> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let Path((first, second)) = Path::<(String, String)>::from_request_parts(parts, api)
            .await
            .map_err(|_| ServiceError::NotFound)?;
        Ok(Self(id(&first)?, id(&second)?))
    }
}

/// Length of a UUID with its hyphens.
const UUID_CHARACTERS: usize = 36;

/// Reads an id. What is no UUID in its usual spelling names nothing.
pub(crate) fn id<T: From<Uuid>>(text: &str) -> Result<T, ServiceError> {
    let usual = text.len() == UUID_CHARACTERS;
    Uuid::try_parse(text)
        .ok()
        .filter(|_| usual)
        .map(T::from)
        .ok_or(ServiceError::NotFound)
}
