//! Login names: one that was mapped is mapped to itself, and found by each of its beginnings.
#![no_main]

use issuer::login::{LOGIN_CHARACTERS_MAX, LOGIN_CHARACTERS_MIN, LoginName};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let folded = LoginName::fold_prefix(text);
    if let Some(folded) = &folded {
        assert_eq!(LoginName::fold_prefix(folded).as_ref(), Some(folded));
    }
    let Ok(login) = LoginName::parse(text) else {
        return;
    };
    let name = login.as_str();
    let characters = name.chars().count();
    assert!((LOGIN_CHARACTERS_MIN..=LOGIN_CHARACTERS_MAX).contains(&characters));
    assert!(!name.contains(|c: char| c.is_whitespace() || c.is_control()));
    assert_eq!(folded.as_deref(), Some(name), "it is not found by itself");
    assert_eq!(LoginName::parse(name), Ok(login.clone()));
    for (end, _) in name.char_indices() {
        let beginning = &name[..end];
        assert_eq!(LoginName::fold_prefix(beginning).as_deref(), Some(beginning));
    }
});
