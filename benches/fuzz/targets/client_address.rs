//! `X-Forwarded-For`: a client can write at its left end alone, and nothing there is believed. A header a line.
#![no_main]
#![expect(clippy::unwrap_used, reason = "what cannot go on fails the fuzzing")]

use std::net::{IpAddr, Ipv4Addr};

use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;
use issuer::client_address::client_address;
use libfuzzer_sys::fuzz_target;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

fuzz_target!(|bytes: &[u8]| {
    let trusted: [IpNet; 2] = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
    let lines: Vec<HeaderValue> = bytes
        .split(|byte| *byte == b'\n')
        .take(16)
        .filter_map(|line| HeaderValue::from_bytes(line).ok())
        .collect();
    let headers = |lines: &[HeaderValue]| -> HeaderMap {
        lines
            .iter()
            .map(|line| (X_FORWARDED_FOR.clone(), line.clone()))
            .collect()
    };
    let found = client_address(Some(PEER), &headers(&lines), &trusted, false).unwrap();
    assert_eq!(found, found.to_canonical());
    assert_eq!(
        client_address(Some(PEER), &headers(&lines), &[], true),
        Some(PEER)
    );
    assert_eq!(client_address(None, &headers(&lines), &trusted, false), None);
    // Whoever is not trusted is the client, whatever stands before.
    if !trusted.iter().any(|net| net.contains(&found)) {
        let before = [&[HeaderValue::from_static("10.9.9.9, 192.0.2.66")][..], &lines].concat();
        assert_eq!(
            client_address(Some(PEER), &headers(&before), &trusted, false),
            Some(found)
        );
    }
});
