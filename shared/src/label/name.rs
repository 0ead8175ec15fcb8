use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::limits;

/// The name of a label: `^[a-z][a-z0-9_-]{1,63}$`, as that of a role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelName(Arc<str>);

/// A text that is no label name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a label name is 2 to 64 characters: a small letter, then small letters, digits, `_` and `-`")]
pub struct InvalidLabelName;

impl LabelName {
    /// Length in characters, which are bytes here.
    const LENGTH: std::ops::RangeInclusive<usize> = 2..=limits::LABEL_NAME_BYTES_MAX;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LabelName {
    type Err = InvalidLabelName;

    fn from_str(text: &str) -> Result<Self, InvalidLabelName> {
        let mut characters = text.bytes();
        let well_formed = Self::LENGTH.contains(&text.len())
            && characters.next().is_some_and(|first| first.is_ascii_lowercase())
            && characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_' || c == b'-');
        if well_formed {
            Ok(Self(text.into()))
        } else {
            Err(InvalidLabelName)
        }
    }
}

impl fmt::Display for LabelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The labels of one film: in order, none twice, at most [`limits::FILM_LABELS_MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelNames(Box<[LabelName]>);

/// A film with more labels than [`limits::FILM_LABELS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a film carries at most {} labels", limits::FILM_LABELS_MAX)]
pub struct TooManyLabels;

impl LabelNames {
    /// The names, put in order; a repeated one counts once.
    ///
    /// # Errors
    ///
    /// [`TooManyLabels`].
    pub fn new(names: impl IntoIterator<Item = LabelName>) -> Result<Self, TooManyLabels> {
        let mut names: Vec<LabelName> = names.into_iter().collect();
        names.sort_unstable();
        names.dedup();
        if names.len() > limits::FILM_LABELS_MAX {
            return Err(TooManyLabels);
        }
        Ok(Self(names.into()))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The names in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &LabelName> {
        self.0.iter()
    }
}
