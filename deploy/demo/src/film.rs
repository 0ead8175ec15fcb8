//! The films, from a JSON file.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The films that come with the demo.
const BUILT_IN: &str = include_str!("../films.json");

/// A UUID in its one canonical spelling: lower case, with hyphens (RFC 9562 section 4).
///
/// To the verifier `7C9E…` and `7c9e…` are the same film, and what is no UUID with its hyphens is none. A service that read
/// ids more freely would show what nobody was asked about, so other spellings are the id of nothing here.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct FilmId(String);

impl FilmId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for FilmId {
    type Error = FilmsError;

    fn try_from(text: String) -> Result<Self, FilmsError> {
        let is_canonical = text.len() == 36
            && text.bytes().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            });
        if is_canonical {
            Ok(Self(text))
        } else {
            Err(FilmsError::Id(text))
        }
    }
}

/// Whom a film is for. Its labels decide, at the verifier; this is for people to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Everybody, anonymous callers included.
    Open,
    /// Callers with the role `subscriber`, which the label `subscribers` asks for.
    Subscriber,
}

/// A film.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Film {
    /// Its id.
    pub id: FilmId,
    /// Its title, in English where it has one.
    pub title: String,
    /// The year of its first showing.
    pub year: u16,
    /// Who directed it.
    pub director: String,
    /// What kind of film it is.
    pub genre: String,
    /// Whom it is for.
    pub access: Access,
}

/// Every film there is, in the order of the file.
#[derive(Clone, Debug)]
pub struct Films(Vec<Film>);

/// Why a file of films cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FilmsError {
    /// It cannot be read.
    #[error("{}: the films cannot be read", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// It is no list of films.
    #[error("the films are not what they should be")]
    Parse(#[from] serde_json::Error),
    /// An id in another spelling than its canonical one.
    #[error("`{0}` is no film id; write a UUID in lower case with hyphens")]
    Id(String),
    /// Two films of one id.
    #[error("two films have the id `{0}`")]
    IdTwice(String),
}

impl Films {
    /// The films that come with the demo.
    ///
    /// # Errors
    ///
    /// As [`Films::parse`].
    pub fn built_in() -> Result<Self, FilmsError> {
        Self::parse(BUILT_IN)
    }

    /// Reads a file of films.
    ///
    /// # Errors
    ///
    /// [`FilmsError::Read`], or as [`Films::parse`].
    pub fn load(file: &Path) -> Result<Self, FilmsError> {
        let text = std::fs::read_to_string(file).map_err(|source| FilmsError::Read {
            file: file.to_owned(),
            source,
        })?;
        Self::parse(&text)
    }

    /// Reads films from JSON: an array of [`Film`].
    ///
    /// # Errors
    ///
    /// [`FilmsError::Parse`] if it is anything else, [`FilmsError::IdTwice`] if two films have one id.
    pub fn parse(json: &str) -> Result<Self, FilmsError> {
        let films: Vec<Film> = serde_json::from_str(json)?;
        let mut seen = HashSet::new();
        for film in &films {
            if !seen.insert(&film.id) {
                return Err(FilmsError::IdTwice(film.id.as_str().to_owned()));
            }
        }
        Ok(Self(films))
    }

    /// The films in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Film> {
        self.0.iter()
    }

    /// The film of this id, spelled as [`FilmId`] says.
    pub fn find(&self, id: &str) -> Option<&Film> {
        self.0.iter().find(|film| film.id.as_str() == id)
    }
}

#[cfg(test)]
mod tests;
