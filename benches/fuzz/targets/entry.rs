//! Entries of the feed: there is one text for each, so that what is read is written as it came.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::feed::entry::{self, Entry};

fuzz_target!(|bytes: &[u8]| {
    match Entry::read(bytes) {
        Ok(Entry::Revocation(revocation)) => {
            assert_eq!(entry::encode(&revocation), bytes);
            assert_eq!(entry::decode(bytes), Ok(revocation));
        }
        Ok(Entry::Labels(changes)) => assert_eq!(entry::encode_labels(&changes), bytes),
        Err(_) => {}
    }
});
