//! Lanes in Redis, which all issuers fill together.
//!
//! A script does each step in one round trip, by the server's own clock: the issuers' clocks need not agree. While
//! Redis does not answer in time, nobody waits for it: the first who notices opens the breaker, everybody counts in
//! memory from then on, and a task in the background closes it when Redis answers again.
//!
//! Nobody who reads Redis learns who signs in from where: names and addresses are there under a keyed hash alone.

mod names;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use redis::{RedisResult, Script, ScriptInvocation};
use shared::limits::{
    KNOWN_ADDRESSES_MAX, RATE_LIMIT_CONNECT_TIMEOUT, RATE_LIMIT_RETRY_MAX, RATE_LIMIT_RETRY_MIN,
};
use shared::redis::{ConnectOptions, RedisClient, RedisConnection};
use shared::time::Clock;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::lane::Gcra;
use super::{KNOWN_FOR, TooMany};
use names::Names;
pub(super) use names::{AccountNames, Table};

/// Lanes in Redis, and whether they can be reached.
pub struct CentralLanes {
    client: RedisClient,
    names: Names,
    take: Script,
    settle: Script,
    /// The connection while Redis answers: the breaker is open where there is none.
    link: ArcSwapOption<RedisConnection>,
    lost: Notify,
    fallbacks: AtomicU64,
    timeout: Duration,
    clock: Arc<dyn Clock>,
}

/// What Redis said of an attempt to sign in to an account.
#[derive(Debug)]
pub(super) struct AccountTaken {
    /// Whether the attempt fits.
    pub(super) verdict: Result<(), TooMany>,
    /// For how much longer the address is known to have signed in; `None` if it is not.
    pub(super) known_for: Option<Duration>,
    /// The lane that was looked at, by its name in Redis.
    pub(super) lane: String,
}

impl CentralLanes {
    /// Lanes in this Redis, named under this secret, which every issuer of the installation has. An answer later than
    /// `timeout` is none. Nothing is reached before [`CentralLanes::keep`] runs.
    pub fn new(client: RedisClient, secret: &[u8], timeout: Duration, clock: Arc<dyn Clock>) -> Self {
        Self {
            client,
            names: Names::new(secret),
            take: Script::new(include_str!("central/take.lua")),
            settle: Script::new(include_str!("central/settle.lua")),
            link: ArcSwapOption::empty(),
            lost: Notify::new(),
            fallbacks: AtomicU64::new(0),
            timeout,
            clock,
        }
    }

    /// Whether Redis answered last.
    pub fn is_reached(&self) -> bool {
        self.link.load().is_some()
    }

    /// Steps that were done in memory alone, since the start.
    pub fn fallbacks(&self) -> u64 {
        self.fallbacks.load(Ordering::Relaxed)
    }

    /// Connects, and connects again whenever Redis has been away, until told to stop.
    pub async fn keep(&self, stop: CancellationToken) {
        let stopped = stop.clone();
        tokio::select! {
            () = stopped.cancelled() => {}
            () = self.connect_again_and_again() => {}
        }
    }

    async fn connect_again_and_again(&self) {
        let mut wait = RATE_LIMIT_RETRY_MIN;
        let mut told = false;
        loop {
            match self.connect().await {
                Ok(connection) => {
                    self.link.store(Some(Arc::new(connection)));
                    tracing::info!(redis = %self.client, "rate limits are shared through Redis");
                    told = true;
                    let since = self.clock.boot();
                    self.lost.notified().await;
                    // One that comes and goes is not asked more often than one that stays away.
                    if self.clock.boot().since(since) > RATE_LIMIT_RETRY_MAX {
                        wait = RATE_LIMIT_RETRY_MIN;
                    }
                }
                Err(error) if told => tracing::debug!(%error, "Redis is still away"),
                Err(error) => {
                    told = true;
                    self.warn(&error);
                }
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RATE_LIMIT_RETRY_MAX);
        }
    }

    /// A connection on which both scripts have run with all that they do: what the user may not do shows here.
    async fn connect(&self) -> Result<RedisConnection, Box<dyn std::error::Error + Send + Sync>> {
        let options = ConnectOptions {
            connect_timeout: RATE_LIMIT_CONNECT_TIMEOUT,
            // The trial's; whatever is asked later has less time.
            response_timeout: Some(RATE_LIMIT_CONNECT_TIMEOUT.max(self.timeout)),
        };
        let mut connection = self.client.connect(options).await?;
        let trial = self.names.trial();
        let gcra = Gcra {
            interval: Duration::from_millis(1),
            tolerance: Duration::from_millis(1),
        };
        let tried = async {
            let _: (u64, u64) = self
                .taking_for(&trial, false, gcra)
                .invoke_async(&mut connection)
                .await?;
            self.settling(
                &trial.address_lane,
                gcra.interval,
                Some((&trial, Duration::from_millis(1))),
            )
            .invoke_async::<()>(&mut connection)
            .await
        };
        tokio::time::timeout(RATE_LIMIT_CONNECT_TIMEOUT, tried).await??;
        Ok(connection)
    }

