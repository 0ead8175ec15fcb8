//! What is counted and measured.
//!
//! Decisions are counted where they are made, in counters looked up beforehand; everything else is read off the replicas
//! when somebody asks for the metrics.

use std::fmt::Error;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use shared::reason::Reason;

use crate::http::Endpoint;
use crate::pipeline::Pipeline;
use crate::revocation::Freshness;

type Labels = [(&'static str, &'static str); 3];

/// Decisions so far, by endpoint and outcome.
#[derive(Debug, Default)]
pub struct DecisionCounts {
    family: Family<Labels, Counter>,
    by_endpoint: [EndpointCounts; Endpoint::ALL.len()],
    not_found: Counter,
}

#[derive(Debug, Default)]
struct EndpointCounts {
    allowed: Counter,
    refused: [Counter; Reason::ALL.len()],
}

impl DecisionCounts {
    /// Counts of zero.
    pub fn new() -> Self {
        let family = Family::<Labels, Counter>::default();
        let counter = |endpoint: Endpoint, outcome, reason| {
            family.get_or_create_owned(&[
                ("endpoint", endpoint.as_str()),
                ("outcome", outcome),
                ("reason", reason),
            ])
        };
        let by_endpoint = Endpoint::ALL.map(|endpoint| EndpointCounts {
            allowed: counter(endpoint, "allowed", ""),
            refused: Reason::ALL.map(|reason| counter(endpoint, "refused", reason.as_str())),
        });
        Self {
            by_endpoint,
            family,
            not_found: Counter::default(),
        }
    }

    /// Counts a decision.
    pub fn count(&self, endpoint: Endpoint, outcome: Result<(), Reason>) {
        let Some((_, counts)) = Endpoint::ALL
            .iter()
            .zip(&self.by_endpoint)
            .find(|(of, _)| **of == endpoint)
        else {
            return;
        };
        let counter = match outcome {
            Ok(()) => Some(&counts.allowed),
            Err(reason) => Reason::ALL
                .iter()
                .zip(&counts.refused)
                .find(|(of, _)| **of == reason)
                .map(|(_, counter)| counter),
        };
        if let Some(counter) = counter {
            counter.inc();
        }
    }

    /// Counts a request for no endpoint.
    pub fn not_found(&self) {
        self.not_found.inc();
    }

    /// Puts the counts into a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "decisions",
            "Decisions by endpoint, outcome and reason",
            self.family.clone(),
        );
        registry.register(
            "requests_not_found",
            "Requests for a path that is no endpoint",
            self.not_found.clone(),
        );
    }
}

/// The replicas, as the metrics show them.
#[derive(Debug)]
pub struct Observed(pub Arc<Pipeline>);

impl Collector for Observed {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut page = Page(&mut encoder);
        self.cache(&mut page)?;
        self.keys(&mut page)?;
        self.revocations(&mut page)?;
        self.labels(&mut page)?;
        self.rules(&mut page)?;
        self.shadow(&mut page)
    }
}

impl Observed {
    fn cache(&self, page: &mut Page<'_, '_>) -> Result<(), Error> {
        let cache = &self.0.cache;
        let (hits, misses) = cache.hits_and_misses();
        let (entries, bytes) = cache.entries_and_bytes();
        page.counters(
            "token_cache_lookups",
            "Lookups of a token's proved signature, by result",
            "result",
            [("hit", hits), ("miss", misses)],
        )?;
        page.gauge(
            "token_cache_entries",
            "Tokens in the cache that all threads share",
            &entries,
        )?;
        page.gauge("token_cache_bytes", "Bytes that they take, about", &bytes)
    }

