//! From a proxy's question to its answer.

use std::borrow::Cow;
use std::collections::HashSet;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use bytes::Buf;
use http::header::{ORIGIN, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Version};
use hyper::body::Body;
use shared::credentials;
use shared::host::CanonicalHost;
use shared::reason::Reason;
use shared::serve::BoxError;

use super::grpc::asked::Asked as MessageAsked;
use super::grpc::render::Refusals;
use super::grpc::{self, CallError};
use super::original::{Original, Unreadable};
use super::redirect::{self, LoginRedirect};
use super::respond::{self, Answer, Answers};
use super::router::Endpoint;
use crate::metrics::DecisionCounts;
use crate::pipeline::{Admitted, Pipeline, Question};

pub(super) const WEBSOCKET_KEY: HeaderName = HeaderName::from_static("sec-websocket-key");

/// What every connection's service needs.
#[derive(Debug)]
pub struct Context {
    /// Who decides.
    pub pipeline: Arc<Pipeline>,
    /// What is answered.
    pub answers: Answers,
    /// The refusals, as gRPC has them.
    pub grpc_refusals: Refusals,
    /// The access cookie's name.
    pub cookie: Box<str>,
    /// From which origins a cookie counts for more than reading; empty: from anywhere.
    pub allowed_origins: HashSet<Box<str>>,
    /// Where browsers are sent to log in, if anywhere.
    pub redirect: Option<LoginRedirect>,
    /// What was decided.
    pub decisions: DecisionCounts,
}

impl Context {
    /// The question as the pipeline takes it.
    pub(super) fn question<'a>(&self, asked: &'a Asked<'_>) -> Question<'a> {
        let original = &asked.original;
        Question {
            method: original.method,
            path: original.path.as_str(),
            host: original.host.as_ref().map(CanonicalHost::as_str),
            credentials: credentials::find(&asked.headers, &self.cookie),
            is_cross_site: self.is_cross_site(asked),
        }
    }

    /// Whether a page of another site could have made a browser send this, with more effect than reading.
    fn is_cross_site(&self, asked: &Asked<'_>) -> bool {
        let allowed = &self.allowed_origins;
        if allowed.is_empty() {
            return false;
        }
        let Asked {
            headers, original, ..
        } = asked;
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
}

/// Answers one peer's questions, of whom it is known whether it may ask on behalf of others.
#[derive(Clone, Debug)]
pub struct Authz {
    context: Arc<Context>,
    is_trusted: bool,
}

/// A question, from wherever it was read.
pub(super) struct Asked<'a> {
    /// The original request's headers, those that matter at least.
    pub(super) headers: Cow<'a, HeaderMap>,
    pub(super) original: Original<'a>,
}

/// What becomes of a question.
enum Verdict {
    Admitted(Admitted),
    Refused(Reason),
    /// Refused with a 401 for this reason; a browser could log in there.
    Login(Reason, HeaderValue),
}

impl Authz {
    /// The service for one connection.
    pub fn new(context: Arc<Context>, is_trusted: bool) -> Self {
        Self { context, is_trusted }
    }

    /// Answers what is asked over HTTP. Never inlined: its instructions are counted by its name (`.ci/instructions`).
    #[inline(never)]
    fn answer(&self, request: &Parts) -> Answer {
        let answers = &self.context.answers;
        let Some(endpoint) = Endpoint::of(request.uri.path()).filter(|of| *of != Endpoint::Grpc) else {
            self.context.decisions.not_found();
            return answers.not_found();
        };
        let wants_redirect = endpoint == Endpoint::ForwardAuth && redirect::is_asked_for(request);
        let asked = Original::read(endpoint, request).map(|original| Asked {
            headers: Cow::Borrowed(&request.headers),
            original,
        });
        match self.judge(endpoint, asked) {
            Verdict::Admitted(admitted) => answers.admitted(&admitted),
            Verdict::Refused(reason) => answers.refused(reason),
            Verdict::Login(_, location) if wants_redirect => respond::redirect(location).to_answer(),
            Verdict::Login(reason, location) => respond::with_login(answers.refused(reason), location),
        }
    }

