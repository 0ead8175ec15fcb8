//! The id of a request: `X-Request-Id`.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::id::uuid_v7;
use crate::time::UnixMillis;

/// The header that carries a [`RequestId`], in requests and in answers.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// An id in characters.
const LENGTH: std::ops::RangeInclusive<usize> = 1..=128;

/// By what a request is found in the logs: 1 to 128 characters of `A-Z a-z 0-9 . _ ~ -`, so that it can go into a
/// log line, a header and a JSON document as it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// Takes the id that a request brings, if it is a sane one and the only one; else makes a `UUIDv7`.
    pub fn of(headers: &HeaderMap, now: UnixMillis) -> Self {
        Self::taken_from(headers).unwrap_or_else(|| Self::new(now))
    }

    /// A new id, made at `now`.
    pub fn new(now: UnixMillis) -> Self {
        Self(uuid_v7(now).to_string().into())
    }

    fn taken_from(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(REQUEST_ID).iter();
        let (only, None) = (values.next()?, values.next()) else {
            return None;
        };
        let text = only.to_str().ok()?;
        let sane = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'~' | b'-');
        (LENGTH.contains(&text.len()) && text.bytes().all(sane)).then(|| Self(text.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as the value of a header.
    pub fn to_header_value(&self) -> HeaderValue {
        // Its characters were all checked, or come from a UUID.
        HeaderValue::from_str(&self.0).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&[u8]]) -> RequestId {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(REQUEST_ID, HeaderValue::from_bytes(value).unwrap());
        }
        RequestId::of(&headers, UnixMillis(1_795_376_006_007))
    }

    #[test]
    fn sane_ids_are_taken() {
        for id in ["a", "0192-x_y.z~1", &"f".repeat(128)] {
            let taken = of(&[id.as_bytes()]);
            assert_eq!(taken.as_str(), id);
            assert_eq!(taken.to_header_value(), id);
        }
    }

    #[test]
    fn others_are_replaced() {
        let long = "f".repeat(129);
        let bad: [&[&[u8]]; 7] = [
            &[],
            &[b""],
            &[b"a b"],
            &[b"a\"b"],
            &[b"\xffa"],
            &[long.as_bytes()],
            &[b"a", b"a"],
        ];
        for values in bad {
            let made: uuid::Uuid = of(values).as_str().parse().unwrap();
            assert_eq!(made.get_version_num(), 7, "{values:?}");
        }
        assert_ne!(of(&[]), of(&[]));
    }
}
