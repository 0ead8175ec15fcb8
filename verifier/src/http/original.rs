//! The original request, as the proxy tells it.
//!
//! Each family of proxies sets headers of its own and lets the client's others through; so each endpoint reads its own
//! family's, and nothing else.

use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use shared::host::CanonicalHost;
use shared::path::CanonicalPath;

use super::router::{EXT_AUTHZ_PREFIX, Endpoint};

const ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
const ORIGINAL_URI: HeaderName = HeaderName::from_static("x-original-uri");
const ORIGINAL_HOST: HeaderName = HeaderName::from_static("x-original-host");
const FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");

/// The request that a client sent to the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Original<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its path.
    pub path: CanonicalPath<'a>,
    /// Its host, where the proxy tells it.
    pub host: Option<CanonicalHost<'a>>,
    /// What a browser's address bar would show, where the proxy tells enough of it.
    pub address: Option<Address<'a>>,
    /// Whether the proxy says that it is a WebSocket.
    pub is_websocket: bool,
}

/// A URL in parts, as the client sent them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address<'a> {
    /// `http` or `https`; `None` where the proxy does not tell it.
    pub scheme: Option<&'a str>,
    /// The host, perhaps with a port.
    pub host: &'a str,
    /// Path and query.
    pub target: &'a [u8],
}

/// The original request is missing, malformed or ambiguous.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the original request is missing, malformed or ambiguous")]
pub struct Unreadable;

impl<'a> Original<'a> {
    /// Reads the original request from the headers that this endpoint's proxies send.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] if a part that is needed is missing, a header stands twice, sources disagree, or a part is
    /// malformed or has more than one reading.
    pub fn read(endpoint: Endpoint, request: &'a Parts) -> Result<Self, Unreadable> {
        if request.method == Method::CONNECT {
            return Err(Unreadable);
        }
        match endpoint {
            Endpoint::AuthRequest => Self::of_auth_request(&request.headers),
            Endpoint::ForwardAuth => Self::of_forward_auth(&request.headers),
            Endpoint::ExtAuthz => Self::of_ext_authz(request),
            // It is in the message, and not in any header.
            Endpoint::Grpc => Err(Unreadable),
        }
    }

    fn of_auth_request(headers: &'a HeaderMap) -> Result<Self, Unreadable> {
        let method = single(headers, &ORIGINAL_METHOD)?.ok_or(Unreadable)?;
        let target = single(headers, &ORIGINAL_URI)?.ok_or(Unreadable)?;
        let raw_host = single(headers, &ORIGINAL_HOST)?;
        Ok(Self {
            method: method_of(method)?,
            path: CanonicalPath::parse(target).map_err(|_| Unreadable)?,
            host: raw_host.map(host_of).transpose()?,
            address: raw_host.and_then(|host| Address::of(None, host, target)),
            is_websocket: false,
        })
    }

    fn of_forward_auth(headers: &'a HeaderMap) -> Result<Self, Unreadable> {
        let method = single(headers, &FORWARDED_METHOD)?.ok_or(Unreadable)?;
        let target = single(headers, &FORWARDED_URI)?.ok_or(Unreadable)?;
        let raw_host = single(headers, &FORWARDED_HOST)?;
        let scheme = single(headers, &FORWARDED_PROTO)?.map(scheme_of).transpose()?;
        let is_websocket = scheme.is_some_and(|scheme| scheme.starts_with("ws"));
        let host = raw_host.map(host_of).transpose()?;
        let address = match (scheme, raw_host) {
            (Some(_), Some(host)) if !is_websocket => Address::of(scheme, host, target),
            _ => None,
        };
        Ok(Self {
            method: method_of(method)?,
            path: CanonicalPath::parse(target).map_err(|_| Unreadable)?,
            host,
            address,
            is_websocket,
        })
    }

    fn of_ext_authz(request: &'a Parts) -> Result<Self, Unreadable> {
        let whole = request.uri.path_and_query().ok_or(Unreadable)?.as_str();
        let target = whole.strip_prefix(EXT_AUTHZ_PREFIX).ok_or(Unreadable)?;
        let header = single(&request.headers, &HOST)?.map(host_of).transpose()?;
        // HTTP/2 has the authority there; RFC 9113 section 8.3.1 lets both be, if they agree.
        let authority = request
            .uri
            .authority()
            .map(|authority| host_of(authority.as_str().as_bytes()))
            .transpose()?;
        let host = match (header, authority) {
            (Some(header), Some(authority)) if header != authority => return Err(Unreadable),
            (header, authority) => authority.or(header),
        };
        Ok(Self {
            method: method_of(request.method.as_str().as_bytes())?,
            path: CanonicalPath::parse(target.as_bytes()).map_err(|_| Unreadable)?,
            host,
            address: None,
            is_websocket: false,
        })
    }
}

impl<'a> Address<'a> {
    /// The address, unless the host is no text.
    pub(super) fn of(scheme: Option<&'a str>, host: &'a [u8], target: &'a [u8]) -> Option<Self> {
        let host = std::str::from_utf8(host).ok()?;
        Some(Self { scheme, host, target })
    }
}

/// The value of a header that must not stand twice.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a [u8]>, Unreadable> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        Err(Unreadable)
    } else {
        Ok(first.map(HeaderValue::as_bytes))
    }
}

/// A method (RFC 9110 section 9.1). They are case-sensitive, and yet some services take `post` for `POST`: a small
/// letter has two readings.
pub(super) fn method_of(method: &[u8]) -> Result<&str, Unreadable> {
    let is_method = method.first().is_some_and(u8::is_ascii_uppercase)
        && method.len() <= 32
        && method
            .iter()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || matches!(c, b'-' | b'_'));
    std::str::from_utf8(method)
        .ok()
        .filter(|_| is_method)
        .ok_or(Unreadable)
}

pub(super) fn scheme_of(scheme: &[u8]) -> Result<&'static str, Unreadable> {
    ["https", "http", "wss", "ws"]
        .into_iter()
        .find(|known| scheme.eq_ignore_ascii_case(known.as_bytes()))
        .ok_or(Unreadable)
}

pub(super) fn host_of(host: &[u8]) -> Result<CanonicalHost<'_>, Unreadable> {
    CanonicalHost::parse(host).map_err(|_| Unreadable)
}

#[cfg(test)]
mod tests;
