//! Login names: PRECIS `UsernameCaseMapped` (RFC 8265 section 3.3) on current Unicode.
//!
//! `precis-core` 0.2 classifies characters by Unicode 6.3 (2013), the version of the IANA registry, and calls
//! everything younger unassigned. `CurrentIdentifiers` asks it first and derives what it does not know by the same
//! algorithm (RFC 8264 section 8) from the general categories of Unicode 18. The mappings are on Unicode 17 (width
//! and directionality in `precis-profiles`, case in the standard library) and 18 (NFC).

use std::borrow::Cow;
use std::fmt;

use precis_profiles::UsernameCaseMapped;
use precis_profiles::precis_core::profile::{Rules, stabilize};
use precis_profiles::precis_core::{DerivedPropertyValue, Error, IdentifierClass, StringClass};
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// The fewest characters of a login, counted after the mapping.
pub const LOGIN_CHARACTERS_MIN: usize = 3;

/// The most characters of a login, counted after the mapping.
pub const LOGIN_CHARACTERS_MAX: usize = 64;

/// What is longer before the mapping, in bytes, is not mapped at all: 64 characters of 4 bytes, spelled with
/// combining characters, take a third of it.
const RAW_BYTES_MAX: usize = 4 * 1024;

/// A login in the one form that is stored, shown, compared and searched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoginName(String);

/// Why a text is no login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginRefused {
    /// Fewer than [`LOGIN_CHARACTERS_MIN`] characters.
    #[error("A login needs at least {LOGIN_CHARACTERS_MIN} characters.")]
    TooShort,
    /// More than [`LOGIN_CHARACTERS_MAX`] characters.
    #[error("A login has at most {LOGIN_CHARACTERS_MAX} characters.")]
    TooLong,
    /// A character, or an order of characters, that the profile does not take.
    #[error("A login takes letters, digits and ASCII signs, without spaces or invisible characters.")]
    Invalid,
}

impl LoginRefused {
    /// The stable word for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooShort => "too_short",
            Self::TooLong => "too_long",
            Self::Invalid => "invalid",
        }
    }

    /// The sentence for people.
    pub fn message(self) -> String {
        self.to_string()
    }
}

impl LoginName {
    /// Maps a text to the login that it names.
    ///
    /// # Errors
    ///
    /// [`LoginRefused`] if the text is outside the profile, or the login would be too short or too long.
    pub fn parse(text: &str) -> Result<Self, LoginRefused> {
        if text.is_empty() {
            return Err(LoginRefused::TooShort);
        }
        if text.len() > RAW_BYTES_MAX {
            return Err(LoginRefused::TooLong);
        }
        // RFC 8264 section 7: a mapping that does not come to rest names nothing.
        let mapped = stabilize(text, enforce).map_err(|_| LoginRefused::Invalid)?;
        match mapped.chars().count() {
            ..LOGIN_CHARACTERS_MIN => Err(LoginRefused::TooShort),
            LOGIN_CHARACTERS_MIN..=LOGIN_CHARACTERS_MAX => Ok(Self(mapped.into_owned())),
            _ => Err(LoginRefused::TooLong),
        }
    }

    /// The login as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Maps the beginning of a login, for a prefix search; `None` if no login can begin with it.
    ///
    /// The rules that look at a whole login (directionality, context, the least length) are left out: the rest of the
    /// login may yet satisfy them.
    pub fn fold_prefix(text: &str) -> Option<String> {
        if text.len() > RAW_BYTES_MAX {
            return None;
        }
        let mapped = stabilize(text, map_prefix).ok()?;
        (mapped.chars().count() <= LOGIN_CHARACTERS_MAX).then(|| mapped.into_owned())
    }
}

impl fmt::Display for LoginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One application of the profile, in the order of RFC 8265 section 3.3.2.
fn enforce(text: &str) -> Result<Cow<'_, str>, Error> {
    let profile = UsernameCaseMapped::new();
    let text = profile.width_mapping_rule(text)?;
    CurrentIdentifiers.allows(&text)?;
    let text = profile.case_mapping_rule(text)?;
    let text = profile.normalization_rule(text)?;
    profile.directionality_rule(text)
}

/// The same without the rules that need the end of the login.
fn map_prefix(text: &str) -> Result<Cow<'_, str>, Error> {
    let profile = UsernameCaseMapped::new();
    let text = profile.width_mapping_rule(text)?;
    if !text.chars().all(may_stand_in_a_login) {
        return Err(Error::Invalid);
    }
    let text = profile.case_mapping_rule(text)?;
    profile.normalization_rule(text)
}

fn may_stand_in_a_login(c: char) -> bool {
    match CurrentIdentifiers.get_value_from_char(c) {
        DerivedPropertyValue::PValid
        | DerivedPropertyValue::SpecClassPval
        | DerivedPropertyValue::ContextJ
        | DerivedPropertyValue::ContextO => true,
        DerivedPropertyValue::SpecClassDis
        | DerivedPropertyValue::Disallowed
        | DerivedPropertyValue::Unassigned => false,
    }
}

/// `IdentifierClass` (RFC 8264 section 4.2) on current Unicode.
struct CurrentIdentifiers;

impl StringClass for CurrentIdentifiers {
    fn get_value_from_char(&self, c: char) -> DerivedPropertyValue {
        match IdentifierClass::default().get_value_from_char(c) {
            DerivedPropertyValue::Unassigned => derive(c),
            known => known,
        }
    }

    fn get_value_from_codepoint(&self, cp: u32) -> DerivedPropertyValue {
        char::from_u32(cp).map_or(DerivedPropertyValue::Disallowed, |c| self.get_value_from_char(c))
    }
}

/// RFC 8264 section 8 for characters younger than Unicode 6.3: among them are no exceptions, join controls, old
/// Hangul Jamo or ASCII.
fn derive(c: char) -> DerivedPropertyValue {
    // Default ignorable since Unicode 14, though its category is that of a mark (section 9.13).
    const MONGOLIAN_FREE_VARIATION_SELECTOR_FOUR: char = '\u{180f}';
    if c == MONGOLIAN_FREE_VARIATION_SELECTOR_FOUR {
        return DerivedPropertyValue::Disallowed;
    }
    match c.general_category() {
        GeneralCategory::Unassigned => DerivedPropertyValue::Unassigned,
        GeneralCategory::LowercaseLetter
        | GeneralCategory::UppercaseLetter
        | GeneralCategory::OtherLetter
        | GeneralCategory::DecimalNumber
        | GeneralCategory::ModifierLetter
        | GeneralCategory::NonspacingMark
        | GeneralCategory::SpacingMark
            if std::iter::once(c).nfkc().eq(std::iter::once(c)) =>
        {
            DerivedPropertyValue::PValid
        }
        GeneralCategory::Control
        | GeneralCategory::Format
        | GeneralCategory::PrivateUse
        | GeneralCategory::Surrogate
        | GeneralCategory::LineSeparator
        | GeneralCategory::ParagraphSeparator => DerivedPropertyValue::Disallowed,
        // Compatibility characters, other letters and digits, spaces, symbols and punctuation (sections 9.14 to
        // 9.18).
        _ => DerivedPropertyValue::SpecClassDis,
    }
}

#[cfg(test)]
mod tests;
