//! The one reading of a host.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;

/// The longest host name, in bytes (RFC 1035 section 2.3.4).
const HOST_BYTES_MAX: usize = 253;

/// The longest part of a host name, in bytes (RFC 1035 section 2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// A host in lower case, without port and trailing dot; an IPv6 literal stands in brackets, in its RFC 5952 form. It
/// borrows from the request where nothing had to be changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CanonicalHost<'a>(Cow<'a, str>);

/// A text that is no host, with or without a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a host is a name of letters, digits, `-`, `_` and `.`, or an address, with or without a port")]
pub struct InvalidHost;

impl<'a> CanonicalHost<'a> {
    /// Reads the value of a `Host` header (RFC 9110 section 7.2), or what a proxy says that it was.
    ///
    /// # Errors
    ///
    /// [`InvalidHost`] for an empty value, user information, a list, percent-encoding and everything else that is
    /// neither a name nor an address with an optional port.
    pub fn parse(raw: &'a [u8]) -> Result<Self, InvalidHost> {
        let text = std::str::from_utf8(raw).map_err(|_| InvalidHost)?;
        if is_plain_name(raw) {
            Ok(Self(Cow::Borrowed(text)))
        } else {
            Self::read(text)
        }
    }

    fn read(text: &'a str) -> Result<Self, InvalidHost> {
        if let Some(literal) = text.strip_prefix('[') {
            let (address, rest) = literal.split_once(']').ok_or(InvalidHost)?;
            if !rest.is_empty() {
                check_port(rest.strip_prefix(':').ok_or(InvalidHost)?)?;
            }
            let address: Ipv6Addr = address.parse().map_err(|_| InvalidHost)?;
            return Ok(Self(Cow::Owned(format!("[{address}]"))));
        }
        let name = match text.split_once(':') {
            Some((name, port)) => {
                check_port(port)?;
                name
            }
            None => text,
        };
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.len() > HOST_BYTES_MAX || name.split('.').any(|label| !is_label(label)) {
            return Err(InvalidHost);
        }
        Ok(Self(if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(name.to_ascii_lowercase())
        } else {
            Cow::Borrowed(name)
        }))
    }

    /// The host.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host as text of its own.
    pub fn into_string(self) -> String {
        self.0.into_owned()
    }
}

impl fmt::Display for CanonicalHost<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether it is a name in its canonical form, as nearly every one is: told in one pass, and else without a word why not.
fn is_plain_name(raw: &[u8]) -> bool {
    let mut label_bytes = 0;
    for byte in raw {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' if label_bytes < LABEL_BYTES_MAX => label_bytes += 1,
            b'.' if label_bytes > 0 => label_bytes = 0,
            _ => return false,
        }
    }
    label_bytes > 0 && raw.len() <= HOST_BYTES_MAX
}

/// An empty port is allowed by RFC 3986 section 3.2.3.
fn check_port(port: &str) -> Result<(), InvalidHost> {
    let is_port = port.is_empty()
        || (port.bytes().all(|byte| byte.is_ascii_digit()) && port.len() <= 5 && port.parse::<u16>().is_ok());
    if is_port { Ok(()) } else { Err(InvalidHost) }
}

fn is_label(label: &str) -> bool {
    (1..=LABEL_BYTES_MAX).contains(&label.len())
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_read_in_one_pass_is_read_as_everything_else(raw in "[a-zA-Z0-9.:_-]{0,8}|([a-z0-9-]{1,70}\\.?){0,5}") {
            assert_eq!(CanonicalHost::parse(raw.as_bytes()), CanonicalHost::read(&raw));
        }
    }

    #[test]
    fn case_port_and_trailing_dot_make_no_difference() {
        for raw in [
            "movies.example.org",
            "MOVIES.Example.org",
            "movies.example.org.",
            "movies.example.org:443",
            "Movies.Example.Org.:8080",
            "movies.example.org:",
        ] {
            assert_eq!(
                CanonicalHost::parse(raw.as_bytes()).unwrap().as_str(),
                "movies.example.org",
                "{raw}"
            );
        }
        for (raw, host) in [
            ("localhost:8081", "localhost"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("[::1]", "[::1]"),
            ("[::1]:8081", "[::1]"),
            ("[2001:DB8:0:0:0:0:0:1]:443", "[2001:db8::1]"),
            ("[::1]:", "[::1]"),
            ("a_b-c", "a_b-c"),
        ] {
            assert_eq!(
                CanonicalHost::parse(raw.as_bytes()).unwrap().as_str(),
                host,
                "{raw}"
            );
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for raw in [
            "",
            ".",
            "..",
            "a..b",
            ".a",
            "a b",
            " a",
            "a ",
            "a,b",
            "user@a",
            "a/b",
            "a?b",
            "a:b",
            "a:80:80",
            "a:65536",
            "a:-1",
            "a:+1",
            "::1",
            "[::1",
            "[::1]x",
            "[a]",
            "[fe80::1%25eth0]",
            "a%2eb",
            "кино",
            "a\0",
            "a\\b",
            "*.a",
        ] {
            assert_eq!(CanonicalHost::parse(raw.as_bytes()), Err(InvalidHost), "{raw:?}");
        }
        assert_eq!(CanonicalHost::parse(&[b'a', 0xff]), Err(InvalidHost));
        assert_eq!(CanonicalHost::parse("a".repeat(64).as_bytes()), Err(InvalidHost));
        let long = [
            "a".repeat(60),
            "a".repeat(60),
            "a".repeat(60),
            "a".repeat(60),
            "a".repeat(60),
        ]
        .join(".");
        assert_eq!(CanonicalHost::parse(long.as_bytes()), Err(InvalidHost));
    }
}
