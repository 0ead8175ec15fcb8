//! Form bodies, as OAuth has them: each parameter once, unknown ones left alone (RFC 6749 section 3.2 and appendix B).

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use axum::extract::{FromRequest, Request};
use secrecy::SecretString;

use super::OauthError;
use crate::http::body::{read, says};
use crate::http::respond::ApiError;

/// The type of bodies.
const FORM: &str = "application/x-www-form-urlencoded";

/// The parameters of a form.
pub(in crate::http) struct Form(HashMap<String, String>);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = OauthError;

    async fn from_request(request: Request, _: &S) -> Result<Self, OauthError> {
        let is_form = says(&request, FORM);
        let bytes = read(request.into_body()).await?;
        if !bytes.is_empty() && !is_form {
            return Err(ApiError::UnsupportedMediaType(FORM).into());
        }
        Self::parse(&bytes)
    }
}

impl Form {
    fn parse(bytes: &[u8]) -> Result<Self, OauthError> {
        let mut parameters = HashMap::new();
        for (name, value) in url::form_urlencoded::parse(bytes) {
            match parameters.entry(name.into_owned()) {
                Entry::Vacant(entry) => entry.insert(value.into_owned()),
                Entry::Occupied(_) => return Err(OauthError::InvalidRequest("a parameter stands twice")),
            };
        }
        Ok(Self(parameters))
    }

    /// A parameter, taken out. One without a value counts as left out (RFC 6749 section 3.2).
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name).filter(|value| !value.is_empty())
    }

    /// A parameter that must be there.
    pub(super) fn needed(&mut self, name: &'static str) -> Result<String, OauthError> {
        self.take(name).ok_or(OauthError::MissingParameter(name))
    }

    /// A secret one that must be there.
    pub(super) fn secret(&mut self, name: &'static str) -> Result<SecretString, OauthError> {
        self.needed(name).map(Into::into)
    }
}
