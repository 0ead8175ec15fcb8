//! The host of a request: its canonical form has one reading, its own.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::host::CanonicalHost;

fuzz_target!(|raw: &[u8]| {
    let Ok(host) = CanonicalHost::parse(raw) else {
        return;
    };
    let text = host.as_str();
    assert!(!text.is_empty() && text.is_ascii() && !text.ends_with('.'));
    assert!(!text.bytes().any(|byte| byte.is_ascii_uppercase()));
    // A canonical name is read in one pass. Spelled in another way, it takes the way of all others: to the same host.
    for spelled in [text.to_owned(), format!("{text}:443"), text.to_ascii_uppercase()] {
        assert_eq!(
            CanonicalHost::parse(spelled.as_bytes()).as_ref(),
            Ok(&host),
            "{spelled}"
        );
    }
});
