//! The built-in list of common passwords (NIST SP 800-63B-4 section 3.1.1.2); `common_passwords.origin.md` says where
//! it is from.

use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// One folded password a line, sorted by bytes.
static TEXT: &str = include_str!("common_passwords.txt");

static SORTED: LazyLock<Vec<&'static str>> = LazyLock::new(|| TEXT.lines().collect());

/// Whether a folded text is on the list.
pub(super) fn contains(folded: &str) -> bool {
    SORTED.binary_search(&folded).is_ok()
}

/// What is compared instead of the text itself: compatibility forms, case and blanks around it make no password
/// better.
pub(super) fn fold(text: &str) -> Zeroizing<String> {
    let mut folded = Zeroizing::new(String::with_capacity(text.len().saturating_mul(4)));
    folded.extend(text.trim().nfkc().flat_map(char::to_lowercase));
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_large_sorted_and_folded() {
        assert!(SORTED.len() >= 10_000);
        assert!(SORTED.is_sorted_by(|a, b| a < b));
        for entry in SORTED.iter() {
            assert_eq!(*fold(entry), *entry);
            assert!(contains(entry));
        }
    }

    #[test]
    fn spellings_of_a_common_password_are_common() {
        for text in [
            "password1",
            "PassWord1",
            " password1\u{3000}",
            "ｐａｓｓｗｏｒｄ１",
        ] {
            assert!(contains(&fold(text)), "{text}");
        }
        assert!(!contains(&fold("correct horse battery staple")));
    }
}
