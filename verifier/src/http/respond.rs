//! Answers, rendered beforehand: what is left at a request is to copy them.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use shared::problem::{MEDIA_TYPE, Problem};
use shared::reason::Reason;

use super::body::AnswerBody;
use crate::cache::IdentityHeaders;
use crate::pipeline::Admitted;

/// An answer of the verifier.
pub type Answer = Response<AnswerBody>;

const SUBJECT: HeaderName = HeaderName::from_static("x-auth-subject");
const SESSION: HeaderName = HeaderName::from_static("x-auth-session");
pub(super) const ROLES: HeaderName = HeaderName::from_static("x-auth-roles");
pub(super) const SUPERUSER: HeaderName = HeaderName::from_static("x-auth-superuser");
pub(super) const LABELS: HeaderName = HeaderName::from_static("x-auth-labels");

/// Why somebody was refused, for proxies that cannot pass a body on.
pub(super) const REASON: HeaderName = HeaderName::from_static("x-auth-reason");
/// Where a browser could log in, for proxies that redirect by themselves.
const LOGIN: HeaderName = HeaderName::from_static("x-auth-login");

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// How long to wait before asking again: keys and revocations come by themselves within a second, as a rule.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("1");

/// Every answer that does not depend on who is asking.
#[derive(Debug)]
pub struct Answers {
    refusals: [Rendered; Reason::ALL.len()],
    anonymous: IdentityHeaders,
    not_found: Rendered,
}

/// An answer in parts.
#[derive(Clone, Debug)]
pub(super) struct Rendered {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answers {
    /// Renders them. `realm` is that of the `WWW-Authenticate` challenges, and has neither quotes nor backslashes.
    pub fn new(realm: &str) -> Self {
        let not_found = Problem::new("not-found", StatusCode::NOT_FOUND, "Not found")
            .with_detail("proxies ask at /authz/auth-request, /authz/forward-auth and /authz/ext-authz/");
        Self {
            refusals: Reason::ALL.map(|reason| refusal(realm, reason)),
            anonymous: IdentityHeaders::anonymous(),
            not_found: Rendered::problem(StatusCode::NOT_FOUND, &not_found),
        }
    }

    /// The identity headers of an admitted caller: always all of them, so that a proxy that copies them overwrites
    /// whatever the client sent.
    pub(super) fn identity(&self, admitted: &Admitted) -> [(HeaderName, HeaderValue); 5] {
        let identity = admitted
            .token
            .as_ref()
            .map_or(&self.anonymous, |token| &token.identity);
        [
            (SUBJECT, identity.subject.clone()),
            (SESSION, identity.session.clone()),
            (ROLES, identity.roles.clone()),
            (SUPERUSER, identity.superuser.clone()),
            (LABELS, admitted.labels.clone()),
        ]
    }

    /// The answer to an admitted caller.
    pub fn admitted(&self, admitted: &Admitted) -> Answer {
        let mut answer = Answer::default();
        let headers = answer.headers_mut();
        headers.reserve(8);
        headers.insert(CACHE_CONTROL, NO_STORE);
        for (name, value) in self.identity(admitted) {
            headers.insert(name, value);
        }
        answer
    }

    /// The answer to a refused caller.
    pub fn refused(&self, reason: Reason) -> Answer {
        self.refusal(reason)
            .map_or_else(|| bare(reason.status()).to_answer(), Rendered::to_answer)
    }

    /// The refusal for this reason; there is one for each.
    pub(super) fn refusal(&self, reason: Reason) -> Option<&Rendered> {
        let same = Reason::ALL
            .iter()
            .zip(&self.refusals)
            .find(|(of, _)| **of == reason);
        same.map(|(_, rendered)| rendered)
    }

