//! `film-labels export`.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use shared::id::FilmId;
use shared::label::{LabelName, LabelNames};

use super::format::{CSV_HEADER, Format};
use crate::service::Service;

/// Writes every film that carries labels. One that is changed meanwhile is written as it was or as it is.
pub(super) async fn export(
    output: Option<&Path>,
    format: Format,
    service: &Service,
) -> Result<(), Box<dyn Error>> {
    let Some(path) = output else {
        return match write_all(io::stdout().lock(), format, service).await {
            // A closed pipe, as of `| head`, is the reader's choice.
            Err(error) if is_closed_pipe(error.as_ref()) => Ok(()),
            outcome => outcome,
        };
    };
    let cannot = |error: &dyn Error| format!("{}: cannot be written: {error}", path.display());
    if path.exists() && !path.is_file() {
        return Err(cannot(&io::Error::from(ErrorKind::AlreadyExists)).into());
    }
    // Nobody takes a part for the whole: the file has its name once it is complete.
    let part = part_of(path);
    let file = File::create(&part).map_err(|error| cannot(&error))?;
    let written = match write_all(&file, format, service).await {
        Ok(()) => file
            .sync_all()
            .and_then(|()| std::fs::rename(&part, path))
            .map_err(Into::into),
        Err(error) => Err(error),
    };
    written.map_err(|error: Box<dyn Error>| {
        // That it stays behind is the lesser trouble.
        let _ = std::fs::remove_file(&part);
        cannot(error.as_ref()).into()
    })
}

/// `films.csv` → `films.csv.part`
fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

fn is_closed_pipe(error: &(dyn Error + 'static)) -> bool {
    let direct = error.downcast_ref::<io::Error>();
    direct.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

#[derive(Serialize)]
struct Line<'a> {
    film_id: FilmId,
    labels: Vec<&'a str>,
}

async fn write_all(output: impl Write, format: Format, service: &Service) -> Result<(), Box<dyn Error>> {
    let mut output = BufWriter::new(output);
    if format == Format::Csv {
        writeln!(output, "{}", CSV_HEADER.join(","))?;
    }
    let mut after = None;
    loop {
        let page = service.film_page(None, after).await?;
        for (film, labels) in &page {
            write_line(&mut output, format, *film, labels)?;
        }
        match page.last() {
            Some((last, _)) => after = Some(*last),
            None => return Ok(output.flush()?),
        }
    }
}

fn write_line(
    output: &mut impl Write,
    format: Format,
    film_id: FilmId,
    labels: &LabelNames,
) -> io::Result<()> {
    let labels: Vec<&str> = labels.iter().map(LabelName::as_str).collect();
    match format {
        Format::Jsonl => {
            serde_json::to_writer(&mut *output, &Line { film_id, labels })?;
            writeln!(output)
        }
        // Neither a UUID nor the names of labels have anything in them that CSV would quote.
        Format::Csv => writeln!(output, "{},{}", film_id.0, labels.join("|")),
    }
}
