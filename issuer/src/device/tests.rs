use http::HeaderValue;
use proptest::prelude::*;

use super::*;

fn clean(bytes: &[u8]) -> Option<String> {
    let value = HeaderValue::from_bytes(bytes).unwrap();
    clean_user_agent(&[(USER_AGENT, value)].into_iter().collect())
}

#[test]
fn browsers_are_named_with_their_system() {
    for (user_agent, name) in [
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Firefox on Windows",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
            "Safari on macOS",
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
            "Chrome on Linux",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        (
            "Mozilla/5.0 (Linux; Android 14; SM-S928B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36",
            "Samsung Internet on Android",
        ),
        (
            "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
            "Chrome on ChromeOS",
        ),
    ] {
        assert_eq!(device(user_agent).as_deref(), Some(name), "{user_agent}");
    }
}

#[test]
fn programs_go_by_their_own_name() {
    assert_eq!(device("curl/8.14.1").as_deref(), Some("curl"));
    assert_eq!(
        device("python-requests/2.32.4").as_deref(),
        Some("python-requests")
    );
    assert_eq!(device("okhttp/5.0.0 (an app)").as_deref(), Some("okhttp"));
}

#[test]
fn what_tells_nothing_has_no_name() {
    for user_agent in [
        "",
        "-",
        "Mozilla/5.0",
        "\u{202e}evil",
        "<script>",
        "12345",
        &"a".repeat(512),
    ] {
        assert_eq!(device(user_agent), None, "{user_agent}");
    }
}

#[test]
fn a_user_agent_is_made_fit_to_be_shown() {
    assert_eq!(clean_user_agent(&HeaderMap::new()), None);
    assert_eq!(clean(b""), None);
    assert_eq!(clean(b" \t "), None);
    assert_eq!(clean(b"curl/8.14.1").as_deref(), Some("curl/8.14.1"));
    assert_eq!(clean(b"a\tb\xffc").as_deref(), Some("ab\u{fffd}c"));
    assert_eq!(
        clean("a\u{85}b\u{202e}c\u{2028}d".as_bytes()).as_deref(),
        Some("abcd")
    );
    assert_eq!(clean("é".repeat(300).as_bytes()), Some("é".repeat(256)));
    // No boundary at 512.
    assert_eq!(clean("€".repeat(300).as_bytes()), Some("€".repeat(170)));
}

proptest! {
    // Unoptimised, the expressions take their time.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn anything_is_cleaned_and_named(
        bytes in proptest::collection::vec(prop_oneof![Just(b'\t'), 0x20..=0x7e_u8, 0x80..=0xff_u8], 0..1000)
    ) {
        if let Some(text) = clean(&bytes) {
            prop_assert!(text.len() <= USER_AGENT_BYTES_MAX);
            prop_assert!(!text.chars().any(char::is_control));
            // Nothing that a client sends may be a panic; a name is shorter than a line.
            prop_assert!(device(&text).is_none_or(|name| name.len() < 64));
        }
    }

    #[test]
    fn anything_like_a_browser_is_named(
        words in proptest::collection::vec(prop::sample::select(vec![
            "Mozilla/5.0", "(Windows NT", "10.0;", "Windows", "Phone OS", "like Mac OS X)", "iPhone;", "Linux; Android",
            "Firefox/", "Chrome/1.", "Safari/", "Version/", "MSIE ", "Trident/7.0;", "DoCoMo/2.0 ", "KDDI-", "SoftBank/1.0/",
            "PlayStation 4", "Nintendo", "bot/", "Opera/", "GSA/", "BlackBerry", "CFNetwork", "é", ";", ")", "UP.Browser",
        ]), 0..12)
    ) {
        prop_assert!(device(&words.concat()).is_none_or(|name| name.len() < 64));
    }
}
