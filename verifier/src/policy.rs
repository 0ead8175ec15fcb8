//! Who may do what: the rules file, compiled, looked up and decided. Knows nothing of tokens' signatures, of HTTP or
//! of replicas.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use shared::limits::RULES_BYTES_MAX;
use shared::token::ClaimsPolicy;

pub mod cases;
pub mod decide;
mod file;
pub mod rule;
pub mod store;
mod table;
pub mod template;

pub use decide::{Caller, Permitted, decide};
pub use rule::{Ask, OnStale, Rule};
pub use store::{InForce, PolicyStore, RulesSource};
pub use table::{Match, Table};

/// The rules in force, whole.
#[derive(Debug)]
pub struct Policy {
    default: Ask,
    claims: ClaimsPolicy,
    table: Table,
    warnings: Vec<Finding>,
}

/// What decides about a request: the first rule that matches, or else the file's `default`.
#[derive(Clone, Copy, Debug)]
pub struct Route<'a> {
    policy: &'a Policy,
    found: Option<Match<'a>>,
}

/// Why a rules file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// It cannot be read.
    #[error("{file}: the rules cannot be read: {source}")]
    Read {
        /// The file.
        file: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// It is too large.
    #[error("{file}: such a file has at most {bytes_max} bytes; fewer rules with placeholders say as much")]
    TooLarge {
        /// The file.
        file: String,
        /// What it may have.
        bytes_max: u64,
    },
    /// It says what cannot be.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Findings(Vec<Finding>),
}

/// Something to say about a place in a rules file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

impl Policy {
    /// Reads and compiles a rules file. `claims` is what a token must say where a rule does not ask for an audience
    /// of its own.
    ///
    /// # Errors
    ///
    /// A [`PolicyError`] that names the file and, where it can, line and column of each thing that is wrong.
    pub fn load(path: &Path, claims: &ClaimsPolicy) -> Result<Self, PolicyError> {
        Self::parse(&read(path)?, &path.display().to_string(), claims)
    }

    /// Compiles the text of a rules file; `file` is its name in messages.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Findings`] with everything that is wrong.
    pub fn parse(text: &str, file: &str, claims: &ClaimsPolicy) -> Result<Self, PolicyError> {
        file::parse(text, file, claims)
    }

    /// What decides about a request. `path` is canonical; `host` is `None` where none is known.
    pub fn route(&self, path: &str, method: &str, host: Option<&str>) -> Route<'_> {
        Route {
            policy: self,
            found: self.table.find(path, method, host),
        }
    }

    /// The rules in file order.
    pub fn rules(&self) -> &[Rule] {
        self.table.rules()
    }

    /// What is suspicious about the file, though it can be used.
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }
}

impl<'a> Route<'a> {
    /// The rule; `None`: the default decides.
    pub fn rule(self) -> Option<&'a Rule> {
        self.found.map(|found| found.rule)
    }

    /// What is asked of the caller.
    pub fn ask(self) -> &'a Ask {
        self.rule().map_or(&self.policy.default, |rule| &rule.ask)
    }

    /// What a token must say.
    pub fn claims(self) -> &'a ClaimsPolicy {
        self.rule()
            .and_then(|rule| rule.claims.as_ref())
            .unwrap_or(&self.policy.claims)
    }

    /// The rule's own answer to a stale replica.
    pub fn on_stale(self) -> Option<OnStale> {
        self.rule().and_then(|rule| rule.on_stale)
    }

    /// Whether the rule asks for a host, and none is known.
    pub fn is_host_unknown(self) -> bool {
        self.found.is_some_and(|found| found.is_host_unknown)
    }
}

/// The text of a rules file, within its bound.
fn read(path: &Path) -> Result<String, PolicyError> {
    read_within(path, RULES_BYTES_MAX)
}

/// The text of a file of at most so many bytes.
///
/// # Errors
///
/// [`PolicyError::Read`] and [`PolicyError::TooLarge`].
pub fn read_within(path: &Path, bytes_max: u64) -> Result<String, PolicyError> {
    let file = path.display().to_string();
    let mut text = String::new();
    let looked = File::open(path).and_then(|opened| opened.take(bytes_max + 1).read_to_string(&mut text));
    match looked {
        Ok(bytes) if u64::try_from(bytes).is_ok_and(|bytes| bytes <= bytes_max) => Ok(text),
        Ok(_) => Err(PolicyError::TooLarge { file, bytes_max }),
        Err(source) => Err(PolicyError::Read { file, source }),
    }
}

#[cfg(test)]
mod tests;
