//! Where to listen, and whom to believe.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::de::{Deserialize, Deserializer};

use super::error::UnfitText;
use super::list::OneOrMany;
use super::units::deserialize_from_text;

/// An address to listen on: `host:port`, where the host is an IP address (IPv6 in brackets) or a name, or
/// `unix:/path` of a Unix socket. Port 0 takes a free one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ListenAddress {
    /// A TCP port.
    Tcp {
        /// An IP address without brackets, or a name to be resolved.
        host: String,
        /// The port.
        port: u16,
    },
    /// A Unix socket at this path.
    Unix(PathBuf),
}

const ADDRESS: &str = "`host:port` such as `127.0.0.1:8080` or `[::1]:8080`, or `unix:/path/of/socket`";

impl ListenAddress {
    /// A TCP port, for defaults.
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self::Tcp {
            host: host.into(),
            port,
        }
    }
}

impl FromStr for ListenAddress {
    type Err = UnfitText;

    fn from_str(text: &str) -> Result<Self, UnfitText> {
        let text = text.trim();
        let address = match text.strip_prefix("unix:") {
            Some(path) => (!path.is_empty()).then(|| Self::Unix(path.into())),
            None => parse_tcp(text),
        };
        address.ok_or(UnfitText { expected: ADDRESS })
    }
}

fn parse_tcp(text: &str) -> Option<ListenAddress> {
    let (host, port) = text.rsplit_once(':')?;
    // `parse` would take a sign.
    let digits = !port.is_empty() && port.bytes().all(|c| c.is_ascii_digit());
    let port: u16 = port.parse().ok().filter(|_| digits)?;
    let host = if let Some(bracketed) = host.strip_prefix('[') {
        let address = bracketed.strip_suffix(']')?;
        address.parse::<std::net::Ipv6Addr>().ok().map(|_| address)?
    } else {
        let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_');
        Some(host).filter(|host| !host.is_empty() && host.bytes().all(plain))?
    };
    Some(ListenAddress::Tcp {
        host: host.to_owned(),
        port,
    })
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

deserialize_from_text!(ListenAddress, ADDRESS);

/// Peers that are believed in what they say of others: networks (`10.0.0.0/8`), single addresses, `loopback`
/// (127.0.0.0/8 and `::1`) and `unix` (whoever can connect to a Unix socket of ours).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedPeers {
    networks: Vec<IpNet>,
    unix: bool,
}

const PEER: &str = "a network such as `10.0.0.0/8`, an address, `loopback` or `unix`";

impl TrustedPeers {
    /// Nobody.
    pub const fn none() -> Self {
        Self {
            networks: Vec::new(),
            unix: false,
        }
    }

    /// Whether the peer at this address is one of them. An IPv4 address is itself in IPv6 clothes too.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// The networks.
    pub fn networks(&self) -> &[IpNet] {
        &self.networks
    }

    /// Whether peers at Unix sockets are among them.
    pub const fn trusts_unix(&self) -> bool {
        self.unix
    }
}

impl Default for TrustedPeers {
    /// `loopback` and `unix`.
    fn default() -> Self {
        Self {
            networks: loopback().into(),
            unix: true,
        }
    }
}

fn loopback() -> [IpNet; 2] {
    [
        IpNet::V4(Ipv4Net::new_assert(std::net::Ipv4Addr::new(127, 0, 0, 0), 8)),
        IpNet::V6(Ipv6Net::new_assert(std::net::Ipv6Addr::LOCALHOST, 128)),
    ]
}

/// One entry of [`TrustedPeers`].
#[derive(Clone, Debug)]
enum TrustedPeer {
    Network(IpNet),
    Loopback,
    Unix,
}

impl FromStr for TrustedPeer {
    type Err = UnfitText;

    fn from_str(text: &str) -> Result<Self, UnfitText> {
        match text.trim() {
            "loopback" => Ok(Self::Loopback),
            "unix" => Ok(Self::Unix),
            text => text
                .parse::<IpNet>()
                .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
                .map(|network| Self::Network(network.trunc()))
                .map_err(|_| UnfitText { expected: PEER }),
        }
    }
}

deserialize_from_text!(TrustedPeer, PEER);

impl FromIterator<TrustedPeer> for TrustedPeers {
    fn from_iter<I: IntoIterator<Item = TrustedPeer>>(entries: I) -> Self {
        let mut peers = Self::none();
        for entry in entries {
            match entry {
                TrustedPeer::Network(network) => peers.networks.push(network),
                TrustedPeer::Loopback => peers.networks.extend(loopback()),
                TrustedPeer::Unix => peers.unix = true,
            }
        }
        peers
    }
}

impl FromStr for TrustedPeers {
    type Err = UnfitText;

    /// Reads entries parted by commas.
    fn from_str(text: &str) -> Result<Self, UnfitText> {
        text.split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(str::parse::<TrustedPeer>)
            .collect()
    }
}

impl<'de> Deserialize<'de> for TrustedPeers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        OneOrMany::<TrustedPeer>::deserialize(deserializer).map(|entries| entries.0.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_addresses_are_ports_or_sockets() {
        for (text, expected) in [
            ("127.0.0.1:8080", ListenAddress::tcp("127.0.0.1", 8080)),
            ("[::1]:0", ListenAddress::tcp("::1", 0)),
            ("localhost:65535", ListenAddress::tcp("localhost", 65535)),
            (
                "unix:/run/usher.sock",
                ListenAddress::Unix("/run/usher.sock".into()),
            ),
        ] {
            assert_eq!(text.parse().as_ref(), Ok(&expected));
            assert_eq!(expected.to_string(), text);
        }
        for text in [
            "",
            "8080",
            ":8080",
            "127.0.0.1",
            "::1:80",
            "[::1]",
            "[x]:1",
            "host:65536",
            "h:+1",
            "h:",
            "unix:",
            "a b:1",
            "http://h:1",
        ] {
            assert!(text.parse::<ListenAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn peers_are_trusted_by_network_and_by_kind() {
        let peers: TrustedPeers = "10.1.0.0/16, 192.0.2.7, 2001:db8::/32".parse().unwrap();
        for (address, trusted) in [
            ("10.1.255.1", true),
            ("10.2.0.1", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("::ffff:10.1.0.1", true),
            ("2001:db8::1", true),
            ("127.0.0.1", false),
        ] {
            assert_eq!(peers.contains(address.parse().unwrap()), trusted, "{address}");
        }
        assert!(!peers.trusts_unix());
        assert_eq!("loopback,unix".parse(), Ok(TrustedPeers::default()));
        assert_eq!("".parse(), Ok(TrustedPeers::none()));
        assert!("10.0.0.0/33".parse::<TrustedPeers>().is_err());
        assert!("everyone".parse::<TrustedPeers>().is_err());
    }
}
