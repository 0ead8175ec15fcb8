//! Connections, counted.

use std::fmt::{self, Write as _};

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Counts of a server's connections. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct ServeMetrics {
    pub(super) open: Gauge,
    pub(super) accept_errors: Counter,
    ended: Family<EndLabels, Counter>,
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum End {
    /// One of the two sides was done.
    Closed,
    /// The peer broke HTTP or the connection.
    Failed,
    /// The header block was not there in time.
    HeaderTimeout,
    /// No request came for the idle time.
    Idle,
    /// The peer took nothing of an answer.
    Stalled,
    /// TLS did not come about.
    Handshake,
    /// The server stopped, and its grace was over.
    Cut,
}

impl EncodeLabelValue for End {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(match self {
            Self::Closed => "closed",
            Self::Failed => "failed",
            Self::HeaderTimeout => "header_timeout",
            Self::Idle => "idle",
            Self::Stalled => "stalled",
            Self::Handshake => "handshake",
            Self::Cut => "cut",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabels {
    reason: End,
}

impl ServeMetrics {
    /// Puts the counts into a registry, under names that begin with `http_`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "http_connections_open",
            "Connections that are open",
            self.open.clone(),
        );
        registry.register(
            "http_connections_ended",
            "Connections that ended, by what ended them",
            self.ended.clone(),
        );
        registry.register(
            "http_accept_errors",
            "Connections that could not be accepted",
            self.accept_errors.clone(),
        );
    }

    pub(super) fn ended(&self, reason: End) {
        self.ended.get_or_create(&EndLabels { reason }).inc();
    }

    /// How many connections ended for this reason.
    #[cfg(test)]
    pub(super) fn count(&self, reason: End) -> u64 {
        self.ended.get_or_create(&EndLabels { reason }).get()
    }
}
