use http::HeaderValue;
use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn forwarded(lines: &[&[u8]]) -> HeaderMap {
    let values = lines.iter().map(|line| HeaderValue::from_bytes(line).unwrap());
    values.map(|value| (X_FORWARDED_FOR.clone(), value)).collect()
}

/// The client behind 127.0.0.1, where loopback and 10.0.0.0/8 are trusted.
fn behind(lines: &[&[u8]]) -> String {
    let trusted = ["127.0.0.0/8", "10.0.0.0/8", "::1/128"].map(|net| net.parse().unwrap());
    client_address(Some(ip("127.0.0.1")), &forwarded(lines), &trusted, true)
        .unwrap()
        .to_string()
}

/// Attack: `X-Forwarded-For` from somebody who is no proxy of ours
/// Source: CWE-348
/// Result: the peer counts
#[test]
fn a_peer_that_is_not_trusted_speaks_for_itself() {
    let headers = forwarded(&[b"192.0.2.1"]);
    let trusted = ["10.0.0.0/8".parse().unwrap()];
    let peer = Some(ip("198.51.100.7"));
    assert_eq!(client_address(peer, &headers, &trusted, true), peer);
    assert_eq!(client_address(None, &headers, &trusted, false), None);
    assert_eq!(
        client_address(None, &headers, &trusted, true),
        Some(ip("192.0.2.1"))
    );
    assert_eq!(client_address(None, &HeaderMap::new(), &trusted, true), None);
}

#[test]
fn the_rightmost_untrusted_hop_is_the_client() {
    assert_eq!(behind(&[]), "127.0.0.1");
    assert_eq!(behind(&[b"192.0.2.1"]), "192.0.2.1");
    assert_eq!(
        behind(&[b"203.0.113.9, 192.0.2.1"]),
        "192.0.2.1",
        "what the client wrote is not believed"
    );
    assert_eq!(behind(&[b"192.0.2.1, 10.1.2.3 ,10.4.5.6"]), "192.0.2.1");
    assert_eq!(
        behind(&[b"10.9.9.9, 10.1.2.3"]),
        "10.9.9.9",
        "all are trusted: the farthest"
    );
}

#[test]
fn lines_are_joined_in_their_order() {
    assert_eq!(behind(&[b"203.0.113.9", b"192.0.2.1, 10.1.2.3"]), "192.0.2.1");
    assert_eq!(behind(&[b"203.0.113.9, 192.0.2.1", b"10.1.2.3"]), "192.0.2.1");
    assert_eq!(behind(&[b"192.0.2.1,, ", b"", b"10.1.2.3"]), "192.0.2.1");
}

#[test]
fn addresses_come_in_every_spelling() {
    for (entry, address) in [
        ("192.0.2.1:4711", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:4711", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
    ] {
        assert_eq!(behind(&[entry.as_bytes()]), address, "{entry}");
    }
    assert_eq!(
        behind(&[b"192.0.2.1, ::ffff:10.1.2.3"]),
        "192.0.2.1",
        "a mapped hop is trusted as IPv4"
    );
    let trusted = ["10.0.0.0/8".parse().unwrap()];
    let mapped = Some(ip("::ffff:10.0.0.1"));
    let client = client_address(mapped, &forwarded(&[b"192.0.2.1"]), &trusted, false);
    assert_eq!(client, Some(ip("192.0.2.1")), "and so is a mapped peer");
}

#[test]
fn garbage_ends_the_walk_at_the_last_good_hop() {
    for garbage in [
        b"unknown".as_slice(),
        b"_hidden",
        b"192.0.2.1.5",
        b"192.0.2.1:99999",
        b"[192.0.2.1]",
        b"fe80::1%eth0",
        b"\xff\xfe",
        b"\"192.0.2.1\"",
    ] {
        assert_eq!(behind(&[garbage]), "127.0.0.1", "{garbage:?}");
        assert_eq!(
            behind(&[b"192.0.2.1", garbage, b"10.1.2.3"]),
            "10.1.2.3",
            "{garbage:?}"
        );
    }
}

#[test]
fn the_walk_is_bounded() {
    let hops = |count: usize| format!("192.0.2.1{}", ", 10.1.2.3".repeat(count));
    assert_eq!(behind(&[hops(HOPS_MAX - 1).as_bytes()]), "192.0.2.1");
    assert_eq!(behind(&[hops(HOPS_MAX).as_bytes()]), "10.1.2.3");
}

proptest! {
    /// Attack: addresses of the client's own in `X-Forwarded-For`, to get round a limit
    /// Source: CWE-348
    /// Result: the rightmost hop that is not trusted counts
    #[test]
    fn what_the_client_wrote_to_the_left_changes_nothing(
        line in proptest::collection::vec(prop_oneof![Just(b','), Just(b'1'), Just(b'.'), 0x20..0x7f_u8, 0x80..=0xff_u8], 0..60)
    ) {
        prop_assert_eq!(behind(&[&line, b"192.0.2.1, 10.1.2.3"]), "192.0.2.1");
    }
}
