//! Figures that are read when somebody asks for the metrics.

use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use shared::time::{BootTime, UnixMillis};

use crate::publish::RelaySnapshot;
use crate::service::Service;
use crate::signing::Keyring;
use crate::store::key::KeyState;

/// Figures that are read when somebody asks for the metrics.
#[derive(Debug)]
pub(super) struct Gauges(pub(super) Arc<Service>);

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let connections = self.0.store.connections();
        let hashing = self.0.passwords.counts();
        let keys = self.0.keys.current();
        for (name, help, value) in [
            (
                "issuer_database_connections_open",
                "Connections to the database",
                u64::from(connections.open),
            ),
            (
                "issuer_database_connections_idle",
                "Connections to the database that are free",
                u64::from(connections.idle),
            ),
            (
                "issuer_database_connections_max",
                "Connections to the database that there may be",
                u64::from(connections.max),
            ),
            (
                "issuer_signing_keys",
                "Signing keys that are published",
                keys.stored().len() as u64,
            ),
            (
                "issuer_signing_key_age_seconds",
                "How long the active key has been signing",
                self.0.clock.now().since(active_since(&keys)).as_secs(),
            ),
            (
                "issuer_signing_keys_unseen_seconds",
                "Time since this issuer last saw the signing keys as they are in the database",
                self.0.keys.unseen_for().as_secs(),
            ),
            (
                "issuer_password_hashes_queued",
                "Password hashes that wait",
                hashing.queued as u64,
            ),
            (
                "issuer_password_hashes_running",
                "Password hashes under way",
                hashing.running as u64,
            ),
            (
                "issuer_password_hashes_max",
                "Password hashes that may wait or be under way; past these logins are refused with 503",
                self.0.passwords.jobs_max() as u64,
            ),
        ] {
            let gauge = ConstGauge::new(value);
            let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        let help = "Password hashes, by what became of them: computed, refused because too many waited, given up by who asked";
        let mut hashes =
            encoder.encode_descriptor("issuer_password_hashes", help, None, MetricType::Counter)?;
        for (outcome, count) in [
            ("computed", hashing.done),
            ("refused", hashing.overloaded),
            ("abandoned", hashing.abandoned),
        ] {
            let counter = ConstCounter::new(count);
            counter.encode(hashes.encode_family(&[("outcome", outcome)])?)?;
        }
        if let Some(relay) = self.0.publisher.relay() {
            encode_relay(&mut encoder, &relay.snapshot(), self.0.clock.boot())?;
        }
        self.encode_central(&mut encoder)
    }
}

impl Gauges {
    /// Whether the limits are shared, where they are to be.
    fn encode_central(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(central) = self.0.limits.central() else {
            return Ok(());
        };
        let shared = ConstGauge::new(u64::from(central.is_reached()));
        shared.encode(encoder.encode_descriptor(
            "issuer_rate_limits_shared",
            "1 while rate limits are shared through Redis, 0 while this issuer counts for itself",
            None,
            shared.metric_type(),
        )?)?;
        let fallbacks = ConstCounter::new(central.fallbacks());
        fallbacks.encode(encoder.encode_descriptor(
            "issuer_rate_limit_fallbacks",
            "Steps of rate limits that were done in memory because Redis did not answer",
            None,
            fallbacks.metric_type(),
        )?)
    }
}

fn active_since(keys: &Keyring) -> UnixMillis {
    let since = keys.stored().iter().find_map(|key| match key.state {
        KeyState::Active { since } => Some(since),
        KeyState::Next { .. } | KeyState::Retired { .. } => None,
    });
    since.unwrap_or_default()
}

/// What the relay has done, and how it stands.
fn encode_relay(
    encoder: &mut DescriptorEncoder<'_>,
    relay: &RelaySnapshot,
    now: BootTime,
) -> Result<(), std::fmt::Error> {
    for (name, help, value) in [
        (
            "issuer_relay_holder",
            "1 while this issuer writes the revocation feed",
            u64::from(relay.is_holder),
        ),
        (
            "issuer_relay_term",
            "The term that this issuer took last",
            relay.term,
        ),
        (
            "issuer_relay_epoch",
            "The epoch that this issuer wrote last",
            relay.epoch,
        ),
        (
            "issuer_relay_last_seq",
            "The last revocation that this issuer published",
            relay.seq,
        ),
    ] {
        let gauge = ConstGauge::new(value);
        gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
    }
    let heartbeat_age = relay
        .heartbeat_at
        .map_or(f64::NAN, |at| now.since(at).as_secs_f64());
    for (name, help, value) in [
        (
            "issuer_relay_heartbeat_age_seconds",
            "Time since this issuer wrote a heartbeat; NaN before the first",
            heartbeat_age,
        ),
        (
            "issuer_relay_unpublished_seconds",
            "How long the oldest unpublished revocation had waited when this issuer, standing by, last looked",
            // Who writes does not wait, and has looked last when it did.
            if relay.is_holder {
                0.0
            } else {
                relay.unpublished_for.as_secs_f64()
            },
        ),
    ] {
        let gauge = ConstGauge::new(value);
        gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
    }
    for (name, help, value) in [
        ("issuer_relay_entries", "Revocations published", relay.entries),
        ("issuer_relay_heartbeats", "Heartbeats written", relay.heartbeats),
        (
            "issuer_relay_heartbeats_without_database",
            "Heartbeats written while the database was away",
            relay.heartbeats_without_database,
        ),
        (
            "issuer_relay_terms_taken",
            "Times that this issuer took over",
            relay.terms_taken,
        ),
        (
            "issuer_relay_epochs_begun",
            "Epochs that this issuer began",
            relay.epochs_begun,
        ),
        (
            "issuer_relay_failures",
            "Rounds of the relay that failed",
            relay.failures,
        ),
    ] {
        let counter = ConstCounter::new(value);
        counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
    }
    Ok(())
}
