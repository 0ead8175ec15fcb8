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
use std::sync::Arc;

use serde::Deserialize;
use shared::host::CanonicalHost;
use shared::label::{
    Definition, InvalidLabelName, LabelChange, LabelName, LabelNames, LabelRole, LabelTable,
};
use shared::limits::RULE_CASES_MAX;
use shared::path::CanonicalPath;
use shared::reason::Reason;
use shared::role::RoleSet;
use toml::Spanned;
use uuid::Uuid;

use super::decide::{Assumed, FilmVerdict, decide_assuming};
use super::file::place;
use super::{Finding, Policy, PolicyError};

/// The table.
#[derive(Debug)]
pub struct Cases {
    file: String,
    labels: Vec<LabelChange>,
    expected: Vec<Case>,
}

/// One expected decision.
#[derive(Debug)]
struct Case {
    line: usize,
    entry: CaseEntry,
    film_labels: Arc<LabelNames>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    case: Vec<Spanned<CaseEntry>>,
    #[serde(default)]
    label: HashMap<Spanned<String>, LabelEntry>,
}

/// A label, as all cases have it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelEntry {
    /// Any one of these satisfies it.
    #[serde(default)]
    roles: Vec<String>,
    /// Whether everybody does.
    #[serde(default)]
    anonymous: bool,
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
    film_labels: Option<Spanned<Vec<Spanned<String>>>>,
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
        let mut reading = Reading {
            text,
            file,
            findings: Vec::new(),
        };
        let document: Document = match toml::from_str(text) {
            Ok(document) => document,
            Err(error) => {
                reading.note(error.span().map_or(0, |span| span.start), error.message());
                return Err(PolicyError::Findings(reading.findings));
            }
        };
        if document.case.is_empty() || document.case.len() > RULE_CASES_MAX {
            reading.note(
                0,
                format!("a table has 1 to {RULE_CASES_MAX} cases; write them as [[case]]"),
            );
        }
        let cases: Vec<Case> = document
            .case
            .into_iter()
            .filter_map(|case| reading.case(case, &document.label))
            .collect();
        let labels = document
            .label
            .into_iter()
            .filter_map(|(name, entry)| reading.label(&name, entry))
            .collect();
        if !reading.findings.is_empty() {
            return Err(PolicyError::Findings(reading.findings));
        }
        Ok(Self {
            file: file.to_owned(),
            labels,
            expected: cases,
        })
    }

    /// How many cases there are.
    pub fn len(&self) -> usize {
        self.expected.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.expected.is_empty()
    }

    /// Has the rules decide each case, and gives those in which they say something else.
    pub fn differences(&self, policy: &Policy) -> Vec<Difference> {
        let table = LabelTable::default();
        table.apply(&self.labels);
        let differ = |case: &Case| case.difference(&self.file, policy, &table);
        self.expected.iter().filter_map(differ).collect()
    }
}

struct Reading<'a> {
    text: &'a str,
    file: &'a str,
    findings: Vec<Finding>,
}

