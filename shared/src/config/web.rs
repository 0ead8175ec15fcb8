//! Addresses on the web.

use std::fmt;
use std::str::FromStr;

use url::Url;

use super::error::UnfitText;
use super::units::deserialize_from_text;
use crate::host::CanonicalHost;

/// An `http` or `https` URL without user information, query or fragment, and without a slash at its end: an issuer's
/// name (RFC 8414 section 2), and a base to append paths to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HttpUrl(Url);

const HTTP_URL: &str = "a URL such as `https://issuer.example.org`, without user, query and fragment";

impl HttpUrl {
    /// `http://127.0.0.1:PORT`, for defaults.
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "this text is a URL whatever the port"
    )]
    pub fn loopback(port: u16) -> Self {
        format!("http://127.0.0.1:{port}").parse().expect("a URL")
    }

    /// The URL as text, without a slash at its end.
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// The URL with its parts.
    pub const fn url(&self) -> &Url {
        &self.0
    }

    /// This URL with a path appended, which begins with a slash.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.as_str())
    }

    /// Whether it is `https`.
    pub fn is_secure(&self) -> bool {
        self.0.scheme() == "https"
    }
}

impl FromStr for HttpUrl {
    type Err = UnfitText;

    fn from_str(text: &str) -> Result<Self, UnfitText> {
        Url::parse(text)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .filter(|url| url.username().is_empty() && url.password().is_none())
            .filter(|url| url.query().is_none() && url.fragment().is_none())
            .map(Self)
            .ok_or(UnfitText { expected: HTTP_URL })
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

deserialize_from_text!(HttpUrl, HTTP_URL);

/// A host's name in its one spelling: lower case, without port and trailing dot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostName(String);

const HOST_NAME: &str = "a host in lower case without port, such as `metrics.example.org`";

impl HostName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostName {
    type Err = UnfitText;

    fn from_str(text: &str) -> Result<Self, UnfitText> {
        CanonicalHost::parse(text.as_bytes())
            .ok()
            .filter(|host| host.as_str() == text)
            .map(|host| Self(host.into_string()))
            .ok_or(UnfitText { expected: HOST_NAME })
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

deserialize_from_text!(HostName, HOST_NAME);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_bases() {
        for (text, shown) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("https://Issuer.example.org/", "https://issuer.example.org"),
            ("https://example.org/auth/", "https://example.org/auth"),
        ] {
            let url: HttpUrl = text.parse().unwrap();
            assert_eq!(url.as_str(), shown);
            assert_eq!(url.join("/x"), format!("{shown}/x"));
        }
        for text in [
            "",
            "example.org",
            "ftp://example.org",
            "https://u@example.org",
            "https://e.org/?a",
            "https://e.org/#a",
            "data:x",
        ] {
            assert!(text.parse::<HttpUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn host_names_have_one_spelling() {
        assert!("metrics.example.org".parse::<HostName>().is_ok());
        for text in [
            "",
            "Metrics.example.org",
            "a.org:80",
            "a.org.",
            "http://a.org",
            "*.a.org",
        ] {
            assert!(text.parse::<HostName>().is_err(), "{text}");
        }
    }
}