    fn keys(&self, page: &mut Page<'_, '_>) -> Result<(), Error> {
        let keys = &self.0.keys;
        let ring = keys.current();
        page.gauge(
            "keys",
            "Keys in force",
            &u64::try_from(ring.len()).unwrap_or(u64::MAX),
        )?;
        page.gauge(
            "keys_generation",
            "Grows when a key comes or goes",
            &ring.generation(),
        )?;
        if let Some(age) = keys.age() {
            page.gauge(
                "keys_age_seconds",
                "Time since the keys were last fetched",
                &age.as_secs_f64(),
            )?;
        }
        let fetches = keys.fetches().map(|(result, count)| (result.as_str(), count));
        page.counters(
            "keys_fetches",
            "Fetches of the keys, by result",
            "result",
            fetches,
        )
    }

    fn revocations(&self, page: &mut Page<'_, '_>) -> Result<(), Error> {
        let replica = &self.0.revocations;
        let clock = &self.0.clock;
        let freshness = replica.view(clock.now(), clock.boot()).freshness;
        let counts = replica
            .set()
            .counts()
            .map(|(kind, count)| (kind, u64::try_from(count).unwrap_or(u64::MAX)));
        page.gauges("revocations", "Revocations held, by kind", "kind", counts)?;
        let bytes = u64::try_from(replica.set().memory_bytes()).unwrap_or(u64::MAX);
        page.gauge("revocations_bytes", "Bytes that they take", &bytes)?;
        page.gauges(
            "revocation_replica_state",
            "1 for the state that the replica is in",
            "state",
            states(freshness),
        )?;
        if let Freshness::Fresh { age } | Freshness::Stale { age } = freshness {
            page.gauge(
                "revocation_replica_age_seconds",
                "How old the replica is",
                &age.as_secs_f64(),
            )?;
        }
        page.gauge(
            "revocation_max_staleness_seconds",
            "Past this age the replica is not trusted",
            &replica.max_staleness().as_secs_f64(),
        )?;
        page.counter(
            "revocation_heartbeats_ignored",
            "Heartbeats whose time lay too far ahead",
            replica.heartbeats_ignored(),
        )?;
        self.feed(page)
    }

    fn feed(&self, page: &mut Page<'_, '_>) -> Result<(), Error> {
        let replica = &self.0.revocations;
        page.counter(
            "revocation_heartbeats",
            "Heartbeats that counted",
            replica.heartbeats_counted(),
        )?;
        page.counters(
            "revocation_entries",
            "Revocations taken in, by kind; one that was read again counts again",
            "kind",
            replica.entries(),
        )?;
        page.counters(
            "revocation_feed_gaps",
            "How often the feed did not fit together and was loaded again, by cause",
            "cause",
            replica.gaps(),
        )?;
        let Some(heartbeat) = replica.newest_heartbeat() else {
            return Ok(());
        };
        for (name, help, value) in [
            (
                "revocation_feed_seq",
                "The last entry that the newest heartbeat speaks of",
                heartbeat.seq,
            ),
            (
                "revocation_feed_term",
                "The relay's term, by the newest heartbeat",
                heartbeat.term,
            ),
            (
                "revocation_feed_epoch",
                "The stream, by the newest heartbeat",
                heartbeat.epoch,
            ),
        ] {
            page.gauge(name, help, &value)?;
        }
        Ok(())
    }

    fn labels(&self, page: &mut Page<'_, '_>) -> Result<(), Error> {
        let replica = self.0.revocations.labels();
        let clock = &self.0.clock;
        let freshness = replica.view(clock.now(), clock.boot()).freshness;
        let table = replica.table();
        for (name, help, count) in [
            ("labels", "Labels that there are", table.definitions().len()),
            ("labelled_films", "Films that carry labels", table.films()),
            (
                "labels_bytes",
                "Bytes that they take, about",
                table.memory_bytes(),
            ),
        ] {
            page.gauge(name, help, &u64::try_from(count).unwrap_or(u64::MAX))?;
        }
        page.counters(
            "label_entries",
            "Changes of labels taken in, by kind; one that was read again counts again",
            "kind",
            replica.entries(),
        )?;
        page.gauges(
            "label_replica_state",
            "1 for the state that the knowledge of labels is in",
            "state",
            states(freshness),
        )?;
        if let Freshness::Fresh { age } | Freshness::Stale { age } = freshness {
            page.gauge(
                "label_replica_age_seconds",
                "How old the knowledge of labels is",
                &age.as_secs_f64(),
            )?;
        }
        Ok(())
    }