impl Reading<'_> {
    fn note(&mut self, offset: usize, message: impl Into<String>) {
        let (line, column) = place(self.text, offset);
        self.findings.push(Finding {
            file: self.file.to_owned(),
            line,
            column,
            message: message.into(),
        });
    }

    /// `None` if it cannot be meant, and noted.
    fn case(
        &mut self,
        case: Spanned<CaseEntry>,
        labels: &HashMap<Spanned<String>, LabelEntry>,
    ) -> Option<Case> {
        let noted = self.findings.len();
        let line = place(self.text, case.span().start).0;
        let entry = case.into_inner();
        if !matches!(entry.expect.get_ref(), 200 | 401 | 403) {
            self.note(
                entry.expect.span().start,
                "rules answer 200, 401 or 403; expect one of these",
            );
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
                self.note(reason.span().start, message);
            }
        }
        let mut names = Vec::new();
        for label in entry.film_labels.iter().flat_map(Spanned::get_ref) {
            let name = label.get_ref();
            if !labels.contains_key(name.as_str()) {
                let message = format!("the label {name:?} is not defined; add [label.{name}] with its roles");
                self.note(label.span().start, message);
            }
            // One that is no name is noted where it is defined.
            names.extend(name.parse::<LabelName>());
        }
        let film_labels = LabelNames::new(names)
            .map_err(|error| {
                let start = entry.film_labels.as_ref().map_or(0, |labels| labels.span().start);
                self.note(start, error.to_string());
            })
            .unwrap_or_default();
        (self.findings.len() == noted).then(|| Case {
            line,
            entry,
            film_labels: Arc::new(film_labels),
        })
    }

    /// `None` if it has no label's name, and noted.
    fn label(&mut self, name: &Spanned<String>, entry: LabelEntry) -> Option<LabelChange> {
        let parsed = name.get_ref().parse();
        parsed
            .map(|name| entry.defined(name))
            .map_err(|error: InvalidLabelName| {
                self.note(
                    name.span().start,
                    format!("{:?} is no label: {error}", name.get_ref()),
                );
            })
            .ok()
    }
}

impl LabelEntry {
    fn defined(self, name: LabelName) -> LabelChange {
        // No role is renamed here, so any ids will do.
        let role = |(id, name): (u128, String)| LabelRole {
            id: Uuid::from_u128(id).into(),
            name: name.into(),
        };
        LabelChange::Definition {
            name,
            definition: Some(Definition {
                anonymous: self.anonymous,
                roles: (0..).zip(self.roles).map(role).collect(),
            }),
        }
    }
}

impl Case {
    fn difference(&self, file: &str, policy: &Policy, table: &LabelTable) -> Option<Difference> {
        let entry = &self.entry;
        let (decided, rule_line) = self.decide(policy, table);
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
            question: format!(
                "{} {} by {}{}",
                entry.method,
                entry.uri,
                entry.caller(),
                self.carried()
            ),
            expected: said(*entry.expect.get_ref(), expected_reason),
            decided: said(status, reason),
            rule_line,
        })
    }

    /// What the rules say, and the line of the rule.
    fn decide(&self, policy: &Policy, table: &LabelTable) -> (Result<(), Reason>, Option<usize>) {
        let entry = &self.entry;
        let path = CanonicalPath::parse(entry.uri.as_bytes());
        let host = entry
            .host
            .as_ref()
            .map(|host| CanonicalHost::parse(host.as_bytes()));
        let (Ok(path), Ok(host)) = (path, host.transpose()) else {
            return (Err(Reason::Request), None);
        };
        let host = host.as_ref().map(CanonicalHost::as_str);
        let route = policy.route(path.as_str(), &entry.method, host);
        let line = route.rule().map(|rule| rule.line);
        if route.is_host_unknown() || route.is_film_malformed() {
            return (Err(Reason::Request), line);
        }
        let roles: RoleSet = entry.roles.iter().flatten().map(String::as_str).collect();
        let is_anonymous = entry.roles.is_none() && !entry.superuser;
        let labels = route.film().map_or(FilmVerdict::NotAsked, |film| {
            let labels = Arc::clone(&self.film_labels);
            table.apply(&[LabelChange::Film { film, labels }]);
            let definitions = table.definitions();
            if is_anonymous {
                FilmVerdict::of(film, Some((table, definitions.anonymous())))
            } else {
                FilmVerdict::of(film, Some((table, &definitions.satisfied_by(&roles))))
            }
        });
        let caller = (!is_anonymous).then_some(Assumed {
            roles: &roles,
            is_superuser: entry.superuser,
        });
        (decide_assuming(route.ask(), labels, caller), line)
    }

    fn carried(&self) -> String {
        if self.film_labels.is_empty() {
            return String::new();
        }
        let names: Vec<&str> = self.film_labels.iter().map(LabelName::as_str).collect();
        format!(", where the film carries {}", names.join(", "))
    }
}

impl CaseEntry {
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
