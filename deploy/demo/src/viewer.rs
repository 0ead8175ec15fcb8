//! Who is calling, as the proxy tells it.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use serde::Serialize;

static SUBJECT: HeaderName = HeaderName::from_static("x-auth-subject");
static ROLES: HeaderName = HeaderName::from_static("x-auth-roles");
static LABELS: HeaderName = HeaderName::from_static("x-auth-labels");
static SUPERUSER: HeaderName = HeaderName::from_static("x-auth-superuser");

/// Who is calling. Proxies leave out a header that would be empty, so an absent one means the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Viewer {
    /// The user's id; none for an anonymous caller.
    subject: Option<String>,
    /// Names of the user's roles.
    roles: Vec<String>,
    /// Whether everything is allowed.
    superuser: bool,
    /// Names of the labels on films that the user satisfies.
    labels: Vec<String>,
}

impl Viewer {
    fn of(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let list = |name| {
            let names = text(name).unwrap_or_default().split(',').map(str::trim);
            names.filter(|name| !name.is_empty()).map(Into::into).collect()
        };
        Self {
            subject: text(&SUBJECT)
                .filter(|subject| !subject.is_empty())
                .map(Into::into),
            roles: list(&ROLES),
            superuser: text(&SUPERUSER) == Some("true"),
            labels: list(&LABELS),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Viewer {
    type Rejection = Infallible;

    async fn from_request_parts(request: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&request.headers))
    }
}
