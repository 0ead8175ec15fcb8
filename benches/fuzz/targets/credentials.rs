//! `Authorization` and `Cookie`: a header a line, a cookie where the line begins with `c`.
#![no_main]
#![expect(clippy::unwrap_used, reason = "what cannot go on fails the fuzzing")]

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use shared::credentials::{self, Credentials};

const NAME: &str = "t";

fuzz_target!(|bytes: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n').take(8) {
        let (name, value) = match line.strip_prefix(b"c") {
            Some(value) => (COOKIE, value),
            None => (AUTHORIZATION, line),
        };
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    let found = credentials::find(&headers, NAME);
    match found {
        Ok(Credentials::Bearer(token)) => {
            assert!(!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic() && byte != b','));
            assert_eq!(
                headers.get_all(AUTHORIZATION).iter().count(),
                1,
                "one of several was chosen"
            );
            let value = headers.get(AUTHORIZATION).unwrap().to_str().unwrap();
            assert!(value.trim_end().ends_with(token));
        }
        Ok(Credentials::Cookie(token)) => {
            assert!(!token.is_empty());
            assert!(
                cookies(&headers).iter().all(|value| *value == token),
                "one of several was chosen"
            );
        }
        Ok(Credentials::None) => assert_eq!(cookies(&headers), [""; 0]),
        Err(_) => {}
    }
    // A plain token is told by one pass. With a space behind it, the value takes the way of all others: to the same answer.
    let mut spelled = headers.clone();
    if let Some(value) = spelled.get_mut(AUTHORIZATION) {
        *value = HeaderValue::from_bytes(&[value.as_bytes(), b" "].concat()).unwrap();
    }
    assert_eq!(credentials::find(&spelled, NAME).map(shown), found.map(shown));
});

/// The values of our cookie that are not empty.
fn cookies(headers: &HeaderMap) -> Vec<&str> {
    let lines = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim_matches([' ', '\t']).strip_prefix("t="))
        .filter(|value| !value.is_empty())
        .collect()
}

/// `Debug` does not show a token.
fn shown(credentials: Credentials<'_>) -> (u8, &str) {
    match credentials {
        Credentials::None => (0, ""),
        Credentials::Bearer(token) => (1, token),
        Credentials::Cookie(token) => (2, token),
    }
}
