//! Request bodies: strict JSON, every field checked, every fault told at once.

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use secrecy::SecretString;
use serde_json::{Map, Value};
use shared::limits;
use shared::problem::FieldError;
use shared::strict_json::{self, StrictJsonError};

use super::respond::ApiError;
use crate::service::ServiceError;

/// The type of bodies, where an endpoint does not say its own.
const JSON: &str = "application/json";

/// What a body is read into.
pub(super) trait FromFields: Sized {
    /// Takes the fields. What is missing or of a wrong type is noted there, and the result then not used.
    fn from_fields(fields: &mut Fields) -> Self;
}

/// A JSON body, read strictly: no field that is not asked for, none twice.
pub(super) struct Json<T>(pub(super) T);

impl<S: Send + Sync, T: FromFields> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let is_json = says(&request, JSON);
        let bytes = read(request.into_body()).await?;
        if !bytes.is_empty() && !is_json {
            return Err(ApiError::UnsupportedMediaType(JSON));
        }
        from_json(&bytes).map(Self)
    }
}

/// A JSON body that may be left out.
pub(super) struct OptionalJson<T>(pub(super) Option<T>);

impl<S: Send + Sync, T: FromFields> FromRequest<S> for OptionalJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let is_json = says(&request, JSON);
        let bytes = read(request.into_body()).await?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        if !is_json {
            return Err(ApiError::UnsupportedMediaType(JSON));
        }
        from_json(&bytes).map(|body| Self(Some(body)))
    }
}

/// Whether a request says that its body is of this type.
pub(crate) fn says(request: &Request, wanted: &str) -> bool {
    let media_type = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    media_type
        .and_then(|value| value.split(';').next())
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case(wanted))
}

/// The whole body, if it is complete in time and no larger than its bound.
pub(crate) async fn read(body: Body) -> Result<Vec<u8>, ApiError> {
    let whole = Limited::new(body, limits::BODY_BYTES_MAX).collect();
    let Ok(read) = tokio::time::timeout(limits::BODY_READ_TIMEOUT, whole).await else {
        return Err(ApiError::MalformedBody("the body took too long"));
    };
    match read {
        Ok(collected) => Ok(collected.to_bytes().to_vec()),
        Err(error) if error.is::<LengthLimitError>() => Err(ApiError::BodyTooLarge),
        Err(_) => Err(ApiError::MalformedBody("the body ended early")),
    }
}

fn from_json<T: FromFields>(json: &[u8]) -> Result<T, ApiError> {
    let object = match strict_json::parse(json) {
        Ok(Value::Object(object)) => object,
        Ok(_) => return Err(invalid("", "wrong_type", "a JSON object is expected")),
        Err(StrictJsonError::DuplicateName(name)) => {
            return Err(invalid(&name, "duplicate_field", "this field stands twice"));
        }
        Err(StrictJsonError::TooDeep) => return Err(ApiError::MalformedBody("the JSON is nested too deep")),
        Err(StrictJsonError::Syntax) => return Err(ApiError::MalformedBody("the body is no JSON")),
    };
    let mut fields = Fields {
        object,
        errors: Vec::new(),
    };
    let body = T::from_fields(&mut fields);
    fields.finish()?;
    Ok(body)
}

fn invalid(field: &str, code: &'static str, message: &str) -> ApiError {
    ServiceError::field(field, code, message).into()
}

/// The fields of a body that have not been taken yet, and what was wrong with those that were.
pub(super) struct Fields {
    object: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Fields {
    /// A text that must be there.
    pub(super) fn text(&mut self, name: &str) -> String {
        self.needed(name)
            .and_then(|value| self.as_text(name, value))
            .unwrap_or_default()
    }

    /// A text that may be left out.
    pub(super) fn optional_text(&mut self, name: &str) -> Option<String> {
        let value = self.object.remove(name)?;
        self.as_text(name, value)
    }

    /// A text that may be left out, or be null.
    pub(super) fn nullable_text(&mut self, name: &str) -> Option<String> {
        let value = self.object.remove(name).filter(|value| !value.is_null())?;
        self.as_text(name, value)
    }

    /// A secret text that must be there.
    pub(super) fn secret(&mut self, name: &str) -> SecretString {
        self.text(name).into()
    }

    /// A secret text that may be left out.
    pub(super) fn optional_secret(&mut self, name: &str) -> Option<SecretString> {
        self.optional_text(name).map(Into::into)
    }

    /// A truth value that must be there.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        match self.needed(name) {
            Some(Value::Bool(flag)) => flag,
            Some(_) => self
                .note(name, "wrong_type", "true or false is expected")
                .unwrap_or_default(),
            None => false,
        }
    }

    /// A list of texts that must be there.
    pub(super) fn texts(&mut self, name: &str) -> Vec<String> {
        let items = match self.needed(name) {
            Some(Value::Array(items)) => items,
            Some(_) => {
                return self
                    .note(name, "wrong_type", "a list of texts is expected")
                    .unwrap_or_default();
            }
            None => return Vec::new(),
        };
        let texts: Option<Vec<String>> = items
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect();
        texts
            .or_else(|| self.note(name, "wrong_type", "a list of texts is expected"))
            .unwrap_or_default()
    }

    fn needed(&mut self, name: &str) -> Option<Value> {
        match self.object.remove(name) {
            Some(value) => Some(value),
            None => self.note(name, "missing", "this field is needed"),
        }
    }

    fn as_text(&mut self, name: &str, value: Value) -> Option<String> {
        match value {
            Value::String(text) => Some(text),
            _ => self.note(name, "wrong_type", "a text is expected"),
        }
    }

    fn note<T>(&mut self, field: &str, code: &'static str, message: &str) -> Option<T> {
        self.errors.push(FieldError {
            field: field.to_owned(),
            code,
            message: message.to_owned(),
        });
        None
    }

    fn finish(mut self) -> Result<(), ServiceError> {
        for name in std::mem::take(&mut self.object).keys() {
            // A long name is cut: it is somebody else's text.
            let name: String = name.chars().take(64).collect();
            self.note::<()>(&name, "unknown_field", "there is no such field");
        }
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(ServiceError::Invalid(self.errors))
        }
    }
}
