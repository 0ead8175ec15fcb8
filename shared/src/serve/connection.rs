//! One connection, from its first byte to its last.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use futures_util::FutureExt as _;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::activity::{Activity, Verdict};
use super::metrics::End;
use super::service::Counted;
use super::transport::Watched;
use super::{BoxError, ServeOptions};

/// How long a connection has to say goodbye when it is closed for idling.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long a connection has to send a request that is on its way when the server stops.
const LAST_CALL: Duration = Duration::from_secs(1);

/// How long connections have to notice that they are cut.
pub(super) const CUT_WITHIN: Duration = Duration::from_secs(1);

/// An HTTP/2 peer is asked whether it is still there after this time without a frame, and has this time to answer.
const H2_KEEPALIVE: Duration = Duration::from_secs(20);

/// [`LAST_CALL`], with some of the grace left for the answer.
pub(super) fn last_call(options: &ServeOptions) -> Duration {
    LAST_CALL.min(options.shutdown_grace / 2)
}

/// What makes HTTP connections out of transports, for the bounds of `options`.
pub(super) fn builder(options: &ServeOptions) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // hyper's own header timeout runs while a connection idles, too; `Activity` tells the two apart. Answers are small: one
    // buffer to write costs less than a list of them.
    builder
        .http1()
        .header_read_timeout(None)
        .writev(false)
        .max_buf_size(options.header_bytes_max);
    if options.headers_max < crate::limits::HEADERS_MAX {
        // hyper's own bound is `HEADERS_MAX`, and free of charge; another one costs an allocation a request.
        builder.http1().max_headers(options.headers_max);
    }
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(options.h2_streams_max)
        .max_header_list_size(u32::try_from(options.header_bytes_max).unwrap_or(u32::MAX))
        .keep_alive_interval(H2_KEEPALIVE)
        .keep_alive_timeout(H2_KEEPALIVE);
    builder
}

/// Whom a connection listens to.
pub(super) struct Signals<'a> {
    pub(super) stop: &'a CancellationToken,
    pub(super) cut: &'a CancellationToken,
}

/// Serves a connection until it ends, its time is up or the server stops.
pub(super) async fn serve<S, B>(
    transport: Watched,
    activity: Arc<Activity>,
    service: S,
    builder: &auto::Builder<TokioExecutor>,
    options: &ServeOptions,
    signals: Signals<'_>,
) -> End
where
    S: tower::Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError> + Send,
    B: Body<Data: Buf + Send, Error: Into<BoxError>> + Send + 'static,
{
    let service = Counted::new(service, Arc::clone(&activity), options);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(transport), service));
    let wake_at =
        |at: Instant| -> Waiting<'_> { Box::pin(tokio::time::sleep_until(at).map(|()| Event::Wake)) };
    // Each of these is looked at when it has something to tell, and costs a request nothing.
    let mut events = FuturesUnordered::<Waiting<'_>>::new();
    events.push(Box::pin(signals.cut.cancelled().map(|()| Event::Cut)));
    events.push(Box::pin(signals.stop.cancelled().map(|()| Event::Stop)));
    let began = Instant::now();
    events.push(wake_at(match activity.judge(options, began) {
        Verdict::WaitUntil(at) => at,
        Verdict::HeaderTimeout | Verdict::Idle | Verdict::Stalled => began,
    }));
    let mut stopping = false;
    let mut idle = false;
    loop {
        let event = tokio::select! {
            biased;
            result = connection.as_mut() => return match result {
                _ if idle => End::Idle,
                Ok(()) => End::Closed,
                Err(error) => {
                    tracing::debug!(error = &*error as &dyn std::error::Error, "a connection failed");
                    if stopping { End::Closed } else { End::Failed }
                }
            },
            Some(event) = events.next() => event,
        };
        match event {
            Event::Cut => return End::Cut,
            Event::Stop => {
                stopping = true;
                if activity.expects_request() {
                    let last_call = tokio::time::sleep(last_call(options));
                    events.push(Box::pin(last_call.map(|()| Event::Shut)));
                } else {
                    connection.as_mut().graceful_shutdown();
                }
            }
            Event::Shut => connection.as_mut().graceful_shutdown(),
            Event::Wake => {
                let now = Instant::now();
                match activity.judge(options, now) {
                    Verdict::WaitUntil(at) => events.push(wake_at(at)),
                    Verdict::HeaderTimeout => return End::HeaderTimeout,
                    Verdict::Stalled => return End::Stalled,
                    Verdict::Idle if idle => return End::Idle,
                    Verdict::Idle => {
                        idle = true;
                        connection.as_mut().graceful_shutdown();
                        events.push(wake_at(now + FAREWELL));
                    }
                }
            }
        }
    }
}

/// What may happen to a connection beside what passes on it.
enum Event {
    /// The grace of a server that stops is over.
    Cut,
    /// The server stops.
    Stop,
    /// What was on its way when the server stopped has had its time.
    Shut,
    /// It is time to look how long the connection has been doing what it does.
    Wake,
}

type Waiting<'a> = Pin<Box<dyn Future<Output = Event> + Send + 'a>>;
