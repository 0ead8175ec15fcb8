//! `film-labels import`.

use std::error::Error;
use std::io::BufRead;

use indicatif::ProgressBar;
use shared::cli::Exit;
use shared::limits::FILM_LINE_BYTES_MAX;

use super::format::{CSV_HEADER, Format, is_csv_header};
use crate::command::bulk::{LineTooLong, Lines, Source, broke_off, tell};
use crate::command::print;
use crate::service::{FilmImport, LineFault, Service};

/// Takes in every line that can be taken, and tells of the others.
pub(super) async fn import(
    source: Source,
    format: Format,
    service: &Service,
) -> Result<Exit, Box<dyn Error>> {
    let bar = source.progress_bar()?;
    let mut lines = Lines::of(source.reader, FILM_LINE_BYTES_MAX);
    let mut import = service.import_films(None)?;
    if format == Format::Csv {
        take_header(&mut lines, &mut import)?;
    }
    let taking = take_all(&mut lines, format, &mut import, &bar).await;
    let written = import.accepted();
    let finished = match taking {
        Ok(()) => import.finish().await.map_err(Into::into),
        Err(error) => Err(error),
    };
    bar.finish_and_clear();
    let outcome = finished.map_err(|error| broke_off(written, "lines", error.as_ref()))?;
    tell(&bar, outcome.refused.into_iter());
    let (accepted, refused) = (outcome.accepted, outcome.refused_count);
    print(&format!("{accepted} lines taken, {refused} refused."));
    Ok(if refused == 0 { Exit::Done } else { Exit::Partly })
}

/// Passes over the first line, which says that this is the CSV that is meant.
fn take_header(
    lines: &mut Lines<Box<dyn BufRead>>,
    import: &mut FilmImport<'_>,
) -> Result<(), Box<dyn Error>> {
    match lines.next()? {
        Some(Ok(line)) if is_csv_header(line) => {
            import.skip();
            Ok(())
        }
        _ => Err(format!(
            "the first line is not `{}`; nothing was taken",
            CSV_HEADER.join(",")
        )
        .into()),
    }
}

async fn take_all(
    lines: &mut Lines<Box<dyn BufRead>>,
    format: Format,
    import: &mut FilmImport<'_>,
    bar: &ProgressBar,
) -> Result<(), Box<dyn Error>> {
    while let Some(line) = lines.next()? {
        match line {
            Ok([]) => import.skip(),
            Ok(line) => import.take(format.read(line)).await?,
            Err(LineTooLong) => import.take(Err(LineFault::TooLong)).await?,
        }
        tell(bar, import.drain_refused());
        bar.set_position(lines.bytes());
    }
    Ok(())
}
