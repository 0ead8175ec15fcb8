use std::net::IpAddr;

use ring::hmac;
use shared::encoding::base64url;

/// What every key of ours begins with. The braces keep them all on one node of a Cluster.
const PREFIX: &str = "{usher}:limits:";

/// Bytes of a name. Nobody who lacks the secret can look for two that are the same.
const NAME_BYTES: usize = 16;

/// Bytes of an address among those of one login, which are few.
const ADDRESS_BYTES: usize = 8;

/// Which limit an address's lane belongs to.
#[derive(Clone, Copy, Debug)]
pub(in crate::rate_limit) enum Table {
    Login,
    Registration,
    Client,
}

impl Table {
    const fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Registration => "registration",
            Self::Client => "client",
        }
    }
}

/// What a login, tried from an address, is called in Redis.
#[derive(Debug)]
pub(in crate::rate_limit) struct AccountNames {
    pub(in crate::rate_limit) address_lane: String,
    pub(in crate::rate_limit) network_lane: String,
    /// The addresses that have signed in.
    pub(super) known: String,
    /// This one among them.
    pub(super) address: Vec<u8>,
}

/// Names are HMAC-SHA-256 of what they stand for.
pub(super) struct Names(hmac::Key);

impl Names {
    pub(super) fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    pub(super) fn from(&self, table: Table, address: IpAddr) -> String {
        self.name(table.name(), Some(address), "")
    }

    pub(super) fn account(&self, login: &str, address: IpAddr, network: IpAddr) -> AccountNames {
        let mut member = self.hash("address", Some(address), login);
        member.truncate(ADDRESS_BYTES);
        AccountNames {
            address_lane: self.name("address", Some(address), login),
            network_lane: self.name("network", Some(network), login),
            known: self.name("known", None, login),
            address: member,
        }
    }

    /// Names that are nobody's, to try out what the user of Redis may do.
    pub(super) fn trial(&self) -> AccountNames {
        let trial = |kind| self.name(kind, None, "");
        AccountNames {
            address_lane: trial("trial"),
            network_lane: trial("trial"),
            known: trial("trial-known"),
            address: vec![0],
        }
    }

    fn name(&self, kind: &str, ip: Option<IpAddr>, login: &str) -> String {
        let mut hash = self.hash(kind, ip, login);
        hash.truncate(NAME_BYTES);
        format!("{PREFIX}{kind}:{}", base64url(&hash))
    }

    /// The kind ends with a zero byte, the address has a fixed length, the login is the rest: no two read the same.
    fn hash(&self, kind: &str, ip: Option<IpAddr>, login: &str) -> Vec<u8> {
        let ip = ip.map_or([0; 16], |ip| match ip {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        });
        let mut hash = hmac::Context::with_key(&self.0);
        for part in [kind.as_bytes(), &[0], &ip, login.as_bytes()] {
            hash.update(part);
        }
        hash.sign().as_ref().to_vec()
    }
}
