//! The caller's service, as a connection calls it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use pin_project_lite::pin_project;
use tower::util::Oneshot;

use super::activity::{Activity, InFlight};
use super::{Peer, ServeOptions};

/// A service whose requests carry their [`Peer`].
#[derive(Clone, Debug)]
pub(super) struct WithPeer<S> {
    service: S,
    peer: Peer,
}

impl<S> WithPeer<S> {
    pub(super) const fn new(service: S, peer: Peer) -> Self {
        Self { service, peer }
    }
}

impl<S: tower::Service<Request<Incoming>>> tower::Service<Request<Incoming>> for WithPeer<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Incoming>) -> S::Future {
        request.extensions_mut().insert(self.peer);
        self.service.call(request)
    }
}

/// A service whose requests are counted, and refused where their header block is too large.
#[derive(Debug)]
pub(super) struct Counted<S> {
    service: S,
    activity: Arc<Activity>,
    header_bytes_max: usize,
    headers_max: usize,
}

impl<S> Counted<S> {
    pub(super) fn new(service: S, activity: Arc<Activity>, options: &ServeOptions) -> Self {
        let (header_bytes_max, headers_max) = (options.header_bytes_max, options.headers_max);
        Self {
            service,
            activity,
            header_bytes_max,
            headers_max,
        }
    }

    /// hyper bounds the buffer that it parses from, which may be larger, and HTTP/2 bounds no number of fields.
    fn is_too_large(&self, request: &Request<Incoming>) -> bool {
        // `: ` and the line break of each field, in HTTP/1.
        const FRAMING_BYTES: usize = 4;
        let fields: usize = request
            .headers()
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + FRAMING_BYTES)
            .sum();
        let path = request
            .uri()
            .path_and_query()
            .map_or(0, |path| path.as_str().len());
        fields + path > self.header_bytes_max || request.headers().len() > self.headers_max
    }
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Counted<S>
where
    S: tower::Service<Request<Incoming>, Response = Response<B>> + Clone,
{
    type Response = Response<CountedBody<B>>;
    type Error = S::Error;
    type Future = CountedFuture<S>;

    fn call(&self, request: Request<Incoming>) -> CountedFuture<S> {
        let in_flight = Some(self.activity.request(!request.body().is_end_stream()));
        let answer = (!self.is_too_large(&request)).then(|| Oneshot::new(self.service.clone(), request));
        CountedFuture { answer, in_flight }
    }
}

pin_project! {
    /// An answer on its way; without a service's future it is the refusal of a header block.
    pub(super) struct CountedFuture<S>
    where
        S: tower::Service<Request<Incoming>>,
    {
        #[pin]
        answer: Option<Oneshot<S, Request<Incoming>>>,
        in_flight: Option<InFlight>,
    }
}

impl<S, B> Future for CountedFuture<S>
where
    S: tower::Service<Request<Incoming>, Response = Response<B>>,
{
    type Output = Result<Response<CountedBody<B>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = if let Some(answer) = this.answer.as_pin_mut() {
            ready!(answer.poll(cx))?.map(Some)
        } else {
            let mut refusal = Response::new(None);
            *refusal.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            refusal
        };
        let in_flight = this.in_flight.take();
        if in_flight.as_ref().is_some_and(InFlight::is_last) {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        Poll::Ready(Ok(response.map(|body| CountedBody {
            body,
            _in_flight: in_flight,
        })))
    }
}

pin_project! {
    /// An answer's body; its request is in flight until it is dropped.
    pub(super) struct CountedBody<B> {
        #[pin]
        body: Option<B>,
        _in_flight: Option<InFlight>,
    }
}

impl<B: Body> Body for CountedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project()
            .body
            .as_pin_mut()
            .map_or(Poll::Ready(None), |body| body.poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
