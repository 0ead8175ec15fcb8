//! What is known of whoever asks for a page.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::header::{LOCATION, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use shared::credentials;
use shared::reason::Reason;

use super::form_token::FormToken;
use super::language::Language;
use super::text::Text;
use crate::http::{Api, ApiError, Client};
use crate::service::{Caller, ServiceError};

/// A request for a page: in which language, from which address, and what the forms on the page carry.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    /// The language of the answer.
    pub(super) language: Language,
    /// Path and query.
    pub(super) address: String,
    /// What a form must carry to be taken.
    pub(super) form_token: FormToken,
}

impl Visit {
    /// Reads the request.
    pub(super) fn of(headers: &HeaderMap, uri: &http::Uri) -> Self {
        let address = uri.path_and_query().map_or("/", |address| address.as_str());
        Self {
            language: Language::of(headers),
            address: address.to_owned(),
            form_token: FormToken::of(headers),
        }
    }

    /// The texts in its language.
    pub(super) fn text(&self) -> &'static Text {
        self.language.text()
    }

    /// The path alone.
    pub(super) fn path(&self) -> &str {
        self.address.split('?').next().unwrap_or_default()
    }

    /// A parameter of the query. One that stands twice says nothing.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.address.split_once('?')?;
        let mut named = url::form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
        let (_, value) = named.next()?;
        (named.next().is_none() && !value.is_empty()).then(|| value.into_owned())
    }

    /// A parameter that counts as left out where it is absent or empty.
    pub(super) fn query_or_empty(&self, name: &str) -> String {
        self.query(name).unwrap_or_default()
    }
}

impl FromRequestParts<Api> for Visit {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, ApiError> {
        // Whoever surrounds the pages has read it already.
        let visit = parts.extensions.get::<Self>().cloned();
        Ok(visit.unwrap_or_else(|| Self::of(&parts.headers, &parts.uri)))
    }
}

/// Somebody who has an account and is signed in by cookie. An `Authorization` header is not looked at: it is for programs.
#[derive(Debug)]
pub(super) struct Member {
    /// The request.
    pub(super) visit: Visit,
    /// Who asks.
    pub(super) caller: Caller,
    /// Their login.
    pub(super) login: String,
    /// From where.
    pub(super) client: Client,
}

impl FromRequestParts<Api> for Member {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let visit = Visit::from_request_parts(parts, api).await?;
        let client = Client::of(parts, &api.site);
        let token = access_token(&parts.headers, api)?;
        let caller = api.service.authenticate(token, client.origin.clone()).await?;
        if caller.is_service {
            return Err(ServiceError::Forbidden.into());
        }
        let login = api.service.user(&caller, caller.subject).await?.login;
        Ok(Self {
            visit,
            caller,
            login,
            client,
        })
    }
}

/// The token of the access cookie, unjudged.
pub(super) fn access_token<'a>(headers: &'a HeaderMap, api: &Api) -> Result<&'a str, ServiceError> {
    credentials::cookie(headers, &api.site.cookies.access_name)
        .map_err(|error| ServiceError::InvalidToken(error.reason()))?
        .ok_or(ServiceError::NotSignedIn)
}

/// Whether somebody is signed in. Credentials that do not hold count as none.
pub(super) async fn is_member(parts: &mut Parts, api: &Api) -> Result<bool, ApiError> {
    match Member::from_request_parts(parts, api).await {
        Ok(_) => Ok(true),
        Err(error) if needs_sign_in(&error) => Ok(false),
        Err(ApiError::Service(ServiceError::InvalidToken(_))) => Ok(false),
        Err(other) => Err(other),
    }
}

/// Whether fresh cookies, or a sign-in, would help. Two cookies of one name would be there still.
pub(super) fn needs_sign_in(error: &ApiError) -> bool {
    match error {
        ApiError::Service(ServiceError::NotSignedIn) => true,
        ApiError::Service(ServiceError::InvalidToken(reason)) => *reason != Reason::AmbiguousCredentials,
        _ => false,
    }
}

/// To another page, with `GET` (RFC 9110 section 15.4.4).
pub(super) fn see_other(address: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(address) = HeaderValue::from_str(address) {
        response.headers_mut().insert(LOCATION, address);
    }
    response
}

/// Adds a cookie to an answer.
pub(super) fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(mut cookie) = HeaderValue::from_str(cookie) {
        cookie.set_sensitive(true);
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}
