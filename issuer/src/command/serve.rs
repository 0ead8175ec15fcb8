//! `serve`: the issuer alone.

use std::error::Error;
use std::sync::Arc;

use prometheus_client::registry::Registry;
use shared::admin::{Admin, Check};
use shared::cli::Shutdown;
use shared::serve::{Listener, ServeOptions, UNIX_SOCKET_MODE, serve as serve_http};
use shared::time::SystemClock;

use crate::app::{Feed, Issuer};
use crate::settings::Settings;

/// No way for revocations to reach the verifiers, and nobody said that there is to be none.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "redis.url: missing; name the Redis that carries revocations to the verifiers, such as \"redis://127.0.0.1:6379\", \
     or set redis.disabled = true to run without, in which case no verifier hears of revocations"
)]
pub struct NoFeed;

/// Where `serve` sends revocations to.
///
/// # Errors
///
/// [`NoFeed`]: nobody must find out from a verifier that never heard of a logout.
pub fn feed_of(settings: &Settings) -> Result<Feed, NoFeed> {
    match (settings.redis.disabled, settings.redis.is_given()) {
        (true, _) => Ok(Feed::Disabled),
        (false, true) => Ok(Feed::Redis),
        (false, false) => Err(NoFeed),
    }
}

/// Runs the issuer until it is told to stop.
///
/// # Errors
///
/// Why it did not start.
pub async fn serve(settings: &Settings) -> Result<(), Box<dyn Error>> {
    let feed = feed_of(settings)?;
    if settings.redis.disabled {
        tracing::warn!("redis.disabled: no verifier hears of revocations; a token is good until it expires");
    }
    let shutdown = Shutdown::on_signals(settings.shutdown_delay.get())?;
    let issuer = Issuer::open(settings, Arc::new(SystemClock), feed).await?;
    let listeners = Issuer::bind(settings, &shutdown.stop).await?;
    let mut registry = Registry::default();
    let metrics = issuer.register_metrics(&mut registry);
    let (checks, leaving) = (issuer.checks(), shutdown.leaving.clone());
    let admin = Admin::new(Arc::new(registry), move || {
        let (checks, leaving) = (checks(), leaving.clone());
        async move {
            let mut checks = checks.await;
            if leaving.is_cancelled() {
                checks.push(Check::new("shutdown", Err("stopping".to_owned())));
            }
            checks
        }
    })
    .at_hosts(&settings.admin_hosts);
    let mut admin_listeners = Vec::new();
    for address in &settings.admin_listen {
        admin_listeners.push(Listener::bind(address, UNIX_SOCKET_MODE).await?);
    }
    for listener in &listeners {
        tracing::info!(address = %listener.address(), "the issuer listens");
    }
    for listener in &admin_listeners {
        tracing::info!(address = %listener.address(), "health and metrics listen");
    }
    let grace = settings.shutdown_grace.get();
    let admin_options = ServeOptions {
        shutdown_grace: grace,
        ..ServeOptions::default()
    };
    let public = issuer.run(listeners, metrics, grace, shutdown.clone());
    // Health is answered until the end.
    let admin = serve_http(admin_listeners, admin, admin_options, shutdown.stop);
    tokio::join!(public, admin);
    tracing::info!("stopped");
    Ok(())
}
