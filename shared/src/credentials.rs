//! Where a request carries its access token: `Authorization: Bearer` (RFC 6750 section 2.1), else a cookie.

use std::fmt;

use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE};

use crate::reason::Reason;

/// What a request presents.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Credentials<'a> {
    /// Nothing.
    None,
    /// The token of the `Authorization` header. A cookie beside it is not looked at.
    Bearer(&'a str),
    /// The token of the cookie.
    Cookie(&'a str),
}

impl fmt::Debug for Credentials<'_> {
    /// Where the token is, and not the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Bearer(_) => "Bearer([REDACTED])",
            Self::Cookie(_) => "Cookie([REDACTED])",
        })
    }
}

/// Credentials that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// Two `Authorization` headers, or one with a list in it.
    #[error("several Authorization credentials")]
    AmbiguousHeader,
    /// A `Bearer` without a token, or one with bytes that no token has.
    #[error("a malformed Authorization header")]
    MalformedHeader,
    /// Two different cookies of the one name.
    #[error("several cookies of the name")]
    AmbiguousCookie,
}

impl CredentialsError {
    /// The word for it that clients see.
    pub const fn reason(self) -> Reason {
        match self {
            Self::AmbiguousHeader | Self::AmbiguousCookie => Reason::AmbiguousCredentials,
            Self::MalformedHeader => Reason::Malformed,
        }
    }
}

/// Finds the credentials of a request.
///
/// An `Authorization` of another scheme (`Basic` …) is none of ours, and counts as if it were not there.
///
/// # Errors
///
/// [`CredentialsError`] if there are several, or what is there cannot be a token.
pub fn find<'a>(headers: &'a HeaderMap, cookie_name: &str) -> Result<Credentials<'a>, CredentialsError> {
    match bearer(headers)? {
        Some(token) => Ok(Credentials::Bearer(token)),
        None => Ok(cookie(headers, cookie_name)?.map_or(Credentials::None, Credentials::Cookie)),
    }
}

fn bearer(headers: &HeaderMap) -> Result<Option<&str>, CredentialsError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(CredentialsError::AmbiguousHeader);
    }
    // What nearly everybody sends is told by one pass over it, many bytes at a time.
    if let Some((scheme, token)) = value.as_bytes().split_at_checked(SCHEME.len())
        && scheme.eq_ignore_ascii_case(SCHEME)
        && is_plain(token)
    {
        return Ok(std::str::from_utf8(token).ok());
    }
    let value = value.to_str().map_err(|_| CredentialsError::MalformedHeader)?;
    unusual_bearer(value.trim_matches(' '))
}

/// The scheme, and the space behind it.
const SCHEME: &[u8] = b"Bearer ";

/// Whether these bytes, one at least, are visible ASCII, and no list. It adds up what is odd to the end: a search could stop
/// anywhere, and so would go byte by byte.
fn is_plain(token: &[u8]) -> bool {
    let odd = token.iter().fold(0, |odd, byte| {
        odd | u8::from(!byte.is_ascii_graphic()) | u8::from(*byte == b',')
    });
    odd == 0 && !token.is_empty()
}

/// What a value says that is another scheme's, or has spaces, lists or nothing where a token is to be.
fn unusual_bearer(value: &str) -> Result<Option<&str>, CredentialsError> {
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        // A proxy may have joined two headers: the second could be the one that the service behind takes.
        let hides_ours = value.split(',').skip(1).any(begins_with_bearer);
        return if hides_ours {
            Err(CredentialsError::AmbiguousHeader)
        } else {
            Ok(None)
        };
    }
    let token = token.trim_start_matches(' ');
    if token.contains(',') {
        return Err(CredentialsError::AmbiguousHeader);
    }
    if token.is_empty() || token.contains([' ', '\t']) {
        return Err(CredentialsError::MalformedHeader);
    }
    Ok(Some(token))
}

fn begins_with_bearer(part: &str) -> bool {
    let scheme = part.trim_start_matches([' ', '\t']).split(' ').next();
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer"))
}

