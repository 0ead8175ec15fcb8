//! What the metrics of a verifier say, read from the text that Prometheus reads.

use std::collections::BTreeMap;
use std::time::Duration;

/// How a verifier is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Health {
    /// The state of its replica of the revocations: `fresh`, `stale` …
    pub state: Option<String>,
    /// How old the replica is; `None` while there is none.
    pub replica_age: Option<Duration>,
    /// Requests that were let through since it started.
    pub allowed: u64,
    /// Requests that were refused since then, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Tokens that were found in the cache, and those that were not.
    pub cache: (u64, u64),
}

impl Health {
    /// Reads the text. `None` if it is not that of a verifier.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut health = Self::default();
        let mut is_verifier = false;
        for sample in text.lines().filter_map(Sample::read) {
            let known = health.take(&sample);
            is_verifier |= known;
        }
        is_verifier.then_some(health)
    }

    fn take(&mut self, sample: &Sample<'_>) -> bool {
        match sample.name {
            "verifier_revocation_replica_age_seconds" => {
                self.replica_age = Duration::try_from_secs_f64(sample.value).ok();
            }
            "verifier_revocation_replica_state" => {
                if sample.value > 0.0 {
                    self.state = sample.label("state").map(str::to_owned);
                }
            }
            "verifier_decisions_total" => match sample.label("outcome") {
                Some("allowed") => self.allowed += sample.count(),
                Some("refused") if sample.value > 0.0 => {
                    let reason = sample.label("reason").unwrap_or_default().to_owned();
                    *self.refused.entry(reason).or_default() += sample.count();
                }
                _ => {}
            },
            "verifier_token_cache_lookups_total" => match sample.label("result") {
                Some("hit") => self.cache.0 += sample.count(),
                Some("miss") => self.cache.1 += sample.count(),
                _ => {}
            },
            _ => return false,
        }
        true
    }

    /// Requests that were refused, for whatever reason.
    pub fn refused_in_all(&self) -> u64 {
        self.refused.values().sum()
    }

    /// Of a hundred lookups, how many found the token in the cache, in tenths; `None` before the first.
    pub fn cache_hits_per_mille(&self) -> Option<u64> {
        let (hits, misses) = self.cache;
        hits.saturating_mul(1000).checked_div(hits + misses)
    }
}

/// A line of the text: `name{label="value",…} number`.
struct Sample<'a> {
    name: &'a str,
    labels: &'a str,
    value: f64,
}

impl<'a> Sample<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = match series.split_once('{') {
            Some((name, labels)) => (name, labels.strip_suffix('}')?),
            None => (series, ""),
        };
        Some(Self {
            name,
            labels,
            value: value.parse().ok()?,
        })
    }

    /// A label's value. A verifier's are words, without commas and quotes in them.
    fn label(&self, name: &str) -> Option<&'a str> {
        self.labels.split(',').find_map(|label| {
            let (key, value) = label.split_once('=')?;
            (key == name).then(|| value.trim_matches('"'))
        })
    }

    /// The value as a count.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float that is no count becomes the nearest one"
    )]
    fn count(&self) -> u64 {
        self.value as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# HELP verifier_decisions Decisions by endpoint, outcome and reason.
# TYPE verifier_decisions counter
verifier_decisions_total{endpoint="auth_request",outcome="allowed",reason=""} 40
verifier_decisions_total{endpoint="forward_auth",outcome="allowed",reason=""} 2
verifier_decisions_total{endpoint="auth_request",outcome="refused",reason="expired"} 3
verifier_decisions_total{endpoint="forward_auth",outcome="refused",reason="expired"} 1
verifier_decisions_total{endpoint="auth_request",outcome="refused",reason="label"} 0
verifier_token_cache_lookups_total{result="hit"} 2
verifier_token_cache_lookups_total{result="miss"} 1
verifier_revocation_replica_state{state="fresh"} 1
verifier_revocation_replica_state{state="stale"} 0
verifier_revocation_replica_age_seconds 0.25
# EOF
"#;

    #[test]
    fn what_a_verifier_says_is_read() {
        let health = Health::read(TEXT).unwrap();
        assert_eq!(health.state.as_deref(), Some("fresh"));
        assert_eq!(health.replica_age, Some(Duration::from_millis(250)));
        assert_eq!(health.allowed, 42);
        assert_eq!(health.refused, BTreeMap::from([("expired".to_owned(), 4)]));
        assert_eq!(health.refused_in_all(), 4);
        assert_eq!(health.cache_hits_per_mille(), Some(666));
    }

    #[test]
    fn what_is_no_verifier_is_none() {
        for text in [
            "",
            "<html>",
            "issuer_http_requests_total 1\n",
            "verifier_keys{ 1",
            "verifier_decisions_total{} x",
        ] {
            assert_eq!(Health::read(text), None, "{text}");
        }
        assert_eq!(Health::default().cache_hits_per_mille(), None);
        let odd = "verifier_revocation_replica_age_seconds -1\nverifier_token_cache_lookups_total{result=\"hit\"} NaN\n";
        assert_eq!(Health::read(odd), Some(Health::default()));
    }
}
