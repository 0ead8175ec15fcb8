//! The rules file: from TOML to a compiled [`Policy`], or to a list of what is wrong and where.

use std::ops::Range;

use serde::Deserialize;
use shared::host::CanonicalHost;
use shared::limits::RULES_MAX;
use shared::token::ClaimsPolicy;
use toml::Spanned;

use super::rule::{Ask, OnStale, Rule};
use super::table::Table;
use super::template::Template;
use super::{Basis, Finding, Policy, PolicyError};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    default: Option<Spanned<DefaultAsk>>,
    #[serde(default)]
    rule: Vec<Spanned<RuleEntry>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum DefaultAsk {
    Allow,
    Authenticated,
    Deny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleEntry {
    path: Option<Spanned<String>>,
    methods: Option<Spanned<Vec<Spanned<String>>>>,
    hosts: Option<Spanned<Vec<Spanned<String>>>>,
    roles: Option<Spanned<Vec<Spanned<String>>>>,
    authenticated: Option<Spanned<bool>>,
    anonymous: Option<Spanned<bool>>,
    film: Option<Spanned<String>>,
    on_stale: Option<OnStale>,
    audience: Option<Spanned<String>>,
}

/// Compiles the text of a rules file.
pub(super) fn parse(text: &str, file: &str, basis: &Basis) -> Result<Policy, PolicyError> {
    let mut reading = Reading {
        text,
        file,
        basis,
        findings: Vec::new(),
    };
    let document: Document = match toml::from_str(text) {
        Ok(document) => document,
        Err(error) => {
            reading.note(error.span().unwrap_or(0..0), error.message());
            return Err(PolicyError::Findings(reading.findings));
        }
    };
    let default = reading.default(document.default);
    if document.rule.len() > RULES_MAX {
        let span = document.rule.get(RULES_MAX).map_or(0..0, Spanned::span);
        reading.note(
            span,
            format!("a rules file has at most {RULES_MAX} rules; use placeholders"),
        );
        return Err(PolicyError::Findings(reading.findings));
    }
    let (mut rules, mut spans) = (Vec::with_capacity(document.rule.len()), Vec::new());
    for entry in document.rule {
        let span = entry
            .get_ref()
            .path
            .as_ref()
            .map_or_else(|| entry.span(), Spanned::span);
        rules.extend(reading.rule(entry.into_inner(), &span));
        spans.push(span);
    }
    let Some(default) = default.filter(|_| reading.findings.is_empty()) else {
        return Err(PolicyError::Findings(reading.findings));
    };
    let table = Table::new(rules);
    for (position, span) in spans.into_iter().enumerate() {
        if let Some(earlier) = table.covering(position) {
            let line = earlier.line;
            reading.note(
                span,
                format!(
                    "this rule never matches: the one on line {line} takes all of it; put this one before it"
                ),
            );
        }
    }
    Ok(Policy {
        default,
        claims: basis.claims.clone(),
        table,
        warnings: reading.findings,
    })
}

/// Line and column, in characters, of a byte offset; both from 1.
pub(super) fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before.get(line_start..).map_or(0, |line| line.chars().count()) + 1;
    (before.bytes().filter(|byte| *byte == b'\n').count() + 1, column)
}

struct Reading<'a> {
    text: &'a str,
    file: &'a str,
    basis: &'a Basis,
    findings: Vec<Finding>,
}

