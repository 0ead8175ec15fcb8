//! From a proxy's question to its answer.

use std::collections::HashSet;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use http::header::{ORIGIN, UPGRADE};
use http::request::Parts;
use http::{HeaderName, Request, StatusCode, Version};
use hyper::body::Body;
use shared::credentials;
use shared::host::CanonicalHost;
use shared::reason::Reason;

use super::original::Original;
use super::redirect::LoginRedirect;
use super::respond::{self, Answer, Answers};
use super::router::Endpoint;
use crate::metrics::DecisionCounts;
use crate::pipeline::{Admitted, Pipeline, Question};

const WEBSOCKET_KEY: HeaderName = HeaderName::from_static("sec-websocket-key");

/// What every connection's service needs.
#[derive(Debug)]
pub struct Context {
    /// Who decides.
    pub pipeline: Arc<Pipeline>,
    /// What is answered.
    pub answers: Answers,
    /// The access cookie's name.
    pub cookie: Box<str>,
    /// From which origins a cookie counts for more than reading; empty: from anywhere.
    pub allowed_origins: HashSet<Box<str>>,
    /// Where browsers are sent to log in, if anywhere.
    pub redirect: Option<LoginRedirect>,
    /// What was decided.
    pub decisions: DecisionCounts,
}

/// Answers one peer's questions, of whom it is known whether it may ask on behalf of others.
#[derive(Clone, Debug)]
pub struct Authz {
    context: Arc<Context>,
    is_trusted: bool,
}

impl Authz {
    /// The service for one connection.
    pub fn new(context: Arc<Context>, is_trusted: bool) -> Self {
        Self { context, is_trusted }
    }

    fn answer<B: Body>(&self, request: Request<B>) -> Answer {
        let has_body = !request.body().is_end_stream();
        let (request, body) = request.into_parts();
        let answer = self.answer_without_body(&request);
        // Nothing of a body is read, so what follows on an HTTP/1 connection could be taken for a request.
        drop(body);
        if has_body && request.version < Version::HTTP_2 {
            respond::closing(answer)
        } else {
            answer
        }
    }

    fn answer_without_body(&self, request: &Parts) -> Answer {
        let Context {
            answers, decisions, ..
        } = self.context.as_ref();
        let Some(endpoint) = Endpoint::of(request.uri.path()) else {
            decisions.not_found();
            return answers.not_found();
        };
        let read = if self.is_trusted {
            Original::read(endpoint, request).map_err(|_| Reason::Request)
        } else {
            Err(Reason::UntrustedProxy)
        };
        let decided = read
            .as_ref()
            .map_err(|reason| *reason)
            .and_then(|original| self.decide(request, original));
        decisions.count(endpoint, decided.as_ref().map(|_| ()).map_err(|reason| *reason));
        if let (Err(reason), Ok(original)) = (&decided, &read) {
            let (method, path) = (original.method, &original.path);
            tracing::debug!(%endpoint, %reason, method, %path, "refused");
        }
        match (decided, read) {
            (Ok(admitted), _) => answers.admitted(&admitted),
            (Err(reason), Ok(original)) => self
                .login(request, &original, reason)
                .map_or_else(|| answers.refused(reason), respond::redirect),
            (Err(reason), Err(_)) => answers.refused(reason),
        }
    }

    fn decide(&self, request: &Parts, original: &Original<'_>) -> Result<Admitted, Reason> {
        self.context.pipeline.decide(&Question {
            method: original.method,
            path: original.path.as_str(),
            host: original.host.as_ref().map(CanonicalHost::as_str),
            credentials: credentials::find(&request.headers, &self.context.cookie),
            is_cross_site: self.is_cross_site(request, original),
        })
    }

    /// Whether a page of another site could have made a browser send this, with more effect than reading.
    fn is_cross_site(&self, request: &Parts, original: &Original<'_>) -> bool {
        let allowed = &self.context.allowed_origins;
        if allowed.is_empty() {
            return false;
        }
        let headers = &request.headers;
        // nginx drops `Upgrade` from its subrequests, but not the handshake's key (RFC 6455 section 4.1).
        let is_websocket =
            original.is_websocket || headers.contains_key(UPGRADE) || headers.contains_key(WEBSOCKET_KEY);
        // RFC 9110 section 9.2.1.
        let is_safe = matches!(original.method, "GET" | "HEAD" | "OPTIONS" | "TRACE");
        if is_safe && !is_websocket {
            return false;
        }
        let mut origins = headers.get_all(ORIGIN).iter();
        let origin = origins.next().and_then(|origin| origin.to_str().ok());
        origins.next().is_some() || !origin.is_some_and(|origin| allowed.contains(origin))
    }

    fn login(&self, request: &Parts, original: &Original<'_>, reason: Reason) -> Option<http::HeaderValue> {
        let redirect = self.context.redirect.as_ref()?;
        if reason.status() == StatusCode::UNAUTHORIZED {
            redirect.location(request, original)
        } else {
            None
        }
    }
}

impl<B: Body> tower::Service<Request<B>> for Authz {
    type Response = Answer;
    type Error = Infallible;
    type Future = Ready<Result<Answer, Infallible>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.answer(request)))
    }
}
