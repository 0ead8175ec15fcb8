//! The program `verifier`: the sidecar on its own.

mod explain;
mod test_rules;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use prometheus_client::registry::Registry;
use shared::admin::Admin;
use shared::cli::{CommonArgs, Exit, Shutdown, describe};
use shared::config::{self, Sources};
use shared::serve::{ServeOptions, serve};
use tokio_util::sync::CancellationToken;
use verifier::app::{self, Parts, StartError, Verifier};
use verifier::settings::Settings;

use crate::explain::Explain;
use crate::test_rules::TestRules;

/// One may be busy with a million revocations while somebody asks for health.
const BACKGROUND_THREADS: usize = 2;

/// The edge token verifier: a reverse proxy asks it about each request, and it answers from memory
#[derive(Debug, Parser)]
#[command(name = "verifier", version)]
struct Program {
    #[command(flatten)]
    common: CommonArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer the proxies' questions
    Serve(SettingFlags),
    /// Read settings and rules, and say what is wrong with them
    CheckConfig(SettingFlags),
    /// Say which rule decides about a request, each check in order with its outcome, and the answer
    Explain(Explain),
    /// Have the rules decide a table of cases, and say where they differ from what it expects
    TestRules(TestRules),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Settings that have a flag.
#[derive(Clone, Debug, Default, Args)]
struct SettingFlags {
    /// Where proxies ask: `host:port` or `unix:/path`; can be given several times
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<String>,
    /// Where health and metrics are
    #[arg(long, value_name = "ADDRESS")]
    admin_listen: Vec<String>,
    /// The rules file
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// The `iss` of the tokens
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
}

/// Why the program ends, as it is told to whoever started it.
struct Failure {
    exit: Exit,
    message: String,
}

fn main() -> ExitCode {
    let program = Program::parse();
    let outcome = shared::core_dumps::forbid()
        .map_err(Failure::failed)
        .and_then(|()| run(program));
    match outcome {
        Ok(()) => Exit::Done.into(),
        Err(failure) => {
            eprintln!("verifier: {}", failure.message);
            failure.exit.into()
        }
    }
}

fn run(program: Program) -> Result<(), Failure> {
    match program.command {
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Program::command(), "verifier", &mut io::stdout());
            Ok(())
        }
        Command::CheckConfig(flags) => check_config(&program.common, &flags),
        Command::Explain(explain) => explain.run(&program.common),
        Command::TestRules(test) => test.run(&program.common),
        Command::Serve(flags) => {
            let settings = load(&program.common, &flags)?;
            program.common.start_logging().map_err(Failure::misused)?;
            // Requests are answered on threads of their own; here are the sources, and whoever asks for health and metrics.
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(BACKGROUND_THREADS)
                .enable_all()
                .build()
                .map_err(Failure::failed)?;
            runtime.block_on(serve_until_told(settings))
        }
    }
}

fn load(common: &CommonArgs, flags: &SettingFlags) -> Result<Settings, Failure> {
    let mut sources = Sources::new();
    if let Some(file) = &common.config {
        sources = sources.file(file);
    }
    let rules = flags.rules.as_ref().map(|path| path.display().to_string());
    let sources = sources
        .environment("VERIFIER", None)
        .flag("--listen", "listen", flags.listen.clone())
        .flag("--admin-listen", "admin_listen", flags.admin_listen.clone())
        .flag("--rules", "rules", rules)
        .flag("--issuer", "issuer", flags.issuer.clone());
    config::load(&sources).map_err(Failure::misused)
}

fn check_config(common: &CommonArgs, flags: &SettingFlags) -> Result<(), Failure> {
    let settings = load(common, flags)?;
    let warnings = app::check(&settings).map_err(Failure::start)?;
    for warning in &warnings {
        eprintln!("warning: {warning}");
    }
    println!("settings and rules are good");
    Ok(())
}

async fn serve_until_told(settings: Settings) -> Result<(), Failure> {
    let shutdown = Shutdown::on_signals(settings.shutdown_delay.get()).map_err(Failure::failed)?;
    let admin_listeners = app::bind(&settings.admin_listen, None)
        .await
        .map_err(|error| Failure::start(error.into()))?;
    let verifier = Verifier::start(&settings, Parts::default(), &shutdown)
        .await
        .map_err(Failure::start)?;

    let mut registry = Registry::default();
    verifier.register(&mut registry);
    let checks = verifier.checks();
    let admin =
        Admin::new(Arc::new(registry), move || std::future::ready(checks())).at_hosts(&settings.admin_hosts);
    let admin = verifier.explaining(admin);
    for listener in &admin_listeners {
        tracing::info!(address = %listener.address(), "health and metrics are here");
    }
    // Health is told until the very end: the admin listener outlives the others.
    let stop_admin = CancellationToken::new();
    let serving_admin = tokio::spawn(serve(
        admin_listeners,
        admin,
        ServeOptions::default(),
        stop_admin.clone(),
    ));

    let drained = verifier.wait().await.map_err(Failure::failed)?;
    tracing::info!(connections_cut = drained.cut, "the verifier has stopped");
    stop_admin.cancel();
    serving_admin.await.map_err(Failure::failed)?;
    Ok(())
}

impl Failure {
    fn misused(error: impl std::error::Error + 'static) -> Self {
        Self {
            exit: Exit::Misused,
            message: describe(&error),
        }
    }

    fn failed(error: impl std::error::Error + 'static) -> Self {
        Self {
            exit: Exit::Failed,
            message: describe(&error),
        }
    }

    fn start(error: StartError) -> Self {
        if error.is_misuse() {
            Self::misused(error)
        } else {
            Self::failed(error)
        }
    }
}
