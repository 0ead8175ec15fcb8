//! How often somebody may try: logins from an address, wrong passwords for a login, registrations from an address.
//!
//! Each lane is a bucket that refills evenly (GCRA), kept in the memory of this process. A table holds at most
//! [`ENTRIES_MAX`] lanes under a random keyed hash of what they are for, some 4 MiB; when it is full, lanes that are
//! empty again go first, then the half that is nearest to it, so that those who try hardest are remembered longest.

mod expiring;

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use shared::time::Clock;

use expiring::{Expiring, Key};

/// Lanes of one table, and addresses that are remembered.
pub const ENTRIES_MAX: usize = 65_536;

/// An address that has signed in keeps its own lane for this long.
const KNOWN_FOR: Duration = Duration::from_hours(30 * 24);

/// So many in a row, then evenly so many in every such time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many; none counts as one.
    pub count: u32,
    /// In how long a time.
    pub per: Duration,
}

/// The limits; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitSettings {
    /// Login attempts, good and bad, from one address (IPv6: one /64).
    pub login_per_ip: Option<Rate>,
    /// Failed logins to one login from one network (/24, IPv6 /64).
    pub login_per_account: Option<Rate>,
    /// Registrations from one address (IPv6: one /64).
    pub register_per_ip: Option<Rate>,
}

/// Too many attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts, the next may be made in {retry_after:?}")]
pub struct TooMany {
    /// When the next attempt will be admitted. Round it up for `Retry-After`, which is in whole seconds.
    pub retry_after: Duration,
}

/// The limits and what they have counted.
#[derive(Debug)]
pub struct Limits {
    login_per_ip: Option<Limiter>,
    login_per_account: Option<Limiter>,
    register_per_ip: Option<Limiter>,
    /// Addresses that have signed in, by login.
    known: Expiring,
    hashing: Hashing,
    clock: Arc<dyn Clock>,
}

impl Limits {
    /// Limits that have counted nothing yet.
    pub fn new(settings: LimitSettings, clock: Arc<dyn Clock>) -> Self {
        Self {
            login_per_ip: settings.login_per_ip.map(Limiter::new),
            login_per_account: settings.login_per_account.map(Limiter::new),
            register_per_ip: settings.register_per_ip.map(Limiter::new),
            known: Expiring::new(ENTRIES_MAX),
            hashing: Hashing::default(),
            clock,
        }
    }

    /// Counts a login attempt from this address, whatever comes of it.
    ///
    /// # Errors
    ///
    /// [`TooMany`] if the address has made too many.
    pub fn admit_login_from(&self, ip: IpAddr) -> Result<(), TooMany> {
        self.admit_from(self.login_per_ip.as_ref(), ip)
    }

    /// Counts a registration from this address.
    ///
    /// # Errors
    ///
    /// [`TooMany`] if the address has made too many.
    pub fn admit_registration_from(&self, ip: IpAddr) -> Result<(), TooMany> {
        self.admit_from(self.register_per_ip.as_ref(), ip)
    }

    /// Admits an attempt to sign in to this login, in the form of [`LoginName`](crate::login::LoginName).
    ///
    /// The attempt counts as failed from here on until it is said not to be: as many as are sent at once cannot pass
    /// before the first of them is counted, and hanging up before the answer wins nothing.
    ///
    /// # Errors
    ///
    /// [`TooMany`] if too many have failed for this login from the network of this address, or, if the address has
    /// signed in to it before, from the address itself.
    pub fn admit_login_to(&self, login: &str, ip: IpAddr) -> Result<LoginAttempt<'_>, TooMany> {
        let Some(limiter) = &self.login_per_account else {
            return Ok(LoginAttempt {
                limits: self,
                taken: None,
            });
        };
        let now = self.clock.boot().0;
        let address = self.hashing.key("address", login, address(ip));
        let lane = if self.known.holds(address, now) {
            address
        } else {
            self.hashing.key("network", login, network(ip))
        };
        limiter.take(lane, now)?;
        Ok(LoginAttempt {
            limits: self,
            taken: Some(Taken { lane, address }),
        })
    }

    fn admit_from(&self, limiter: Option<&Limiter>, ip: IpAddr) -> Result<(), TooMany> {
        limiter.map_or(Ok(()), |limiter| {
            limiter.take(self.hashing.key("from", "", address(ip)), self.clock.boot().0)
        })
    }
}

/// An attempt to sign in that was admitted. Dropped without a word, it has failed.
#[derive(Debug)]
#[must_use = "an attempt of which nothing is said has failed"]
pub struct LoginAttempt<'a> {
    limits: &'a Limits,
    taken: Option<Taken>,
}

impl LoginAttempt<'_> {
    /// The password was wrong, or the login unknown: the attempt counts.
    pub fn failed(self) {
        drop(self);
    }

    /// The user is signed in: the attempt does not count, and the address has a lane of its own from now on.
    pub fn succeeded(self) {
        if let Some(taken) = &self.taken {
            let now = self.limits.clock.boot().0;
            self.limits
                .known
                .update(taken.address, now, |_| (now.saturating_add(KNOWN_FOR), ()));
        }
        self.undecided();
    }

    /// Nothing was learnt about the password (a full queue, a database that is away), or it was right and yet did not
    /// sign in: the attempt does not count.
    pub fn undecided(self) {
        if let (Some(taken), Some(limiter)) = (&self.taken, &self.limits.login_per_account) {
            limiter.give_back(taken.lane, self.limits.clock.boot().0);
        }
    }
}

#[derive(Debug)]
struct Taken {
    lane: Key,
    address: Key,
}

/// The generic cell rate algorithm (ITU-T I.371): of each lane only the time is kept at which it will be empty.
#[derive(Debug)]
struct Limiter {
    /// What one attempt adds.
    interval: Duration,
    /// How full a lane may be for another attempt to fit.
    tolerance: Duration,
    lanes: Expiring,
}

impl Limiter {
    fn new(rate: Rate) -> Self {
        let count = rate.count.max(1);
        let interval = rate.per.checked_div(count).unwrap_or(rate.per);
        Self {
            interval,
            tolerance: interval.saturating_mul(count.saturating_sub(1)),
            lanes: Expiring::new(ENTRIES_MAX),
        }
    }

    fn take(&self, lane: Key, now: Duration) -> Result<(), TooMany> {
        self.lanes.update(lane, now, |empty_at| {
            let excess = empty_at.saturating_sub(now).saturating_sub(self.tolerance);
            if excess.is_zero() {
                (empty_at.saturating_add(self.interval), Ok(()))
            } else {
                (empty_at, Err(TooMany { retry_after: excess }))
            }
        })
    }

    fn give_back(&self, lane: Key, now: Duration) {
        self.lanes
            .update(lane, now, |empty_at| (empty_at.saturating_sub(self.interval), ()));
    }
}

/// Two keyed hashes make a key: nobody outside can find two names with the same one, and names take no memory.
#[derive(Debug, Default)]
struct Hashing(RandomState, RandomState);

impl Hashing {
    fn key(&self, kind: &str, login: &str, ip: IpAddr) -> Key {
        let name = (kind, login, ip);
        Key(self.0.hash_one(name), self.1.hash_one(name))
    }
}

/// Whom an address belongs to: IPv6 gives each connection a /64.
fn address(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64))),
    }
}

/// The network of an address: /24, or /64.
fn network(ip: IpAddr) -> IpAddr {
    match address(ip) {
        IpAddr::V4(ip) => IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() & (u32::MAX << 8))),
        IpAddr::V6(ip) => IpAddr::V6(ip),
    }
}

#[cfg(test)]
mod tests;
