//! Accepting connections.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use bytes::Buf;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper_util::rt::TokioExecutor;
use hyper_util::server::conn::auto;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::activity::Activity;
use super::connection::{self, Signals};
use super::metrics::End;
use super::transport::{Detached, Transport, Watched};
use super::{BoxError, Listener, Peer, ServeMetrics, ServeOptions, Tls};

/// What every connection of a server has in common.
pub(super) struct Acceptor<M> {
    make_service: M,
    pub(super) options: ServeOptions,
    builder: auto::Builder<TokioExecutor>,
    connections: TaskTracker,
    leaving: Arc<AtomicBool>,
    stop: CancellationToken,
    cut: CancellationToken,
}

impl<M, S, B> Acceptor<M>
where
    M: Fn(Peer) -> S + Send + Sync + 'static,
    S: tower::Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError> + Send,
    B: Body<Data: Buf + Send, Error: Into<BoxError>> + Send + 'static,
{
    pub(super) fn new(
        make_service: M,
        options: ServeOptions,
        connections: TaskTracker,
        stop: CancellationToken,
        cut: CancellationToken,
    ) -> Self {
        let builder = connection::builder(&options);
        Self {
            make_service,
            options,
            builder,
            connections,
            leaving: Arc::default(),
            stop,
            cut,
        }
    }

    /// Returns when the server is to stop. Some time before that, if it is told to leave, answers begin to end their connections.
    pub(super) async fn told_to_stop(&self) {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {}
            () = self.options.leaving.cancelled() => {
                self.leaving.store(true, Relaxed);
                self.stop.cancelled().await;
            }
        }
        self.leaving.store(true, Relaxed);
    }

    /// Accepts connections until the server stops, and then those that are there already. Each holds one of `permits`.
    pub(super) async fn run(self: Arc<Self>, listener: Listener, permits: Arc<Semaphore>) {
        self.accept_until_stop(&listener, &permits).await;
        self.leaving.store(true, Relaxed);
        let tls = listener.tls().cloned();
        let waiting = match listener.close() {
            Ok(waiting) => waiting,
            Err(error) => return tracing::warn!(%error, "connections that were not accepted are lost"),
        };
        for accepted in waiting {
            // Who was kept waiting in the queue by those within the bound waits in vain.
            let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
                return;
            };
            match accepted {
                Ok((transport, peer)) => self.begin(transport, peer, tls.clone(), permit),
                Err(error) => {
                    self.options.metrics.accept_errors.inc();
                    if !is_of_one_connection(&error) {
                        return tracing::warn!(%error, "connections that were not accepted are lost");
                    }
                }
            }
        }
    }

    async fn accept_until_stop(self: &Arc<Self>, listener: &Listener, permits: &Arc<Semaphore>) {
        let mut backoff = Backoff::default();
        loop {
            let accepted = async {
                let permit = Arc::clone(permits).acquire_owned().await;
                (permit, listener.accept().await)
            };
            let (permit, accepted) = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                accepted = accepted => accepted,
            };
            // Nobody closes the semaphore.
            let Ok(permit) = permit else { return };
            match accepted {
                Ok((transport, peer)) => {
                    backoff = Backoff::default();
                    let tls = listener.tls().cloned();
                    self.begin(transport, peer, tls, permit);
                }
                Err(error) => {
                    self.options.metrics.accept_errors.inc();
                    let Some(wait) = backoff.after(&error) else {
                        continue;
                    };
                    tracing::warn!(%error, address = %listener.address(), ?wait, "cannot accept connections");
                    tokio::select! {
                        () = self.stop.cancelled() => return,
                        () = tokio::time::sleep(wait) => {}
                    }
                }
            }
        }
    }

    /// Begins to serve a connection, on a thread for it if there are such.
    fn begin(
        self: &Arc<Self>,
        transport: Transport,
        peer: Peer,
        tls: Option<Arc<Tls>>,
        permit: OwnedSemaphorePermit,
    ) {
        let acceptor = Arc::clone(self);
        let workers = self.options.workers.as_ref();
        let Some(place) = workers.and_then(|workers| workers.place()) else {
            self.connections
                .spawn(acceptor.connection(transport, peer, tls, permit));
            return;
        };
        let runtime = place.runtime.clone();
        let moved = transport.detach();
        let connection = async move {
            match moved.and_then(Detached::attach) {
                Ok(transport) => acceptor.connection(transport, peer, tls, permit).await,
                Err(error) => {
                    acceptor.options.metrics.accept_errors.inc();
                    tracing::warn!(%error, "a connection could not be given to a thread");
                }
            }
            drop(place);
        };
        self.connections.spawn_on(connection, &runtime);
    }

    async fn connection(
        self: Arc<Self>,
        transport: Transport,
        peer: Peer,
        tls: Option<Arc<Tls>>,
        permit: OwnedSemaphorePermit,
    ) {
        let open = Open::count(&self.options.metrics);
        let end = self.serve(transport, peer, tls).await;
        self.options.metrics.ended(end);
        drop((open, permit));
    }

    async fn serve(&self, transport: Transport, peer: Peer, tls: Option<Arc<Tls>>) -> End {
        let (transport, h2) = match (transport, tls) {
            (Transport::Tcp(stream), Some(tls)) => {
                let handshake =
                    tokio::time::timeout(self.options.tls_handshake_timeout, tls.acceptor().accept(stream));
                let last_call = async {
                    self.stop.cancelled().await;
                    tokio::time::sleep(connection::last_call(&self.options)).await;
                };
                let stream = tokio::select! {
                    () = last_call => return End::Closed,
                    stream = handshake => stream,
                };
                let Ok(Ok(stream)) = stream else {
                    return End::Handshake;
                };
                let h2 = stream.get_ref().1.alpn_protocol() == Some(super::tls::ALPN_H2);
                (Transport::Tls(Box::new(stream)), h2)
            }
            (transport, _) => (transport, false),
        };
        let activity = Arc::new(Activity::new(h2, Arc::clone(&self.leaving)));
        let watched = Watched::new(transport, Arc::clone(&activity));
        let service = (self.make_service)(peer);
        let signals = Signals {
            stop: &self.stop,
            cut: &self.cut,
        };
        connection::serve(watched, activity, service, &self.builder, &self.options, signals).await
    }
}

