//! Who is at the far end of a connection that may come through proxies.
//!
//! Each proxy appends the address of its own peer to `X-Forwarded-For`, so that only the right end of the list, the
//! part that trusted proxies wrote, can be believed.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Entries of the list that are looked at. Nobody has that many proxies.
const HOPS_MAX: usize = 32;

/// The address of the client: that of the peer (`None`: a Unix socket), or where the peer is trusted, the rightmost
/// hop of `X-Forwarded-For` that is not. An entry that is no address ends the search at the hop before it.
///
/// IPv4 in IPv6 (`::ffff:192.0.2.1`) is answered, and compared with `trusted`, as IPv4. `None` if the peer is a Unix
/// socket and no hop is known.
pub fn client_address(
    peer: Option<IpAddr>,
    headers: &HeaderMap,
    trusted: &[IpNet],
    trust_unix: bool,
) -> Option<IpAddr> {
    let is_trusted = |hop: Option<IpAddr>| match hop {
        Some(ip) => trusted.iter().any(|net| net.contains(&ip)),
        None => trust_unix,
    };
    let mut client = peer.map(|ip| ip.to_canonical());
    // Several lines are one list (RFC 9110 section 5.3), whose empty entries mean nothing (section 5.6.1).
    let entries = headers
        .get_all(&X_FORWARDED_FOR)
        .iter()
        .rev()
        .flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|entry| !entry.is_empty());
    for entry in entries.take(HOPS_MAX) {
        if !is_trusted(client) {
            break;
        }
        let Some(hop) = hop(entry) else { break };
        client = Some(hop);
    }
    client
}

/// An address, with or without a port, in brackets or not.
fn hop(entry: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(entry).ok()?;
    let bare = || text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || {
        let inner = text.strip_prefix('[')?.strip_suffix(']')?;
        inner.parse().ok().map(IpAddr::V6)
    };
    bare()
        .or_else(with_port)
        .or_else(in_brackets)
        .map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests;
