//! `film-labels import` and `film-labels export`: which films carry which labels, for an ETL.

mod export;
mod format;
mod import;

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use shared::cli::Exit;
use shared::time::SystemClock;

use self::format::Format;
use super::bulk::Source;
use super::complain;
use crate::app::{Feed, Issuer};
use crate::settings::Settings;

/// `film-labels …`
#[derive(Clone, Debug, Subcommand)]
pub enum FilmLabelsCommand {
    /// Give many films their labels, a film on each line. Lines that cannot be taken are told by their number, and keep no
    /// other from being taken: the exit status is 3 then. To run it again costs nothing
    Import(ImportFilmLabels),
    /// Give out every film that carries labels, on standard output if no file is named
    Export(ExportFilmLabels),
}

/// `film-labels import …`
#[derive(Clone, Debug, Args)]
pub struct ImportFilmLabels {
    /// The file; `-` for standard input
    file: PathBuf,
    /// What is in it; by the name of the file if not given, and JSON Lines on standard input
    #[arg(long, value_enum)]
    format: Option<Format>,
}

/// `film-labels export …`
#[derive(Clone, Debug, Args)]
pub struct ExportFilmLabels {
    /// The file to write, which appears when it is complete
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// As what; by the name of the file if not given, else JSON Lines
    #[arg(long, value_enum)]
    format: Option<Format>,
}

/// Carries one of them out.
pub(super) async fn run(command: &FilmLabelsCommand, settings: &Settings) -> Result<Exit, Box<dyn Error>> {
    let format = match command {
        FilmLabelsCommand::Import(arguments) => Format::of(arguments.format, Some(&arguments.file)),
        FilmLabelsCommand::Export(arguments) => Format::of(arguments.format, arguments.output.as_deref()),
    };
    let format = match format {
        Ok(format) => format,
        Err(unknown) => {
            complain(&unknown);
            return Ok(Exit::Misused);
        }
    };
    let open = || Issuer::open(settings, Arc::new(SystemClock), Feed::Disabled);
    match command {
        FilmLabelsCommand::Import(arguments) => {
            // Before the database is opened: a file that is not there makes none.
            let source = Source::open(&arguments.file)?;
            let issuer = open().await?;
            let outcome = import::import(source, format, issuer.service()).await;
            issuer.service().store.close().await;
            outcome
        }
        FilmLabelsCommand::Export(arguments) => {
            let issuer = open().await?;
            let outcome = export::export(arguments.output.as_deref(), format, issuer.service()).await;
            issuer.service().store.close().await;
            outcome.map(|()| Exit::Done)
        }
    }
}
