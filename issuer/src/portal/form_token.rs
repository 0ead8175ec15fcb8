//! What a form carries to show that it came from a page of ours: the value of a cookie that only we can set or read.

use http::HeaderMap;
use shared::credentials;
use shared::crypto::random;
use shared::encoding::{base64url, base64url_decode};
use subtle::ConstantTimeEq;

/// No other host can set a cookie of this prefix for ours, subdomains and plain HTTP included (RFC 6265bis section 4.1.3.2).
const COOKIE: &str = "__Host-form";

/// Random bytes of a token.
const BYTES: usize = 16;

/// The token of a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FormToken {
    text: String,
    is_new: bool,
}

impl FormToken {
    /// The browser's own, or a new one.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let known = credentials::cookie(headers, COOKIE).ok().flatten();
        let known =
            known.filter(|text| base64url_decode(text.as_bytes()).is_some_and(|bytes| bytes.len() == BYTES));
        match known {
            Some(text) => Self {
                text: text.to_owned(),
                is_new: false,
            },
            None => Self {
                text: base64url(&random::bytes::<BYTES>()),
                is_new: true,
            },
        }
    }

    /// As a form carries it.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a form came from a page that this browser got from us.
    pub(super) fn matches(&self, carried: &str) -> bool {
        !self.is_new && bool::from(self.text.as_bytes().ct_eq(carried.as_bytes()))
    }

    /// `Set-Cookie`, where the browser has none yet.
    pub(super) fn cookie(&self) -> Option<String> {
        self.is_new
            .then(|| format!("{COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Lax", self.text))
    }

    /// `Set-Cookie` that ends it: whoever signs in or out begins anew.
    pub(super) fn ended() -> String {
        format!("{COOKIE}=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax")
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn token(cookie: &str) -> FormToken {
        let mut headers = HeaderMap::new();
        let cookie = HeaderValue::from_str(&format!("{COOKIE}={cookie}")).unwrap();
        headers.insert(http::header::COOKIE, cookie);
        FormToken::of(&headers)
    }

    #[test]
    fn a_form_matches_the_cookie_it_was_made_with_alone() {
        let fresh = FormToken::of(&HeaderMap::new());
        assert!(!fresh.matches(fresh.as_str()), "the browser does not have it yet");
        assert!(fresh.cookie().is_some());
        let known = token(fresh.as_str());
        assert!(known.matches(fresh.as_str()));
        assert_eq!(known.cookie(), None);
        for other in ["", "x", FormToken::of(&HeaderMap::new()).as_str()] {
            assert!(!known.matches(other), "{other}");
        }
    }

    #[test]
    fn a_cookie_that_is_none_of_ours_is_replaced() {
        for odd in ["x", "AAAA", "\"><script>"] {
            assert!(token(odd).cookie().is_some(), "{odd}");
            assert!(!token(odd).matches(odd), "{odd}");
        }
    }
}
