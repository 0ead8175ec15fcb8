//! `usher`: issuer and verifier in one process, on a SQLite file and nothing else.

mod first_start;
mod serve;
mod settings;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use clap_complete::Shell;
use issuer::command::{self, AdminCommand};
use shared::cli::{CommonArgs, Exit};

use crate::settings::{SettingFlags, Settings};

/// Issuer and verifier in one process, on a SQLite file: for one machine, for development, for a first look
#[derive(Debug, Parser)]
#[command(name = "usher", version)]
struct Program {
    #[command(flatten)]
    common: CommonArgs,
    #[command(flatten)]
    flags: SettingFlags,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything; what happens without a command too
    Serve,
    /// Read the settings and the rules and say what is wrong
    CheckConfig,
    #[command(flatten)]
    Admin(AdminCommand),
    /// Print a completion script
    Completions {
        /// For which shell
        shell: Shell,
    },
}

fn main() -> ExitCode {
    // What we write (the database, its key) is for our own user alone.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let program = Program::parse();
    if let Err(error) = shared::core_dumps::forbid() {
        command::complain(&error);
        return Exit::Failed.into();
    }
    run(program).into()
}

fn run(program: Program) -> Exit {
    let command = program.command.unwrap_or(Command::Serve);
    if let Command::Completions { shell } = command {
        command::completions::<Program>(shell);
        return Exit::Done;
    }
    if let Err(error) = program.common.start_logging() {
        command::complain(&error);
        return Exit::Misused;
    }
    let settings = match program.flags.load(program.common.config) {
        Ok(settings) => settings,
        Err(error) => {
            command::complain(&error);
            return Exit::Misused;
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            command::complain(&error);
            return Exit::Failed;
        }
    };
    match command {
        Command::Serve => runtime.block_on(serve(settings)),
        Command::CheckConfig => check(&settings),
        Command::Admin(admin) => runtime.block_on(command::run(admin, &settings.issuer)),
        Command::Completions { .. } => Exit::Done,
    }
}

async fn serve(settings: Settings) -> Exit {
    match serve::serve(settings).await {
        Ok(()) => Exit::Done,
        Err(error) => {
            command::complain(&error);
            error.exit()
        }
    }
}

/// Reads the rules as well, where a file is named; the settings were read to come here.
fn check(settings: &Settings) -> Exit {
    if settings.verifier.rules.is_none() {
        command::print("The settings are good.");
        return Exit::Done;
    }
    match verifier::app::check_rules(&settings.verifier) {
        Ok(warnings) => {
            for warning in warnings {
                command::print(&format!("warning: {warning}"));
            }
            command::print("The settings and the rules are good.");
            Exit::Done
        }
        Err(error) => {
            command::complain(&error);
            Exit::Misused
        }
    }
}
