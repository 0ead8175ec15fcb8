//! What `serde` finds wrong, and where.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use serde::de::{Error, Expected, Unexpected};

use super::super::error::{ConfigError, Origin};
use super::super::sources::Sources;
use super::super::suggest;

/// How much of a value is shown, in characters.
const SHOWN_CHARACTERS_MAX: usize = 80;

/// A value that does not fit; learns its key and its origin on the way up.
#[derive(Debug)]
pub(in super::super) struct Problem {
    text: String,
    missing: Option<&'static str>,
    /// From the innermost outwards.
    path: Vec<Segment>,
    origin: Option<Origin>,
}

/// One step from a table or list to what is in it.
#[derive(Debug)]
pub(super) enum Segment {
    Key(String),
    Item(usize),
}

impl Problem {
    fn new(text: String) -> Self {
        Self {
            text,
            missing: None,
            path: Vec::new(),
            origin: None,
        }
    }

    pub(super) fn expected(what: &str) -> Self {
        Self::new(format!("expected {what}"))
    }

    /// `x_file` where `x` is no secret.
    pub(super) fn not_a_secret() -> Self {
        Self::new("only a secret can be given as `…_file`: set it without `_file`".to_owned())
    }

    pub(super) fn given_twice(stem: &str, file: &str) -> Self {
        Self::new(format!("both `{stem}` and `{file}` are given: keep one of them"))
    }

    pub(super) fn unknown_key(key: &str, accepted: &[&str]) -> Self {
        Self::new(unknown("key", key, accepted)).under(Segment::Key(key.to_owned()))
    }

    /// Says where it happened, unless something further in already did.
    pub(super) fn at(mut self, origin: &Origin) -> Self {
        self.origin.get_or_insert_with(|| origin.clone());
        self
    }

    /// Says what it happened in.
    pub(super) fn under(mut self, segment: Segment) -> Self {
        self.path.push(segment);
        self
    }

    /// The error that an operator sees.
    pub(in super::super) fn into_config_error(self, sources: &Sources) -> ConfigError {
        let mut key = String::new();
        for segment in self.path.iter().rev() {
            // Writing to a `String` cannot fail.
            let _ = match segment {
                Segment::Key(name) if key.is_empty() => write!(key, "{name}"),
                Segment::Key(name) => write!(key, ".{name}"),
                Segment::Item(index) => write!(key, "[{index}]"),
            };
        }
        let Some(missing) = self.missing else {
            return ConfigError::Setting {
                origin: self.origin,
                key,
                problem: self.text,
            };
        };
        if !key.is_empty() {
            key.push('.');
        }
        key.push_str(missing);
        let problem = format!("required and not set: {}", sources.how_to_give(&key));
        ConfigError::Setting {
            origin: self.origin,
            key,
            problem,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Problem {}

impl Error for Problem {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!(
            "expected {}, got {}",
            Friendly(expected),
            Found(unexpected)
        ))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(unknown("word", variant, expected))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::unknown_key(field, expected)
    }

    fn missing_field(field: &'static str) -> Self {
        Self {
            missing: Some(field),
            ..Self::new(format!("`{field}` is required"))
        }
    }
}

fn unknown(kind: &str, word: &str, accepted: &[&str]) -> String {
    let mut text = format!("unknown {kind} `{}`", Shortened(word));
    if let Some(nearest) = suggest::nearest(word, accepted) {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "; did you mean `{nearest}`?");
    }
    format!("{text}; accepted here: {}", OneOf(accepted))
}

/// The words that are accepted.
pub(super) struct OneOf<'a>(pub(super) &'a [&'a str]);

impl fmt::Display for OneOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.0.iter().enumerate() {
            write!(f, "{}`{word}`", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl Expected for OneOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one of {self}")
    }
}

/// An expectation in the words of a settings file, not of Rust.
struct Friendly<'a>(&'a dyn Expected);

impl fmt::Display for Friendly<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        match text.as_str() {
            "a string" | "path string" | "a character" => f.write_str("a text in quotes"),
            "unit" => f.write_str("nothing"),
            _ => f.write_str(&text),
        }
    }
}

/// What was there instead.
struct Found<'a>(Unexpected<'a>);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Unexpected::Str(text) => write!(f, "the text `{}`", Shortened(&without_credentials(text))),
            Unexpected::Signed(number) => write!(f, "the number {number}"),
            Unexpected::Unsigned(number) => write!(f, "the number {number}"),
            Unexpected::Float(number) => write!(f, "the number {number}"),
            Unexpected::Bool(boolean) => write!(f, "{boolean}"),
            Unexpected::Seq => f.write_str("a list"),
            Unexpected::Map => f.write_str("a table"),
            other => other.fmt(f),
        }
    }
}

/// A URL in the wrong place is shown without its user and password.
fn without_credentials(text: &str) -> Cow<'_, str> {
    match text
        .split_once("://")
        .and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?)))
    {
        Some((scheme, (_, host))) => format!("{scheme}://[REDACTED]@{host}").into(),
        None => text.into(),
    }
}

/// A text that is cut where it grows long, with what does not print escaped.
struct Shortened<'a>(&'a str);

impl fmt::Display for Shortened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.0.chars();
        for character in characters.by_ref().take(SHOWN_CHARACTERS_MAX) {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                f.write_char(character)?;
            }
        }
        f.write_str(if characters.next().is_some() { "…" } else { "" })
    }
}
