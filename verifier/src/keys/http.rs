//! Keys over HTTP: a JWK Set at a URL that is given, or that the issuer's metadata names (RFC 8414).

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::ACCEPT;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use shared::limits::JWKS_BYTES_MAX;
use url::Url;

use super::source::{Fetch, FetchError, KeySource};

/// A connection must be there within this time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// An answer must be complete within this time.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The HTTP client could not be made: the system has no certificates to trust, perhaps.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client could be made")]
pub struct ClientError(#[source] reqwest::Error);

/// Where the JWK Set is.
#[derive(Clone, Debug)]
pub enum KeysAt {
    /// At this URL.
    Url(Url),
    /// Where the metadata of this issuer says (RFC 8414 section 3). Its name is compared byte by byte.
    Issuer(String),
}

/// Fetches over HTTP or HTTPS (with the system's certificates). Redirects are not followed, and proxies of the
/// environment not used: what is fetched is what every token will be believed by.
#[derive(Clone, Debug)]
pub(super) struct Fetcher(Client);

impl Fetcher {
    /// A client. `is_secure`: HTTPS is asked for, so there must be certificates to trust.
    pub(super) fn new(is_secure: bool) -> Result<Self, ClientError> {
        // Another part of the process may have done so already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            Client::builder()
                .user_agent(concat!("usher-verifier/", env!("CARGO_PKG_VERSION")))
                .redirect(Policy::none())
                .no_proxy()
                .connect_timeout(CONNECT_TIMEOUT)
                .timeout(ANSWER_TIMEOUT)
                // Fetches are minutes apart: a kept connection would only be found broken.
                .pool_max_idle_per_host(0)
        };
        let client = match builder().build() {
            // A system without certificates can still use plain HTTP.
            Err(_) if !is_secure => builder().tls_certs_only([]).build(),
            built => built,
        };
        client.map(Self).map_err(ClientError)
    }

    /// The body of a 200, of at most `bytes_max`.
    pub(super) async fn get(&self, url: Url, bytes_max: usize) -> Result<Bytes, FetchError> {
        let request = self.0.get(url.clone()).header(ACCEPT, "application/json");
        let mut answer = request.send().await.map_err(FetchError::Unreachable)?;
        if answer.status() != StatusCode::OK {
            return Err(FetchError::Status {
                url: url.into(),
                status: answer.status().as_u16(),
            });
        }
        let mut body = BytesMut::new();
        while let Some(part) = answer.chunk().await.map_err(FetchError::Unreachable)? {
            if body.len() + part.len() > bytes_max {
                return Err(FetchError::TooLarge(bytes_max));
            }
            body.extend_from_slice(&part);
        }
        Ok(body.freeze())
    }
}

/// Fetches a JWK Set over HTTP.
#[derive(Debug)]
pub struct HttpKeys {
    fetcher: Fetcher,
    at: KeysAt,
    /// What the metadata named, until a fetch from there fails.
    discovered: Option<Url>,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

impl HttpKeys {
    /// A source of keys over HTTP or HTTPS (with the system's certificates).
    ///
    /// # Errors
    ///
    /// [`ClientError`] if HTTPS is asked for and there are no certificates to trust.
    pub fn new(at: KeysAt) -> Result<Self, ClientError> {
        let is_secure = match &at {
            KeysAt::Url(url) => url.scheme() == "https",
            KeysAt::Issuer(issuer) => is_https(issuer),
        };
        Ok(Self {
            fetcher: Fetcher::new(is_secure)?,
            at,
            discovered: None,
        })
    }

    async fn fetch_keys(&mut self) -> Result<Bytes, FetchError> {
        let url = match (&self.at, self.discovered.take()) {
            (KeysAt::Url(url), _) => url.clone(),
            (KeysAt::Issuer(_), Some(url)) => url,
            (KeysAt::Issuer(issuer), None) => self.discover(issuer).await?,
        };
        let keys = self.fetcher.get(url.clone(), JWKS_BYTES_MAX).await?;
        self.discovered = Some(url);
        Ok(keys)
    }

    async fn discover(&self, issuer: &str) -> Result<Url, FetchError> {
        let [own, common] = metadata_urls(issuer).ok_or_else(|| FetchError::Metadata("has no URL".into()))?;
        let answer = match self.fetcher.get(own, JWKS_BYTES_MAX).await {
            Err(FetchError::Status { status: 404, .. }) => self.fetcher.get(common, JWKS_BYTES_MAX).await?,
            other => other?,
        };
        let metadata: Metadata = serde_json::from_slice(&answer)
            .map_err(|error| FetchError::Metadata(format!("cannot be read: {error}")))?;
        if metadata.issuer != issuer {
            return Err(FetchError::Metadata(format!(
                "is that of {:?}, not of {issuer:?}",
                metadata.issuer
            )));
        }
        Url::parse(&metadata.jwks_uri)
            .ok()
            .filter(|url| url.scheme() == "https" || (url.scheme() == "http" && !is_https(issuer)))
            .ok_or_else(|| FetchError::Metadata(format!("has an unusable jwks_uri, {:?}", metadata.jwks_uri)))
    }
}

impl KeySource for HttpKeys {
    fn fetch(&mut self) -> Fetch<'_> {
        Box::pin(self.fetch_keys())
    }
}

fn is_https(url: &str) -> bool {
    url.get(..8)
        .is_some_and(|start| start.eq_ignore_ascii_case("https://"))
}

/// Where an issuer's metadata is: between host and path as RFC 8414 section 3.1 has it, or behind the path as `OpenID`
/// Connect Discovery section 4 has it, for issuers that know only that.
fn metadata_urls(issuer: &str) -> Option<[Url; 2]> {
    let mut own = Url::parse(issuer).ok()?;
    let mut common = own.clone();
    let path = own.path().trim_end_matches('/').to_owned();
    own.set_path(&format!("/.well-known/oauth-authorization-server{path}"));
    common.set_path(&format!("{path}/.well-known/openid-configuration"));
    Some([own, common])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_where_the_standards_have_it() {
        for (issuer, own, common) in [
            (
                "http://127.0.0.1:8080",
                "http://127.0.0.1:8080/.well-known/oauth-authorization-server",
                "http://127.0.0.1:8080/.well-known/openid-configuration",
            ),
            (
                "https://example.org/realms/movies",
                "https://example.org/.well-known/oauth-authorization-server/realms/movies",
                "https://example.org/realms/movies/.well-known/openid-configuration",
            ),
            (
                "https://example.org/",
                "https://example.org/.well-known/oauth-authorization-server",
                "https://example.org/.well-known/openid-configuration",
            ),
        ] {
            let urls = metadata_urls(issuer).unwrap();
            assert_eq!(urls.map(String::from), [own, common], "{issuer}");
        }
        assert!(metadata_urls("issuer").is_none());
    }
}
