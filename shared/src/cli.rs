//! What the three programs have in common on the command line: flags, exit statuses, and stopping when told to.

use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::telemetry::{self, LogFormat, TelemetryError};

/// Flags that every subcommand has, before or after its name.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct CommonArgs {
    /// Settings file, in TOML
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// How log lines look; text on a terminal and JSON otherwise if not given
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,

    /// What is logged: error, warn, info, debug, trace, or a filter as in the environment variable `RUST_LOG`
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log_level: Option<String>,
}

impl CommonArgs {
    /// Starts logging as the flags say.
    ///
    /// # Errors
    ///
    /// [`TelemetryError`] if the level is not understood, or logging was started before.
    pub fn start_logging(&self) -> Result<(), TelemetryError> {
        telemetry::init(self.log_format, self.log_level.as_deref())
    }
}

/// How a program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: it did what it was asked.
    Done,
    /// 1: it failed.
    Failed,
    /// 2: it was used wrongly, by its flags or its settings.
    Misused,
    /// 3: an import in which some lines were refused.
    Partly,
}

impl Exit {
    /// The status itself.
    pub const fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Misused => 2,
            Self::Partly => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}

/// An error with its causes, for a person: one line each, without those that the line before says already.
pub fn describe(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut said = text.clone();
    let mut cause = error.source();
    while let Some(error) = cause {
        let line = error.to_string();
        if !said.contains(&line) {
            // Writing to a `String` cannot fail.
            let _ = write!(text, "\n  because: {line}");
            said = line;
        }
        cause = error.source();
    }
    text
}

/// How a program is told to stop.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// From here on the program says that it is not ready, so that nobody sends it new work.
    pub leaving: CancellationToken,
    /// From here on it accepts nothing and finishes what is under way.
    pub stop: CancellationToken,
}

impl Shutdown {
    /// Listens for SIGTERM and SIGINT. The first one begins the leaving; `delay` later, or at the second one, comes
    /// the stop. Call it within a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`io::Error`] if the signals cannot be listened for.
    pub fn on_signals(delay: Duration) -> io::Result<Self> {
        let mut signals = Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        };
        let shutdown = Self::default();
        let told = shutdown.clone();
        tokio::spawn(async move {
            let first = signals.next().await;
            tracing::info!(signal = first, ?delay, "stopping");
            told.leaving.cancel();
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                _ = signals.next() => {}
            }
            told.stop.cancel();
        });
        Ok(shutdown)
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Waits for the next signal, and says which it was.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};
    use rustix::process::{Signal as Sent, getpid, kill_process};

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        common: CommonArgs,
        #[command(subcommand)]
        command: Option<Command>,
    }

    #[derive(Debug, clap::Subcommand)]
    enum Command {
        Serve,
    }

    #[test]
    fn common_flags_stand_before_and_after_the_subcommand() {
        Program::command().debug_assert();
        for arguments in [
            ["p", "--config", "f.toml", "serve"],
            ["p", "serve", "--config", "f.toml"],
        ] {
            let program = Program::try_parse_from(arguments).unwrap();
            assert!(matches!(program.command, Some(Command::Serve)));
            assert_eq!(program.common.config, Some("f.toml".into()));
        }
        let program = Program::try_parse_from(["p", "--log-format", "json"]).unwrap();
        assert_eq!(program.common.log_format, Some(LogFormat::Json));
        let misused = Program::try_parse_from(["p", "--log-format", "xml"]).unwrap_err();
        assert_eq!(misused.exit_code(), i32::from(Exit::Misused.status()));
    }

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<Box<Layer>>,
    }

    #[test]
    fn causes_are_listed_once() {
        let inner = Layer {
            text: "no such file",
            source: None,
        };
        let middle = Layer {
            text: "cannot read x: no such file",
            source: Some(Box::new(inner)),
        };
        let outer = Layer {
            text: "cannot start",
            source: Some(Box::new(middle)),
        };
        assert_eq!(
            describe(&outer),
            "cannot start\n  because: cannot read x: no such file"
        );
    }

    /// Both signals in one test: they are the whole process's.
    #[tokio::test]
    async fn the_first_signal_makes_it_leave_and_the_second_stops_it() {
        let shutdown = Shutdown::on_signals(Duration::from_hours(1)).unwrap();
        kill_process(getpid(), Sent::TERM).unwrap();
        shutdown.leaving.cancelled().await;
        assert!(!shutdown.stop.is_cancelled());
        kill_process(getpid(), Sent::INT).unwrap();
        shutdown.stop.cancelled().await;

        let at_once = Shutdown::on_signals(Duration::ZERO).unwrap();
        kill_process(getpid(), Sent::INT).unwrap();
        at_once.stop.cancelled().await;
        assert!(at_once.leaving.is_cancelled());
    }
}