    /// Answers what is asked over gRPC.
    async fn answer_call<B>(self, request: Parts, body: B) -> Answer
    where
        B: Body<Data: Buf, Error: Into<BoxError>>,
    {
        let decisions = &self.context.decisions;
        if request.uri.path() != grpc::CHECK {
            decisions.not_found();
            return CallError::Unimplemented.to_answer();
        }
        if !self.is_trusted {
            // Whatever it is that they would ask.
            return self.answer_message(Err(Unreadable));
        }
        let message = match grpc::read(&request, body).await {
            Ok(message) => message,
            Err(error) => {
                tracing::debug!(%error, "no question");
                decisions.count(Endpoint::Grpc, Err(Reason::Request));
                return error.to_answer();
            }
        };
        self.answer_message(MessageAsked::read(&message))
    }

    fn answer_message(&self, read: Result<MessageAsked<'_>, Unreadable>) -> Answer {
        let wants_redirect = read.as_ref().is_ok_and(|message| message.wants_login);
        let asked = read.map(|message| Asked {
            headers: Cow::Owned(message.headers),
            original: message.original,
        });
        match self.judge(Endpoint::Grpc, asked) {
            Verdict::Admitted(admitted) => grpc::render::admitted(&self.context.answers, &admitted),
            Verdict::Login(reason, location) if wants_redirect => {
                grpc::render::redirect(reason, &respond::redirect(location))
            }
            // Envoy redirects where its route says so, or not at all.
            Verdict::Refused(reason) | Verdict::Login(reason, _) => {
                self.context.grpc_refusals.refused(reason)
            }
        }
    }

    /// Decides, and counts what was decided.
    fn judge(&self, endpoint: Endpoint, asked: Result<Asked<'_>, Unreadable>) -> Verdict {
        let asked = if self.is_trusted {
            asked.map_err(|_| Reason::Request)
        } else {
            Err(Reason::UntrustedProxy)
        };
        let decided = asked
            .as_ref()
            .map_err(|reason| *reason)
            .and_then(|asked| self.context.pipeline.decide(&self.context.question(asked)));
        let outcome = decided.as_ref().map(|_| ()).map_err(|reason| *reason);
        self.context.decisions.count(endpoint, outcome);
        if let (Err(reason), Ok(asked)) = (outcome, &asked) {
            let (method, path) = (asked.original.method, &asked.original.path);
            tracing::debug!(%endpoint, %reason, method, %path, "refused");
        }
        match decided {
            Ok(admitted) => Verdict::Admitted(admitted),
            Err(reason) => asked
                .ok()
                .and_then(|asked| self.login(&asked, reason))
                .map_or(Verdict::Refused(reason), |location| {
                    Verdict::Login(reason, location)
                }),
        }
    }

    fn login(&self, asked: &Asked<'_>, reason: Reason) -> Option<HeaderValue> {
        let redirect = self.context.redirect.as_ref()?;
        if reason.status() == StatusCode::UNAUTHORIZED {
            redirect.location(&asked.headers, &asked.original)
        } else {
            None
        }
    }
}

impl<B> tower::Service<Request<B>> for Authz
where
    B: Body<Data: Buf + Send, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Answer;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answering {
        let has_body = !request.body().is_end_stream();
        let (request, body) = request.into_parts();
        if grpc::is_call(&request) {
            return Answering::Later(Box::pin(self.clone().answer_call(request, body)));
        }
        let answer = self.answer(&request);
        // Nothing of a body is read, so what follows on an HTTP/1 connection could be taken for a request.
        drop(body);
        Answering::Now(Some(if has_body && request.version < Version::HTTP_2 {
            respond::closing(answer)
        } else {
            answer
        }))
    }
}

/// An answer on its way: over HTTP it is there at once, over gRPC the message has to be read first.
pub enum Answering {
    /// It is there, until it is taken.
    Now(Option<Answer>),
    /// It will be.
    Later(Pin<Box<dyn Future<Output = Answer> + Send>>),
}

impl Future for Answering {
    type Output = Result<Answer, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Now(answer) => answer
                .take()
                .map_or(Poll::Pending, |answer| Poll::Ready(Ok(answer))),
            Self::Later(later) => later.as_mut().poll(cx).map(Ok),
        }
    }
}
