//! One rule, compiled.

use std::fmt;

use serde::Deserialize;
use shared::token::ClaimsPolicy;

use super::template::Template;

/// What a rule, or the default, asks of a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Nothing: anonymous callers may pass.
    Nothing,
    /// A valid token, whatever it may do.
    Authenticated,
    /// A valid token with any one of these roles.
    AnyRole(Box<[Box<str>]>),
    /// More than anybody but a superuser has.
    Deny,
}

impl fmt::Display for Ask {
    /// For people: what has to be there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing, anonymous callers may pass"),
            Self::Authenticated => f.write_str("a valid token"),
            Self::AnyRole(names) => write!(f, "any one of these roles: {}", names.join(", ")),
            Self::Deny => f.write_str("a superuser"),
        }
    }
}

impl Ask {
    /// Whether anonymous callers may pass.
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Nothing)
    }
}

/// What to do with somebody who presents a token while the revocations are older than `max_staleness`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnStale {
    /// Refuse to decide: 503 `stale_replica`.
    #[default]
    Deny,
    /// Decide by what is known.
    Allow,
}

/// A rule as the table holds it.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The line of its `path` in the rules file, for people.
    pub line: usize,
    /// The paths that it is about.
    pub template: Template,
    /// The methods that it is about; empty: all of them.
    pub methods: Box<[Box<str>]>,
    /// The hosts that it is about, in canonical form; empty: all of them.
    pub hosts: Box<[Box<str>]>,
    /// What it asks of a caller.
    pub ask: Ask,
    /// Which segment of the path is the film whose labels decide as well, from 0; `None`: no labels are asked.
    pub film_at: Option<usize>,
    /// Its own answer to a stale replica, before the setting's.
    pub on_stale: Option<OnStale>,
    /// What a token must say here, if the rule asks for an audience of its own.
    pub claims: Option<ClaimsPolicy>,
}

impl Rule {
    /// Whether the rule is about this method.
    pub fn has_method(&self, method: &str) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|own| own.as_ref() == method)
    }

    /// Whether the rule is about this host.
    pub fn has_host(&self, host: &str) -> bool {
        self.hosts.is_empty() || self.hosts.iter().any(|own| own.as_ref() == host)
    }
}
