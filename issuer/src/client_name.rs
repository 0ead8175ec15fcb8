//! Names of clients: the `client_id` by which a service is known.

use std::fmt;
use std::str::FromStr;

/// The site's own client, through which people sign in. It is public: it has no secret (RFC 6749 section 2.1).
pub const WEB: &str = "web";

/// The name of a service: `^[a-z][a-z0-9_-]{1,63}$`, but for [`WEB`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientName(Box<str>);

/// A text that no service can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidClientName {
    /// Not of the pattern.
    #[error("a client's name is 2 to 64 characters: a small letter, then small letters, digits, `_` and `-`")]
    Malformed,
    /// The site's own.
    #[error("`web` is the site's own client")]
    Web,
}

impl ClientName {
    /// Length in characters, which are bytes here.
    const LENGTH: std::ops::RangeInclusive<usize> = 2..=64;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClientName {
    type Err = InvalidClientName;

    fn from_str(text: &str) -> Result<Self, InvalidClientName> {
        let mut characters = text.bytes();
        let well_formed = Self::LENGTH.contains(&text.len())
            && characters.next().is_some_and(|first| first.is_ascii_lowercase())
            && characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_' || c == b'-');
        match (well_formed, text) {
            (true, WEB) => Err(InvalidClientName::Web),
            (true, _) => Ok(Self(text.into())),
            (false, _) => Err(InvalidClientName::Malformed),
        }
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_pattern_and_web_is_taken() {
        for good in ["ab", "film-etl", "a_1", "webb", &"a".repeat(64)] {
            assert_eq!(good.parse::<ClientName>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "a",
            "1a",
            "-a",
            "Ab",
            "a b",
            "a:b",
            "a%b",
            "aé",
            "a\0",
            &"a".repeat(65),
        ] {
            assert_eq!(
                bad.parse::<ClientName>(),
                Err(InvalidClientName::Malformed),
                "{bad}"
            );
        }
        assert_eq!(WEB.parse::<ClientName>(), Err(InvalidClientName::Web));
    }
}
