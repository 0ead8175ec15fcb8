//! What the admin listener answers beside health and metrics: explanations, on a Unix socket alone.
//!
//! Whoever may open the socket may ask; over TCP there is nothing, since anybody who reaches a port could learn from it
//! which tokens are good.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use bytes::{Buf, Bytes};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Body;
use shared::admin::Admin;
use shared::limits::{BODY_BYTES_MAX, BODY_READ_TIMEOUT};
use shared::serve::{BoxError, Peer};

use super::explain::{Inquiry, explain};
use super::verify::Context;

/// Where explanations are.
pub const EXPLAIN: &str = "/explain";

/// The admin listener's service.
#[derive(Clone, Debug)]
pub struct ExplainingAdmin {
    admin: Admin,
    context: Arc<Context>,
}

impl ExplainingAdmin {
    /// What `admin` answers, and explanations.
    pub fn new(admin: Admin, context: Arc<Context>) -> Self {
        Self { admin, context }
    }

    async fn explain<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data: Buf, Error: Into<BoxError>>,
    {
        let collected = Limited::new(request.into_body(), BODY_BYTES_MAX).collect();
        let Ok(Ok(body)) = tokio::time::timeout(BODY_READ_TIMEOUT, collected).await else {
            return response(
                StatusCode::BAD_REQUEST,
                "the question did not come, or is too long".into(),
            );
        };
        match serde_json::from_slice::<Inquiry>(&body.to_bytes()) {
            Ok(inquiry) => {
                // A struct of texts and numbers always serialises.
                let body = serde_json::to_vec(&explain(&self.context, &inquiry)).unwrap_or_default();
                response(StatusCode::OK, body)
            }
            // Where in the text, and not what is there.
            Err(error) => response(
                StatusCode::BAD_REQUEST,
                format!("no question: line {}, column {}", error.line(), error.column()).into(),
            ),
        }
    }
}

impl<B> tower::Service<Request<B>> for ExplainingAdmin
where
    B: Body<Data: Buf + Send, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let own = self.clone();
        let is_local = request.extensions().get::<Peer>() == Some(&Peer::Unix);
        Box::pin(async move {
            if let Some(refusal) = own.admin.refusal(&request) {
                Ok(refusal)
            } else if is_local && request.uri().path() == EXPLAIN && request.method() == Method::POST {
                Ok(own.explain(request).await)
            } else {
                Ok(own.admin.respond(&request.map(|_| ())).await)
            }
        })
    }
}

fn response(status: StatusCode, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let content_type = if status == StatusCode::OK {
        "application/json"
    } else {
        "text/plain"
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
