//! The body of an answer, and the trailers that gRPC wants behind it.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use hyper::body::{Body, Frame, SizeHint};

pub(super) const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// At most one piece, and perhaps the word of gRPC that all went well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerBody {
    data: Bytes,
    has_status: bool,
}

impl AnswerBody {
    /// A body as HTTP has it.
    pub(super) const fn new(data: Bytes) -> Self {
        Self {
            data,
            has_status: false,
        }
    }

    /// A framed message of gRPC, with the trailers that end a good answer.
    pub(super) const fn of_grpc(data: Bytes) -> Self {
        Self {
            data,
            has_status: true,
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(if !self.data.is_empty() {
            Some(Ok(Frame::data(std::mem::take(&mut self.data))))
        } else if std::mem::take(&mut self.has_status) {
            let ok = [(GRPC_STATUS, HeaderValue::from_static("0"))];
            Some(Ok(Frame::trailers(HeaderMap::from_iter(ok))))
        } else {
            None
        })
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_empty() && !self.has_status
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.data.len()).unwrap_or(u64::MAX))
    }
}
