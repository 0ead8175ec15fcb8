//! Issuer and verifier in one process: the issuer's revocations reach the verifier through a channel, and a logout is
//! answered when the verifier refuses the session.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use issuer::app::{Feed, Issuer, Metrics};
use prometheus_client::registry::Registry;
use rustix::fs::{FlockOperation, flock};
use secrecy::ExposeSecret;
use shared::admin::Admin;
use shared::cli::{Exit, Shutdown, describe};
use shared::config::{HostName, HttpUrl, OneOrMany};
use shared::feed::channel::channel;
use shared::serve::{BoundAddress, Drained, Listener, ServeOptions, serve as serve_http};
use shared::time::SystemClock;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use verifier::app::{Parts, Verifier};
use verifier::keys::WatchedKeys;

use crate::first_start::{FirstSuperuser, ensure_superuser, lines_to_try};
use crate::settings::{Settings, reachable};

/// The rules that are in force where no file is named: those of the movie demo.
const DEMO_RULES: &str = include_str!("../rules.toml");

/// Why `usher` did not start, or broke down.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    /// The issuer.
    #[error("the issuer does not start")]
    Issuer(#[from] issuer::app::StartError),
    /// The verifier.
    #[error("the verifier does not start")]
    Verifier(#[from] verifier::app::StartError),
    /// The admin listener.
    #[error("cannot listen")]
    Listen(#[from] shared::serve::ListenError),
    /// The superuser of the first start.
    #[error("USHER_SUPERUSER_LOGIN, USHER_SUPERUSER_PASSWORD: {0}")]
    Superuser(String),
    /// Another process uses the data.
    #[error("another usher uses {0}: stop it, or name another folder with --data-dir")]
    DataInUse(PathBuf),
    /// The data folder.
    #[error("the folder {0} cannot be used")]
    DataFolder(PathBuf, #[source] std::io::Error),
    /// Signals, or the last words.
    #[error("the system refuses")]
    System(#[from] std::io::Error),
    /// A task ended in a panic.
    #[error("a task broke down")]
    Task(#[from] tokio::task::JoinError),
}

impl ServeError {
    /// How the program ends with it.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Superuser(_) => Exit::Misused,
            Self::Verifier(error) if error.is_misuse() => Exit::Misused,
            _ => Exit::Failed,
        }
    }
}

/// Runs until told to stop.
///
/// # Errors
///
/// [`ServeError`].
pub(crate) async fn serve(mut settings: Settings) -> Result<(), ServeError> {
    let _lock = lock_data(&settings)?;
    let shutdown = Shutdown::on_signals(settings.issuer.shutdown_delay.get())?;
    let listeners = Issuer::bind(&settings.issuer, &shutdown.stop).await?;
    if let Some(listener) = listeners.first() {
        settings.agree(listener.address());
    }
    let admin_listeners = verifier::app::bind(&settings.issuer.admin_listen, None).await?;
    if let Some(listener) = admin_listeners.first() {
        settings.list_verifier(listener.address());
    }

    let (publisher, feed) = channel();
    let clock = Arc::new(SystemClock);
    let issuer = Issuer::open(&settings.issuer, clock, Feed::InProcess(publisher)).await?;

    // The verifier answers until the issuer is done: a logout under way still needs it.
    let verifier_shutdown = Shutdown {
        leaving: shutdown.leaving.clone(),
        stop: CancellationToken::new(),
    };
    let parts = Parts {
        key_source: Some(Box::new(WatchedKeys::new(issuer.jwks()))),
        feed: Some(Box::new(feed)),
        built_in_rules: Some(DEMO_RULES),
        clock: None,
    };
    let verifier = Verifier::start(&settings.verifier, parts, &verifier_shutdown).await?;

    let admin_address = admin_listeners.first().map(|listener| listener.address().clone());
    let stop_admin = CancellationToken::new();
    let hosts = &settings.issuer.admin_hosts;
    let (metrics, admin) = serve_admin(&issuer, &verifier, admin_listeners, hosts, stop_admin.clone());

    let issuer_address = listeners.first().map(|listener| listener.address().clone());
    let grace = settings.issuer.shutdown_grace.get();
    let (service, public_url) = (Arc::clone(issuer.service()), settings.issuer.public_url());
    let issuing = tokio::spawn(issuer.run(listeners, metrics, grace, shutdown.clone()));
    let greeted = async {
        // Only now, since the answer waits until the verifier has heard of it.
        let superuser = ensure_superuser(&service).await.map_err(superuser_error)?;
        verifier.ready().await;
        let greeting = Greeting {
            issuer: issuer_address.as_ref(),
            verifier: verifier.addresses().first(),
            admin: admin_address.as_ref(),
            superuser: superuser.as_ref(),
            public_url: &public_url,
        };
        greeting.print().map_err(ServeError::from)
    };
    let greeted = greeted.await;
    if greeted.is_err() {
        shutdown.stop.cancel();
    }

    let issuer_ended = issuing.await;
    verifier_shutdown.stop.cancel();
    let drained = verifier.wait().await;
    stop_admin.cancel();
    admin.await?;
    issuer_ended?;
    drained?;
    tracing::info!("stopped");
    greeted
}

/// Serves health and metrics of both until `stop`: longer than either, so that the end can be watched.
fn serve_admin(
    issuer: &Issuer,
    verifier: &Verifier,
    listeners: Vec<Listener>,
    hosts: &OneOrMany<HostName>,
    stop: CancellationToken,
) -> (Metrics, JoinHandle<Drained>) {
    let mut registry = Registry::default();
    let metrics = issuer.register_metrics(&mut registry);
    verifier.register(&mut registry);
    let (issuer_checks, verifier_checks) = (issuer.checks(), verifier.checks());
    let admin = Admin::new(Arc::new(registry), move || {
        let (of_issuer, of_verifier) = (issuer_checks(), verifier_checks());
        async move { [of_issuer.await, of_verifier].concat() }
    })
    .at_hosts(hosts);
    let admin = verifier.explaining(admin);
    let serving = tokio::spawn(serve_http(listeners, admin, ServeOptions::default(), stop));
    (metrics, serving)
}

fn superuser_error(error: issuer::service::ServiceError) -> ServeError {
    match error {
        issuer::service::ServiceError::Invalid(faults) => {
            let said: Vec<String> = faults
                .iter()
                .map(|fault| format!("{}: {}", fault.field, fault.message))
                .collect();
            ServeError::Superuser(said.join("; "))
        }
        other => ServeError::Superuser(describe(&other)),
    }
}

/// Keeps a second `usher` away from the same data. The lock ends with the process, however it ends.
fn lock_data(settings: &Settings) -> Result<File, ServeError> {
    let url = settings.issuer.database.url.expose();
    let database = Path::new(url.strip_prefix("sqlite:").unwrap_or(url));
    let folder = database.parent().unwrap_or(Path::new("."));
    let unusable = |error| ServeError::DataFolder(folder.to_owned(), error);
    std::fs::create_dir_all(folder).map_err(unusable)?;
    let file = File::create(database.with_extension("lock")).map_err(unusable)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| ServeError::DataInUse(folder.to_owned()))?;
    Ok(file)
}

/// What is said on standard output once everything runs.
struct Greeting<'a> {
    issuer: Option<&'a BoundAddress>,
    verifier: Option<&'a BoundAddress>,
    admin: Option<&'a BoundAddress>,
    superuser: Option<&'a FirstSuperuser>,
    public_url: &'a HttpUrl,
}

impl Greeting<'_> {
    fn print(&self) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "Usher is ready.")?;
        for (name, address) in [
            ("issuer", self.issuer),
            ("verifier", self.verifier),
            ("admin", self.admin),
        ] {
            if let Some(address) = address {
                let shown = reachable(address).map_or_else(|| address.to_string(), |url| url.to_string());
                writeln!(out, "  {name:<9} {shown}")?;
            }
        }
        writeln!(out, "  {:<9} {}/docs/", "API", self.public_url)?;
        if let Some(superuser) = self.superuser {
            writeln!(
                out,
                "\nThere was no superuser, so one was made:\n  login     {}",
                superuser.login
            )?;
            if let Some(password) = &superuser.generated_password {
                writeln!(
                    out,
                    "  password  {}   (shown this once)",
                    password.expose_secret()
                )?;
            }
        }
        if let (Some(issuer), Some(verifier)) =
            (self.issuer.and_then(reachable), self.verifier.and_then(reachable))
        {
            writeln!(
                out,
                "\nTry it: register, ask the verifier about a film, log out and ask again.\n"
            )?;
            for line in lines_to_try(&issuer, &verifier) {
                writeln!(out, "{line}\n")?;
            }
        }
        out.flush()
    }
}
