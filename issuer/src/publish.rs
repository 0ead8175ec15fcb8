//! The outbox relay: brings committed revocations to the feed.
//!
//! [`in_process`] has one reader, and says when it has applied them. [`relay`] writes the feed that every verifier
//! reads: one issuer at a time holds the lease, and whoever waits takes over when it lapses.

mod database;
mod in_process;
mod reign;
mod relay;
mod status;
mod takeover;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

pub use database::{BatchRequest, DatabaseAway, RelayDatabase, StoreDatabase, wake_at_commits};
pub use in_process::InProcessRelay;
pub use relay::{Relay, RelaySettings};
pub use status::{RelaySnapshot, RelayStatus};

/// A request waits this long for its revocation to be in force before it is told to try again.
const IN_FORCE_TIMEOUT: Duration = Duration::from_secs(5);

/// The feed could not be told in time. The revocation is committed, and will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the revocation is committed but not yet in force")]
pub struct NotInForce;

/// The way to the relay.
#[derive(Clone, Debug)]
pub enum Publisher {
    /// There is no feed: revocations are kept in the outbox, and no verifier hears of them.
    Disabled,
    /// The relay to a reader in this process.
    InProcess(mpsc::Sender<oneshot::Sender<()>>),
    /// The relay to the feed that all verifiers read.
    Relay(Arc<RelayStatus>),
}

impl Publisher {
    /// Whether revocations can be brought to a reader in this process. Towards other processes it says nothing: an issuer
    /// whose Redis is away still signs people in, and its verifiers know by themselves.
    ///
    /// # Errors
    ///
    /// [`NotInForce`] if a reader in this process takes too long.
    pub async fn check(&self) -> Result<(), NotInForce> {
        match self {
            Self::InProcess(_) => self.committed().await,
            Self::Disabled | Self::Relay(_) => Ok(()),
        }
    }

    /// The relay's figures, if this process has one to other processes.
    pub fn relay(&self) -> Option<&RelayStatus> {
        match self {
            Self::Relay(status) => Some(status),
            Self::Disabled | Self::InProcess(_) => None,
        }
    }

    /// Says that a revocation has been committed. To be called before the request is answered.
    ///
    /// With a reader in this process, returns when everything committed before is in force there. Otherwise it returns at
    /// once: publication follows, and if it cannot, verifiers go stale by themselves.
    ///
    /// # Errors
    ///
    /// [`NotInForce`] if a reader in this process takes too long.
    pub async fn committed(&self) -> Result<(), NotInForce> {
        let relay = match self {
            // The store has told the relay at the commit itself.
            Self::Disabled | Self::Relay(_) => return Ok(()),
            Self::InProcess(relay) => relay,
        };
        let (done, answered) = oneshot::channel();
        let asked = async {
            relay.send(done).await.map_err(|_| NotInForce)?;
            answered.await.map_err(|_| NotInForce)
        };
        tokio::time::timeout(IN_FORCE_TIMEOUT, asked)
            .await
            .map_err(|_| NotInForce)?
    }
}
