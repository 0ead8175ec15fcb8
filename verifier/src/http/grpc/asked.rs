//! What a `CheckRequest` asks about.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, COOKIE, HOST, ORIGIN, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue};
use shared::path::CanonicalPath;

use super::message::{AttributeContext, CheckRequest, HttpRequest};
use crate::http::original::{Address, Original, Unreadable, host_of, method_of, scheme_of};
use crate::http::verify::WEBSOCKET_KEY;

/// The headers of the original request that a decision can depend on.
const READ: [HeaderName; 6] = [AUTHORIZATION, COOKIE, ORIGIN, UPGRADE, WEBSOCKET_KEY, ACCEPT];

/// The original request, and those of its headers that matter here.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) original: Original<'a>,
    pub(crate) headers: HeaderMap,
    /// Whether the route was set up with `on_401: redirect` among its `context_extensions`, which no client can set.
    pub(crate) wants_login: bool,
}

impl<'a> Asked<'a> {
    /// Reads the original request.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] if a part that is needed is missing, sources disagree, or a part is malformed or has more than
    /// one reading.
    pub(crate) fn read(message: &'a CheckRequest) -> Result<Self, Unreadable> {
        let attributes = message.attributes.as_ref().ok_or(Unreadable)?;
        let http = attributes
            .request
            .as_ref()
            .and_then(|request| request.http.as_ref())
            .ok_or(Unreadable)?;
        Ok(Self {
            headers: headers(http)?,
            original: original(http)?,
            wants_login: wants_login(attributes),
        })
    }
}

fn original(http: &HttpRequest) -> Result<Original<'_>, Unreadable> {
    let given = |bytes: &'_ Bytes| !bytes.is_empty();
    let host = given(&http.host).then(|| host_of(&http.host)).transpose()?;
    let scheme = given(&http.scheme).then(|| scheme_of(&http.scheme)).transpose()?;
    let is_websocket = scheme.is_some_and(|scheme| scheme.starts_with("ws"));
    let address = match scheme {
        Some(_) if host.is_some() && !is_websocket => Address::of(scheme, &http.host, &http.path),
        _ => None,
    };
    Ok(Original {
        method: method_of(&http.method)?,
        path: CanonicalPath::parse(&http.path).map_err(|_| Unreadable)?,
        host,
        address,
        is_websocket,
    })
}

/// The headers that matter. Raw ones (`encode_raw_headers`) stand as the client sent them; in the other form Envoy has
/// joined those of one name by commas.
fn headers(http: &HttpRequest) -> Result<HeaderMap, Unreadable> {
    let mut headers = HeaderMap::with_capacity(READ.len());
    match &http.header_map {
        Some(raw) if !raw.headers.is_empty() => {
            let mut seen = PseudoHeaders::default();
            for header in &raw.headers {
                let value = if header.raw_value.is_empty() {
                    &header.value
                } else {
                    &header.raw_value
                };
                seen.check(http, &header.key, value)?;
                if let Some(name) = named(&header.key) {
                    headers.append(name, header_value(value.clone())?);
                }
            }
        }
        _ => {
            let mut seen = PseudoHeaders::default();
            for header in &http.headers {
                seen.check(http, &header.key, &header.value)?;
                let Some(name) = named(&header.key) else { continue };
                if name == AUTHORIZATION {
                    // Whether the comma is the client's or Envoy's cannot be told: it could be two credentials.
                    for part in header.value.split(|byte| *byte == b',') {
                        headers.append(name.clone(), header_value(header.value.slice_ref(part))?);
                    }
                } else {
                    headers.append(name, header_value(header.value.clone())?);
                }
            }
        }
    }
    Ok(headers)
}

/// The parts of the request line that are told a second time, among the headers.
#[derive(Default)]
struct PseudoHeaders {
    seen: [bool; 4],
}

impl PseudoHeaders {
    /// Each stands once, and says what the attributes say.
    fn check(&mut self, http: &HttpRequest, name: &[u8], value: &[u8]) -> Result<(), Unreadable> {
        let (position, agrees) = match name {
            b":method" => (0, value == http.method),
            b":path" => (1, value == http.path),
            b":authority" => (2, value == http.host),
            _ if name.eq_ignore_ascii_case(HOST.as_str().as_bytes()) => {
                (3, host_of(value)? == host_of(&http.host)?)
            }
            _ => return Ok(()),
        };
        let seen = self.seen.get_mut(position).ok_or(Unreadable)?;
        if std::mem::replace(seen, true) || !agrees {
            return Err(Unreadable);
        }
        Ok(())
    }
}

fn named(key: &[u8]) -> Option<HeaderName> {
    READ.into_iter()
        .find(|name| key.eq_ignore_ascii_case(name.as_str().as_bytes()))
}

fn header_value(value: Bytes) -> Result<HeaderValue, Unreadable> {
    HeaderValue::from_maybe_shared(value).map_err(|_| Unreadable)
}

fn wants_login(attributes: &AttributeContext) -> bool {
    attributes
        .context_extensions
        .iter()
        .any(|entry| entry.key == b"on_401"[..] && entry.value == b"redirect"[..])
}

#[cfg(test)]
mod tests;
