//! Who may do what: the rules file, compiled, looked up and decided. Knows nothing of tokens' signatures, of HTTP or
//! of replicas.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use shared::id::FilmId;
use shared::limits::RULES_BYTES_MAX;
use shared::token::ClaimsPolicy;
use uuid::Uuid;

pub mod cases;
pub mod decide;
mod file;
pub mod rule;
pub mod store;
mod table;
pub mod template;

pub use decide::{Caller, FilmVerdict, Permitted, meet};
pub use rule::{Ask, OnStale, Rule};
pub use store::{InForce, PolicyStore, RulesSource};
pub use table::{Match, Table};

/// What rules are compiled against.
#[derive(Clone, Debug)]
pub struct Basis {
    /// What a token must say where a rule does not ask for an audience of its own.
    pub claims: ClaimsPolicy,
    /// Whether anything will be known of film labels: without a feed there is nothing.
    pub has_labels: bool,
}

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
    film: Film,
}

/// The film that a request is about.
#[derive(Clone, Copy, Debug)]
enum Film {
    NotAsked,
    Is(FilmId),
    /// Its id is no UUID.
    Malformed,
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
    /// Reads and compiles a rules file.
    ///
    /// # Errors
    ///
    /// A [`PolicyError`] that names the file and, where it can, line and column of each thing that is wrong.
    pub fn load(path: &Path, basis: &Basis) -> Result<Self, PolicyError> {
        Self::parse(&read(path)?, &path.display().to_string(), basis)
    }

    /// Compiles the text of a rules file; `file` is its name in messages.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Findings`] with everything that is wrong.
    pub fn parse(text: &str, file: &str, basis: &Basis) -> Result<Self, PolicyError> {
        file::parse(text, file, basis)
    }

    /// What decides about a request. `path` is canonical; `host` is `None` where none is known.
    pub fn route(&self, path: &str, method: &str, host: Option<&str>) -> Route<'_> {
        let found = self.table.find(path, method, host);
        let film_at = found.and_then(|found| found.rule.film_at);
        Route {
            policy: self,
            found,
            film: film_at.map_or(Film::NotAsked, |at| film_in(path, at)),
        }
    }

    /// The rules in file order.
    pub fn rules(&self) -> &[Rule] {
        self.table.rules()
    }

    /// Whether any rule asks the labels of films.
    pub fn asks_labels(&self) -> bool {
        self.rules().iter().any(|rule| rule.film_at.is_some())
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

    /// The film whose labels decide as well; `None`: the rule asks none.
    pub const fn film(self) -> Option<FilmId> {
        match self.film {
            Film::Is(film) => Some(film),
            Film::NotAsked | Film::Malformed => None,
        }
    }

    /// Whether the rule asks for a host, and none is known.
    pub fn is_host_unknown(self) -> bool {
        self.found.is_some_and(|found| found.is_host_unknown)
    }

    /// Whether the rule asks the labels of a film, and its id is no UUID.
    pub const fn is_film_malformed(self) -> bool {
        matches!(self.film, Film::Malformed)
    }
}

/// The film that a segment of a canonical path names: by a UUID with its hyphens, in either case (RFC 9562 section 4). The
/// other forms that some read as UUIDs are none here: a film has one spelling but for the case.
fn film_in(path: &str, at: usize) -> Film {
    const UUID_BYTES: usize = 36;
    let segment = path.as_bytes().split(|byte| *byte == b'/').skip(1).nth(at);
    let film = segment.filter(|segment| segment.len() == UUID_BYTES);
    film.and_then(|film| Uuid::try_parse_ascii(film).ok())
        .map(FilmId)
        .map_or(Film::Malformed, Film::Is)
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
