use super::*;

#[test]
fn an_inquiry_is_shown_without_its_token() {
    let inquiry = Inquiry {
        method: "GET".to_owned(),
        uri: "/".to_owned(),
        host: None,
        token: Some("eyJhbGciOi".to_owned()),
    };
    assert!(!format!("{inquiry:?}").contains("eyJ"));
}

#[test]
fn what_cannot_be_read_says_why() {
    let inquiry = |uri: &str| Inquiry {
        method: "GET".to_owned(),
        uri: uri.to_owned(),
        host: None,
        token: None,
    };
    assert_eq!(
        unreadable_because(&inquiry("/a/../b")),
        "the path has a dot segment"
    );
    assert!(unreadable_because(&inquiry("/a")).starts_with("method, host or token"));
}
