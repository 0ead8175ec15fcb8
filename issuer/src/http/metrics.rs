//! Requests by route, for Prometheus.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabel {
    route: String,
}

/// Requests by route, for Prometheus.
#[derive(Debug)]
pub struct HttpMetrics {
    requests: Family<Labels, Counter>,
    duration: Family<RouteLabel, Histogram, fn() -> Histogram>,
}

fn duration_histogram() -> Histogram {
    // From 1 ms to 8 s: a login takes tens of milliseconds, everything else a few.
    Histogram::new(exponential_buckets(0.001, 2.0, 14))
}

impl HttpMetrics {
    /// Metrics that a registry will show.
    pub fn register(registry: &mut Registry) -> Arc<Self> {
        let metrics = Self {
            requests: Family::default(),
            duration: Family::new_with_constructor(duration_histogram),
        };
        registry.register(
            "issuer_http_requests",
            "Requests answered",
            metrics.requests.clone(),
        );
        registry.register(
            "issuer_http_request_duration_seconds",
            "From a request's header block to its answer's",
            metrics.duration.clone(),
        );
        Arc::new(metrics)
    }

    pub(super) fn count(&self, method: &Method, route: Option<&str>, status: StatusCode, took: Duration) {
        // Paths that are no route are one label, or anybody could make any number of them; so are odd methods.
        let route = route.unwrap_or("none").to_owned();
        let method = if method.as_str().len() <= 7 && STANDARD_METHODS.contains(method) {
            method.as_str().to_owned()
        } else {
            "other".to_owned()
        };
        self.duration
            .get_or_create(&RouteLabel { route: route.clone() })
            .observe(took.as_secs_f64());
        self.requests
            .get_or_create(&Labels {
                method,
                route,
                status: status.as_u16(),
            })
            .inc();
    }
}

const STANDARD_METHODS: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
];
