//! Where a setting comes from, and what can be wrong with it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a value was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the program itself.
    BuiltIn,
    /// In a file. Lines and columns count from 1, columns in characters.
    File {
        /// The file as it was named.
        path: Arc<Path>,
        /// The line.
        line: usize,
        /// The column, in characters.
        column: usize,
    },
    /// In an environment variable of this name.
    Variable(Arc<str>),
    /// By a flag, named with its dashes.
    Flag(Arc<str>),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built-in settings"),
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// Settings that cannot be used. Its text is meant for whoever operates the program; the exit status is 2.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there, or may not be read.
    #[error("{}: cannot read the settings: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is larger than settings can be.
    #[error("{}: larger than {} bytes, which no settings are", path.display(), super::sources::FILE_BYTES_MAX)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The text is not TOML.
    #[error("{origin}: not TOML: {message}")]
    Syntax {
        /// Where.
        origin: Origin,
        /// What the parser says.
        message: String,
    },
    /// A variable or flag that names no place among the settings, or holds no text.
    #[error("{origin}: {problem}")]
    Misplaced {
        /// Which.
        origin: Origin,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// A key that is unknown or missing, or whose value does not fit.
    #[error("{}{key}: {problem}", origin.as_ref().map(|origin| format!("{origin}: ")).unwrap_or_default())]
    Setting {
        /// Where; `None` if it is missing everywhere.
        origin: Option<Origin>,
        /// The key with dots between its levels.
        key: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
}

/// A setting that has the right type and is impossible all the same: what [`Settings::check`](super::Settings::check)
/// answers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct Invalid {
    pub(super) key: String,
    pub(super) problem: String,
}

impl Invalid {
    /// `key` with dots between its levels; `problem` says what is wrong and what would be right.
    pub fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            problem: problem.into(),
        }
    }

    /// The same, for settings that are themselves below `table`.
    #[must_use]
    pub fn within(self, table: &str) -> Self {
        Self {
            key: format!("{table}.{}", self.key),
            problem: self.problem,
        }
    }
}

/// A text that does not have the form that it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct UnfitText {
    /// The form, with an example.
    pub expected: &'static str,
}
