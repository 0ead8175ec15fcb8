//! Which films carry which labels: one by one, and many at once.

use std::collections::HashSet;

use serde_json::Value;
use shared::id::FilmId;
use shared::label::{LabelName, LabelNames};
use shared::limits;
use shared::strict_json::{self, StrictJsonError};
use uuid::Uuid;

use super::label::unknown_label;
use super::{Caller, Service, ServiceError};
use crate::store::audit::{self, Action, Actor, Event};
use crate::store::{film, label};

impl Service {
    /// The labels of a film. Everybody who is signed in may know them.
    ///
    /// # Errors
    ///
    /// That the database is away.
    pub async fn film_labels(&self, id: FilmId) -> Result<LabelNames, ServiceError> {
        Ok(film::of(&mut self.store.read().await?, id).await?)
    }

    /// Gives a film its labels, instead of those that it carries.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Forbidden`], [`ServiceError::Invalid`] for a label that is not there.
    pub async fn put_film_labels(
        &self,
        caller: &Caller,
        id: FilmId,
        names: &[String],
    ) -> Result<LabelNames, ServiceError> {
        Caller::require(caller.edits_roles())?;
        let refuse = |name: &str| ServiceError::field("labels", "unknown_label", unknown_label(name));
        let mut read = Vec::with_capacity(names.len().min(limits::FILM_LABELS_MAX + 1));
        for name in names {
            read.push(name.parse::<LabelName>().map_err(|_| refuse(name))?);
        }
        let names = LabelNames::new(read)?;
        let mut work = self.store.write().await?;
        self.lock_actors(&mut work, caller, caller.subject, false).await?;
        // From here on no label goes.
        label::begin_changes(&mut work, 0).await?;
        let known = label::names(&mut work).await?;
        if let Some(unknown) = names.iter().find(|name| !known.contains(name)) {
            return Err(refuse(unknown.as_str()));
        }
        film::put(&mut work, &[(id, names.clone())]).await?;
        let labels: Vec<&str> = names.iter().map(LabelName::as_str).collect();
        let event = caller.act(Action::FilmLabel).on(id).with("labels", labels);
        audit::record(&mut work, event).await?;
        work.commit().await?;
        self.publisher.committed().await?;
        Ok(names)
    }

    /// A part of the whole table, in the order of the films' ids, from behind a film on; empty: there are no more.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Forbidden`].
    pub async fn film_page(
        &self,
        caller: Option<&Caller>,
        after: Option<FilmId>,
    ) -> Result<Vec<(FilmId, LabelNames)>, ServiceError> {
        Caller::require(caller.is_none_or(|caller| caller.edits_roles() || caller.is_admin()))?;
        Ok(film::page(&mut self.store.read().await?, after, limits::FILMS_AT_ONCE).await?)
    }

    /// Begins to take in films line by line, for somebody, or for an operator at the command line.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Forbidden`].
    pub fn import_films<'a>(&'a self, caller: Option<&'a Caller>) -> Result<FilmImport<'a>, ServiceError> {
        Caller::require(caller.is_none_or(Caller::edits_roles))?;
        Ok(FilmImport {
            service: self,
            caller,
            films: Vec::new(),
            lines: 0,
            outcome: ImportOutcome::default(),
        })
    }
}

/// Why a line is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// No JSON object.
    #[error("the line is no JSON object: {{\"film_id\":…,\"labels\":[…]}} is expected")]
    NoObject,
    /// A field stands twice.
    #[error("{0:?} stands twice")]
    FieldTwice(String),
    /// A field that there is not.
    #[error("there is no field {0:?}")]
    UnknownField(String),
    /// Not a film.
    #[error("`film_id` is missing, or no UUID")]
    NoFilm,
    /// Not a list of names.
    #[error("`labels` is missing, or no list of names")]
    NoLabels,
    /// A label that is not there, or a text that cannot be one.
    #[error("{0}")]
    UnknownLabel(String),
    /// More labels than a film can carry.
    #[error(transparent)]
    TooMany(#[from] shared::label::TooManyLabels),
    /// Longer than any good line.
    #[error("the line has more than {} bytes", limits::FILM_LINE_BYTES_MAX)]
    TooLong,
    /// Not as CSV should be.
    #[error("no line of CSV with two fields: {0}")]
    NoCsv(String),
}

/// A film and the labels that it is to carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilmLine {
    /// The film.
    pub film: FilmId,
    /// Its labels.
    pub labels: LabelNames,
}

impl FilmLine {
    /// Reads a line of JSON Lines.
    ///
    /// # Errors
    ///
    /// [`LineFault`].
    pub fn from_json(line: &[u8]) -> Result<Self, LineFault> {
        let mut object = match strict_json::parse(line) {
            Ok(Value::Object(object)) => object,
            Err(StrictJsonError::DuplicateName(name)) => return Err(LineFault::FieldTwice(shortened(&name))),
            Ok(_) | Err(StrictJsonError::TooDeep | StrictJsonError::Syntax) => {
                return Err(LineFault::NoObject);
            }
        };
        let film = object.remove("film_id");
        let film = film.as_ref().and_then(Value::as_str).ok_or(LineFault::NoFilm)?;
        let Some(Value::Array(names)) = object.remove("labels") else {
            return Err(LineFault::NoLabels);
        };
        if let Some(unknown) = object.keys().next() {
            return Err(LineFault::UnknownField(shortened(unknown)));
        }
        let names: Option<Vec<&str>> = names.iter().map(Value::as_str).collect();
        Self::of(film, names.ok_or(LineFault::NoLabels)?.into_iter())
    }

