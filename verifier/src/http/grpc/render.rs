//! The answers of `Check`: the same as over HTTP, in other clothes.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use shared::reason::Reason;

use super::message::{
    CheckResponse, DeniedHttpResponse, Entry, Field, HeaderValueOption, HttpResponse, HttpStatus, Kind,
    ListValue, OkHttpResponse, Status, Struct, Value,
};
use super::{answer, frame};
use crate::http::respond::{Answer, Answers, LABELS, ROLES, Rendered, SUPERUSER};
use crate::pipeline::Admitted;

/// Codes of `google.rpc.Status`. To Envoy all but the first are a refusal.
mod code {
    pub(super) const OK: i32 = 0;
    pub(super) const PERMISSION_DENIED: i32 = 7;
    pub(super) const UNAVAILABLE: i32 = 14;
    pub(super) const UNAUTHENTICATED: i32 = 16;
}

/// Every refusal, framed beforehand.
#[derive(Debug)]
pub struct Refusals([Bytes; Reason::ALL.len()]);

impl Refusals {
    /// Frames those of `answers`.
    pub fn new(answers: &Answers) -> Self {
        Self(Reason::ALL.map(|reason| {
            let response = answers
                .refusal(reason)
                .map_or_else(CheckResponse::default, |rendered| denied(rendered, reason));
            frame::frame(&response)
        }))
    }

    /// The answer to a refused caller.
    pub fn refused(&self, reason: Reason) -> Answer {
        let same = Reason::ALL.iter().zip(&self.0).find(|(of, _)| **of == reason);
        // Without a message Envoy refuses too.
        answer(same.map(|(_, framed)| framed.clone()).unwrap_or_default())
    }
}

/// The answer to an admitted caller. Each identity header overwrites the client's own, an empty one too.
///
/// The same is told as dynamic metadata, for access logs and for filters behind.
pub(in crate::http) fn admitted(answers: &Answers, admitted: &Admitted) -> Answer {
    let identity = answers.identity(admitted);
    let headers = identity
        .iter()
        .map(|(name, value)| overwrite(name.as_str(), value.as_bytes()))
        .collect();
    let fields = identity
        .iter()
        .map(|(name, value)| {
            let text = value.to_str().unwrap_or_default();
            let value = if *name == SUPERUSER {
                Kind::Bool(text == "true")
            } else if *name == ROLES || *name == LABELS {
                list(text)
            } else {
                Kind::Text(text.to_owned())
            };
            field(name.as_str().trim_start_matches("x-auth-"), value)
        })
        .collect();
    answer(frame::frame(&CheckResponse {
        status: Some(Status {
            code: code::OK,
            message: String::new(),
        }),
        http_response: Some(HttpResponse::Ok(OkHttpResponse { headers })),
        dynamic_metadata: Some(Struct { fields }),
    }))
}

/// Sends a browser elsewhere, as `rendered` says, instead of refusing it.
pub(in crate::http) fn redirect(reason: Reason, rendered: &Rendered) -> Answer {
    answer(frame::frame(&denied(rendered, reason)))
}

fn denied(rendered: &Rendered, reason: Reason) -> CheckResponse {
    let code = match rendered.status {
        StatusCode::UNAUTHORIZED | StatusCode::FOUND => code::UNAUTHENTICATED,
        StatusCode::SERVICE_UNAVAILABLE => code::UNAVAILABLE,
        _ => code::PERMISSION_DENIED,
    };
    CheckResponse {
        status: Some(Status {
            code,
            message: reason.to_string(),
        }),
        http_response: Some(HttpResponse::Denied(DeniedHttpResponse {
            status: Some(HttpStatus {
                code: rendered.status.as_u16().into(),
            }),
            headers: overwriting(&rendered.headers),
            body: rendered.body.clone(),
        })),
        dynamic_metadata: Some(Struct {
            fields: vec![field("reason", Kind::Text(reason.to_string()))],
        }),
    }
}

fn overwriting(headers: &HeaderMap) -> Vec<HeaderValueOption> {
    headers
        .iter()
        .map(|(name, value)| overwrite(name.as_str(), value.as_bytes()))
        .collect()
}

fn overwrite(name: &str, value: &[u8]) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(Entry {
            key: Bytes::copy_from_slice(name.as_bytes()),
            value: Bytes::copy_from_slice(value),
        }),
        append_action: HeaderValueOption::OVERWRITE_IF_EXISTS_OR_ADD,
        keep_empty_value: true,
    }
}

fn field(key: &str, kind: Kind) -> Field {
    Field {
        key: key.to_owned(),
        value: Some(Value { kind: Some(kind) }),
    }
}

/// The names in a header's list.
fn list(text: &str) -> Kind {
    let values = text
        .split(',')
        .filter(|name| !name.is_empty())
        .map(|name| Value {
            kind: Some(Kind::Text(name.to_owned())),
        })
        .collect();
    Kind::List(ListValue { values })
}

#[cfg(test)]
mod tests;
