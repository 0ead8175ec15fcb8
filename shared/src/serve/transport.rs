//! The bytes of a connection, watched as they pass.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;

use super::activity::Activity;
use super::frames::Frames;

/// How long, and for how many bytes, a connection is read from after its last answer was sent. Closing a socket with
/// unread bytes resets it, and a reset can take the answer with it that the peer has not read yet.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 256 * 1024;

/// What carries a connection.
#[derive(Debug)]
pub(super) enum Transport {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A transport between two runtimes, neither of which waits for it.
#[derive(Debug)]
pub(super) enum Detached {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl Transport {
    /// Takes a transport that was just accepted from its runtime.
    pub(super) fn detach(self) -> io::Result<Detached> {
        match self {
            Self::Tcp(stream) => stream.into_std().map(Detached::Tcp),
            Self::Unix(stream) => stream.into_std().map(Detached::Unix),
            // Only what has been accepted is moved, and TLS begins after that.
            Self::Tls(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl Detached {
    /// Gives it to the runtime that this is called on.
    pub(super) fn attach(self) -> io::Result<Transport> {
        match self {
            Self::Tcp(stream) => TcpStream::from_std(stream).map(Transport::Tcp),
            Self::Unix(stream) => UnixStream::from_std(stream).map(Transport::Unix),
        }
    }
}

macro_rules! on_transport {
    ($self:expr, $method:ident ( $($argument:expr),* )) => {
        match $self {
            Transport::Tcp(stream) => Pin::new(stream).$method($($argument),*),
            Transport::Unix(stream) => Pin::new(stream).$method($($argument),*),
            Transport::Tls(stream) => Pin::new(stream.as_mut()).$method($($argument),*),
        }
    };
}

/// A transport that tells an [`Activity`] what happens on it.
#[derive(Debug)]
pub(super) struct Watched {
    transport: Transport,
    activity: Arc<Activity>,
    frames: Frames,
    ending: Ending,
}

#[derive(Debug)]
enum Ending {
    /// Both directions are open.
    Open,
    /// The peer has said that it sends no more.
    PeerDone,
    /// Ours is closed; what the peer still sends is read and forgotten.
    Lingering {
        until: Pin<Box<Sleep>>,
        bytes_left: usize,
    },
}

impl Watched {
    pub(super) fn new(transport: Transport, activity: Arc<Activity>) -> Self {
        Self {
            transport,
            activity,
            frames: Frames::new(),
            ending: Ending::Open,
        }
    }

    /// Reads what is left until the peer closes, or time or bytes are up.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Ending::Lingering { until, bytes_left } = &mut self.ending else {
            return Poll::Ready(());
        };
        let mut scratch = [0; 4096];
        while *bytes_left > 0 {
            if until.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let mut buffer = ReadBuf::new(&mut scratch);
            match ready!(on_transport!(&mut self.transport, poll_read(cx, &mut buffer))) {
                Ok(()) if !buffer.filled().is_empty() => {
                    *bytes_left = bytes_left.saturating_sub(buffer.filled().len());
                }
                Ok(()) | Err(_) => return Poll::Ready(()),
            }
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let filled_before = buffer.filled().len();
        match on_transport!(&mut self.transport, poll_read(cx, buffer)) {
            Poll::Ready(read) => read?,
            Poll::Pending => {
                self.activity.read_pending();
                return Poll::Pending;
            }
        }
        let received = buffer.filled().get(filled_before..).unwrap_or_default();
        if received.is_empty() {
            self.ending = Ending::PeerDone;
        } else if self.activity.received(received) {
            let block = self.frames.received(received);
            self.activity.block(block);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = on_transport!(&mut self.transport, poll_write(cx, bytes));
        self.activity.write_polled(written.is_ready());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = on_transport!(&mut self.transport, poll_write_vectored(cx, slices));
        self.activity.write_polled(written.is_ready());
        written
    }

    fn is_write_vectored(&self) -> bool {
        match &self.transport {
            Transport::Tcp(stream) => stream.is_write_vectored(),
            Transport::Unix(stream) => stream.is_write_vectored(),
            Transport::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = on_transport!(&mut self.transport, poll_flush(cx));
        self.activity.write_polled(flushed.is_ready());
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !matches!(self.ending, Ending::Lingering { .. }) {
            ready!(on_transport!(&mut self.transport, poll_shutdown(cx)))?;
            if matches!(self.ending, Ending::PeerDone) || !self.activity.may_have_unread_bytes() {
                return Poll::Ready(Ok(()));
            }
            let until = Box::pin(tokio::time::sleep(LINGER));
            self.ending = Ending::Lingering {
                until,
                bytes_left: LINGER_BYTES_MAX,
            };
        }
        self.poll_linger(cx).map(Ok)
    }
}
