//! What a server may be told.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{ServeMetrics, Workers};
use crate::limits;

/// Bounds of a server. [`Default`] has those of [`crate::limits`]; tests make them smaller.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// From a request's first byte (for a new connection: from its beginning) to the end of its header block.
    pub header_read_timeout: Duration,
    /// A connection without a request is closed after this time.
    pub idle_timeout: Duration,
    /// A peer that takes nothing of an answer for this long is cut off.
    pub write_stall_timeout: Duration,
    /// From the accepted connection to the end of the TLS handshake.
    pub tls_handshake_timeout: Duration,
    /// A request's header block, in bytes; past it the answer is 431. At least 8 KiB.
    pub header_bytes_max: usize,
    /// A request's header fields; past it the answer is 431.
    pub headers_max: usize,
    /// Connections open at once on each listener; those past it wait in the kernel's queue.
    pub connections_max: usize,
    /// Streams open at once on one HTTP/2 connection.
    pub h2_streams_max: u32,
    /// How long what is under way may take when the server stops.
    pub shutdown_grace: Duration,
    /// From when on connections of HTTP/1 end with their next answer, so that who keeps one does not lose a request to its end.
    pub leaving: CancellationToken,
    /// Where connections are counted.
    pub metrics: ServeMetrics,
    /// Threads of their own for connections; `None`: they are served by the runtime that accepts them.
    pub workers: Option<Arc<Workers>>,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            header_read_timeout: limits::HEADER_READ_TIMEOUT,
            idle_timeout: limits::IDLE_TIMEOUT,
            write_stall_timeout: limits::WRITE_STALL_TIMEOUT,
            tls_handshake_timeout: limits::TLS_HANDSHAKE_TIMEOUT,
            header_bytes_max: limits::HEADER_BYTES_MAX,
            headers_max: limits::HEADERS_MAX,
            connections_max: limits::CONNECTIONS_MAX,
            h2_streams_max: limits::H2_STREAMS_MAX,
            shutdown_grace: limits::SHUTDOWN_GRACE,
            leaving: CancellationToken::new(),
            metrics: ServeMetrics::default(),
            workers: None,
        }
    }
}
