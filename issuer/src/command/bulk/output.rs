//! Where an export goes.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// For its owner alone: an export may have secrets in it.
const MODE: u32 = 0o600;

/// Has an export written to a file, which appears when it is complete, or to standard output.
pub(in crate::command) async fn write_out(
    output: Option<&Path>,
    write: impl AsyncFnOnce(&mut dyn Write) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let Some(path) = output else {
        return match buffered(io::stdout().lock(), write).await {
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
    let file = create(&part).map_err(|error| cannot(&error))?;
    let written = match buffered(&file, write).await {
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

async fn buffered(
    output: impl Write,
    write: impl AsyncFnOnce(&mut dyn Write) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let mut output = BufWriter::new(output);
    write(&mut output).await?;
    Ok(output.flush()?)
}

/// A new file. One that was left behind is made anew, since somebody else may have it open, or may read it.
fn create(part: &Path) -> io::Result<File> {
    match std::fs::remove_file(part) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(part)
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