impl Reading<'_> {
    fn note(&mut self, span: Range<usize>, message: impl Into<String>) {
        let (line, column) = place(self.text, span.start);
        self.findings.push(Finding {
            file: self.file.to_owned(),
            line,
            column,
            message: message.into(),
        });
    }

    fn default(&mut self, default: Option<Spanned<DefaultAsk>>) -> Option<Ask> {
        let Some(default) = default else {
            self.note(
                0..0,
                "`default` is missing; say what becomes of what no rule names: \"allow\", \"authenticated\" or \"deny\"",
            );
            return None;
        };
        Some(match default.into_inner() {
            DefaultAsk::Allow => Ask::Nothing,
            DefaultAsk::Authenticated => Ask::Authenticated,
            DefaultAsk::Deny => Ask::Deny,
        })
    }

    /// `None` if something is wrong with the rule, and noted.
    fn rule(&mut self, entry: RuleEntry, span: &Range<usize>) -> Option<Rule> {
        let noted = self.findings.len();
        let template = self.template(entry.path, span);
        let film_at = self.film(entry.film.as_ref(), template.as_ref());
        let ask = self.ask(
            entry.anonymous,
            entry.authenticated,
            entry.roles,
            entry.film.as_ref(),
            span,
        );
        let methods = self.methods(entry.methods);
        let hosts = self.hosts(entry.hosts);
        let audience = self.audience(entry.audience);
        let (template, ask) = (template?, ask?);
        let (line, _) = place(self.text, span.start);
        (self.findings.len() == noted).then_some(Rule {
            line,
            template,
            methods,
            hosts,
            ask,
            film_at,
            on_stale: entry.on_stale,
            claims: audience.map(|audience| ClaimsPolicy {
                audience,
                ..self.basis.claims.clone()
            }),
        })
    }

    fn template(&mut self, path: Option<Spanned<String>>, span: &Range<usize>) -> Option<Template> {
        let Some(path) = path else {
            self.note(
                span.clone(),
                "`path` is missing; a rule for every path has path = \"/{*rest}\"",
            );
            return None;
        };
        Template::parse(path.get_ref())
            .map_err(|error| self.note(path.span(), error.to_string()))
            .ok()
    }

    /// Which segment of the path is the film. `None` if it is none, or there is none.
    fn film(&mut self, film: Option<&Spanned<String>>, template: Option<&Template>) -> Option<usize> {
        let film = film?;
        if !self.basis.has_labels {
            self.note(
                film.span(),
                "the labels of films come in the revocation feed, and revocations are \"off\"; \
                 say `roles`, `authenticated` or `anonymous` instead",
            );
            return None;
        }
        let text = film.get_ref();
        let name = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        // What is wrong with the path is said there.
        let found = template.map(|template| name.and_then(|name| template.position(name)));
        if found == Some(None) {
            self.note(
                film.span(),
                format!("{text:?} is no placeholder of one segment in `path`; write its name in braces, such as \"{{film_id}}\""),
            );
        }
        found.flatten()
    }

    fn ask(
        &mut self,
        anonymous: Option<Spanned<bool>>,
        authenticated: Option<Spanned<bool>>,
        roles: Option<Spanned<Vec<Spanned<String>>>>,
        film: Option<&Spanned<String>>,
        span: &Range<usize>,
    ) -> Option<Ask> {
        for (name, value) in [("anonymous", &anonymous), ("authenticated", &authenticated)] {
            if let Some(value) = value.as_ref().filter(|value| !*value.get_ref()) {
                self.note(value.span(), format!("`{name}` can only be true; leave it out"));
                return None;
            }
        }
        match (anonymous, authenticated, roles) {
            (Some(anonymous), Some(_), _) | (Some(anonymous), _, Some(_)) => {
                self.note(
                    anonymous.span(),
                    "`anonymous` lets everybody pass, which `authenticated` and `roles` contradict; keep one of them",
                );
                None
            }
            (Some(anonymous), None, None) if film.is_some() => {
                self.note(
                    anonymous.span(),
                    "`anonymous` lets everybody pass, which `film` contradicts; leave it out: \
                     a film without labels is open to everybody as it is",
                );
                None
            }
            (Some(_), None, None) => Some(Ask::Nothing),
            (None, _, Some(roles)) => {
                let roles = self.list("roles", roles, |name| {
                    let is_name = !name.is_empty()
                        && !name.contains(|c: char| c == ',' || c.is_control() || c.is_whitespace());
                    if is_name {
                        Ok(name)
                    } else {
                        Err("a role's name has no white space and no comma".to_owned())
                    }
                });
                Some(Ask::AnyRole(roles))
            }
            (None, Some(_), None) => Some(Ask::Authenticated),
            (None, None, None) if film.is_some() => Some(Ask::Nothing),
            (None, None, None) => {
                self.note(
                    span.clone(),
                    "the rule asks nothing; add `roles = [\"…\"]`, `authenticated = true`, `anonymous = true` or \
                     `film = \"{…}\"`",
                );
                None
            }
        }
    }

    fn methods(&mut self, methods: Option<Spanned<Vec<Spanned<String>>>>) -> Box<[Box<str>]> {
        let Some(methods) = methods else {
            return Box::default();
        };
        self.list("methods", methods, |method| {
            let well_formed = method.starts_with(|first: char| first.is_ascii_alphabetic())
                && method
                    .bytes()
                    .all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_');
            if !well_formed {
                return Err(format!(
                    "{method:?} is no method; write one such as \"GET\", or leave `methods` out for all"
                ));
            }
            let upper = method.to_ascii_uppercase();
            if upper == method {
                Ok(method)
            } else {
                Err(format!("methods are case-sensitive; write {upper:?}"))
            }
        })
    }

    fn hosts(&mut self, hosts: Option<Spanned<Vec<Spanned<String>>>>) -> Box<[Box<str>]> {
        let Some(hosts) = hosts else { return Box::default() };
        self.list("hosts", hosts, |host| {
            match CanonicalHost::parse(host.as_bytes()) {
                Ok(canonical) if canonical.as_str() == host => Ok(host),
                Ok(canonical) => Err(format!(
                    "hosts are matched in lower case without port and trailing dot; write \"{canonical}\""
                )),
                Err(error) => Err(format!(
                    "{host:?} is no host: {error}; write one such as \"movies.example.org\""
                )),
            }
        })
    }

    fn audience(&mut self, audience: Option<Spanned<String>>) -> Option<Box<str>> {
        let audience = audience?;
        if audience.get_ref().is_empty() {
            self.note(
                audience.span(),
                "`audience` is empty; name one, or leave it out for the setting's",
            );
        }
        Some(audience.into_inner().into())
    }

    /// A list that says something: not empty, nothing twice, each item as `check` wants it.
    fn list(
        &mut self,
        name: &str,
        items: Spanned<Vec<Spanned<String>>>,
        check: impl Fn(String) -> Result<String, String>,
    ) -> Box<[Box<str>]> {
        if items.get_ref().is_empty() {
            self.note(
                items.span(),
                format!("`{name}` is empty, so that nobody could match; name one, or leave it out"),
            );
        }
        let mut kept: Vec<Box<str>> = Vec::new();
        for item in items.into_inner() {
            let span = item.span();
            match check(item.into_inner()) {
                Ok(item) if kept.iter().any(|one| **one == *item) => {
                    self.note(span, format!("{item:?} stands twice in `{name}`; leave one out"));
                }
                Ok(item) => kept.push(item.into()),
                Err(message) => self.note(span, message),
            }
        }
        kept.into()
    }
}
