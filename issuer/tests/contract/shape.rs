//! What answers look like: the fields, ids and times of every body.

use serde_json::Value;

/// A UUID that is nobody's and nothing's.
pub(crate) const NOBODY: &str = "01890000-0000-7000-8000-00000000dead";

/// RFC 3339, UTC, `Z`, milliseconds.
#[track_caller]
pub(crate) fn assert_time(value: &Value) {
    let text = value.as_str().unwrap();
    let digits: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(digits, "0000-00-00T00:00:00.000Z", "{text}");
}

/// A `UUIDv7` in lower case.
#[track_caller]
pub(crate) fn assert_id(value: &Value) {
    let text = value.as_str().unwrap();
    let id: uuid::Uuid = text.parse().unwrap();
    assert_eq!(id.get_version_num(), 7, "{text}");
    assert_eq!(id.hyphenated().to_string(), text);
}

/// The fields of an object, in order.
pub(crate) fn fields(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// Every byte percent-encoded, for a query.
pub(crate) fn escaped(text: &str) -> String {
    text.bytes()
        .fold(String::new(), |escaped, byte| escaped + &format!("%{byte:02X}"))
}
