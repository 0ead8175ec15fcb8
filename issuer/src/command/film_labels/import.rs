//! `film-labels import`.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use shared::cli::Exit;

use super::format::{CSV_HEADER, Format, is_csv_header};
use super::lines::Lines;
use crate::command::print;
use crate::service::{FilmImport, RefusedLine, Service};

/// Bytes read from the file at once.
const BUFFER_BYTES: usize = 64 * 1024;

/// How often the bar is drawn, in a second.
const DRAWN_PER_SECOND: u8 = 5;

/// What is taken in.
pub(super) struct Source {
    reader: Box<dyn BufRead>,
    /// Its size, where it has one.
    bytes: Option<u64>,
}

impl Source {
    /// The file, or standard input for `-`.
    pub(super) fn open(path: &Path) -> Result<Self, Box<dyn Error>> {
        if path == Path::new("-") {
            return Ok(Self {
                reader: Box::new(io::stdin().lock()),
                bytes: None,
            });
        }
        let cannot = |error: io::Error| format!("{}: cannot be read: {error}", path.display());
        let file = File::open(path).map_err(cannot)?;
        let metadata = file.metadata().map_err(cannot)?;
        Ok(Self {
            reader: Box::new(BufReader::with_capacity(BUFFER_BYTES, file)),
            bytes: metadata.is_file().then_some(metadata.len()),
        })
    }
}

/// Takes in every line that can be taken, and tells of the others.
pub(super) async fn import(
    source: Source,
    format: Format,
    service: &Service,
) -> Result<Exit, Box<dyn Error>> {
    let bar = progress_bar(source.bytes)?;
    let mut lines = Lines::of(source.reader);
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
    let outcome = finished.map_err(|error| {
        format!("the import broke off after {written} lines were taken, which stay; run it again: {error}")
    })?;
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
            line => import.take(line.and_then(|line| format.read(line))).await?,
        }
        tell(bar, import.drain_refused());
        bar.set_position(lines.bytes());
    }
    Ok(())
}

/// Tells of refused lines on standard error.
fn tell(bar: &ProgressBar, refused: impl Iterator<Item = RefusedLine>) {
    let lines: Vec<String> = refused
        .map(|refused| format!("line {}: {}\n", refused.line, refused.fault))
        .collect();
    if !lines.is_empty() {
        // Where standard error is closed, nobody is left to tell.
        bar.suspend(|| _ = io::stderr().write_all(lines.concat().as_bytes()));
    }
}

/// A bar on a terminal, nothing elsewhere.
fn progress_bar(bytes: Option<u64>) -> Result<ProgressBar, Box<dyn Error>> {
    let template = match bytes {
        Some(_) => "{bar:40} {percent}%  {bytes} of {total_bytes}, {eta} left",
        None => "{spinner} {bytes} in {elapsed}",
    };
    let bar = ProgressBar::with_draw_target(bytes, ProgressDrawTarget::stderr_with_hz(DRAWN_PER_SECOND));
    Ok(bar.with_style(ProgressStyle::with_template(template)?))
}
