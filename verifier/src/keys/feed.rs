//! The feed keys: what the heartbeats of the revocation feed are signed with. They are fetched beside the keys that sign
//! tokens, on the same schedule, and sooner when a heartbeat was signed by none of them.

use std::sync::Arc;

use shared::feed::key::{FEED_KEYS_PATH, FeedKeys, FeedKeysError};
use shared::feed::reader::FeedKeysView;
use shared::limits::FEED_KEYS_BYTES_MAX;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::http::{ClientError, Fetcher};
use super::{FetchError, KeySchedule, next_fetch_after};

/// Where a JWK Set is at an issuer of ours.
const JWKS_PATH: &str = "/.well-known/jwks.json";

#[derive(Debug, thiserror::Error)]
enum RefreshError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Keys(#[from] FeedKeysError),
}

/// The feed keys in force. Whatever is wrong with an answer, those that were good stay.
#[derive(Debug)]
pub struct FeedKeyReplica {
    fetcher: Fetcher,
    url: Url,
    schedule: KeySchedule,
    keys: watch::Sender<FeedKeys>,
    wanted: Arc<Notify>,
}

/// Where an issuer's feed keys are: beside its JWK Set if that is where ours is, else below its name.
pub fn feed_keys_url(issuer: &str, jwks_url: Option<&Url>) -> Option<Url> {
    if let Some(beside) = jwks_url
        && let Some(base) = beside.path().strip_suffix(JWKS_PATH)
    {
        let mut url = beside.clone();
        url.set_path(&format!("{base}{FEED_KEYS_PATH}"));
        url.set_query(None);
        url.set_fragment(None);
        return Some(url);
    }
    Url::parse(&format!("{}{FEED_KEYS_PATH}", issuer.trim_end_matches('/'))).ok()
}

impl FeedKeyReplica {
    /// A replica that begins with these keys: a snapshot's, or none.
    ///
    /// # Errors
    ///
    /// [`ClientError`] if HTTPS is asked for and there are no certificates to trust.
    pub fn new(url: Url, schedule: KeySchedule, keys: FeedKeys) -> Result<Self, ClientError> {
        Ok(Self {
            fetcher: Fetcher::new(url.scheme() == "https")?,
            url,
            schedule,
            keys: watch::Sender::new(keys),
            wanted: Arc::default(),
        })
    }

    /// The keys for a reader, and its way to ask for others.
    pub fn view(&self) -> FeedKeysView {
        FeedKeysView {
            keys: self.keys.subscribe(),
            wanted: Arc::clone(&self.wanted),
        }
    }

    /// The keys in force.
    pub fn current(&self) -> FeedKeys {
        self.keys.borrow().clone()
    }

    /// Keeps the keys up to date until `shutdown`. One fetch is under way at a time.
    pub async fn follow(self: Arc<Self>, shutdown: CancellationToken) {
        let mut failures = 0_u32;
        let mut cooled_at = Instant::now();
        loop {
            let is_refreshed = tokio::select! {
                () = shutdown.cancelled() => return,
                is_refreshed = self.refresh() => is_refreshed,
            };
            failures = if is_refreshed {
                0
            } else {
                failures.saturating_add(1)
            };
            let due = Instant::now() + next_fetch_after(self.schedule, failures);
            let wanted = async {
                self.wanted.notified().await;
                tokio::time::sleep_until(cooled_at).await;
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep_until(due) => {}
                () = wanted => cooled_at = Instant::now() + self.schedule.cooldown,
            }
        }
    }

    async fn refresh(&self) -> bool {
        match self.fetch().await {
            Ok(keys) => {
                self.keys.send_if_modified(|held| {
                    let is_new = *held != keys;
                    if is_new {
                        tracing::info!("other feed keys came into force");
                        *held = keys;
                    }
                    is_new
                });
                true
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the feed keys could not be fetched; those at hand stay in force"
                );
                false
            }
        }
    }

    async fn fetch(&self) -> Result<FeedKeys, RefreshError> {
        let json = self.fetcher.get(self.url.clone(), FEED_KEYS_BYTES_MAX).await?;
        Ok(FeedKeys::from_jwks(&json)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_beside_the_key_set_or_below_the_issuer() {
        let issuer = "https://issuer.example.org/movies/";
        for (jwks_url, expected) in [
            (
                None,
                "https://issuer.example.org/movies/.well-known/revocation-feed.json",
            ),
            (
                Some("http://issuer:8080/in/.well-known/jwks.json?v=1"),
                "http://issuer:8080/in/.well-known/revocation-feed.json",
            ),
            (
                Some("http://elsewhere/keys"),
                "https://issuer.example.org/movies/.well-known/revocation-feed.json",
            ),
        ] {
            let jwks_url = jwks_url.map(|url| Url::parse(url).unwrap());
            let url = feed_keys_url(issuer, jwks_url.as_ref()).unwrap();
            assert_eq!(url.as_str(), expected);
        }
    }
}
