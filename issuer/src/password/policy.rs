//! What may become a password, and the one form in which passwords are hashed.
//!
//! The form is that of PRECIS `OpaqueString` (RFC 8265 section 4.2.2): spaces become U+0020, then NFC; case and all
//! else stay. The characters are more than that profile's: joiners and variation selectors, which emoji are made of,
//! and all that Unicode has assigned since version 6.3. Control characters stay out, and so does what is not
//! assigned: a later Unicode might normalise it differently, and the password would no longer be right.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use zeroize::Zeroizing;

use super::common;
use crate::login::LoginName;

/// The most characters of a password, counted after normalisation. NIST SP 800-63B-4 asks for 64 or more.
pub const PASSWORD_CHARACTERS_MAX: usize = 256;

/// A text of more bytes cannot be a password: 256 characters of 4 bytes, at most tripled by decomposition.
const RAW_BYTES_MAX: usize = 4 * 1024;

/// What a new password must satisfy beyond the fixed rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// The fewest characters, counted after normalisation.
    pub min_length: usize,
}

/// Why a text may not become a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordRefused {
    /// Fewer characters than the policy asks for.
    #[error("A password needs at least {min_length} characters.")]
    TooShort {
        /// The fewest that will do.
        min_length: usize,
    },
    /// More than [`PASSWORD_CHARACTERS_MAX`] characters.
    #[error("A password has at most {PASSWORD_CHARACTERS_MAX} characters.")]
    TooLong,
    /// On the built-in list.
    #[error("This password is among the most common ones, which are tried first.")]
    Common,
    /// The login, in whatever case.
    #[error("The password is the login.")]
    SameAsLogin,
    /// A control character, or one that is not assigned.
    #[error("A password takes every character but control characters and unassigned ones.")]
    Invalid,
}

impl PasswordRefused {
    /// The stable word for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooShort { .. } => "too_short",
            Self::TooLong => "too_long",
            Self::Common => "common",
            Self::SameAsLogin => "same_as_login",
            Self::Invalid => "invalid",
        }
    }

    /// The sentence for people.
    pub fn message(self) -> String {
        self.to_string()
    }
}

/// A password in the form that is hashed. It is wiped when dropped and never shown.
#[derive(Clone)]
pub struct Password {
    text: Zeroizing<String>,
    /// As it was typed, where that is another text: other houses hash passwords as they come.
    typed: Option<Zeroizing<String>>,
    possible: bool,
}

impl Password {
    /// Takes a text as a new password, of the user with this login where there is one.
    ///
    /// # Errors
    ///
    /// [`PasswordRefused`] if the policy or a fixed rule is against it.
    pub fn parse(
        text: &SecretString,
        policy: PasswordPolicy,
        login: Option<&LoginName>,
    ) -> Result<Self, PasswordRefused> {
        let text = text.expose_secret();
        if text.len() > RAW_BYTES_MAX {
            return Err(PasswordRefused::TooLong);
        }
        if !text.chars().all(is_lasting) {
            return Err(PasswordRefused::Invalid);
        }
        let text = normalise(text);
        let characters = text.chars().count();
        if characters < policy.min_length {
            return Err(PasswordRefused::TooShort {
                min_length: policy.min_length,
            });
        }
        if characters > PASSWORD_CHARACTERS_MAX {
            return Err(PasswordRefused::TooLong);
        }
        let folded = common::fold(&text);
        if login.is_some_and(|login| common::fold(login.as_str()) == folded) {
            return Err(PasswordRefused::SameAsLogin);
        }
        if common::contains(&folded) {
            return Err(PasswordRefused::Common);
        }
        Ok(Self {
            text,
            typed: None,
            possible: true,
        })
    }

    /// Takes a text that somebody offers as their password. What cannot be one is not right, at the same cost.
    pub fn presented(text: &SecretString) -> Self {
        let text = text.expose_secret();
        if text.len() > RAW_BYTES_MAX {
            return Self {
                text: Zeroizing::new(String::new()),
                typed: None,
                possible: false,
            };
        }
        // Rules are for new passwords: an imported one may be older than they are.
        let normal = normalise(text);
        let is_normal = *normal == text;
        Self {
            text: normal,
            typed: (!is_normal).then(|| Zeroizing::new(text.to_owned())),
            possible: true,
        }
    }

    /// What is hashed.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// What a stored hash may be of, and whether it is the one form that is hashed here. How many there are depends on what
    /// was typed alone.
    pub(super) fn forms(&self) -> impl Iterator<Item = (&[u8], bool)> {
        let typed = self.typed.iter().map(|typed| (typed.as_bytes(), false));
        std::iter::once((self.as_bytes(), true)).chain(typed)
    }

    /// Whether it could be right at all.
    pub(super) const fn is_possible(&self) -> bool {
        self.possible
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password([REDACTED])")
    }
}

/// Whether a character means the same in every later Unicode, and can be typed.
fn is_lasting(c: char) -> bool {
    !matches!(
        c.general_category(),
        GeneralCategory::Control | GeneralCategory::Unassigned | GeneralCategory::Surrogate
    )
}

fn normalise(text: &str) -> Zeroizing<String> {
    // No normal form is more than three times as long, so that no unwiped copy is left by growth.
    let mut normal = Zeroizing::new(String::with_capacity(text.len().saturating_mul(3)));
    let spaced = text.chars().map(|c| match c.general_category() {
        GeneralCategory::SpaceSeparator => ' ',
        _ => c,
    });
    normal.extend(spaced.nfc());
    normal
}

#[cfg(test)]
mod tests;
