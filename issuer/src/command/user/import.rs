//! `user import`.

use std::error::Error;
use std::io::BufRead;

use indicatif::ProgressBar;
use shared::cli::Exit;
use shared::limits::USER_LINE_BYTES_MAX;

use crate::command::bulk::{LineTooLong, Lines, Source, broke_off, tell};
use crate::command::print;
use crate::service::{Service, UserFault, UserImport, UserLine};

/// Takes in everybody who can be taken, and tells of the other lines.
pub(super) async fn import(source: Source, service: &Service) -> Result<Exit, Box<dyn Error>> {
    let bar = source.progress_bar()?;
    let mut lines = Lines::of(source.reader, USER_LINE_BYTES_MAX);
    let mut import = service.import_users();
    let taking = take_all(&mut lines, &mut import, &bar).await;
    let taken = import.taken();
    let finished = match taking {
        Ok(()) => import.finish().await.map_err(Into::into),
        Err(error) => Err(error),
    };
    bar.finish_and_clear();
    let outcome = finished.map_err(|error| broke_off(taken, "users", error.as_ref()))?;
    tell(&bar, outcome.refused.into_iter());
    let (existing, refused) = (outcome.existing, outcome.refused_count);
    print(&format!(
        "{} users taken, {existing} passed over whose logins were there before, {refused} lines refused.",
        outcome.taken
    ));
    Ok(if refused == 0 { Exit::Done } else { Exit::Partly })
}

async fn take_all(
    lines: &mut Lines<Box<dyn BufRead>>,
    import: &mut UserImport<'_>,
    bar: &ProgressBar,
) -> Result<(), Box<dyn Error>> {
    while let Some(line) = lines.next()? {
        match line {
            Ok([]) => import.skip(),
            Ok(line) => import.take(UserLine::from_json(line)).await?,
            Err(LineTooLong) => import.take(Err(UserFault::TooLong)).await?,
        }
        tell(bar, import.drain_refused());
        bar.set_position(lines.bytes());
    }
    Ok(())
}
