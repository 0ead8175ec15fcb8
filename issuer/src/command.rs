//! The issuer's commands, which `usher` has as well.

mod bulk;
mod client;
mod film_labels;
mod keys;
mod password;
mod serve;
mod superuser;
mod user;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, CommandFactory, Subcommand};
use clap_complete::Shell;
use shared::cli::{Exit, describe};
use shared::config::{Sources, load};
use shared::time::SystemClock;

pub use client::ClientCommand;
pub use film_labels::FilmLabelsCommand;
pub use keys::KeysCommand;
pub use serve::{NoFeed, feed_of, serve};
pub use user::UserCommand;

use crate::app::open_store;
use crate::service::ServiceError;
use crate::settings::Settings;

/// What an operator does with the issuer's data.
#[derive(Clone, Debug, Subcommand)]
pub enum AdminCommand {
    /// Make a superuser, to whom everything is allowed
    #[command(subcommand)]
    Superuser(SuperuserCommand),
    /// Services that take tokens in their own name, or introspect those of others
    #[command(subcommand)]
    Client(ClientCommand),
    /// People: brought along from elsewhere, given out, their passwords, and whether their accounts may be used
    #[command(subcommand)]
    User(UserCommand),
    /// Take in or give out which films carry which labels
    #[command(subcommand)]
    FilmLabels(FilmLabelsCommand),
    /// The keys that sign access tokens
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Bring the database's schema up to date
    Migrate,
    /// Print the OpenAPI document
    Openapi,
}

/// `superuser …`
#[derive(Clone, Debug, Subcommand)]
pub enum SuperuserCommand {
    /// Create a superuser, or make an existing user one. The password is asked for, never taken as an argument
    Create(CreateSuperuser),
}

/// `superuser create …`
#[derive(Clone, Debug, Args)]
pub struct CreateSuperuser {
    /// The login
    #[arg(long)]
    pub login: String,
    /// Read the password from standard input, one line, instead of asking for it
    #[arg(long)]
    pub password_stdin: bool,
}

/// Where the issuer's settings come from.
pub fn sources(config: Option<PathBuf>) -> Sources {
    let sources = Sources::new().environment("ISSUER", None);
    match config {
        Some(path) => sources.file(path),
        None => sources,
    }
}

/// Reads settings, or says what is wrong with them.
///
/// # Errors
///
/// [`Exit::Misused`], after the fault was printed.
pub fn read_settings(sources: &Sources) -> Result<Settings, Exit> {
    load(sources).map_err(|error| {
        complain(&error);
        Exit::Misused
    })
}

/// Carries a command out. What went wrong is printed.
pub async fn run(command: AdminCommand, settings: &Settings) -> Exit {
    let outcome = match command {
        AdminCommand::Superuser(SuperuserCommand::Create(arguments)) => {
            superuser::create(&arguments, settings).await.map(|()| Exit::Done)
        }
        AdminCommand::Client(command) => client::run(&command, settings).await.map(|()| Exit::Done),
        AdminCommand::User(command) => user::run(&command, settings).await,
        AdminCommand::FilmLabels(command) => film_labels::run(&command, settings).await,
        AdminCommand::Keys(command) => keys::run(&command, settings).await.map(|()| Exit::Done),
        AdminCommand::Migrate => migrate(settings).await.map(|()| Exit::Done),
        AdminCommand::Openapi => {
            print(&crate::http::openapi_document());
            Ok(Exit::Done)
        }
    };
    match outcome {
        Ok(exit) => exit,
        Err(error) => {
            complain(error.as_ref());
            Exit::Failed
        }
    }
}

/// Prints a completion script for a shell.
pub fn completions<C: CommandFactory>(shell: Shell) {
    let mut command = C::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut std::io::stdout());
}

async fn migrate(settings: &Settings) -> Result<(), Box<dyn std::error::Error>> {
    let store = open_store(settings, Arc::new(SystemClock), true).await?;
    store.close().await;
    print("The schema is up to date.");
    Ok(())
}

/// Why a use case was not carried out, for an operator: of fields that cannot be taken, what is wrong with each.
fn refused(error: ServiceError) -> Box<dyn std::error::Error> {
    match error {
        ServiceError::Invalid(faults) => {
            let faults: Vec<String> = faults
                .iter()
                .map(|fault| format!("{}: {}", fault.field, fault.message))
                .collect();
            faults.join("; ").into()
        }
        error => error.into(),
    }
}

/// Says what is wrong, with its causes, on standard error.
pub fn complain(error: &(dyn std::error::Error + 'static)) {
    use std::io::Write;
    // Where standard error is closed, nobody is left to tell.
    let _ = writeln!(std::io::stderr(), "error: {}", describe(error));
}

/// Prints a result on standard output.
pub fn print(text: &str) {
    use std::io::Write;
    // A closed pipe, as of `| head`, is the reader's choice.
    let _ = writeln!(std::io::stdout(), "{text}");
}