    /// What two fields say, the labels parted by `|`.
    ///
    /// # Errors
    ///
    /// [`LineFault`].
    pub fn from_fields(film: &str, labels: &str) -> Result<Self, LineFault> {
        let names = labels.split('|').map(str::trim).filter(|name| !name.is_empty());
        Self::of(film.trim(), names)
    }

    fn of<'a>(film: &str, names: impl Iterator<Item = &'a str>) -> Result<Self, LineFault> {
        let names: Result<Vec<LabelName>, LineFault> = names
            .map(|name| {
                name.parse()
                    .map_err(|_| LineFault::UnknownLabel(unknown_label(name)))
            })
            .collect();
        Ok(Self {
            film: film_id(film).ok_or(LineFault::NoFilm)?,
            labels: LabelNames::new(names?)?,
        })
    }
}

/// A film's id: a UUID in its usual spelling, in small or capital letters.
fn film_id(text: &str) -> Option<FilmId> {
    const CHARACTERS: usize = 36;
    let usual = text.len() == CHARACTERS;
    Uuid::try_parse(text).ok().filter(|_| usual).map(FilmId)
}

/// Somebody else's text, not too much of it.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

/// A line that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedLine<F = LineFault> {
    /// Its number, from 1.
    pub line: u64,
    /// Why.
    pub fault: F,
}

/// What came of an import.
#[derive(Debug, Default)]
pub struct ImportOutcome {
    /// Lines that were taken.
    pub accepted: u64,
    /// Lines that were not.
    pub refused_count: u64,
    /// The first of them, at most [`limits::REFUSED_LINES_MAX`].
    pub refused: Vec<RefusedLine>,
}

/// Films on their way into the database, some at a time: what was taken stays, whatever becomes of the rest.
#[derive(Debug)]
pub struct FilmImport<'a> {
    service: &'a Service,
    caller: Option<&'a Caller>,
    films: Vec<(u64, FilmLine)>,
    lines: u64,
    outcome: ImportOutcome,
}

impl FilmImport<'_> {
    /// Takes the next line, and writes when there are enough.
    ///
    /// # Errors
    ///
    /// That the caller's rights have changed, or the database is away. Lines before this may have been taken.
    pub async fn take(&mut self, line: Result<FilmLine, LineFault>) -> Result<(), ServiceError> {
        self.lines += 1;
        match line {
            Ok(film) => self.films.push((self.lines, film)),
            Err(fault) => self.refuse(self.lines, fault),
        }
        let full = usize::try_from(limits::FILMS_AT_ONCE).unwrap_or(usize::MAX);
        if self.films.len() >= full {
            self.write().await?;
        }
        Ok(())
    }

    /// Passes over a line that says nothing.
    pub fn skip(&mut self) {
        self.lines += 1;
    }

    /// How many lines have been taken and written so far.
    pub fn accepted(&self) -> u64 {
        self.outcome.accepted
    }

    /// What has been refused since this was last asked.
    pub fn drain_refused(&mut self) -> impl Iterator<Item = RefusedLine> {
        self.outcome.refused.drain(..)
    }

    /// Writes what is left.
    ///
    /// # Errors
    ///
    /// As [`FilmImport::take`].
    pub async fn finish(mut self) -> Result<ImportOutcome, ServiceError> {
        self.write().await?;
        self.outcome.refused.sort_unstable_by_key(|refused| refused.line);
        Ok(self.outcome)
    }

    fn refuse(&mut self, line: u64, fault: LineFault) {
        self.outcome.refused_count += 1;
        if self.outcome.refused.len() < limits::REFUSED_LINES_MAX {
            self.outcome.refused.push(RefusedLine { line, fault });
        }
    }

    async fn write(&mut self) -> Result<(), ServiceError> {
        if self.films.is_empty() {
            return Ok(());
        }
        let mut work = self.service.store.write().await?;
        if let Some(caller) = self.caller {
            self.service
                .lock_actors(&mut work, caller, caller.subject, false)
                .await?;
        }
        // From here on no label goes.
        label::begin_changes(&mut work, 0).await?;
        let known: HashSet<LabelName> = label::names(&mut work).await?.into_iter().collect();
        let mut good = Vec::with_capacity(self.films.len());
        for (line, FilmLine { film, labels }) in std::mem::take(&mut self.films) {
            let unknown = labels.iter().find(|name| !known.contains(name));
            let unknown = unknown.map(|name| unknown_label(name.as_str()));
            match unknown {
                None => good.push((film, labels)),
                Some(why) => self.refuse(line, LineFault::UnknownLabel(why)),
            }
        }
        film::put(&mut work, &good).await?;
        // Once for all of its films, with the first of them.
        if self.outcome.accepted == 0 && !good.is_empty() {
            let event = match self.caller {
                Some(caller) => caller.act(Action::FilmImport),
                None => Event::new(Actor::Operator, Action::FilmImport),
            };
            audit::record(&mut work, event).await?;
        }
        work.commit().await?;
        self.outcome.accepted += u64::try_from(good.len()).unwrap_or(0);
        Ok(self.service.publisher.committed().await?)
    }
}

#[cfg(test)]
mod tests;
