//! The two cookies: the access token for every path, the refresh token for its own endpoints alone.

use std::time::Duration;

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};
use secrecy::ExposeSecret;
use serde::Deserialize;

use crate::service::TokenPair;

/// Where the refresh cookie is sent.
const REFRESH_PATH: &str = "/api/v1/token";

/// When a browser sends a cookie along with a request from another site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SameSite {
    /// Never.
    Strict,
    /// When somebody follows a link.
    Lax,
    /// Always.
    None,
}

impl SameSite {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "Strict",
            Self::Lax => "Lax",
            Self::None => "None",
        }
    }
}

/// How the cookies are named and bounded.
#[derive(Clone, Debug)]
pub struct CookieSettings {
    /// Name of the access cookie.
    pub access_name: String,
    /// Name of the refresh cookie.
    pub refresh_name: String,
    /// `Domain` of both; without it they belong to our host alone.
    pub domain: Option<String>,
    /// `SameSite` of the access cookie. The refresh cookie is always `Strict`.
    pub same_site: SameSite,
}

impl CookieSettings {
    /// `Set-Cookie` values for a pair of tokens.
    pub fn set(&self, pair: &TokenPair) -> [Option<HeaderValue>; 2] {
        [
            self.access(pair.access_token.expose_secret(), pair.expires_in),
            self.refresh(pair.refresh_token.expose_secret(), pair.refresh_expires_in),
        ]
    }

    /// `Set-Cookie` values that delete both.
    pub fn delete(&self) -> [Option<HeaderValue>; 2] {
        [self.access("", Duration::ZERO), self.refresh("", Duration::ZERO)]
    }

    /// Sets both on an answer.
    pub(crate) fn set_on(&self, headers: &mut HeaderMap, pair: &TokenPair) {
        append(headers, self.set(pair));
    }

    /// Deletes both with an answer.
    pub(crate) fn delete_on(&self, headers: &mut HeaderMap) {
        append(headers, self.delete());
    }

    fn access(&self, value: &str, max_age: Duration) -> Option<HeaderValue> {
        self.cookie(&self.access_name, value, "/", self.same_site, max_age)
    }

    fn refresh(&self, value: &str, max_age: Duration) -> Option<HeaderValue> {
        self.cookie(&self.refresh_name, value, REFRESH_PATH, SameSite::Strict, max_age)
    }

    fn cookie(
        &self,
        name: &str,
        value: &str,
        path: &str,
        same_site: SameSite,
        max_age: Duration,
    ) -> Option<HeaderValue> {
        let domain = self
            .domain
            .as_ref()
            .map(|domain| format!("; Domain={domain}"))
            .unwrap_or_default();
        let same_site = same_site.as_str();
        let max_age_s = max_age.as_secs();
        let cookie = format!(
            "{name}={value}; Max-Age={max_age_s}; Path={path}{domain}; Secure; HttpOnly; SameSite={same_site}"
        );
        let mut header = HeaderValue::from_str(&cookie).ok()?;
        header.set_sensitive(true);
        Some(header)
    }
}

fn append(headers: &mut HeaderMap, cookies: [Option<HeaderValue>; 2]) {
    for cookie in cookies.into_iter().flatten() {
        headers.append(SET_COOKIE, cookie);
    }
}
