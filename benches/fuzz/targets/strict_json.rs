//! JSON without a name twice: what is read is what another reader reads, and is read again when it is written.
#![no_main]
#![expect(clippy::unwrap_used, reason = "what cannot go on fails the fuzzing")]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use shared::strict_json::{self, StrictJsonError};

fuzz_target!(|json: &[u8]| {
    let plain = serde_json::from_slice::<Value>(json);
    match strict_json::parse(json) {
        // `serde_json` has a name that it does not take for one.
        Ok(value) if has_name_of_library(&value) => {}
        Ok(value) => {
            assert_eq!(plain.unwrap(), value);
            let written = serde_json::to_vec(&value).unwrap();
            // A fraction may have another last digit.
            let read = serde_json::from_slice::<Value>(&written).unwrap();
            assert_eq!(strict_json::parse(&written), Ok(read));
        }
        // What is JSON to others is refused for a reason.
        Err(StrictJsonError::Syntax) => assert!(plain.is_err()),
        Err(StrictJsonError::DuplicateName(_) | StrictJsonError::TooDeep) => {}
    }
});

fn has_name_of_library(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.iter().any(has_name_of_library),
        Value::Object(object) => object
            .iter()
            .any(|(name, value)| name.starts_with("$serde_json::private::") || has_name_of_library(value)),
        _ => false,
    }
}
