//! The issuer's API, as far as it is needed here.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::channel::Channel;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Body, Client, RequestBuilder, Response};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;
use url::Url;

/// A connection must be there within this time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The issuer must say something within this time: it writes a thousand films in far less.
const READ_TIMEOUT: Duration = Duration::from_mins(1);

/// Why the issuer did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// It cannot be reached, or its answer is none.
    #[error("the issuer does not answer")]
    Away(#[source] reqwest::Error),
    /// It says no.
    #[error("the issuer refused {what}: {status} {problem}")]
    Refused {
        /// What it was asked.
        what: &'static str,
        /// The status.
        status: u16,
        /// The type of problem, such as `/problems/forbidden`.
        problem: String,
    },
    /// No URL of an issuer.
    #[error("{0} cannot be an issuer's address")]
    Address(Url),
}

/// The issuer, for somebody who is signed in.
#[derive(Debug)]
pub struct SignedIn {
    client: Client,
    base: Url,
    token: SecretString,
}

#[derive(Deserialize)]
struct TokenPair {
    access_token: String,
}

#[derive(Deserialize)]
struct Problem {
    r#type: String,
}

/// What came of a bulk request.
#[derive(Debug, Deserialize)]
pub(super) struct BulkAnswer {
    pub(super) refused: Vec<RefusedLine>,
    pub(super) refused_count: u64,
}

/// A line that was not taken.
#[derive(Debug, Deserialize)]
pub(super) struct RefusedLine {
    /// From 1.
    pub(super) line: usize,
    pub(super) reason: String,
}

impl SignedIn {
    /// Signs in with a password.
    ///
    /// # Errors
    ///
    /// [`IssuerError`].
    pub async fn with_password(
        base: &Url,
        login: &str,
        password: &SecretString,
    ) -> Result<Self, IssuerError> {
        // Another part of the process may have done so already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("film-etl/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .build()
            .map_err(IssuerError::Away)?;
        let body = json!({"login": login, "password": password.expose_secret()});
        let request = client.post(at(base, "/api/v1/user/login")?).json(&body);
        let pair: TokenPair = read(send("the login", request).await?).await?;
        Ok(Self {
            client,
            base: base.clone(),
            token: pair.access_token.into(),
        })
    }

    /// Gives films their labels: a film on each line of the body.
    pub(super) async fn put_labels(
        &self,
        lines: Channel<Bytes, std::io::Error>,
    ) -> Result<BulkAnswer, IssuerError> {
        let request = self
            .client
            .post(at(&self.base, "/api/v1/film/label")?)
            .bearer_auth(self.token.expose_secret())
            .header(CONTENT_TYPE, "application/x-ndjson")
            .body(Body::wrap(lines));
        read(send("the films", request).await?).await
    }

    /// Signs out.
    ///
    /// # Errors
    ///
    /// [`IssuerError`].
    pub async fn sign_out(self) -> Result<(), IssuerError> {
        let request = self.client.post(at(&self.base, "/api/v1/user/logout")?);
        send("the logout", request.bearer_auth(self.token.expose_secret()))
            .await
            .map(|_| ())
    }
}

fn at(base: &Url, path: &str) -> Result<Url, IssuerError> {
    base.join(path).map_err(|_| IssuerError::Address(base.clone()))
}

async fn send(what: &'static str, request: RequestBuilder) -> Result<Response, IssuerError> {
    let response = request.send().await.map_err(IssuerError::Away)?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    // Whatever else it may be, it is not what an issuer says.
    let problem = response.json::<Problem>().await.map(|problem| problem.r#type);
    Err(IssuerError::Refused {
        what,
        status: status.as_u16(),
        problem: problem.unwrap_or_else(|_| "without a reason".to_owned()),
    })
}

async fn read<T: for<'de> Deserialize<'de>>(response: Response) -> Result<T, IssuerError> {
    response.json().await.map_err(IssuerError::Away)
}
