use proptest::prelude::*;

use super::*;

fn parsed(target: &str) -> Result<String, PathError> {
    CanonicalPath::parse(target.as_bytes()).map(|path| path.as_str().to_owned())
}

#[test]
fn a_plain_path_is_read_as_it_stands() {
    for (target, path) in [
        ("/", "/"),
        ("/a", "/a"),
        ("/a/b.c/...", "/a/b.c/..."),
        ("/api/v1/films/0198", "/api/v1/films/0198"),
        ("/~x/-_.!$&'()*+,=:@|[]{}\"", "/~x/-_.!$&'()*+,=:@|[]{}\""),
        ("/.well-known/jwks.json", "/.well-known/jwks.json"),
        ("/..a/a..", "/..a/a.."),
    ] {
        assert_eq!(parsed(target).as_deref(), Ok(path), "{target}");
        let read = CanonicalPath::parse(target.as_bytes());
        assert!(
            matches!(read, Ok(CanonicalPath(Cow::Borrowed(_)))),
            "{target} is borrowed"
        );
    }
}

#[test]
fn what_is_encoded_is_decoded_once() {
    for (target, path) in [
        ("/%61", "/a"),
        ("/%7Euser", "/~user"),
        ("/a%20b", "/a b"),
        ("/%D0%BA%D0%B8%D0%BD%D0%BE", "/кино"),
        ("/%d0%ba", "/к"),
        ("/100%25", "/100%"),
        ("/100%25/x", "/100%/x"),
        ("/%25zz", "/%zz"),
        ("/%25a", "/%a"),
        ("/a%3Fb", "/a?b"),
        ("/a%23b", "/a#b"),
        ("/%2e%2e%2e", "/..."),
        ("/%F0%9F%8E%AC", "/🎬"),
    ] {
        assert_eq!(parsed(target).as_deref(), Ok(path), "{target}");
    }
}

#[test]
fn query_and_trailing_slash_make_no_difference() {
    for target in [
        "/a/b",
        "/a/b/",
        "/a/b?",
        "/a/b?x=/../%zz;\\",
        "/a/b?x#y",
        "/a/%62/",
        "/a/b?\u{e9}",
    ] {
        assert_eq!(parsed(target).as_deref(), Ok("/a/b"), "{target}");
    }
    for target in ["/", "/?", "/?#", "/?/a/b"] {
        assert_eq!(parsed(target).as_deref(), Ok("/"), "{target}");
    }
}

/// Attack: a path that a proxy, the verifier and the service could read differently: dot segments, doubled slashes,
/// encoded slashes, NUL, `;`, double encoding
/// Source: CWE-22, CWE-180, CVE-2021-41773, RFC 3986 section 6
/// Result: it has no reading, which is 403 `request` on every endpoint
#[test]
fn every_other_spelling_is_refused() {
    use PathError::*;
    for (target, error) in [
        // Not origin-form.
        ("", NotOriginForm),
        ("*", NotOriginForm),
        ("a", NotOriginForm),
        ("?a", NotOriginForm),
        ("#", NotOriginForm),
        ("http://example.org/a", NotOriginForm),
        ("HTTP://example.org", NotOriginForm),
        ("example.org:443", NotOriginForm),
        ("%2Fa", NotOriginForm),
        ("\\a", NotOriginForm),
        // Doubled slashes.
        ("//", EmptySegment),
        ("//example.org/a", EmptySegment),
        ("/a//b", EmptySegment),
        ("/a//", EmptySegment),
        ("///", EmptySegment),
        ("/a%2Fb", EncodedSlash),
        ("/a%2fb", EncodedSlash),
        ("/%2F", EncodedSlash),
        ("/%2f%2f", EncodedSlash),
        // Dot segments.
        ("/.", DotSegment),
        ("/./a", DotSegment),
        ("/a/.", DotSegment),
        ("/..", DotSegment),
        ("/a/../b", DotSegment),
        ("/a/../", DotSegment),
        ("/%2e", DotSegment),
        ("/%2E/a", DotSegment),
        ("/a/%2e%2e/b", DotSegment),
        ("/a/%2E%2E", DotSegment),
        ("/a/.%2e/b", DotSegment),
        ("/a/%2e./b", DotSegment),
        ("/a/..?x", DotSegment),
        // A fragment.
        ("/a#b", Fragment),
        ("/#", Fragment),
        ("/a#", Fragment),
        ("/a#?b", Fragment),
        ("/open#/../admin", Fragment),
        ("/a/..#x", Fragment),
        // Backslash.
        ("/a\\b", Backslash),
        ("/a%5Cb", Backslash),
        ("/a%5cb", Backslash),
        ("/..\\", Backslash),
        ("/..%5c..", Backslash),
        // Semicolon.
        ("/a;b", Semicolon),
        ("/a;", Semicolon),
        ("/..;/a", Semicolon),
        ("/a%3Bb", Semicolon),
        ("/a%3bb", Semicolon),
        // Control characters and the raw space.
        ("/a%00", Control),
        ("/%00", Control),
        ("/a%0d%0ab", Control),
        ("/a%09", Control),
        ("/a%1F", Control),
        ("/a%7f", Control),
        ("/a%C2%80", Control),
        ("/a%C2%9F", Control),
        ("/a\0", Control),
        ("/a\tb", Control),
        ("/a\r\n", Control),
        ("/a b", Control),
        ("/a\u{7f}", Control),
        // Invalid percent-encoding.
        ("/%", InvalidEncoding),
        ("/%2", InvalidEncoding),
        ("/a%zz", InvalidEncoding),
        ("/a%2", InvalidEncoding),
        ("/a%2g", InvalidEncoding),
        ("/%%41", InvalidEncoding),
        ("/%u002f", InvalidEncoding),
        ("/% 2f", Control),
        ("/%+1", InvalidEncoding),
        ("/%2/a", InvalidEncoding),
        // A second layer, however the first one spells it.
        ("/%252f", EncodedTwice),
        ("/%252e%252e", EncodedTwice),
        ("/%2500", EncodedTwice),
        ("/%2541", EncodedTwice),
        ("/%25%34%31", EncodedTwice),
        ("/%254%31", EncodedTwice),
        ("/%25%341", EncodedTwice),
        ("/%25252f", EncodedTwice),
        // No UTF-8: overlong, surrogate, lone, cut off, beyond the last character.
        ("/%c0%af", NotUtf8),
        ("/%e0%80%af", NotUtf8),
        ("/%f0%80%80%af", NotUtf8),
        ("/%c0%ae%c0%ae/", NotUtf8),
        ("/%c1%9c", NotUtf8),
        ("/%c0%80", NotUtf8),
        ("/%ed%a0%80", NotUtf8),
        ("/%80", NotUtf8),
        ("/%ff", NotUtf8),
        ("/%d0", NotUtf8),
        ("/%d0/%ba", NotUtf8),
        ("/%f5%80%80%80", NotUtf8),
        // Raw bytes outside ASCII.
        ("/кино", NotAscii),
        ("/\u{ff0e}\u{ff0e}/", NotAscii),
    ] {
        assert_eq!(parsed(target), Err(error), "{target:?}");
    }
    assert_eq!(CanonicalPath::parse(b"/a\xff").map(|_| ()), Err(NotAscii));
    assert_eq!(CanonicalPath::parse(b"/\xc0\xaf").map(|_| ()), Err(NotAscii));
}

