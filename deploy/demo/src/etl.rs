//! From the database of films to the search index, by way of the issuer: which film carries which label.
//!
//! Each film gets its label, the issuer is told in bulk, and what it took is written as documents for Elasticsearch, with
//! the labels in them, so that a search can leave out what its user may not see.

mod database;
mod document;
mod issuer;

use std::collections::HashMap;
use std::io::Write;

use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};
use serde_json::json;

pub use self::issuer::{IssuerError, SignedIn};
pub use database::{DatabaseError, FilmDatabase, make_database};

use self::database::{FilmRow, Snapshot};
use self::document::write_document;

/// The label of films that are new.
pub const NEW_FILM_LABEL: &str = "subscriber";

/// Films in one bulk request: some 100 bytes each, far below the 64 MiB that the issuer takes.
const FILMS_PER_REQUEST: usize = 100_000;

/// Films read from the database at once.
const FILMS_PER_PAGE: usize = 1000;

/// Parts of a request that wait to be sent.
const PAGES_WAITING: usize = 2;

/// Why a run broke off.
#[derive(Debug, thiserror::Error)]
pub enum EtlError {
    /// The films cannot be read.
    #[error("the database of films cannot be read")]
    Database(#[from] DatabaseError),
    /// The issuer did not take them.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// The documents cannot be written.
    #[error("the documents cannot be written")]
    Output(#[from] std::io::Error),
    /// It is not known which films were refused, and so not which documents to write.
    #[error("the issuer refused {count} films, more than it lists; the first: {first}")]
    TooManyRefused {
        /// How many.
        count: u64,
        /// Why it refused the first.
        first: String,
    },
}

/// A film that the issuer did not take. There is no document of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedFilm {
    /// Its id in the database.
    pub id: String,
    /// What the issuer says.
    pub reason: String,
}

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Films that the issuer took, of which there are documents.
    pub taken: u64,
    /// Films that it did not take.
    pub refused: Vec<RefusedFilm>,
}

/// The labels of a film: new ones are for subscribers, all others are open.
fn labels(film: &FilmRow) -> &'static [&'static str] {
    if film.is_new { &[NEW_FILM_LABEL] } else { &[] }
}

/// Gives every film its labels, and writes the documents of those that were taken.
///
/// `today` (as `2026-11-26`) is what the age of a film is reckoned from; the real day if not given.
///
/// # Errors
///
/// [`EtlError`]. What was taken before stays: to run it again is safe, and costs nothing where nothing changed.
pub async fn run(
    database: &mut FilmDatabase,
    issuer: &SignedIn,
    today: Option<&str>,
    output: &mut (impl Write + Send),
) -> Result<Outcome, EtlError> {
    // Read twice, so it must not change in between.
    let mut snapshot = database.snapshot(today).await?;
    let (mut outcome, mut after) = (Outcome::default(), String::new());
    loop {
        let (sent, refused) = push(&mut snapshot, &after, issuer).await?;
        if sent == 0 {
            output.flush()?;
            return Ok(outcome);
        }
        let mut written = 0;
        while written < sent {
            for film in snapshot
                .page(&after, (sent - written).min(FILMS_PER_PAGE))
                .await?
            {
                written += 1;
                after.clone_from(&film.id);
                match refused.get(&written) {
                    None => {
                        write_document(output, &film, labels(&film))?;
                        outcome.taken += 1;
                    }
                    Some(reason) => outcome.refused.push(RefusedFilm {
                        id: film.id,
                        reason: reason.clone(),
                    }),
                }
            }
        }
    }
}

/// Sends a request full of films, from behind one on: how many, and which lines were refused.
async fn push(
    snapshot: &mut Snapshot<'_>,
    after: &str,
    issuer: &SignedIn,
) -> Result<(usize, HashMap<usize, String>), EtlError> {
    let first = snapshot.page(after, FILMS_PER_PAGE).await?;
    if first.is_empty() {
        return Ok((0, HashMap::new()));
    }
    let (lines, body) = Channel::new(PAGES_WAITING);
    let (sent, answer) = tokio::join!(send_lines(snapshot, first, lines), issuer.put_labels(body));
    // Without its films the request failed as well, and that is not the reason.
    let (sent, answer) = (sent?, answer?);
    if answer.refused_count != answer.refused.len() as u64 {
        return Err(EtlError::TooManyRefused {
            count: answer.refused_count,
            first: answer
                .refused
                .into_iter()
                .next()
                .map(|line| line.reason)
                .unwrap_or_default(),
        });
    }
    Ok((
        sent,
        answer
            .refused
            .into_iter()
            .map(|line| (line.line, line.reason))
            .collect(),
    ))
}

async fn send_lines(
    snapshot: &mut Snapshot<'_>,
    mut page: Vec<FilmRow>,
    mut to_issuer: Sender<Bytes, std::io::Error>,
) -> Result<usize, DatabaseError> {
    let mut sent = 0;
    while let Some(last) = page.last() {
        let mut text = String::new();
        for film in &page {
            text.push_str(&json!({"film_id": film.id, "labels": labels(film)}).to_string());
            text.push('\n');
        }
        sent += page.len();
        // The issuer may have answered already, and its answer says why.
        if to_issuer.send_data(text.into()).await.is_err() || sent >= FILMS_PER_REQUEST {
            break;
        }
        page = match snapshot.page(&last.id, FILMS_PER_PAGE).await {
            Ok(next) => next,
            Err(error) => {
                to_issuer.abort(std::io::Error::other("the films cannot be read"));
                return Err(error);
            }
        };
    }
    Ok(sent)
}

#[cfg(test)]
mod tests;
