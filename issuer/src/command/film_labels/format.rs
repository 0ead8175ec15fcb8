//! The two forms of a film and its labels on a line.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::service::{FilmLine, LineFault};

/// The first line of CSV.
pub(super) const CSV_HEADER: [&str; 2] = ["film_id", "labels"];

/// What a line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// `{"film_id":"…","labels":["…","…"]}`
    Jsonl,
    /// `film_id,labels`, with this as the first line, and the labels of a film parted by `|`
    Csv,
}

/// A file's name does not say what is in it.
#[derive(Debug, thiserror::Error)]
#[error(
    "{}: the name does not say what the file is; call it .jsonl, .ndjson or .csv, or add --format jsonl or --format csv",
    .0.display()
)]
pub(super) struct UnknownFormat(PathBuf);

impl Format {
    /// The one that was asked for, else what the name of the file says.
    pub(super) fn of(asked: Option<Self>, file: Option<&Path>) -> Result<Self, UnknownFormat> {
        if let Some(asked) = asked {
            return Ok(asked);
        }
        let Some(file) = file.filter(|file| *file != Path::new("-")) else {
            return Ok(Self::Jsonl);
        };
        let extension = file.extension().unwrap_or_default().to_ascii_lowercase();
        match extension.to_str() {
            Some("jsonl" | "ndjson" | "json") => Ok(Self::Jsonl),
            Some("csv") => Ok(Self::Csv),
            _ => Err(UnknownFormat(file.to_owned())),
        }
    }

    /// Reads a line.
    pub(super) fn read(self, line: &[u8]) -> Result<FilmLine, LineFault> {
        match self {
            Self::Jsonl => FilmLine::from_json(line),
            Self::Csv => {
                let [film, labels] = fields(line)?;
                FilmLine::from_fields(&film, &labels)
            }
        }
    }
}

/// Whether a line is the first one of CSV.
pub(super) fn is_csv_header(line: &[u8]) -> bool {
    fields(line).is_ok_and(|fields| fields.map(|field| field.trim().to_owned()) == CSV_HEADER)
}

/// The two fields of a line of CSV. Neither can have a line break in it, so that a line is a record: a quote that is left
/// open spoils its own line alone.
fn fields(line: &[u8]) -> Result<[String; 2], LineFault> {
    let refuse = |why: &str| LineFault::NoCsv(why.to_owned());
    let pieces = line.split(|byte| *byte == b'"').count();
    if pieces.is_multiple_of(2) {
        return Err(refuse("a quote is left open"));
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(line.len().max(1))
        .from_reader(line);
    let mut record = csv::StringRecord::new();
    match reader.read_record(&mut record) {
        Ok(true) => {}
        Ok(false) => return Err(refuse("it is empty")),
        Err(_) => return Err(refuse("it is no UTF-8")),
    }
    let fields: Vec<String> = record.iter().map(str::to_owned).collect();
    fields
        .try_into()
        .map_err(|fields: Vec<String>| LineFault::NoCsv(format!("there are {}", fields.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILM: &str = "7c9e6679-7425-40de-944b-e07fc1f90ae7";

    #[test]
    fn the_name_says_what_a_file_is() {
        let of = |name: &str| Format::of(None, Some(Path::new(name))).ok();
        for name in ["films.jsonl", "a/films.NDJSON", "films.json", "-"] {
            assert_eq!(of(name), Some(Format::Jsonl), "{name}");
        }
        assert_eq!(of("films.csv"), Some(Format::Csv));
        for name in ["films", "films.txt", "csv"] {
            assert_eq!(of(name), None, "{name}");
        }
        let asked = Format::of(Some(Format::Csv), Some(Path::new("films.jsonl")));
        assert_eq!(asked.ok(), Some(Format::Csv));
        assert_eq!(Format::of(None, None).ok(), Some(Format::Jsonl));
    }

    #[test]
    fn csv_is_read_line_by_line() {
        let read = |rest: &str| Format::Csv.read(format!("{FILM}{rest}").as_bytes());
        let labels = |rest| {
            read(rest)
                .unwrap()
                .labels
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(labels(",aa|bb"), ["aa", "bb"]);
        assert_eq!(labels(",\"bb| aa\""), ["aa", "bb"]);
        assert!(labels(",").is_empty());
        for (rest, says) in [
            ("", "there are 1"),
            (",aa,bb", "there are 3"),
            (",\"aa", "a quote is left open"),
        ] {
            let fault = read(rest).unwrap_err().to_string();
            assert!(fault.contains(says), "{rest}: {fault}");
        }
        assert!(matches!(Format::Csv.read(b"\xff,aa"), Err(LineFault::NoCsv(_))));
        assert_eq!(Format::Csv.read(b"x,aa"), Err(LineFault::NoFilm));
        assert!(is_csv_header(b"\"film_id\", labels"));
        assert!(!is_csv_header(b"labels,film_id"));
    }
}
