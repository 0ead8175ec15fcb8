//! Errors as the OpenAPI document describes them.

use serde::Serialize;
use utoipa::ToSchema;

/// An error (RFC 9457).
#[derive(Serialize, ToSchema)]
pub(super) struct Problem {
    /// What kind of problem: stable.
    #[serde(rename = "type")]
    #[schema(example = "/problems/login-taken")]
    type_: String,
    /// The kind in a few words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What is wrong this time.
    detail: Option<String>,
    /// Why credentials were refused: a stable word.
    reason: Option<String>,
    /// What to quote when asking for help.
    request_id: String,
    /// Of a 422: what is wrong with which field.
    errors: Option<Vec<FieldError>>,
}

/// A field that was refused.
#[derive(Serialize, ToSchema)]
pub(super) struct FieldError {
    /// The field's name.
    field: String,
    /// A stable word.
    code: String,
    /// A sentence for a person.
    message: String,
}
