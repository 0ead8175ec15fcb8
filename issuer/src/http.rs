//! The public HTTP API: routes, what they read, and how they answer.

mod account;
mod audit;
mod body;
mod caller;
mod context;
mod cookies;
mod discovery;
mod docs;
mod film;
mod label;
mod metrics;
mod oauth;
mod openapi;
mod page;
mod respond;
mod role;
mod router;
mod routes;
mod schema;
mod session;
mod token;

use std::sync::Arc;

use axum::extract::FromRef;
use shared::config::TrustedPeers;
use url::Url;

pub(crate) use body::{read, says};
pub(crate) use caller::id;
pub(crate) use context::Client;
pub use cookies::{CookieSettings, SameSite};
pub use docs::document as openapi_document;
pub use metrics::HttpMetrics;
pub(crate) use page::{Paging, cursor};
pub(crate) use respond::ApiError;
pub use router::router;

use crate::service::Service;

/// What the handlers share.
#[derive(Clone, Debug)]
pub struct Api {
    /// The use cases.
    pub service: Arc<Service>,
    /// How requests are read and answered.
    pub site: Arc<Site>,
}

impl FromRef<Api> for Arc<Service> {
    fn from_ref(api: &Api) -> Self {
        Arc::clone(&api.service)
    }
}

/// How the site is set up around the API.
#[derive(Debug)]
pub struct Site {
    /// The `iss` claim, and the base of links.
    pub public_url: Url,
    /// How cookies are named and bounded.
    pub cookies: CookieSettings,
    /// Origins that may send requests by cookie, beside our own.
    pub allowed_origins: Vec<String>,
    /// Whose `X-Forwarded-For` counts.
    pub trusted_proxies: TrustedPeers,
    /// Where somebody is sent to sign in.
    pub login_url: Url,
    /// Hosts that a browser may be sent back to.
    pub allowed_return_hosts: Vec<String>,
}

impl Site {
    /// Whether a request by cookie may come from this origin.
    pub fn allows_origin(&self, origin: &str) -> bool {
        self.public_url.origin().ascii_serialization() == origin
            || self.allowed_origins.iter().any(|allowed| allowed == origin)
    }
}

impl Site {
    /// The address to send a browser back to, in its one spelling: a path of ours, or an address on an allowed host.
    /// `None` for anything that could lead elsewhere.
    pub fn return_address(&self, address: &str) -> Option<String> {
        // What browsers drop or turn into slashes must not change where an address leads.
        let suspicious = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
        if address.contains(suspicious) {
            return None;
        }
        let url = self.public_url.join(address).ok()?;
        let plain =
            matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
        let ours = url.origin() == self.public_url.origin();
        let allowed = url
            .host_str()
            .is_some_and(|host| self.allowed_return_hosts.iter().any(|allowed| allowed == host));
        (plain && (ours || allowed)).then(|| url.into())
    }

    /// The login page, with where to go on afterwards.
    pub fn login_address(&self, return_to: Option<&str>) -> String {
        let mut address = self.login_url.clone();
        if let Some(return_to) = return_to {
            address.query_pairs_mut().append_pair("return_to", return_to);
        }
        address.into()
    }
}

#[cfg(test)]
mod tests;
