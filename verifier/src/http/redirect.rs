//! How a browser is sent to log in, instead of being told 401.

use http::header::ACCEPT;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use url::Url;
use url::form_urlencoded::byte_serialize;

use super::original::Original;

/// Where to log in, and which hosts a login may lead back to.
#[derive(Clone, Debug)]
pub struct LoginRedirect {
    /// The page that takes `return_to`.
    pub login_url: Url,
    /// Hosts in canonical form.
    pub allowed_return_hosts: Box<[Box<str>]>,
}

impl LoginRedirect {
    /// The `Location` to answer, for a browser's own navigation to an allowed host. `headers` has the original
    /// request's `Accept`.
    pub fn location(&self, headers: &HeaderMap, original: &Original<'_>) -> Option<HeaderValue> {
        let host = original.host.as_ref()?;
        let is_allowed = self
            .allowed_return_hosts
            .iter()
            .any(|allowed| **allowed == *host.as_str());
        if !is_allowed || original.method != "GET" || !accepts_html(headers) {
            return None;
        }
        let address = original.address?;
        let before_fragment = address.target.split(|byte| *byte == b'#').next()?;
        let mut location = self.login_url.as_str().to_owned();
        location.push(if self.login_url.query().is_some() {
            '&'
        } else {
            '?'
        });
        location.push_str("return_to=");
        for part in [
            // Where the proxy does not tell it: as the login page, which is the same site's.
            address
                .scheme
                .unwrap_or_else(|| self.login_url.scheme())
                .as_bytes(),
            b"://",
            address.host.as_bytes(),
            before_fragment,
        ] {
            location.extend(byte_serialize(part));
        }
        HeaderValue::try_from(location).ok()
    }
}

/// Whether the proxy was set up with `?on_401=redirect`.
pub(super) fn is_asked_for(request: &Parts) -> bool {
    request
        .uri
        .query()
        .is_some_and(|query| query.split('&').any(|option| option == "on_401=redirect"))
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split(';').next())
        .any(|range| range.trim().eq_ignore_ascii_case("text/html"))
}

#[cfg(test)]
mod tests;
