//! Why a request would be answered as it would: the decision itself, watched.

use std::borrow::Cow;
use std::fmt;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use serde::{Deserialize, Serialize};
use shared::credentials::Credentials;
use shared::label::{LabelName, Satisfied};
use shared::path::CanonicalPath;
use shared::reason::Reason;

use super::original::{Original, Unreadable};
use super::router::Endpoint;
use super::verify::{Asked, Context};
use crate::pipeline::observe::{FilmStep, Observer, Step};
use crate::policy::{OnStale, Route};
use crate::revocation::Freshness;

/// A request to be explained.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inquiry {
    /// Its method.
    pub method: String,
    /// Its target: path and perhaps a query.
    pub uri: String,
    /// Its host, if one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The token in its `Authorization`, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

impl fmt::Debug for Inquiry {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inquiry")
            .field("method", &self.method)
            .field("uri", &self.uri)
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

/// Each check in order, and the answer that a proxy would get. The token is nowhere in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The line of the rule that decides, in the rules file; absent: the default decides, or no rule was asked.
    pub rule_line: Option<usize>,
    /// The checks that were made, in order.
    pub checks: Vec<Check>,
    /// The answer.
    pub answer: ExplainedAnswer,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What is checked.
    pub name: Cow<'static, str>,
    /// What came of it.
    pub outcome: Outcome,
    /// The same for a person.
    pub detail: String,
}

/// What comes of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It goes on.
    Passed,
    /// It ends here, or counts as if there had been no token.
    Failed,
}

/// The answer, in parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedAnswer {
    /// Its status.
    pub status: u16,
    /// The reason of a refusal.
    pub reason: Option<Cow<'static, str>>,
    /// Its headers.
    pub headers: Vec<(String, String)>,
}

/// Decides as a proxy's question would be decided, by the same code, and tells how. Nothing is counted.
pub fn explain(context: &Context, inquiry: &Inquiry) -> Explanation {
    let mut told = Told::default();
    let headers = headers(inquiry);
    let (parts, ()) = Request::new(()).into_parts();
    let parts = headers.map(|headers| {
        let mut parts = parts;
        parts.headers = headers;
        parts
    });
    let read = parts
        .as_ref()
        .map_err(|unreadable| *unreadable)
        .and_then(|parts| Ok((parts, Original::read(Endpoint::AuthRequest, parts)?)));
    let decided = match read {
        Err(Unreadable) => {
            told.failed("request", unreadable_because(inquiry));
            Err(Reason::Request)
        }
        Ok((parts, original)) => {
            let host = original
                .host
                .as_ref()
                .map_or_else(|| "no host".to_owned(), |host| format!("host {}", host.as_str()));
            told.passed(
                "request",
                format!("{} {}, {host}", original.method, original.path),
            );
            let asked = Asked {
                headers: Cow::Borrowed(&parts.headers),
                original,
            };
            let question = context.question(&asked);
            context.pipeline.decide_observed(&question, &mut told)
        }
    };
    let answer = match &decided {
        Ok(admitted) => context.answers.admitted(admitted),
        Err(reason) => context.answers.refused(*reason),
    };
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Explanation {
        rule_line: told.rule_line,
        checks: told.checks,
        answer: ExplainedAnswer {
            status: answer.status().as_u16(),
            reason: decided.err().map(|reason| reason.as_str().into()),
            headers: answer
                .headers()
                .iter()
                .map(|(name, value)| (name.to_string(), text(value)))
                .collect(),
        },
    }
}

/// Labels, for a person.
fn list(satisfied: &Satisfied) -> String {
    match satisfied.names().to_str() {
        Ok("") | Err(_) => "none".to_owned(),
        Ok(names) => names.replace(',', ", "),
    }
}

/// The request as a proxy would tell it.
fn headers(inquiry: &Inquiry) -> Result<HeaderMap, Unreadable> {
    let bearer = inquiry.token.as_ref().map(|token| format!("Bearer {token}"));
    let parts = [
        (
            HeaderName::from_static("x-original-method"),
            Some(&inquiry.method),
        ),
        (HeaderName::from_static("x-original-uri"), Some(&inquiry.uri)),
        (HeaderName::from_static("x-original-host"), inquiry.host.as_ref()),
        (AUTHORIZATION, bearer.as_ref()),
    ];
    let mut headers = HeaderMap::new();
    for (name, value) in parts {
        if let Some(value) = value {
            headers.insert(name, HeaderValue::from_str(value).map_err(|_| Unreadable)?);
        }
    }
    Ok(headers)
}

fn unreadable_because(inquiry: &Inquiry) -> String {
    match CanonicalPath::parse(inquiry.uri.as_bytes()) {
        Err(error) => error.to_string(),
        Ok(_) => "method, host or token cannot be read".to_owned(),
    }
}

/// What was told so far.
#[derive(Default)]
struct Told {
    rule_line: Option<usize>,
    checks: Vec<Check>,
}

impl Told {
    fn passed(&mut self, name: &'static str, detail: impl Into<String>) {
        self.checked(name, Outcome::Passed, detail.into());
    }

    fn failed(&mut self, name: &'static str, detail: impl Into<String>) {
        self.checked(name, Outcome::Failed, detail.into());
    }

