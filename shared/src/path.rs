//! The one reading of a path.
//!
//! Rules are written about decoded paths, while a request's target arrives as bytes that proxies and services read in
//! more than one way: some merge slashes, some resolve `..`, some decode twice, some cut at `;`. A path on which they
//! could disagree is therefore not normalised but refused, so that whatever is let through means the same everywhere.

use std::borrow::Cow;
use std::fmt;

use crate::limits::PATH_BYTES_MAX;

/// A path with exactly one reading: percent-decoded once, beginning with `/`, without a trailing slash (except `/`
/// itself), without empty or dot segments. It borrows from the request where nothing had to be decoded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CanonicalPath<'a>(Cow<'a, str>);

/// Why a request target has no single reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Longer than [`PATH_BYTES_MAX`].
    #[error("the path is longer than {PATH_BYTES_MAX} bytes")]
    TooLong,
    /// Not origin-form (RFC 9112 section 3.2.1): empty, `*`, or a whole URI.
    #[error("the request target does not begin with a slash")]
    NotOriginForm,
    /// Two slashes in a row, which some merge; at the start, some read a host there (RFC 3986 section 4.2).
    #[error("the path has an empty segment")]
    EmptySegment,
    /// A `.` or `..` segment, which some resolve and some do not.
    #[error("the path has a dot segment")]
    DotSegment,
    /// An encoded slash: one segment to some, two to others.
    #[error("the path has an encoded slash")]
    EncodedSlash,
    /// A backslash, raw or encoded, which some take for a slash.
    #[error("the path has a backslash")]
    Backslash,
    /// A `;`, raw or encoded, where some cut off path parameters (RFC 3986 section 3.3).
    #[error("the path has a semicolon")]
    Semicolon,
    /// A control character, raw or encoded, NUL included, or a raw space.
    #[error("the path has a control character or a raw space")]
    Control,
    /// A raw `#`: no target has a fragment (RFC 9112 section 3.2), and where one comes all the same, some cut it off and
    /// some take it for part of the path, so that `/open#/../admin` would be two paths.
    #[error("the path has a raw `#`")]
    Fragment,
    /// A raw byte outside ASCII, which a URI cannot have (RFC 3986 section 2).
    #[error("the path has a raw byte outside ASCII")]
    NotAscii,
    /// A `%` that two hexadecimal digits do not follow.
    #[error("the path has an invalid percent-encoding")]
    InvalidEncoding,
    /// What remains after decoding could be decoded again.
    #[error("the path is percent-encoded twice")]
    EncodedTwice,
    /// The decoded bytes are no UTF-8; overlong forms and surrogates are none either (RFC 3629 section 3).
    #[error("the path is not UTF-8")]
    NotUtf8,
}

impl<'a> CanonicalPath<'a> {
    /// Reads the path of a request target in origin-form, from its raw bytes. The query is ignored, whatever is in it.
    ///
    /// # Errors
    ///
    /// A [`PathError`] for every path with more than one reading, or with none.
    pub fn parse(target: &'a [u8]) -> Result<Self, PathError> {
        plain(target).map_or_else(
            || Self::read(target),
            |path| Ok(Self(without_trailing_slash(Cow::Borrowed(path)))),
        )
    }

    /// As [`Self::parse`], and says what is wrong.
    fn read(target: &'a [u8]) -> Result<Self, PathError> {
        let path = match target.iter().position(|byte| *byte == b'?') {
            Some(end) => target.get(..end).unwrap_or(target),
            None => target,
        };
        if path.len() > PATH_BYTES_MAX {
            return Err(PathError::TooLong);
        }
        if path.first() != Some(&b'/') {
            return Err(PathError::NotOriginForm);
        }
        let mut is_encoded = false;
        for &byte in path {
            is_encoded |= byte == b'%';
            if byte == b'#' {
                return Err(PathError::Fragment);
            }
            check_byte(byte)?;
        }
        let text = if is_encoded {
            Cow::Owned(decode(path)?)
        } else {
            Cow::Borrowed(std::str::from_utf8(path).map_err(|_| PathError::NotAscii)?)
        };
        check_segments(&text)?;
        Ok(Self(without_trailing_slash(text)))
    }

    /// The decoded path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The decoded segments, none of them empty; `/` has none.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|segment| !segment.is_empty())
    }
}

impl fmt::Display for CanonicalPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The path of a target in which there is nothing to decode and nothing to doubt, as in nearly every one: told in one pass, and
/// else without a word why not.
fn plain(target: &[u8]) -> Option<&str> {
    let mut path = target;
    let mut before = None;
    for (at, byte) in target.iter().enumerate() {
        match byte {
            b'?' => {
                path = target.get(..at)?;
                break;
            }
            // A segment that is empty, or could be a dot segment.
            b'/' | b'.' if before == Some(b'/') => return None,
            b'%' | b'#' | b';' | b'\\' | 0..=b' ' | 0x7f.. => return None,
            _ => before = Some(*byte),
        }
    }
    let is_whole = path.first() == Some(&b'/') && path.len() <= PATH_BYTES_MAX;
    std::str::from_utf8(path).ok().filter(|_| is_whole)
}

/// What neither a raw byte nor a decoded one may be.
const fn check_byte(byte: u8) -> Result<(), PathError> {
    match byte {
        b';' => Err(PathError::Semicolon),
        b'\\' => Err(PathError::Backslash),
        0..=b' ' | 0x7f => Err(PathError::Control),
        0x80.. => Err(PathError::NotAscii),
        _ => Ok(()),
    }
}

/// Decodes once, and sees to it that nothing is left to decode.
fn decode(path: &[u8]) -> Result<String, PathError> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let (Some(high), Some(low)) = (bytes.next().and_then(hex_value), bytes.next().and_then(hex_value))
        else {
            return Err(PathError::InvalidEncoding);
        };
        let byte = high << 4 | low;
        match byte {
            b'/' => return Err(PathError::EncodedSlash),
            b' ' | 0x80.. => {}
            _ => check_byte(byte)?,
        }
        decoded.push(byte);
    }
    if decoded.windows(3).any(
        |three| matches!(three, [b'%', high, low] if hex_value(*high).is_some() && hex_value(*low).is_some()),
    ) {
        return Err(PathError::EncodedTwice);
    }
    let text = String::from_utf8(decoded).map_err(|_| PathError::NotUtf8)?;
    // The C1 controls too, which only UTF-8 can spell.
    if text.chars().any(char::is_control) {
        return Err(PathError::Control);
    }
    Ok(text)
}

const fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Refuses empty segments, except what a trailing slash leaves, and dot segments.
fn check_segments(path: &str) -> Result<(), PathError> {
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "." | ".." => return Err(PathError::DotSegment),
            "" if segments.peek().is_some() => return Err(PathError::EmptySegment),
            _ => {}
        }
    }
    Ok(())
}

fn without_trailing_slash(path: Cow<'_, str>) -> Cow<'_, str> {
    if path.len() == 1 {
        return path;
    }
    match path {
        Cow::Borrowed(path) => Cow::Borrowed(path.strip_suffix('/').unwrap_or(path)),
        Cow::Owned(mut path) => {
            if path.ends_with('/') {
                path.pop();
            }
            Cow::Owned(path)
        }
    }
}

#[cfg(test)]
mod tests;
