//! The issuer: the central service on PostgreSQL (or SQLite).

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use clap_complete::Shell;
use issuer::command::{self, AdminCommand};
use shared::cli::{CommonArgs, Exit};

/// The central issuer: registration, login, sessions, roles, and the keys that sign access tokens
#[derive(Debug, Parser)]
#[command(name = "issuer", version)]
struct Program {
    #[command(flatten)]
    common: CommonArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the issuer
    Serve,
    /// Read the settings and say what is wrong
    CheckConfig,
    #[command(flatten)]
    Admin(AdminCommand),
    /// Print a completion script
    Completions {
        /// For which shell
        shell: Shell,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    // What we write (a SQLite file, its key) is for our own user alone.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let program = Program::parse();
    if let Err(error) = shared::core_dumps::forbid() {
        command::complain(&error);
        return Exit::Failed.into();
    }
    run(program).await.into()
}

async fn run(program: Program) -> Exit {
    if let Err(error) = program.common.start_logging() {
        command::complain(&error);
        return Exit::Misused;
    }
    if let Command::Completions { shell } = program.command {
        command::completions::<Program>(shell);
        return Exit::Done;
    }
    let settings = match command::read_settings(&command::sources(program.common.config)) {
        Ok(settings) => settings,
        Err(exit) => return exit,
    };
    if matches!(program.command, Command::Serve | Command::CheckConfig)
        && let Err(error) = command::feed_of(&settings)
    {
        command::complain(&error);
        return Exit::Misused;
    }
    match program.command {
        Command::Serve => match command::serve(&settings).await {
            Ok(()) => Exit::Done,
            Err(error) => {
                command::complain(error.as_ref());
                Exit::Failed
            }
        },
        Command::CheckConfig => {
            command::print("The settings are good.");
            Exit::Done
        }
        Command::Admin(admin) => command::run(admin, &settings).await,
        Command::Completions { .. } => Exit::Done,
    }
}
