//! How often somebody may try: logins from an address, wrong passwords for a login, registrations from an address, wrong
//! secrets of clients from an address.
//!
//! Each lane is a bucket that refills evenly (GCRA), kept in the memory of this process. A table holds at most
//! [`ENTRIES_MAX`] lanes under a random keyed hash of what they are for, some 4 MiB; when it is full, lanes that are
//! empty again go first, then the half that is nearest to it, so that those who try hardest are remembered longest.
//!
//! With [`CentralLanes`] the same lanes are in Redis too, where all issuers fill them, and an attempt has to fit both. So
//! when Redis is away, or has lost what it knew, each issuer still knows what itself has counted, and no limit vanishes;
//! and an attempt that fits is never refused for Redis's sake.

mod central;
mod expiring;
mod lane;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use shared::time::Clock;

use central::{AccountNames, Table};
use expiring::{Expiring, Key};
use lane::{Gcra, Hashing, Limiter, address, network};

pub use central::CentralLanes;

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
    /// Clients with a wrong secret, or of no known name, from one address (IPv6: one /64).
    pub client_per_ip: Option<Rate>,
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
    client_per_ip: Option<Limiter>,
    /// Addresses that have signed in, by login.
    known: Expiring,
    hashing: Hashing,
    clock: Arc<dyn Clock>,
    central: Option<CentralLanes>,
}

impl Limits {
    /// Limits that have counted nothing yet; with `central` all issuers count together.
    pub fn new(settings: LimitSettings, clock: Arc<dyn Clock>, central: Option<CentralLanes>) -> Self {
        Self {
            login_per_ip: settings.login_per_ip.map(Limiter::new),
            login_per_account: settings.login_per_account.map(Limiter::new),
            register_per_ip: settings.register_per_ip.map(Limiter::new),
            client_per_ip: settings.client_per_ip.map(Limiter::new),
            known: Expiring::new(ENTRIES_MAX),
            hashing: Hashing::default(),
            clock,
            central,
        }
    }

    /// The lanes that all issuers share, if there are such.
    pub fn central(&self) -> Option<&CentralLanes> {
        self.central.as_ref()
    }

    /// Counts a login attempt from this address, whatever comes of it.
    ///
    /// # Errors
    ///
    /// [`TooMany`] if the address has made too many.
    pub async fn admit_login_from(&self, ip: IpAddr) -> Result<(), TooMany> {
        self.admit_from(self.login_per_ip.as_ref(), Table::Login, ip)
            .await
    }

    /// Counts a registration from this address.
    ///
    /// # Errors
    ///
    /// [`TooMany`] if the address has made too many.
    pub async fn admit_registration_from(&self, ip: IpAddr) -> Result<(), TooMany> {
        self.admit_from(self.register_per_ip.as_ref(), Table::Registration, ip)
            .await
    }

    /// Whether a client may say who it is from this address. Only failures are counted, so that those who do as they should
    /// cost nothing here, however many they are.
    ///
    /// # Errors
    ///
    /// [`TooMany`] if too many have failed from the address.
    pub fn admit_client_from(&self, ip: IpAddr) -> Result<(), TooMany> {
        let Some(limiter) = &self.client_per_ip else {
            return Ok(());
        };
        let lane = self.hashing.key("client", "", address(ip));
        limiter.check(lane, self.clock.boot().0)
    }

    /// Counts a client of this address that was not who it said. Redis is told, and tells whether other issuers have counted
    /// too many.
    pub async fn client_failed_from(&self, ip: IpAddr) {
        let Some(limiter) = &self.client_per_ip else {
            return;
        };
        let address = address(ip);
        let elsewhere = match &self.central {
            Some(central) => central.take(Table::Client, address, limiter.gcra).await,
            None => None,
        };
        let lane = self.hashing.key("client", "", address);
        limiter.add(lane, self.clock.boot().0, elsewhere.and_then(Result::err));
    }

    async fn admit_from(&self, limiter: Option<&Limiter>, table: Table, ip: IpAddr) -> Result<(), TooMany> {
        let Some(limiter) = limiter else {
            return Ok(());
        };
        let address = address(ip);
        if let Some(central) = &self.central {
            central
                .take(table, address, limiter.gcra)
                .await
                .unwrap_or(Ok(()))?;
        }
        limiter.take(self.hashing.key("from", "", address), self.clock.boot().0)
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
    pub async fn admit_login_to(&self, login: &str, ip: IpAddr) -> Result<LoginAttempt<'_>, TooMany> {
        let Some(limiter) = &self.login_per_account else {
            return Ok(LoginAttempt {
                limits: self,
                taken: None,
            });
        };
        let address_key = self.hashing.key("address", login, address(ip));
        let central = self.take_centrally(login, ip, address_key, limiter.gcra).await?;
        let now = self.clock.boot().0;
        let lane = if self.known.holds(address_key, now) {
            address_key
        } else {
            self.hashing.key("network", login, network(ip))
        };
        // What Redis has counted stays there if it does not fit here: Redis has forgotten, and is told again.
        limiter.take(lane, now)?;
        Ok(LoginAttempt {
            limits: self,
            taken: Some(Taken {
                lane,
                address: address_key,
                central,
            }),
        })
    }

    /// Counts the attempt in Redis, and learns from it whether the address has signed in through another issuer.
    async fn take_centrally(
        &self,
        login: &str,
        ip: IpAddr,
        address_key: Key,
        gcra: Gcra,
    ) -> Result<Option<CentrallyTaken>, TooMany> {
        let Some(central) = &self.central else {
            return Ok(None);
        };
        let names = central.account(login, address(ip), network(ip));
        let known = self.known.holds(address_key, self.clock.boot().0);
        let Some(taken) = central.take_for(&names, known, gcra).await else {
            return Ok(Some(CentrallyTaken { names, lane: None }));
        };
        if let Some(known_for) = taken.known_for {
            let now = self.clock.boot().0;
            let until = now.saturating_add(known_for);
            self.known
                .update(address_key, now, |known_until| (known_until.max(until), ()));
        }
        taken.verdict?;
        Ok(Some(CentrallyTaken {
            names,
            lane: Some(taken.lane),
        }))
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
    pub async fn succeeded(self) {
        if let Some(taken) = &self.taken {
            let now = self.limits.clock.boot().0;
            self.limits
                .known
                .update(taken.address, now, |_| (now.saturating_add(KNOWN_FOR), ()));
        }
        self.give_back(true).await;
    }

    /// Nothing was learnt about the password (a full queue, a database that is away), or it was right and yet did not
    /// sign in: the attempt does not count.
    pub async fn undecided(self) {
        self.give_back(false).await;
    }

    async fn give_back(self, signed_in: bool) {
        let (Some(taken), Some(limiter)) = (&self.taken, &self.limits.login_per_account) else {
            return;
        };
        limiter.give_back(taken.lane, self.limits.clock.boot().0);
        if let (Some(central), Some(centrally)) = (&self.limits.central, &taken.central) {
            let counted = centrally.lane.as_deref().map(|lane| (lane, limiter.gcra));
            central.settle(&centrally.names, counted, signed_in).await;
        }
    }
}

#[derive(Debug)]
struct Taken {
    lane: Key,
    address: Key,
    central: Option<CentrallyTaken>,
}

/// What an attempt is called in Redis, and the lane there if it was counted in it.
#[derive(Debug)]
struct CentrallyTaken {
    names: AccountNames,
    lane: Option<String>,
}

#[cfg(test)]
mod tests;
