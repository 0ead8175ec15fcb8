//! Role names, and sets of them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The name of a role: `^[a-z][a-z0-9_-]{1,63}$`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleName(Arc<str>);

/// A text that is no role name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a role name is 2 to 64 characters: a small letter, then small letters, digits, `_` and `-`")]
pub struct InvalidRoleName;

impl RoleName {
    /// Length in characters, which are bytes here.
    const LENGTH: std::ops::RangeInclusive<usize> = 2..=64;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RoleName {
    type Err = InvalidRoleName;

    fn from_str(text: &str) -> Result<Self, InvalidRoleName> {
        let mut characters = text.bytes();
        let well_formed = Self::LENGTH.contains(&text.len())
            && characters.next().is_some_and(|first| first.is_ascii_lowercase())
            && characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_' || c == b'-');
        if well_formed {
            Ok(Self(text.into()))
        } else {
            Err(InvalidRoleName)
        }
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The role names that a token carries, sorted and without repetition.
///
/// Names are kept as the token has them: a foreign issuer's need not be [`RoleName`]s.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleSet(Box<[Box<str>]>);

impl RoleSet {
    /// Whether the set has this name.
    pub fn contains(&self, name: &str) -> bool {
        self.0.binary_search_by(|held| held.as_ref().cmp(name)).is_ok()
    }

    /// The names in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// Whether there is no name in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<S: Into<Box<str>>> FromIterator<S> for RoleSet {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        let mut names: Vec<Box<str>> = names.into_iter().map(Into::into).collect();
        names.sort_unstable();
        names.dedup();
        Self(names.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_pattern() {
        for good in ["ab", "user", "role_editor", "a-1", &"a".repeat(64)] {
            assert!(good.parse::<RoleName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "a",
            "1a",
            "_a",
            "Ab",
            "a b",
            "a,b",
            "aé",
            "a\0",
            &"a".repeat(65),
        ] {
            assert_eq!(bad.parse::<RoleName>(), Err(InvalidRoleName), "{bad}");
        }
    }

    #[test]
    fn sets_are_sorted_and_have_each_name_once() {
        let set: RoleSet = ["user", "admin", "user"].into_iter().collect();
        assert!(set.iter().eq(["admin", "user"]));
        assert!(set.contains("admin") && !set.contains("adm"));
    }
}