    fn rules(&self, page: &mut Page<'_, '_>) -> Result<(), Error> {
        let store = &self.0.policy;
        let in_force = store.current();
        let rules = in_force.policy.rules().len();
        page.gauge(
            "rules",
            "Rules in force",
            &u64::try_from(rules).unwrap_or(u64::MAX),
        )?;
        page.gauge(
            "rules_generation",
            "Grows when rules come into force",
            &in_force.generation,
        )?;
        page.gauge(
            "rules_behind",
            "1 while the rules file cannot be used and older rules are in force",
            &u64::from(store.is_behind()),
        )?;
        page.counter(
            "rules_reload_failures",
            "Changed rules files that could not be used",
            store.failures(),
        )
    }

    fn shadow(&self, page: &mut Page<'_, '_>) -> Result<(), Error> {
        let Some(shadow) = &self.0.shadow else {
            return Ok(());
        };
        page.counter(
            "shadow_rules_agreed",
            "Decisions in which the shadow rules came to the same",
            shadow.agreed(),
        )?;
        let help = "Decisions in which the shadow rules came to something else, by what was enforced and what they said";
        let name = "shadow_rules_differed";
        let mut differed = page.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (enforced, said, count) in shadow.differed() {
            differed
                .encode_family(&[("enforced", enforced), ("shadow", said)])?
                .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
        page.gauge(
            "shadow_rules_generation",
            "Grows when shadow rules come into use",
            &shadow.rules.current().generation,
        )?;
        page.gauge(
            "shadow_rules_behind",
            "1 while the shadow rules file cannot be used and older ones are in use",
            &u64::from(shadow.rules.is_behind()),
        )
    }
}

/// Every state, with 1 for the one that it is.
fn states(freshness: Freshness) -> [(&'static str, u64); 4] {
    ["off", "loading", "fresh", "stale"].map(|state| (state, u64::from(state == freshness.as_str())))
}

/// The page of metrics, as it is being written.
struct Page<'a, 'b>(&'a mut DescriptorEncoder<'b>);

impl Page<'_, '_> {
    fn counter(&mut self, name: &str, help: &str, value: u64) -> Result<(), Error> {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    fn gauge(&mut self, name: &str, help: &str, value: &impl EncodeGaugeValue) -> Result<(), Error> {
        self.0
            .encode_descriptor(name, help, None, MetricType::Gauge)?
            .encode_gauge(value)
    }

    fn counters<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: [(&str, u64); N],
    ) -> Result<(), Error> {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (word, value) in values {
            metric
                .encode_family(&[(label, word)])?
                .encode_counter::<NoLabelSet, _, u64>(&value, None)?;
        }
        Ok(())
    }

    fn gauges<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: [(&str, u64); N],
    ) -> Result<(), Error> {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (word, value) in values {
            metric.encode_family(&[(label, word)])?.encode_gauge(&value)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_decision_is_counted_by_endpoint_outcome_and_reason() {
        let counts = DecisionCounts::new();
        counts.count(Endpoint::ExtAuthz, Ok(()));
        counts.count(Endpoint::AuthRequest, Err(Reason::Expired));
        counts.count(Endpoint::AuthRequest, Err(Reason::Expired));
        counts.not_found();
        let mut registry = Registry::with_prefix("verifier");
        counts.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "verifier_decisions_total{endpoint=\"ext_authz\",outcome=\"allowed\",reason=\"\"} 1",
            "verifier_decisions_total{endpoint=\"auth_request\",outcome=\"refused\",reason=\"expired\"} 2",
            "verifier_decisions_total{endpoint=\"auth_request\",outcome=\"refused\",reason=\"label\"} 0",
            "verifier_requests_not_found_total 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
