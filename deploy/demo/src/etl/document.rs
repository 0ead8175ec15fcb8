//! Documents for Elasticsearch's bulk API: an action on one line, the document on the next.

use std::io::{self, Write};

use serde::Serialize;

use super::database::FilmRow;

/// The index.
const INDEX: &str = "films";

#[derive(Serialize)]
struct Action<'a> {
    index: Target<'a>,
}

#[derive(Serialize)]
struct Target<'a> {
    _index: &'static str,
    _id: &'a str,
}

#[derive(Serialize)]
struct Document<'a> {
    id: &'a str,
    title: &'a str,
    release_date: &'a str,
    rating: Option<f64>,
    genres: &'a [String],
    directors: &'a [String],
    /// A search asks for films all of whose labels are in `X-Auth-Labels`.
    labels: &'a [&'a str],
}

pub(super) fn write_document(output: &mut impl Write, film: &FilmRow, labels: &[&str]) -> io::Result<()> {
    let action = Action {
        index: Target {
            _index: INDEX,
            _id: &film.id,
        },
    };
    let document = Document {
        id: &film.id,
        title: &film.title,
        release_date: &film.release_date,
        rating: film.rating,
        genres: &film.genres,
        directors: &film.directors,
        labels,
    };
    serde_json::to_writer(&mut *output, &action)?;
    output.write_all(b"\n")?;
    serde_json::to_writer(&mut *output, &document)?;
    output.write_all(b"\n")
}
