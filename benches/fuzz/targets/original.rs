//! What proxies say that a client asked: the endpoint, and a header a line behind a letter for its name.
#![no_main]
#![expect(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what cannot go on fails the fuzzing"
)]

use http::{HeaderName, HeaderValue, Request};
use libfuzzer_sys::fuzz_target;
use shared::host::CanonicalHost;
use shared::path::CanonicalPath;
use verifier::http::Endpoint;
use verifier::http::original::Original;

const NAMES: [&str; 8] = [
    "x-original-method",
    "x-original-uri",
    "x-original-host",
    "x-forwarded-method",
    "x-forwarded-uri",
    "x-forwarded-host",
    "x-forwarded-proto",
    "host",
];

fuzz_target!(|bytes: &[u8]| {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let target = lines.next().unwrap_or_default();
    let Some(endpoint) = std::str::from_utf8(target).ok().and_then(Endpoint::of) else {
        return;
    };
    let Ok(mut parts) = Request::get(target)
        .body(())
        .map(|request| request.into_parts().0)
    else {
        return;
    };
    for line in lines.take(16) {
        let Some((name, value)) = line.split_first() else {
            continue;
        };
        let name = NAMES[usize::from(name.saturating_sub(b'a')) % NAMES.len()];
        if let Ok(value) = HeaderValue::from_bytes(value) {
            parts.headers.append(HeaderName::from_static(name), value);
        }
    }
    let Ok(original) = Original::read(endpoint, &parts) else {
        return;
    };
    let [method, uri, host] = match endpoint {
        Endpoint::AuthRequest => ["x-original-method", "x-original-uri", "x-original-host"],
        Endpoint::ForwardAuth => ["x-forwarded-method", "x-forwarded-uri", "x-forwarded-host"],
        Endpoint::ExtAuthz => ["", "", "host"],
        Endpoint::Grpc => panic!("it was read from headers"),
    };
    let values = |name: &str| parts.headers.get_all(name).iter().collect::<Vec<_>>();
    let is_token =
        |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    assert!(!original.method.is_empty() && original.method.bytes().all(is_token));
    // It is told by its own family's headers alone, each of which stands there once.
    if endpoint != Endpoint::ExtAuthz {
        assert_eq!(values(method), [original.method]);
        let [uri] = values(uri)[..] else {
            panic!("{uri} stands there several times");
        };
        assert_eq!(CanonicalPath::parse(uri.as_bytes()).as_ref(), Ok(&original.path));
    }
    match (&original.host, &values(host)[..]) {
        (Some(read), [said]) => assert_eq!(CanonicalHost::parse(said.as_bytes()).as_ref(), Ok(read)),
        (None, []) => {}
        (read, said) => panic!("{read:?} from {said:?}"),
    }
    // And so others' headers change nothing.
    let mut other = parts.clone();
    for name in NAMES
        .iter()
        .filter(|name| ![method, uri, host, "x-forwarded-proto"].contains(name))
    {
        other.headers.insert(*name, HeaderValue::from_static("/evil"));
    }
    assert_eq!(Original::read(endpoint, &other).as_ref(), Ok(&original));
});
