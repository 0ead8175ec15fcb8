//! A table of expected decisions, and what the rules say to it.
//!
//! ```toml
//! [label.premium]
//! roles = ["subscriber"]
//!
//! [[case]]
//! method = "GET"
//! uri    = "/api/v1/admin/users"
//! roles  = ["user"]              # absent: anonymous
//! expect = 403
//! reason = "role"
//! ```

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use shared::host::CanonicalHost;
use shared::limits::RULE_CASES_MAX;
use shared::path::CanonicalPath;
use shared::reason::Reason;
use toml::Spanned;

use super::decide::{Assumed, decide_assuming};
use super::file::place;
use super::{Finding, Policy, PolicyError};

/// The table.
#[derive(Debug)]
pub struct Cases {
    file: String,
    cases: Vec<Case>,
}

/// One expected decision.
#[derive(Debug)]
struct Case {
    line: usize,
    entry: CaseEntry,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    case: Vec<Spanned<CaseEntry>>,
    #[serde(default)]
    label: HashMap<String, LabelEntry>,
}

/// A label, as all cases have it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelEntry {
    /// Any one of these satisfies it.
    #[serde(default, rename = "roles")]
    _roles: Vec<String>,
    /// Whether everybody does.
    #[serde(default, rename = "anonymous")]
    _anonymous: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseEntry {
    method: String,
    uri: String,
    host: Option<String>,
    roles: Option<Vec<String>>,
    #[serde(default)]
    superuser: bool,
    #[serde(default)]
    film_labels: Vec<Spanned<String>>,
    expect: Spanned<u16>,
    reason: Option<Spanned<String>>,
}

/// A case in which the rules say something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The table's file and the case's line.
    pub place: String,
    /// Who asks for what.
    pub question: String,
    /// What was expected.
    pub expected: String,
    /// What the rules say.
    pub decided: String,
    /// The line of the rule that decided; `None`: the default.
    pub rule_line: Option<usize>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.place, self.question)?;
        writeln!(f, "  - {}", self.expected)?;
        write!(f, "  + {}", self.decided)?;
        match self.rule_line {
            Some(line) => write!(f, "   (the rule on line {line})"),
            None => f.write_str("   (the default)"),
        }
    }
}

impl Cases {
    /// Reads a table; `file` is its name in messages.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Findings`] with everything that is wrong.
    pub fn parse(text: &str, file: &str) -> Result<Self, PolicyError> {
        let finding = |offset: usize, message: String| {
            let (line, column) = place(text, offset);
            Finding {
                file: file.to_owned(),
                line,
                column,
                message,
            }
        };
        let document: Document = toml::from_str(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            PolicyError::Findings(vec![finding(offset, error.message().to_owned())])
        })?;
        let mut findings = Vec::new();
        if document.case.is_empty() || document.case.len() > RULE_CASES_MAX {
            findings.push(finding(
                0,
                format!("a table has 1 to {RULE_CASES_MAX} cases; write them as [[case]]"),
            ));
        }
        for case in &document.case {
            let entry = case.get_ref();
            if !matches!(entry.expect.get_ref(), 200 | 401 | 403) {
                let message = "rules answer 200, 401 or 403; expect one of these".to_owned();
                findings.push(finding(entry.expect.span().start, message));
            }
            if let Some(reason) = &entry.reason {
                let known = Reason::ALL
                    .into_iter()
                    .find(|one| one.as_str() == reason.get_ref());
                if known.is_none_or(|known| known.status().as_u16() != *entry.expect.get_ref()) {
                    let message = format!(
                        "{:?} is no reason of a {}; the verifier's documentation lists them",
                        reason.get_ref(),
                        entry.expect.get_ref()
                    );
                    findings.push(finding(reason.span().start, message));
                }
            }
            for label in &entry.film_labels {
                if !document.label.contains_key(label.get_ref()) {
                    let name = label.get_ref();
                    let message =
                        format!("the label {name:?} is not defined; add [label.{name}] with its roles");
                    findings.push(finding(label.span().start, message));
                }
            }
        }
        if !findings.is_empty() {
            return Err(PolicyError::Findings(findings));
        }
        let cases = document.case.into_iter().map(|case| Case {
            line: place(text, case.span().start).0,
            entry: case.into_inner(),
        });
        Ok(Self {
            file: file.to_owned(),
            cases: cases.collect(),
        })
    }

    /// How many cases there are.
    pub fn len(&self) -> usize {
        self.cases.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }

    /// Has the rules decide each case, and gives those in which they say something else.
    pub fn differences(&self, policy: &Policy) -> Vec<Difference> {
        let differ = |case: &Case| case.difference(&self.file, policy);
        self.cases.iter().filter_map(differ).collect()
    }
}

impl Case {
    fn difference(&self, file: &str, policy: &Policy) -> Option<Difference> {
        let entry = &self.entry;
        let (decided, rule_line) = entry.decide(policy);
        let (status, reason) = match decided {
            Ok(()) => (200, None),
            Err(reason) => (reason.status().as_u16(), Some(reason.as_str())),
        };
        let expected_reason = entry.reason.as_ref().map(|reason| reason.get_ref().as_str());
        if status == *entry.expect.get_ref() && (expected_reason.is_none() || expected_reason == reason) {
            return None;
        }
        let said = |status: u16, reason: Option<&str>| match reason {
            Some(reason) => format!("{status} {reason}"),
            None => status.to_string(),
        };
        Some(Difference {
            place: format!("{file}:{}", self.line),
            question: format!("{} {} by {}", entry.method, entry.uri, entry.caller()),
            expected: said(*entry.expect.get_ref(), expected_reason),
            decided: said(status, reason),
            rule_line,
        })
    }
}

impl CaseEntry {
    /// What the rules say, and the line of the rule.
    fn decide(&self, policy: &Policy) -> (Result<(), Reason>, Option<usize>) {
        let path = CanonicalPath::parse(self.uri.as_bytes());
        let host = self
            .host
            .as_ref()
            .map(|host| CanonicalHost::parse(host.as_bytes()));
        let (Ok(path), Ok(host)) = (path, host.transpose()) else {
            return (Err(Reason::Request), None);
        };
        let host = host.as_ref().map(CanonicalHost::as_str);
        let route = policy.route(path.as_str(), &self.method, host);
        let line = route.rule().map(|rule| rule.line);
        if route.is_host_unknown() {
            return (Err(Reason::Request), line);
        }
        let roles = self.roles.iter().flatten().map(String::as_str).collect();
        let caller = (self.roles.is_some() || self.superuser).then_some(Assumed {
            roles: &roles,
            is_superuser: self.superuser,
        });
        (decide_assuming(route.ask(), caller), line)
    }

    fn caller(&self) -> String {
        match (&self.roles, self.superuser) {
            (_, true) => "a superuser".to_owned(),
            (None, false) => "an anonymous caller".to_owned(),
            (Some(roles), false) if roles.is_empty() => "a user without roles".to_owned(),
            (Some(roles), false) => format!("a user with {}", roles.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests;
