//! Listeners and what runs on them: TCP and Unix sockets, TLS, HTTP/1.1 and HTTP/2 on the same port, every bound of
//! [`crate::limits`], and a graceful end.
//!
//! ```text
//! Listener::bind ─► accept (permit) ─► TLS handshake ─► HTTP connection ─► the service
//!                        │                  │                 │
//!                     back-off           deadline      header, idle and stall deadlines
//! ```
//!
//! No HTTP/1 upgrade is ever accepted. A request learns who sent it through its [`Peer`] extension.

mod accept;
mod activity;
mod connection;
mod frames;
mod listener;
mod metrics;
mod options;
mod service;
#[cfg(test)]
mod tests;
pub(crate) mod tls;
mod transport;
mod workers;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Buf;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use listener::{BoundAddress, ListenError, Listener, UNIX_SOCKET_MODE};
pub use metrics::ServeMetrics;
pub use options::ServeOptions;
pub use tls::{RELOAD_EVERY, Tls, TlsError, TlsFiles};
pub use workers::Workers;

use self::accept::Acceptor;
use self::service::WithPeer;

/// Any error, as services and bodies have them.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// A TCP connection from this address.
    Tcp(SocketAddr),
    /// A connection to a Unix socket.
    Unix,
}

impl Peer {
    /// The peer's IP address; an IPv4 address in IPv6 clothes is shown as IPv4. `None` at a Unix socket.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(address) => Some(address.ip().to_canonical()),
            Self::Unix => None,
        }
    }
}

/// How serving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were not done within the grace and were cut.
    pub cut: usize,
}

/// Serves every request on every listener with `service`, until `stop` is cancelled; then accepts what the kernel has let in
/// already and nothing else, closes idle connections, gives what is under way the grace of `options`, and cuts the rest. Who is
/// connected and has not asked yet may do so once, for a second.
///
/// A request carries its [`Peer`] as an extension. An error of the service closes the connection.
pub async fn serve<S, B>(
    listeners: Vec<Listener>,
    service: S,
    options: ServeOptions,
    stop: CancellationToken,
) -> Drained
where
    S: tower::Service<Request<Incoming>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError> + Send,
    B: Body<Data: Buf + Send, Error: Into<BoxError>> + Send + 'static,
{
    serve_per_connection(
        listeners,
        move |peer| WithPeer::new(service.clone(), peer),
        options,
        stop,
    )
    .await
}

/// Like [`serve`], with a service made for each connection, which so knows its peer without an extension.
pub async fn serve_per_connection<M, S, B>(
    listeners: Vec<Listener>,
    make_service: M,
    options: ServeOptions,
    stop: CancellationToken,
) -> Drained
where
    M: Fn(Peer) -> S + Send + Sync + 'static,
    S: tower::Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError> + Send,
    B: Body<Data: Buf + Send, Error: Into<BoxError>> + Send + 'static,
{
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    // Whoever drops this future wants its connections gone too.
    let _cut_on_drop = cut.clone().drop_guard();
    let grace = options.shutdown_grace;
    let acceptor = Arc::new(Acceptor::new(
        make_service,
        options,
        connections.clone(),
        stop,
        cut.clone(),
    ));

    let accepting = TaskTracker::new();
    for listener in listeners {
        let permits = Arc::new(Semaphore::new(acceptor.options.connections_max));
        accepting.spawn(Arc::clone(&acceptor).run(listener, permits));
    }
    accepting.close();
    acceptor.told_to_stop().await;
    accepting.wait().await;

    connections.close();
    if tokio::time::timeout(grace, connections.wait()).await.is_ok() {
        return Drained { cut: 0 };
    }
    let left = connections.len();
    cut.cancel();
    // A handler that blocks its thread cannot be cut; the process ends without it.
    let _ = tokio::time::timeout(connection::CUT_WITHIN, connections.wait()).await;
    tracing::warn!(
        connections = left,
        "connections were cut: they were not done within the grace"
    );
    Drained { cut: left }
}
