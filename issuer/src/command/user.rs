//! `user set-password`, `user disable` and `user enable`.

use std::error::Error;
use std::sync::Arc;

use clap::{Args, Subcommand};
use shared::cli::Exit;
use shared::time::SystemClock;

use super::{password, print, refused};
use crate::app::{Feed, Issuer};
use crate::service::{Credentials, ServiceError};
use crate::settings::Settings;

/// `user …`
#[derive(Clone, Debug, Subcommand)]
pub enum UserCommand {
    /// Give somebody a new password, which ends all of their sessions at once, at every edge. It is asked for, never taken
    /// as an argument
    SetPassword(SetPassword),
    /// Keep somebody from using their account, and end all of their sessions at once, at every edge
    Disable(Whose),
    /// Let somebody use their account again
    Enable(Whose),
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