/// One connection more, for as long as this lives.
struct Open(ServeMetrics);

impl Open {
    fn count(metrics: &ServeMetrics) -> Self {
        metrics.open.inc();
        Self(metrics.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.dec();
    }
}

/// How long to wait after connections could not be accepted: doubling while it goes on, so that running out of file
/// descriptors does not end in a busy loop.
#[derive(Debug)]
struct Backoff {
    next: Duration,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(50);
    const LAST: Duration = Duration::from_secs(1);

    /// The time to wait. `None` if the error was that of one connection alone.
    fn after(&mut self, error: &io::Error) -> Option<Duration> {
        if is_of_one_connection(error) {
            return None;
        }
        let wait = self.next;
        self.next = (wait * 2).min(Self::LAST);
        Some(wait)
    }
}

/// Whether accepting failed for one connection alone.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: Self::FIRST }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attack: connections until there are no file descriptors left
    /// Source: CWE-774
    /// Result: accepting waits longer and longer instead of spinning
    #[test]
    fn waiting_doubles_while_descriptors_are_short() {
        let mut backoff = Backoff::default();
        let out_of_descriptors = io::Error::from_raw_os_error(24);
        let waits: Vec<u128> = (0..7)
            .filter_map(|_| backoff.after(&out_of_descriptors))
            .map(|wait| wait.as_millis())
            .collect();
        assert_eq!(waits, [50, 100, 200, 400, 800, 1000, 1000]);
        assert_eq!(backoff.after(&io::ErrorKind::ConnectionAborted.into()), None);
    }
}
