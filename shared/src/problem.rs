//! Problem documents: the one form of an error's body (RFC 9457).

use serde::Serialize;

use crate::reason::Reason;

/// The media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// An error as clients see it. `type` is stable; the texts are for people and may change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What kind of problem, as a path: `/problems/login-taken`.
    #[serde(rename = "type")]
    pub type_: String,
    /// The kind in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong this time, without anything secret or internal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Why credentials were refused, or a request denied: one of [`Reason`]'s words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// What to quote when asking for help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Of a 422: what is wrong with which field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// One field that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The field's name in the body or the query.
    pub field: String,
    /// A stable word: `too_short`, `unknown_field` …
    pub code: &'static str,
    /// A sentence for a person.
    pub message: String,
}

impl Problem {
    /// A problem of a kind, with its title.
    pub fn new(kind: &str, status: http::StatusCode, title: &str) -> Self {
        Self {
            type_: format!("/problems/{kind}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: None,
            reason: None,
            request_id: None,
            errors: Vec::new(),
        }
    }

    /// The same with a sentence on what is wrong this time.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The same with the reason for a refusal.
    #[must_use]
    pub fn with_reason(mut self, reason: Reason) -> Self {
        self.reason = Some(reason.as_str());
        self
    }

    /// Its kind: the last part of `type`.
    pub fn kind(&self) -> &str {
        self.type_.strip_prefix("/problems/").unwrap_or(&self.type_)
    }

    /// The document's bytes.
    pub fn to_json(&self) -> Vec<u8> {
        // A struct of texts and numbers always serialises.
        serde_json::to_vec(self).unwrap_or_default()
    }
}
