//! The path of a request target.
#![no_main]

use std::fmt::Write as _;

use libfuzzer_sys::fuzz_target;
use shared::limits::PATH_BYTES_MAX;
use shared::path::CanonicalPath;

fuzz_target!(|target: &[u8]| {
    let Ok(path) = CanonicalPath::parse(target) else {
        return;
    };
    let text = path.as_str();
    assert!(text.starts_with('/'), "{text:?} does not begin with a slash");
    assert!(text == "/" || !text.ends_with('/'), "{text:?} ends with a slash");
    assert!(
        !text.contains(['\\', ';']) && !text.chars().any(char::is_control),
        "{text:?}"
    );
    let is_odd = |segment: &str| matches!(segment, "" | "." | "..");
    assert!(
        text == "/" || !text.split('/').skip(1).any(is_odd),
        "{text:?} has an odd segment"
    );
    // Nearly every path is read in one pass. Spelled in another way, it takes the way of all others: to the same path.
    let mut spelled = String::new();
    for byte in text.bytes() {
        match byte {
            b'/' => spelled.push('/'),
            _ => _ = write!(spelled, "%{byte:02x}"),
        }
    }
    if spelled.len() <= PATH_BYTES_MAX {
        assert_eq!(CanonicalPath::parse(spelled.as_bytes()).as_ref(), Ok(&path));
    }
});
