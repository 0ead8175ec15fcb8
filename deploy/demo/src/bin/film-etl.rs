//! The demo's ETL: labels of films to the issuer, documents for the search index to standard output.

use std::error::Error;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand};
use movies::etl::{FilmDatabase, Outcome, SignedIn, make_database, run};
use secrecy::SecretString;
use url::Url;

/// The status after a run in which the issuer refused some films.
const PARTLY: u8 = 3;

/// Gives the films of a database their labels, and writes them as documents for a search index
#[derive(Parser)]
#[command(name = "film-etl", version)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make the demo's database of films
    MakeDatabase {
        /// The file, which must not be there
        file: PathBuf,
    },
    /// Label the films at the issuer, and write Elasticsearch bulk documents of those that it took to standard output
    Run(RunArguments),
}

#[derive(Args)]
struct RunArguments {
    /// The database of films (SQLite)
    #[arg(long, value_name = "FILE")]
    database: PathBuf,
    /// The issuer
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    issuer: Url,
    /// Who signs in there: somebody with the role `role_editor`, or a superuser
    #[arg(long)]
    login: String,
    /// Where the password is, on the first line; `-` for standard input
    #[arg(long, value_name = "FILE")]
    password_file: PathBuf,
    /// The day that the age of films is reckoned from, as 2026-11-26; the real one if not given
    #[arg(long, value_name = "DAY")]
    today: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let outcome = match Program::parse().command {
        Command::MakeDatabase { file } => make_database(&file)
            .await
            .map(|()| ExitCode::SUCCESS)
            .map_err(Into::into),
        Command::Run(arguments) => label_films(&arguments).await,
    };
    outcome.unwrap_or_else(|error| {
        say(&format!("error: {}", describe(error.as_ref())));
        ExitCode::FAILURE
    })
}

async fn label_films(arguments: &RunArguments) -> anyhow::Result<ExitCode> {
    let mut database = FilmDatabase::open(&arguments.database).await?;
    let password = read_password(&arguments.password_file)?;
    let issuer = SignedIn::with_password(&arguments.issuer, &arguments.login, &password).await?;
    let mut output = BufWriter::new(std::io::stdout());
    let done = run(&mut database, &issuer, arguments.today.as_deref(), &mut output).await;
    // The session is of no further use; that it ends by itself is the lesser trouble.
    if let Err(error) = issuer.sign_out().await {
        say(&format!("warning: {}", describe(&error)));
    }
    let Outcome { taken, refused } = done?;
    for film in &refused {
        say(&format!("film {}: {}", film.id, film.reason));
    }
    say(&format!("{taken} films labelled, {} refused.", refused.len()));
    Ok(if refused.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(PARTLY)
    })
}

fn read_password(file: &Path) -> anyhow::Result<SecretString> {
    let text = if file == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(file)
    };
    let text: SecretString = text
        .with_context(|| format!("{}: cannot be read", file.display()))?
        .into();
    let text = secrecy::ExposeSecret::expose_secret(&text);
    match text.lines().next() {
        Some(password) if !password.is_empty() => Ok(password.into()),
        _ => bail!("{}: there is no password in it", file.display()),
    }
}

/// An error with its causes, in one line.
fn describe(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let why = error.to_string();
        if !text.contains(&why) {
            text = format!("{text}: {why}");
        }
        cause = error.source();
    }
    text
}

fn say(text: &str) {
    // Where standard error is closed, nobody is left to tell.
    let _ = writeln!(std::io::stderr(), "{text}");
}