/// Attack: a path of more than 8 KiB
/// Source: CWE-770
/// Result: it is refused
#[test]
fn the_length_is_bounded_and_the_query_does_not_count() {
    let longest = format!("/{}", "a".repeat(PATH_BYTES_MAX - 1));
    assert!(parsed(&longest).is_ok());
    assert!(parsed(&format!("{longest}?{longest}")).is_ok());
    assert_eq!(parsed(&format!("{longest}a")), Err(PathError::TooLong));
}

#[test]
fn segments_are_the_decoded_parts() {
    let path = CanonicalPath::parse(b"/a/b%20c/").unwrap();
    assert_eq!(path.segments().collect::<Vec<_>>(), ["a", "b c"]);
    assert_eq!(CanonicalPath::parse(b"/").unwrap().segments().count(), 0);
}

/// Bytes that matter to a path more often than chance would have them.
fn tricky_target() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        prop::sample::select(vec![
            &b"/"[..],
            b".",
            b"..",
            b"%",
            b"%2f",
            b"%2e",
            b"%25",
            b"%5c",
            b"%3b",
            b"%00",
            b"%c0%af",
            b"%d0%ba",
            b";",
            b"\\",
            b"?",
            b"#",
            b"a",
            b"B",
            b"4",
            b"1",
            b"%41",
            b"%20",
            b"*",
            b"//",
            b"http:",
        ])
        .prop_map(<[u8]>::to_vec),
        prop::collection::vec(any::<u8>(), 0..3),
    ];
    (any::<bool>(), prop::collection::vec(part, 0..12)).prop_map(|(slash, parts)| {
        let start: &[u8] = if slash { b"/" } else { b"" };
        [start.to_vec(), parts.concat()].concat()
    })
}

/// Percent-encodes every byte of a segment, so that nothing about its spelling is left to chance.
fn encoded(path: &CanonicalPath<'_>) -> Vec<u8> {
    use std::fmt::Write as _;
    let mut target = String::new();
    for segment in path.segments() {
        target.push('/');
        for byte in segment.bytes() {
            write!(target, "%{byte:02x}").unwrap();
        }
    }
    if target.is_empty() {
        b"/".to_vec()
    } else {
        target.into_bytes()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn what_is_read_in_one_pass_is_read_as_everything_else(target in tricky_target()) {
        prop_assert_eq!(CanonicalPath::parse(&target), CanonicalPath::read(&target));
    }

    /// Attack: any path at all, made at random
    /// Source: CWE-180
    /// Result: what is taken has one reading, decoded once
    #[test]
    fn whatever_is_taken_has_one_reading(target in tricky_target()) {
        let Ok(path) = CanonicalPath::parse(&target) else { return Ok(()) };
        let text = path.as_str();
        prop_assert!(text.starts_with('/'));
        prop_assert!(text == "/" || !text.ends_with('/'));
        prop_assert!(!text.contains("//") && !text.contains('\\') && !text.contains(';'));
        prop_assert!(!text.chars().any(char::is_control));
        prop_assert!(path.segments().all(|segment| segment != "." && segment != ".."));
        // As many segments as there are in the raw bytes: no encoding can hide a boundary.
        let raw = target.split(|byte| *byte == b'?').next().unwrap();
        prop_assert_eq!(
            path.segments().count(),
            raw.split(|byte| *byte == b'/').filter(|segment| !segment.is_empty()).count()
        );
    }

    #[test]
    fn the_spelling_makes_no_difference(target in tricky_target()) {
        let Ok(path) = CanonicalPath::parse(&target) else { return Ok(()) };
        let again = encoded(&path);
        let read = CanonicalPath::parse(&again);
        prop_assert_eq!(read.as_ref(), Ok(&path));
    }

    #[test]
    fn nothing_panics(target in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = CanonicalPath::parse(&target);
    }
}
