//! What imports and exports have in common: where lines come from, how far an import has come, and files that appear when
//! they are complete.

mod lines;
mod output;

use std::error::Error;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

pub(super) use lines::{LineTooLong, Lines};
pub(super) use output::write_out;

use crate::service::RefusedLine;

/// Bytes read from the file at once.
const BUFFER_BYTES: usize = 64 * 1024;

/// How often the bar is drawn, in a second.
const DRAWN_PER_SECOND: u8 = 5;

/// What is taken in.
pub(super) struct Source {
    /// Its bytes.
    pub(super) reader: Box<dyn BufRead>,
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

    /// A bar on a terminal, nothing elsewhere.
    pub(super) fn progress_bar(&self) -> Result<ProgressBar, Box<dyn Error>> {
        let template = match self.bytes {
            Some(_) => "{bar:40} {percent}%  {bytes} of {total_bytes}, {eta} left",
            None => "{spinner} {bytes} in {elapsed}",
        };
        let target = ProgressDrawTarget::stderr_with_hz(DRAWN_PER_SECOND);
        let bar = ProgressBar::with_draw_target(self.bytes, target);
        Ok(bar.with_style(ProgressStyle::with_template(template)?))
    }
}

/// Tells of refused lines on standard error.
pub(super) fn tell<F: Display>(bar: &ProgressBar, refused: impl Iterator<Item = RefusedLine<F>>) {
    let lines: Vec<String> = refused
        .map(|refused| format!("line {}: {}\n", refused.line, refused.fault))
        .collect();
    if !lines.is_empty() {
        // Where standard error is closed, nobody is left to tell.
        bar.suspend(|| _ = io::stderr().write_all(lines.concat().as_bytes()));
    }
}

/// Why an import broke off, for somebody who may run it again.
pub(super) fn broke_off(written: u64, what: &str, error: &dyn Error) -> Box<dyn Error> {
    format!("the import broke off after {written} {what} were taken, which stay; run it again: {error}")
        .into()
}
