//! How the verifiers are, by their own metrics: asked for when somebody wants to see it, and kept nowhere.

mod metrics;

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use shared::config::HttpUrl;
use shared::limits;
use tokio::task::JoinSet;

pub use metrics::Health;

/// An answer must be complete within this time: somebody waits for the page.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// No HTTP client could be made.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client could be made")]
pub struct ClientError(#[source] reqwest::Error);

/// A verifier, and how it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Its admin address.
    pub address: String,
    /// What it says; `None`: nothing that could be read.
    pub health: Option<Health>,
}

/// The verifiers that the operator has listed.
#[derive(Clone, Debug)]
pub struct Verifiers {
    client: Client,
    listed: Vec<HttpUrl>,
}

impl Verifiers {
    /// Those at these admin addresses, over plain HTTP. Proxies of the environment are not used.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn new(listed: Vec<HttpUrl>) -> Result<Self, ClientError> {
        // Another part of the process may have done so already. No certificates are needed, but a client wants one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("usher-issuer/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .no_proxy()
            .tls_certs_only([])
            .timeout(ANSWER_TIMEOUT)
            .build()
            .map_err(ClientError)?;
        Ok(Self { client, listed })
    }

    /// Asks all of them at once. They come in the order in which they are listed.
    pub async fn look(&self) -> Vec<Seen> {
        let mut asked = JoinSet::new();
        for (place, address) in self.listed.iter().enumerate() {
            let (client, address) = (self.client.clone(), address.clone());
            asked.spawn(async move {
                let health = metrics_of(&client, &address).await;
                let health = health.as_deref().and_then(Health::read);
                let address = address.as_str().to_owned();
                (place, Seen { address, health })
            });
        }
        let mut seen = asked.join_all().await;
        seen.sort_by_key(|(place, _)| *place);
        seen.into_iter().map(|(_, seen)| seen).collect()
    }
}

async fn metrics_of(client: &Client, address: &HttpUrl) -> Option<String> {
    let mut answer = client.get(address.join("/metrics")).send().await.ok()?;
    if answer.status() != StatusCode::OK {
        return None;
    }
    let mut text = Vec::new();
    while let Some(part) = answer.chunk().await.ok()? {
        if text.len() + part.len() > limits::VERIFIER_METRICS_BYTES_MAX {
            return None;
        }
        text.extend_from_slice(&part);
    }
    String::from_utf8(text).ok()
}