    /// Counts an attempt from an address, if it fits. `None` if Redis does not answer.
    pub(super) async fn take(
        &self,
        table: Table,
        address: std::net::IpAddr,
        gcra: Gcra,
    ) -> Option<Result<(), TooMany>> {
        let mut taking = self.take.key(self.names.from(table, address));
        taking.arg(micros(gcra.interval)).arg(micros(gcra.tolerance));
        let (excess, _) = self.ask::<(u64, u64)>(&taking).await?;
        Some(verdict(excess))
    }

    /// Counts an attempt to sign in, if it fits; `known` says that the address has signed in before as far as this
    /// process knows. `None` if Redis does not answer.
    pub(super) async fn take_for(
        &self,
        names: &AccountNames,
        known: bool,
        gcra: Gcra,
    ) -> Option<AccountTaken> {
        let (excess, known_for) = self
            .ask::<(u64, u64)>(&self.taking_for(names, known, gcra))
            .await?;
        let lane = if known || known_for > 0 {
            &names.address_lane
        } else {
            &names.network_lane
        };
        Some(AccountTaken {
            verdict: verdict(excess),
            known_for: (known_for > 0).then(|| Duration::from_micros(known_for)),
            lane: lane.clone(),
        })
    }

    /// Takes an attempt back (or nothing, if it was not counted there), and with `signed_in` remembers its address.
    pub(super) async fn settle(&self, names: &AccountNames, counted: Option<(&str, Gcra)>, signed_in: bool) {
        if counted.is_none() && !signed_in {
            return;
        }
        let (lane, interval) = counted
            .map_or((names.address_lane.as_str(), Duration::ZERO), |(lane, gcra)| {
                (lane, gcra.interval)
            });
        let known = signed_in.then_some((names, KNOWN_FOR));
        let _: Option<()> = self.ask(&self.settling(lane, interval, known)).await;
    }

    /// What an account is called in Redis.
    pub(super) fn account(
        &self,
        login: &str,
        address: std::net::IpAddr,
        network: std::net::IpAddr,
    ) -> AccountNames {
        self.names.account(login, address, network)
    }

    fn taking_for(&self, names: &AccountNames, known: bool, gcra: Gcra) -> ScriptInvocation<'_> {
        let mut taking = self.take.key(&names.address_lane);
        taking
            .key(&names.network_lane)
            .key(&names.known)
            .arg(micros(gcra.interval))
            .arg(micros(gcra.tolerance))
            .arg(&names.address[..])
            .arg(micros(KNOWN_FOR))
            .arg(u8::from(known));
        taking
    }

    fn settling(
        &self,
        lane: &str,
        interval: Duration,
        known: Option<(&AccountNames, Duration)>,
    ) -> ScriptInvocation<'_> {
        let mut settling = self.settle.key(lane);
        settling.arg(micros(interval));
        if let Some((names, known_for)) = known {
            settling
                .key(&names.known)
                .arg(&names.address[..])
                .arg(micros(known_for))
                .arg(KNOWN_ADDRESSES_MAX);
        }
        settling
    }

    /// Runs a script. `None` if the breaker is open, or opens now.
    async fn ask<T: redis::FromRedisValue>(&self, invocation: &ScriptInvocation<'_>) -> Option<T> {
        let link = self.link.load_full();
        let answer = match &link {
            None => None,
            Some(link) => {
                let mut connection = RedisConnection::clone(link);
                let asked: Result<RedisResult<T>, _> =
                    tokio::time::timeout(self.timeout, invocation.invoke_async(&mut connection)).await;
                match asked {
                    Ok(Ok(answer)) => Some(answer),
                    Ok(Err(error)) => self.lose(link, &error),
                    Err(late) => self.lose(link, &late),
                }
            }
        };
        if answer.is_none() {
            self.fallbacks.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }

    /// Opens the breaker, once for each connection.
    fn lose<T>(&self, link: &Arc<RedisConnection>, error: &dyn fmt::Display) -> Option<T> {
        let before = self.link.compare_and_swap(link, None);
        if before.as_ref().is_some_and(|before| Arc::ptr_eq(before, link)) {
            self.warn(error);
            self.lost.notify_one();
        }
        None
    }

    fn warn(&self, error: &dyn fmt::Display) {
        tracing::warn!(%error, redis = %self.client, "rate limits are counted in memory, by each issuer for itself: Redis does not answer");
    }
}

impl fmt::Debug for CentralLanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CentralLanes")
            .field("client", &self.client)
            .field("is_reached", &self.is_reached())
            .finish_non_exhaustive()
    }
}

fn verdict(excess_us: u64) -> Result<(), TooMany> {
    if excess_us == 0 {
        Ok(())
    } else {
        Err(TooMany {
            retry_after: Duration::from_micros(excess_us),
        })
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
