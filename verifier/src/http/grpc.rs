//! The gRPC service `envoy.service.auth.v3.Authorization`, by which Envoy, Istio, Contour and the Gateway API ask: one
//! unary method, `Check`, over HTTP/2.
//!
//! ```text
//! frame (bounded) ─► message ─► asked (the original request) ─► pipeline ─► render ─► frame, trailers
//! ```
//!
//! Every decision, a refusal too, is an answer with `grpc-status: 0`; only what is no question gets another status.

pub(super) mod asked;
mod frame;
mod message;
pub mod render;

use bytes::Buf;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Response, Version};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body;
use prost::Message as _;
use shared::limits::{BODY_READ_TIMEOUT, GRPC_MESSAGE_BYTES_MAX};
use shared::serve::BoxError;

use self::frame::FrameError;
use self::message::CheckRequest;
use super::body::{AnswerBody, GRPC_STATUS};
use super::respond::Answer;

/// The path of the one method.
pub(super) const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// Why a call is not a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CallError {
    /// Another method, or something else than one message.
    #[error("there is one unary method here: envoy.service.auth.v3.Authorization/Check")]
    Unimplemented,
    /// A compressed message.
    #[error("messages are taken uncompressed alone")]
    Compressed,
    /// Too large a message.
    #[error(
        "a message has at most {GRPC_MESSAGE_BYTES_MAX} bytes; send neither the body nor the certificate"
    )]
    TooLarge,
    /// The message did not come in time.
    #[error("the message did not come in time")]
    TooSlow,
    /// The message broke off, or is none.
    #[error("the message is malformed")]
    Malformed,
}

impl CallError {
    /// The status code (<https://grpc.github.io/grpc/core/md_doc_statuscodes.html>).
    const fn code(self) -> &'static str {
        match self {
            Self::Unimplemented | Self::Compressed => "12",
            Self::TooLarge => "8",
            Self::TooSlow => "4",
            Self::Malformed => "13",
        }
    }

    /// The answer: no message, the status alone.
    pub(super) fn to_answer(self) -> Answer {
        let mut answer = Response::new(AnswerBody::default());
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, GRPC);
        headers.insert(GRPC_STATUS, HeaderValue::from_static(self.code()));
        if let Ok(message) = HeaderValue::try_from(self.to_string()) {
            headers.insert(GRPC_MESSAGE, message);
        }
        if self == Self::Compressed {
            headers.insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        answer
    }
}

impl From<FrameError> for CallError {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::NotOne => Self::Unimplemented,
            FrameError::Compressed => Self::Compressed,
            FrameError::Broken => Self::Malformed,
        }
    }
}

/// Whether a request is a call, of whichever method.
pub(super) fn is_call(request: &Parts) -> bool {
    request.version == Version::HTTP_2
        && request.method == Method::POST
        && request.headers.get(CONTENT_TYPE).is_some_and(|value| {
            let value = value.as_bytes();
            // `application/grpc+proto` too; `application/grpc-web` is another protocol.
            value
                .strip_prefix(b"application/grpc")
                .is_some_and(|rest| matches!(rest.first(), None | Some(b';')) || rest.starts_with(b"+proto"))
        })
}

/// Reads the one message of a call.
///
/// # Errors
///
/// A [`CallError`] if it is not one message, or one that is too large, too slow, compressed or malformed.
pub(super) async fn read<B>(request: &Parts, body: B) -> Result<CheckRequest, CallError>
where
    B: Body<Data: Buf, Error: Into<BoxError>>,
{
    let encoding = request.headers.get(GRPC_ENCODING);
    if encoding.is_some_and(|encoding| encoding != "identity") {
        return Err(CallError::Compressed);
    }
    let limited = Limited::new(body, GRPC_MESSAGE_BYTES_MAX + frame::PREFIX_BYTES);
    // A body that is there already, as they are, starts no timer.
    let collected = tokio::time::timeout(BODY_READ_TIMEOUT, limited.collect())
        .await
        .map_err(|_| CallError::TooSlow)?
        .map_err(|error| {
            if error.is::<LengthLimitError>() {
                CallError::TooLarge
            } else {
                CallError::Malformed
            }
        })?;
    let message = frame::unframe(collected.to_bytes())?;
    CheckRequest::decode(message).map_err(|_| CallError::Malformed)
}

/// The answer with a framed message.
fn answer(framed: bytes::Bytes) -> Answer {
    let mut answer = Response::new(AnswerBody::of_grpc(framed));
    answer.headers_mut().insert(CONTENT_TYPE, GRPC);
    answer
}

#[cfg(test)]
mod tests;