/// The value of the one cookie of this name (RFC 6265 section 5.4), wherever in the `Cookie` headers it stands. An
/// empty one counts as absent.
///
/// # Errors
///
/// [`CredentialsError::AmbiguousCookie`] if two of the name differ.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, CredentialsError> {
    let pairs = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim_matches([' ', '\t']).split_once('='));
    let mut found = None;
    for (key, value) in pairs {
        if key != name || value.is_empty() {
            continue;
        }
        if found.is_some_and(|first| first != value) {
            return Err(CredentialsError::AmbiguousCookie);
        }
        found = Some(value);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(http::HeaderName, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn found(pairs: &[(http::HeaderName, &str)]) -> Result<String, CredentialsError> {
        find(&headers(pairs), "t").map(|credentials| match credentials {
            Credentials::None => "None".to_owned(),
            Credentials::Bearer(token) => format!("Bearer({token:?})"),
            Credentials::Cookie(token) => format!("Cookie({token:?})"),
        })
    }

    #[test]
    fn the_header_goes_before_the_cookie() {
        assert_eq!(found(&[]).unwrap(), "None");
        assert_eq!(
            found(&[(AUTHORIZATION, "Bearer a.b.c")]).unwrap(),
            "Bearer(\"a.b.c\")"
        );
        assert_eq!(
            found(&[(AUTHORIZATION, "bEARER   a.b.c ")]).unwrap(),
            "Bearer(\"a.b.c\")"
        );
        assert_eq!(found(&[(COOKIE, "x=1; t=a.b.c")]).unwrap(), "Cookie(\"a.b.c\")");
        assert_eq!(
            found(&[(COOKIE, "t=a"), (AUTHORIZATION, "Bearer b")]).unwrap(),
            "Bearer(\"b\")"
        );
        assert_eq!(
            found(&[(AUTHORIZATION, "Basic YTpi"), (COOKIE, "t=a")]).unwrap(),
            "Cookie(\"a\")"
        );
    }

    #[test]
    fn several_that_disagree_are_refused() {
        let two = [(AUTHORIZATION, "Bearer a"), (AUTHORIZATION, "Bearer a")];
        assert_eq!(found(&two), Err(CredentialsError::AmbiguousHeader));
        assert_eq!(
            found(&[(AUTHORIZATION, "Bearer a, Bearer b")]),
            Err(CredentialsError::AmbiguousHeader)
        );
        for joined in ["Basic YTpi, Bearer b", "Digest a=\"b\",\tbearer c", ", Bearer b"] {
            assert_eq!(
                found(&[(AUTHORIZATION, joined)]),
                Err(CredentialsError::AmbiguousHeader),
                "{joined}"
            );
        }
        assert_eq!(
            found(&[(AUTHORIZATION, "Digest a=\"bearer\", b=1")]).unwrap(),
            "None"
        );
        assert_eq!(
            found(&[(COOKIE, "t=a; t=b")]),
            Err(CredentialsError::AmbiguousCookie)
        );
        assert_eq!(
            found(&[(COOKIE, "t=a"), (COOKIE, "t=b")]),
            Err(CredentialsError::AmbiguousCookie)
        );
        assert_eq!(
            found(&[(COOKIE, "t=a; t=a; T=b; tt=c; t=")]).unwrap(),
            "Cookie(\"a\")"
        );
    }

    #[test]
    fn a_token_is_not_shown() {
        let credentials = [Credentials::Bearer("a.b.c"), Credentials::Cookie("a.b.c")];
        assert_eq!(
            format!("{credentials:?}"),
            "[Bearer([REDACTED]), Cookie([REDACTED])]"
        );
    }

    #[test]
    fn a_bearer_without_a_token_is_malformed() {
        for value in ["Bearer", "Bearer ", "Bearer a b", "Bearer a\tb"] {
            assert_eq!(
                found(&[(AUTHORIZATION, value)]),
                Err(CredentialsError::MalformedHeader),
                "{value}"
            );
        }
    }
}
