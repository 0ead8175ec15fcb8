//! Forms that people send: taken only from pages of ours.

use axum::extract::{FromRequest, FromRequestParts, Request};
use http::header::ORIGIN;
use http::{HeaderMap, HeaderValue};
use secrecy::SecretString;

use super::visit::Visit;
use crate::http::{Api, ApiError, Site, read, says};
use crate::service::ServiceError;

/// The type of bodies.
const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

/// The field that carries the form's token.
pub(super) const TOKEN_FIELD: &str = "form_token";

/// The fields of a form.
pub(super) struct Form(Vec<(String, String)>);

impl FromRequest<Api> for Form {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        check_site(request.headers(), &api.site)?;
        if !says(&request, MEDIA_TYPE) {
            return Err(ApiError::UnsupportedMediaType(MEDIA_TYPE));
        }
        let (mut parts, body) = request.into_parts();
        let visit = Visit::from_request_parts(&mut parts, api).await?;
        let bytes = read(body).await?;
        let form = Self(url::form_urlencoded::parse(&bytes).into_owned().collect());
        if visit.form_token.matches(&form.text(TOKEN_FIELD)) {
            Ok(form)
        } else {
            Err(ServiceError::CrossSite.into())
        }
    }
}

/// A form comes from a page of ours: by what the browser says of the site, else by the origin. Other origins that may call the
/// API have pages of their own.
fn check_site(headers: &HeaderMap, site: &Site) -> Result<(), ServiceError> {
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let is_ours = if let Some(fetched_from) = headers.get("sec-fetch-site") {
        text(fetched_from) == "same-origin"
    } else {
        let ours = site.public_url.origin().ascii_serialization();
        headers.get(ORIGIN).is_some_and(|origin| text(origin) == ours)
    };
    if is_ours {
        Ok(())
    } else {
        Err(ServiceError::CrossSite)
    }
}

impl Form {
    /// A field; empty where it was left out.
    pub(super) fn text(&self, name: &str) -> String {
        self.given(name).unwrap_or_default()
    }

    /// A field that is there and not empty.
    pub(super) fn given(&self, name: &str) -> Option<String> {
        let mut named = self.0.iter().filter(|(key, _)| key == name);
        let value = named.next().map(|(_, value)| value.clone());
        value.filter(|value| !value.is_empty())
    }

    /// A secret field; empty where it was left out.
    pub(super) fn secret(&self, name: &str) -> SecretString {
        self.text(name).into()
    }

    /// Every value of a field: what was chosen of several.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        let named = self.0.iter().filter(|(key, _)| key == name);
        named.map(|(_, value)| value.clone()).collect()
    }

    /// Which of a page's buttons was pressed.
    pub(super) fn act(&self) -> String {
        self.text("act")
    }
}

/// A button that the page does not have.
pub(super) fn unknown_act() -> ApiError {
    ServiceError::field("act", "unknown", "there is no such button").into()
}
