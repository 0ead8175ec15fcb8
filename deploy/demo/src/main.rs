//! The movie service of the demo.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use movies::Films;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// A small movie service, for the demo: it believes what the proxy in front of it says of its callers
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where to listen; only the proxy should be able to reach it
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8082")]
    listen: SocketAddr,

    /// The films, in JSON; those of the demo if not given
    #[arg(long, value_name = "FILE")]
    films: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Arguments { listen, films } = Arguments::parse();
    let films = match films {
        Some(file) => Films::load(&file).with_context(|| file.display().to_string())?,
        None => Films::built_in()?,
    };
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}"))?;
    println!("movies: http://{}/api/v1/films", listener.local_addr()?);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    axum::serve(listener, movies::router(films))
        .with_graceful_shutdown(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
        .await?;
    Ok(())
}
