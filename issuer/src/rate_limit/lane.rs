use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::expiring::{Expiring, Key};
use super::{ENTRIES_MAX, Rate, TooMany};

/// The generic cell rate algorithm (ITU-T I.371): of each lane only the time is kept at which it will be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gcra {
    /// What one attempt adds.
    pub(super) interval: Duration,
    /// How full a lane may be for another attempt to fit.
    pub(super) tolerance: Duration,
}

impl From<Rate> for Gcra {
    fn from(rate: Rate) -> Self {
        let count = rate.count.max(1);
        let interval = rate.per.checked_div(count).unwrap_or(rate.per);
        Self {
            interval,
            tolerance: interval.saturating_mul(count.saturating_sub(1)),
        }
    }
}

/// The lanes of one limit, in memory.
#[derive(Debug)]
pub(super) struct Limiter {
    pub(super) gcra: Gcra,
    pub(super) lanes: Expiring,
}

impl Limiter {
    pub(super) fn new(rate: Rate) -> Self {
        Self {
            gcra: rate.into(),
            lanes: Expiring::new(ENTRIES_MAX),
        }
    }

    pub(super) fn take(&self, lane: Key, now: Duration) -> Result<(), TooMany> {
        self.lanes.update(lane, now, |empty_at| {
            let excess = empty_at.saturating_sub(now).saturating_sub(self.gcra.tolerance);
            if excess.is_zero() {
                (empty_at.saturating_add(self.gcra.interval), Ok(()))
            } else {
                (empty_at, Err(TooMany { retry_after: excess }))
            }
        })
    }

    /// Whether another attempt fits, which is not counted.
    pub(super) fn check(&self, lane: Key, now: Duration) -> Result<(), TooMany> {
        self.lanes.update(lane, now, |empty_at| {
            let excess = empty_at.saturating_sub(now).saturating_sub(self.gcra.tolerance);
            let verdict = if excess.is_zero() {
                Ok(())
            } else {
                Err(TooMany { retry_after: excess })
            };
            (empty_at, verdict)
        })
    }

    /// Counts an attempt whether it fits or not, up to a lane twice full: so many at once that all were found to fit are
    /// paid for afterwards. With `elsewhere` the lane is at least as full as it is said to be there.
    pub(super) fn add(&self, lane: Key, now: Duration, elsewhere: Option<TooMany>) {
        let Gcra { interval, tolerance } = self.gcra;
        let twice_full = now.saturating_add(tolerance.saturating_add(interval).saturating_mul(2));
        let told = elsewhere.map_or(Duration::ZERO, |too_many| {
            now.saturating_add(tolerance).saturating_add(too_many.retry_after)
        });
        self.lanes.update(lane, now, |empty_at| {
            let counted = empty_at.saturating_add(interval);
            (counted.max(told).min(twice_full), ())
        });
    }

    pub(super) fn give_back(&self, lane: Key, now: Duration) {
        self.lanes.update(lane, now, |empty_at| {
            (empty_at.saturating_sub(self.gcra.interval), ())
        });
    }
}

/// Two keyed hashes make a key: nobody outside can find two names with the same one, and names take no memory.
#[derive(Debug, Default)]
pub(super) struct Hashing(RandomState, RandomState);

impl Hashing {
    pub(super) fn key(&self, kind: &str, login: &str, ip: IpAddr) -> Key {
        let name = (kind, login, ip);
        Key(self.0.hash_one(name), self.1.hash_one(name))
    }
}

/// Whom an address belongs to: IPv6 gives each connection a /64.
pub(super) fn address(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64))),
    }
}

/// The network of an address: /24, or /64.
pub(super) fn network(ip: IpAddr) -> IpAddr {
    match address(ip) {
        IpAddr::V4(ip) => IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() & (u32::MAX << 8))),
        IpAddr::V6(ip) => IpAddr::V6(ip),
    }
}
