//! `user import`, `user export`, `user set-password`, `user disable` and `user enable`.

mod export;
mod import;

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use shared::cli::Exit;
use shared::time::SystemClock;

use super::bulk::Source;
use super::{password, print, refused};
use crate::app::{Feed, Issuer};
use crate::service::{Credentials, ServiceError};
use crate::settings::Settings;

/// `user …`
#[derive(Clone, Debug, Subcommand)]
pub enum UserCommand {
    /// Bring people along from another system, with the hashes of their passwords, one on each line as JSON
    #[command(long_about = IMPORT_HELP)]
    Import(ImportUsers),
    /// Give out everybody as lines that can be imported, in the order of logins. There are the hashes of all passwords in
    /// them: secrets. On standard output if no file is named
    Export(ExportUsers),
    /// Give somebody a new password, which ends all of their sessions at once, at every edge. It is asked for, never taken
    /// as an argument
    SetPassword(SetPassword),
    /// Keep somebody from using their account, and end all of their sessions at once, at every edge
    Disable(Whose),
    /// Let somebody use their account again
    Enable(Whose),
}

const IMPORT_HELP: &str = "\
Bring people along from another system, with the hashes of their passwords, one on each line as JSON:

  {\"login\":\"neo\",\"password_hash\":\"pbkdf2_sha256$1000000$…\",\"roles\":[\"editor\"],
   \"active\":true,\"superuser\":false,\"created_at\":\"2020-01-31T12:00:00Z\"}

`login` and `password_hash` are needed. Logins are folded as at registration. Hashes may be argon2, bcrypt, scrypt or PBKDF2,
as PHC, Django or passlib write them; at the first login the password is hashed anew. Everybody gets the role `user`, and
besides those that `roles` names, which must be there; \"!user\" among them leaves `user` out.

A login that is there already is counted and passed over, so that an import that broke off is simply run again. Lines that
cannot be taken are told by their number, and keep no other from being taken: the exit status is 3 then. So is a line whose
login, folded, is that of an earlier one.";

/// `user import …`
#[derive(Clone, Debug, Args)]
pub struct ImportUsers {
    /// The file; `-` for standard input
    file: PathBuf,
}

/// `user export …`
#[derive(Clone, Debug, Args)]
pub struct ExportUsers {
    /// The file to write, which appears when it is complete, for its owner alone to read
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// `user set-password …`
#[derive(Clone, Debug, Args)]
pub struct SetPassword {
    #[command(flatten)]
    whose: Whose,
    /// Read the password from standard input, one line, instead of asking for it
    #[arg(long)]
    password_stdin: bool,
}

/// Somebody.
#[derive(Clone, Debug, Args)]
pub struct Whose {
    /// The login
    #[arg(long)]
    login: String,
}

/// Carries one of them out.
pub(super) async fn run(command: &UserCommand, settings: &Settings) -> Result<Exit, Box<dyn Error>> {
    match command {
        UserCommand::Import(arguments) => {
            // Before the database is opened: a file that is not there makes none.
            let source = Source::open(&arguments.file)?;
            let issuer = open(settings).await?;
            let outcome = import::import(source, issuer.service()).await;
            issuer.service().store.close().await;
            return outcome;
        }
        UserCommand::Export(arguments) => {
            let issuer = open(settings).await?;
            let outcome = export::export(arguments.output.as_deref(), issuer.service()).await;
            issuer.service().store.close().await;
            outcome
        }
        UserCommand::SetPassword(arguments) => set_password(arguments, settings).await,
        UserCommand::Disable(Whose { login }) => set_active(login, false, settings).await,
        UserCommand::Enable(Whose { login }) => set_active(login, true, settings).await,
    }
    .map(|()| Exit::Done)
}

async fn open(settings: &Settings) -> Result<Issuer, Box<dyn Error>> {
    Ok(Issuer::open(settings, Arc::new(SystemClock), Feed::Disabled).await?)
}

/// Of an act on one person, that there is no such person is said by their login.
fn failed(error: ServiceError, login: &str) -> Box<dyn Error> {
    match error {
        ServiceError::NotFound => format!("there is no user {login:?}").into(),
        error => refused(error),
    }
}

async fn set_password(arguments: &SetPassword, settings: &Settings) -> Result<(), Box<dyn Error>> {
    let password = password::ask(arguments.password_stdin)?;
    let login = &arguments.whose.login;
    let credentials = Credentials {
        login: login.clone(),
        password,
    };
    let issuer = open(settings).await?;
    let outcome = issuer.service().set_password_of(&credentials).await;
    issuer.service().store.close().await;
    outcome.map_err(|error| failed(error, login))?;
    print(&format!(
        "{login:?} has the new password, and all sessions are ended."
    ));
    Ok(())
}

async fn set_active(login: &str, active: bool, settings: &Settings) -> Result<(), Box<dyn Error>> {
    let issuer = open(settings).await?;
    let outcome = issuer.service().set_active_of(login, active).await;
    issuer.service().store.close().await;
    let is_change = outcome.map_err(|error| failed(error, login))?;
    print(&match (active, is_change) {
        (true, true) => format!("{login:?} is enabled."),
        (true, false) => format!("{login:?} was enabled before."),
        (false, true) => format!("{login:?} is disabled, and all sessions are ended."),
        (false, false) => format!("{login:?} was disabled before."),
    });
    Ok(())
}
