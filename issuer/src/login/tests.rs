use proptest::prelude::*;

use super::*;

fn login(text: &str) -> Result<String, LoginRefused> {
    LoginName::parse(text).map(|login| login.to_string())
}

/// Attack: a login that looks like somebody else's
/// Source: RFC 8265 section 8, CWE-1007
/// Result: it is the same login
#[test]
fn what_looks_the_same_is_the_same_login() {
    assert_eq!(login("Alice").unwrap(), "alice");
    assert_eq!(login("ＡＬＩＣＥ").unwrap(), "alice");
    assert_eq!(login("АНДРЕЙ").unwrap(), "андрей");
    // Decomposed and composed; half-width katakana with its voiced mark.
    assert_eq!(login("Rene\u{301}").unwrap(), "ren\u{e9}");
    assert_eq!(login("ｶﾞｶﾞｶﾞ").unwrap(), "ガガガ");
    assert_eq!(login("İstanbul").unwrap(), "i\u{307}stanbul");
    assert_eq!(login("a.b-c_d@example.org").unwrap(), "a.b-c_d@example.org");
}

#[test]
fn what_the_profile_refuses_is_invalid() {
    for text in [
        "a b c",
        "abc ",
        "abc\t",
        "ab\0c",
        "ab\u{200b}c",
        "ab\u{200d}c",
        "ab\u{fe0f}c",
        "ab\u{ad}c",
        "ﬁsh",
        "henryⅣ",
        "abc☠",
        "abc🦀",
        "ab\u{a0}c",
        "Kelvin\u{212a}",
        "abc\u{e000}",
        "abc\u{ffff}",
        // Right-to-left letters that run into left-to-right ones (RFC 5893 section 2).
        "אבגabc",
    ] {
        assert_eq!(login(text), Err(LoginRefused::Invalid), "{text:?}");
    }
}

#[test]
fn characters_younger_than_the_registry_are_classified_too() {
    // Cherokee small letters are of Unicode 8; the capitals map to them.
    assert_eq!(
        login("\u{13a0}\u{13a1}\u{13a2}").unwrap(),
        "\u{ab70}\u{ab71}\u{ab72}"
    );
    // Osage (9) and Vithkuqi (14) have case; Nyiakeng Puachue Hmong (12) has letters and digits.
    assert_eq!(
        login("\u{104b0}\u{104b1}\u{104b2}").unwrap(),
        "\u{104d8}\u{104d9}\u{104da}"
    );
    assert_eq!(
        login("\u{1e100}\u{1e101}\u{1e140}").unwrap(),
        "\u{1e100}\u{1e101}\u{1e140}"
    );
    // A sign of Unicode 8, a selector of 14, a format character of 7, a compatibility letter of 16, and a code point
    // that is not assigned.
    for text in [
        "abc🤖",
        "abc\u{180f}",
        "abc\u{1bca0}",
        "abc\u{1ccd6}",
        "abc\u{378}",
    ] {
        assert_eq!(login(text), Err(LoginRefused::Invalid), "{text:?}");
    }
}

#[test]
fn length_is_that_of_the_result_in_characters() {
    assert_eq!(login(""), Err(LoginRefused::TooShort));
    assert_eq!(login("ab"), Err(LoginRefused::TooShort));
    // Six characters as typed, three as stored.
    assert_eq!(login("e\u{301}e\u{301}e\u{301}").unwrap().chars().count(), 3);
    assert_eq!(login("e\u{301}e\u{301}"), Err(LoginRefused::TooShort));
    assert_eq!(login(&"ж".repeat(64)).unwrap().chars().count(), 64);
    assert_eq!(login(&"ж".repeat(65)), Err(LoginRefused::TooLong));
    assert_eq!(login(&"a".repeat(1 << 20)), Err(LoginRefused::TooLong));
}

#[test]
fn refusals_name_their_numbers() {
    assert_eq!(LoginRefused::TooShort.code(), "too_short");
    assert!(LoginRefused::TooShort.message().contains('3'));
    assert!(LoginRefused::TooLong.message().contains("64"));
}

#[test]
fn prefixes_are_mapped_as_far_as_they_go() {
    assert_eq!(LoginName::fold_prefix("").unwrap(), "");
    assert_eq!(LoginName::fold_prefix("ＡL").unwrap(), "al");
    // A middle dot is allowed between two l (RFC 5892 appendix A.3), a Hebrew login may not end in a hyphen.
    assert_eq!(LoginName::fold_prefix("L·").unwrap(), "l·");
    assert_eq!(LoginName::fold_prefix("א-").unwrap(), "א-");
    for text in ["a b", "🦀", "a\0", &"a".repeat(65), &"a".repeat(1 << 20)] {
        assert_eq!(LoginName::fold_prefix(text), None);
    }
}

proptest! {
    #[test]
    fn a_login_maps_to_itself_and_its_prefixes_find_it(text in "\\PC{1,24}|[\\p{L}\\p{N}]{1,12}") {
        if let Ok(login) = LoginName::parse(&text) {
            prop_assert_eq!(&LoginName::parse(login.as_str()).unwrap(), &login);
            for (end, _) in login.as_str().char_indices() {
                let prefix = &login.as_str()[..end];
                let folded = LoginName::fold_prefix(prefix);
                prop_assert_eq!(folded.as_deref(), Some(prefix));
            }
        }
    }
}