    fn checked(&mut self, name: &'static str, outcome: Outcome, detail: String) {
        self.checks.push(Check {
            name: name.into(),
            outcome,
            detail,
        });
    }

    fn judged(&mut self, name: &'static str, judged: Result<(), Reason>, passed: impl Into<String>) {
        match judged {
            Ok(()) => self.passed(name, passed),
            Err(reason) => self.failed(name, format!("{reason}: {}", reason.describe())),
        }
    }

    fn route(&mut self, route: Route<'_>) {
        let Some(rule) = route.rule() else {
            return self.passed(
                "rule",
                format!("none matches; the default asks for {}", route.ask()),
            );
        };
        self.rule_line = Some(rule.line);
        let about = format!("the one on line {} matches, {}", rule.line, rule.template);
        let ask = route.ask();
        if route.is_host_unknown() {
            self.failed(
                "rule",
                format!("{about}; it is about certain hosts, and no host is known"),
            );
        } else if route.is_film_malformed() {
            self.failed(
                "rule",
                format!("{about}; it is about a film, and what stands there is no UUID"),
            );
        } else if let Some(film) = route.film() {
            let labels = format!("what the labels of the film {film} ask for");
            self.passed(
                "rule",
                if ask.is_open() {
                    format!("{about}; it asks for {labels}")
                } else {
                    format!("{about}; it asks for {ask}; and for {labels}")
                },
            );
        } else {
            self.passed("rule", format!("{about}; it asks for {ask}"));
        }
    }

    fn film(&mut self, step: &FilmStep<'_>) {
        let state = match step.freshness {
            Freshness::Off => "there is no feed, so nothing is known of labels".to_owned(),
            Freshness::Loading => "the labels are being loaded".to_owned(),
            Freshness::Fresh { age } => format!("the labels are {} ms old", age.as_millis()),
            Freshness::Stale { age } => format!("the labels are too old: {} ms", age.as_millis()),
        };
        let about = match step.known {
            None => state,
            Some((known, satisfied)) => {
                let carried = known.table.film(step.film);
                let labels = if carried.is_empty() {
                    "none, and is open to all".to_owned()
                } else {
                    let names: Vec<&str> = carried.iter().map(LabelName::as_str).collect();
                    format!("{}; the caller satisfies {}", names.join(", "), list(satisfied))
                };
                format!("the film carries {labels}; {state}")
            }
        };
        match step.judged {
            Ok(()) => self.passed("labels", about),
            Err(reason) => self.failed("labels", format!("{reason}: {}; {about}", reason.describe())),
        }
    }
}

impl Observer for Told {
    fn take(&mut self, step: Step<'_>) {
        match step {
            Step::Route(route) => self.route(route),
            Step::Credentials(Ok(Credentials::None)) => self.passed("credentials", "none"),
            Step::Credentials(Ok(Credentials::Bearer(_))) => {
                self.passed("credentials", "a token in Authorization");
            }
            Step::Credentials(Ok(Credentials::Cookie(_))) => {
                self.passed("credentials", "a token in the cookie");
            }
            Step::Credentials(Err(error)) => self.failed("credentials", error.to_string()),
            Step::Signature(Ok(cached)) => {
                self.passed(
                    "signature",
                    format!("it is that of the key {}", cached.signed.kid()),
                );
            }
            Step::Signature(Err(reason)) => self.judged("signature", Err(reason), ""),
            Step::Claims(judged) => self.judged("claims", judged, "they hold here and now"),
            Step::Revocations(judged) => self.judged("revocations", judged, "none is known that refuses it"),
            Step::Freshness(freshness, on_stale) => {
                let state = match freshness {
                    Freshness::Off => "there is no feed: it is believed until it expires".to_owned(),
                    Freshness::Loading => "the revocations are being loaded".to_owned(),
                    Freshness::Fresh { age } => format!("the revocations are {} ms old", age.as_millis()),
                    Freshness::Stale { age } => {
                        format!("the revocations are too old: {} ms", age.as_millis())
                    }
                };
                match (freshness.is_trusted(), on_stale) {
                    (true, _) => self.passed("freshness", state),
                    (false, OnStale::Allow) => {
                        self.passed(
                            "freshness",
                            format!("{state}; on_stale says to decide all the same"),
                        );
                    }
                    (false, OnStale::Deny) => {
                        self.failed("freshness", format!("{state}; on_stale says not to decide"));
                    }
                }
            }
            Step::CrossSite(true) => self.judged("origin", Err(Reason::CrossSite), ""),
            Step::CrossSite(false) => self.passed("origin", "the cookie counts"),
            Step::Rule(ask, judged) => self.judged("caller", judged, format!("has {ask}, or is a superuser")),
            Step::Film(step) => self.film(&step),
            Step::AnonymousRule(ask, judged) => {
                self.judged("caller", judged, format!("is anonymous, and needs {ask}"));
            }
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Check {
            name,
            outcome,
            detail,
        } in &self.checks
        {
            let outcome = match outcome {
                Outcome::Passed => "passed",
                Outcome::Failed => "FAILED",
            };
            writeln!(f, "{outcome}  {name:<12} {detail}")?;
        }
        let answer = &self.answer;
        let reason = answer.reason.as_deref().unwrap_or("allowed");
        write!(f, "\n{} {reason}", answer.status)?;
        for (name, value) in &answer.headers {
            write!(f, "\n{name}: {value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
