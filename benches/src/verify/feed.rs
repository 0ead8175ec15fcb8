//! A feed with as many revocations as a large site has, which goes on beating.

use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use shared::time::{Clock as _, SystemClock};
use tokio_util::sync::CancellationToken;

use crate::revocation::epoch::Epoch;
use crate::revocation::ids;
use shared::revocation::Revocation;

/// As the issuer's relay has it.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A thread that writes heartbeats until this is dropped.
pub struct Feed {
    stop: CancellationToken,
    beating: Option<JoinHandle<anyhow::Result<()>>>,
    keys: Vec<u8>,
}

impl Feed {
    /// Writes so many revoked sessions into the Redis at this URL.
    pub fn start(url: &str, revocations: u64) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let expires = Some(SystemClock.now().plus(Duration::from_hours(1)));
        let revoked = (0..revocations).map(|number| Revocation {
            expires,
            ..ids::revocation(number)
        });
        let mut epoch = runtime.block_on(Epoch::write(url, revoked))?;
        let keys = epoch.keys().to_jwks();
        let stop = CancellationToken::new();
        let until = stop.clone();
        let beating = std::thread::spawn(move || {
            runtime.block_on(async {
                let mut beat = tokio::time::interval(HEARTBEAT);
                while until.run_until_cancelled(beat.tick()).await.is_some() {
                    epoch.heartbeat().await?;
                }
                Ok(())
            })
        });
        Ok(Self {
            stop,
            beating: Some(beating),
            keys,
        })
    }

    /// The keys of its heartbeats, as a JWK Set.
    pub fn keys(&self) -> Vec<u8> {
        self.keys.clone()
    }

    /// Ends it, and says whether it went well.
    pub fn end(mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        let beating = self.beating.take().context("it has ended")?;
        beating
            .join()
            .map_err(|_| anyhow!("the feed's thread panicked"))?
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