    /// The answer where there is no endpoint.
    pub fn not_found(&self) -> Answer {
        self.not_found.to_answer()
    }
}

/// Sends a browser elsewhere.
pub(super) fn redirect(location: HeaderValue) -> Rendered {
    let mut rendered = bare(StatusCode::FOUND);
    rendered.headers.insert(LOCATION, location);
    rendered
}

/// Tells with a refusal where a browser could log in.
pub(super) fn with_login(mut answer: Answer, location: HeaderValue) -> Answer {
    answer.headers_mut().insert(LOGIN, location);
    answer
}

/// Has the connection closed behind this answer.
pub fn closing(mut answer: Answer) -> Answer {
    answer
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

fn bare(status: StatusCode) -> Rendered {
    Rendered {
        status,
        headers: HeaderMap::from_iter([(CACHE_CONTROL, NO_STORE)]),
        body: Bytes::new(),
    }
}

fn refusal(realm: &str, reason: Reason) -> Rendered {
    let (kind, title) = match reason {
        Reason::Missing => ("not-signed-in", "Not signed in"),
        Reason::Malformed
        | Reason::Unsupported
        | Reason::UnknownKey
        | Reason::BadSignature
        | Reason::Expired
        | Reason::NotYetValid
        | Reason::WrongIssuer
        | Reason::WrongAudience
        | Reason::BadClaims
        | Reason::Revoked
        | Reason::Stale
        | Reason::AmbiguousCredentials => ("invalid-token", "Invalid token"),
        Reason::Role | Reason::Label | Reason::Denied | Reason::Request | Reason::UntrustedProxy => {
            ("forbidden", "Forbidden")
        }
        Reason::CrossSite => ("cross-site", "Cross-site request"),
        Reason::NoKeys | Reason::StaleReplica => ("unavailable", "Temporarily unavailable"),
    };
    let problem = Problem::new(kind, reason.status(), title)
        .with_detail(reason.describe())
        .with_reason(reason);
    let mut rendered = Rendered::problem(reason.status(), &problem);
    rendered
        .headers
        .insert(REASON, HeaderValue::from_static(reason.as_str()));
    if let Some(challenge) = challenge(realm, reason) {
        rendered.headers.insert(WWW_AUTHENTICATE, challenge);
    }
    if reason.status() == StatusCode::SERVICE_UNAVAILABLE {
        rendered.headers.insert(RETRY_AFTER, RETRY_AFTER_S);
    }
    rendered
}

/// The challenge (RFC 6750 section 3): without an error where no token was presented.
fn challenge(realm: &str, reason: Reason) -> Option<HeaderValue> {
    let error = match reason {
        Reason::Missing => return HeaderValue::try_from(format!("Bearer realm=\"{realm}\"")).ok(),
        Reason::Role | Reason::Label | Reason::Denied => "insufficient_scope",
        Reason::Request
        | Reason::UntrustedProxy
        | Reason::CrossSite
        | Reason::NoKeys
        | Reason::StaleReplica => return None,
        Reason::Malformed
        | Reason::Unsupported
        | Reason::UnknownKey
        | Reason::BadSignature
        | Reason::Expired
        | Reason::NotYetValid
        | Reason::WrongIssuer
        | Reason::WrongAudience
        | Reason::BadClaims
        | Reason::Revoked
        | Reason::Stale
        | Reason::AmbiguousCredentials => "invalid_token",
    };
    let description = reason.describe();
    let challenge =
        format!("Bearer realm=\"{realm}\", error=\"{error}\", error_description=\"{reason}: {description}\"");
    HeaderValue::try_from(challenge).ok()
}

impl Rendered {
    fn problem(status: StatusCode, problem: &Problem) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, NO_STORE);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        Self {
            status,
            headers,
            body: problem.to_json().into(),
        }
    }

    pub(super) fn to_answer(&self) -> Answer {
        let mut answer = Answer::new(AnswerBody::new(self.body.clone()));
        *answer.status_mut() = self.status;
        answer.headers_mut().clone_from(&self.headers);
        answer
    }
}

#[cfg(test)]
mod tests;
