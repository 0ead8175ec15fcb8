//! Where keys come from.

use std::pin::Pin;

use bytes::Bytes;
use tokio::sync::watch;

/// Why there is no key set.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No connection, no answer in time, or one that broke off.
    #[error("no answer")]
    Unreachable(#[source] reqwest::Error),
    /// Another answer than 200; redirects are not followed.
    #[error("{url} answered {status}")]
    Status {
        /// What was asked.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// More bytes than are taken.
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
    /// The issuer's metadata cannot be used (RFC 8414 section 3.3).
    #[error("the issuer's metadata {0}")]
    Metadata(String),
    /// A source in the same process has no keys yet, or has ended.
    #[error("there are no keys yet")]
    NothingYet,
}

/// A JWK Set to come, as JSON.
pub type Fetch<'a> = Pin<Box<dyn Future<Output = Result<Bytes, FetchError>> + Send + 'a>>;

/// A change to come.
pub type Change<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Where keys come from: over HTTP, or from an issuer in the same process.
pub trait KeySource: Send + 'static {
    /// A JWK Set, as JSON.
    fn fetch(&mut self) -> Fetch<'_>;

    /// Ready when there is something new to fetch; never, where only fetching can tell.
    fn changed(&mut self) -> Change<'_> {
        Box::pin(std::future::pending())
    }
}

/// Keys of an issuer in the same process, which come into force as soon as they change there. Empty bytes are no keys
/// yet.
#[derive(Clone, Debug)]
pub struct WatchedKeys(watch::Receiver<Bytes>);

impl WatchedKeys {
    /// Follows a JWK Set, as JSON.
    pub fn new(jwks: watch::Receiver<Bytes>) -> Self {
        Self(jwks)
    }
}

impl KeySource for WatchedKeys {
    fn fetch(&mut self) -> Fetch<'_> {
        let jwks = self.0.borrow_and_update().clone();
        Box::pin(async move {
            if jwks.is_empty() {
                Err(FetchError::NothingYet)
            } else {
                Ok(jwks)
            }
        })
    }

    fn changed(&mut self) -> Change<'_> {
        Box::pin(async {
            if self.0.changed().await.is_err() {
                // The issuer is gone; its last keys stay.
                std::future::pending::<()>().await;
            }
        })
    }
}
