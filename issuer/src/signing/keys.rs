//! The signing keys of a running issuer: read again when they change, rotated when it is time, by whichever issuer comes
//! first.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use shared::crypto::rsa::{GenerateError, KeyBits, SigningKey};
use shared::encoding::base64url;
use shared::limits::KEYS_LOOK_EVERY;
use shared::time::{BootTime, Clock};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::keyring::place;
use super::mint::Unsigned;
use super::rotation::{KeyPolicy, Step, due};
use super::{AccessGrant, KeyFile, Keyring, KeyringError, SealError};
use crate::store::audit::{self, Action, Actor, Event};
use crate::store::key::{self, NewKey, StoredKey};
use crate::store::{Store, Work};

/// Whoever fetches keys waits no longer for the database.
const LOOK_WITHIN: Duration = Duration::from_millis(250);

/// Keys that were seen within this time are not looked at for everybody who fetches them.
const SEEN_JUST_NOW: Duration = Duration::from_millis(100);

/// The signing keys.
#[derive(Debug)]
pub struct SigningKeys {
    pub(super) store: Store,
    pub(super) file: KeyFile,
    policy: KeyPolicy,
    clock: Arc<dyn Clock>,
    keyring: ArcSwap<Keyring>,
    jwks: watch::Sender<Bytes>,
    /// Boot time at which they were last seen as they are in the database, in milliseconds.
    seen_at_ms: AtomicU64,
    /// As many signatures at once as there are cores.
    signatures: Semaphore,
}

/// A key that has been made and is nowhere yet.
pub(super) struct Fresh {
    pub(super) kid: String,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    sealed: Vec<u8>,
}

impl Fresh {
    pub(super) fn as_new(&self) -> NewKey<'_> {
        NewKey {
            kid: &self.kid,
            public: (&self.modulus, &self.exponent),
            sealed: &self.sealed,
        }
    }
}

impl SigningKeys {
    /// Opens the keys in the database, and makes the first one if there is none. Replicas that start at once agree: the
    /// database lets one first key in.
    ///
    /// # Errors
    ///
    /// [`KeyringError`].
    pub async fn open(
        store: Store,
        file: KeyFile,
        policy: KeyPolicy,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, KeyringError> {
        let stored = key::list(&mut store.read().await?).await?;
        if !stored.iter().any(StoredKey::is_active) {
            carry_out(&store, &file, &policy).await?;
        }
        let keyring = Keyring::load(&mut store.read().await?, &file).await?;
        let jwks = watch::Sender::new(keyring.jwks().clone());
        let seen_at_ms = AtomicU64::new(millis(clock.boot()));
        let keyring = ArcSwap::from_pointee(keyring);
        Ok(Self {
            store,
            file,
            policy,
            clock,
            keyring,
            jwks,
            seen_at_ms,
            signatures: Semaphore::new(std::thread::available_parallelism().map_or(1, NonZeroUsize::get)),
        })
    }

    /// The keys as they were last seen.
    pub fn current(&self) -> Arc<Keyring> {
        self.keyring.load_full()
    }

    /// Signs an access token with the active key, beside the runtime: a signature takes about a millisecond of a core, for
    /// which other requests would wait.
    ///
    /// # Errors
    ///
    /// [`GenerateError`] if the library fails.
    pub async fn mint(&self, grant: &AccessGrant<'_>) -> Result<String, GenerateError> {
        let unsigned = Unsigned::new(self.current(), grant)?;
        // Nobody closes the semaphore.
        let _turn = self.signatures.acquire().await.map_err(|_| GenerateError)?;
        tokio::task::spawn_blocking(|| unsigned.sign())
            .await
            .map_err(|_| GenerateError)?
    }

    /// The JWK Set, to be watched: it changes when a key comes or goes.
    pub fn jwks(&self) -> watch::Receiver<Bytes> {
        self.jwks.subscribe()
    }

    /// What the operator decided.
    pub fn policy(&self) -> &KeyPolicy {
        &self.policy
    }

    /// How long ago the keys were last seen as they are in the database.
    pub fn unseen_for(&self) -> Duration {
        let seen_at = self.seen_at_ms.load(Ordering::Relaxed);
        Duration::from_millis(millis(self.clock.boot()).saturating_sub(seen_at))
    }

    /// Makes sure that what is signed in this unit of work is signed with the key that is active in it: one that another
    /// issuer has just retired or revoked is not used for a moment longer.
    ///
    /// # Errors
    ///
    /// [`KeyringError`].
    pub async fn agree_on(&self, work: &mut Work, active: Option<&str>) -> Result<(), KeyringError> {
        let active = active.ok_or(KeyringError::NoneActive)?;
        if self.keyring.load().kid() != active {
            self.take(Keyring::load(work, &self.file).await?);
        }
        Ok(())
    }

    /// Reads the keys again if they have changed.
    ///
    /// # Errors
    ///
    /// [`KeyringError`]. The keys at hand stay.
    pub async fn look(&self) -> Result<(), KeyringError> {
        self.seen(&mut self.store.read().await?).await
    }

    /// The keys as they are now, for whoever fetches them: those at hand if the database does not answer soon.
    pub async fn freshest(&self) -> Arc<Keyring> {
        if self.unseen_for() > SEEN_JUST_NOW {
            let looked = tokio::time::timeout(LOOK_WITHIN, self.look()).await;
            if !matches!(looked, Ok(Ok(()))) {
                // The rounds say what is wrong.
                tracing::debug!("the signing keys are handed out as they were last seen");
            }
        }
        self.current()
    }

    async fn seen(&self, work: &mut Work) -> Result<(), KeyringError> {
        let begun_at = self.clock.boot();
        if key::version(work).await? != self.keyring.load().version() {
            self.take(Keyring::load(work, &self.file).await?);
        }
        self.seen_at_ms.store(millis(begun_at), Ordering::Relaxed);
        Ok(())
    }

    /// Brings keys into force, unless newer ones are.
    fn take(&self, fresh: Keyring) {
        let fresh = Arc::new(fresh);
        let before = self.keyring.rcu(|held| {
            let newest = if fresh.version() > held.version() {
                &fresh
            } else {
                held
            };
            Arc::clone(newest)
        });
        if before.version() >= fresh.version() {
            return;
        }
        if before.kid() != fresh.kid() {
            tracing::info!(
                kid = fresh.kid(),
                before = before.kid(),
                "tokens are signed with another key"
            );
        }
        self.jwks.send_if_modified(|jwks| {
            // Of two who bring keys, the slower may have the older.
            let newest = self.keyring.load().jwks().clone();
            let is_changed = *jwks != newest;
            *jwks = newest;
            is_changed
        });
    }

    /// Looks at the keys, does what is due, and looks again.
    ///
    /// # Errors
    ///
    /// [`KeyringError`]. It is tried again the next time.
    pub async fn round(&self) -> Result<(), KeyringError> {
        loop {
            let mut work = self.store.read().await?;
            self.seen(&mut work).await?;
            let now = work.now().await?;
            drop(work);
            if due(self.keyring.load().stored(), &self.policy, now).is_none() {
                return Ok(());
            }
            carry_out(&self.store, &self.file, &self.policy).await?;
        }
    }

    /// Closes the database, for a clean end.
    pub async fn close(&self) {
        self.store.close().await;
    }

    /// Runs the rounds until told to stop.
    pub async fn keep(&self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(KEYS_LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut has_failed = false;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let Some(outcome) = stop.run_until_cancelled(self.round()).await else {
                return;
            };
            match &outcome {
                Ok(()) if has_failed => tracing::info!("the signing keys are at hand again"),
                // Said once, not every second.
                Err(error) if !has_failed => tracing::warn!(
                    error = error as &dyn std::error::Error,
                    "the signing keys cannot be looked after; those at hand stay in force"
                ),
                Ok(()) | Err(_) => {}
            }
            has_failed = outcome.is_err();
        }
    }
}

/// Does the step that is due, if it still is once nobody else can change the keys.
async fn carry_out(store: &Store, file: &KeyFile, policy: &KeyPolicy) -> Result<(), KeyringError> {
    let step_due = async |work: &mut Work| -> Result<(Vec<StoredKey>, Option<Step>), KeyringError> {
        let stored = key::list(work).await?;
        let step = due(&stored, policy, work.now().await?);
        Ok((stored, step))
    };
    let (_, expected) = step_due(&mut store.read().await?).await?;
    // Before the transaction: to make one takes longer than a lock should be held.
    let fresh = match expected {
        None => return Ok(()),
        Some(Step::First | Step::MakeNext { .. }) => Some(generate(file, policy.bits).await?),
        Some(Step::Activate | Step::Withdraw) => None,
    };
    let mut work = store.write().await?;
    key::begin_changes(&mut work).await?;
    let (stored, step) = step_due(&mut work).await?;
    match (step, &fresh) {
        (Some(Step::First), Some(fresh)) => {
            if key::insert_active(&mut work, &fresh.as_new()).await? {
                record(&mut work, Action::KeyActivate, &fresh.kid).await?;
                tracing::info!(kid = fresh.kid, "made the first signing key");
            }
        }
        (Some(Step::MakeNext { signs_at }), Some(fresh)) => {
            prove_sealing(file, &stored)?;
            key::insert_next(&mut work, &fresh.as_new(), signs_at).await?;
            record(&mut work, Action::KeyPublish, &fresh.kid).await?;
            tracing::info!(
                kid = fresh.kid,
                signs_at_ms = signs_at.0,
                "made the next signing key"
            );
        }
        (Some(Step::Activate), _) => {
            key::retire_active(&mut work).await?;
            key::activate_next(&mut work).await?;
            if let Some(next) = stored.iter().find(|key| key.is_next()) {
                record(&mut work, Action::KeyActivate, &next.kid).await?;
            }
        }
        (Some(Step::Withdraw), _) => {
            let count = key::delete_withdrawn(&mut work).await?;
            tracing::info!(count, "withdrew signing keys of which no token is alive");
        }
        // Another issuer was first: nothing is changed.
        (None, _) | (Some(Step::First | Step::MakeNext { .. }), None) => return Ok(()),
    }
    Ok(work.commit().await?)
}

/// Writes down what the issuer does by itself.
async fn record(work: &mut Work, action: Action, kid: &str) -> Result<(), KeyringError> {
    Ok(audit::record(work, Event::new(Actor::Issuer, action).on(kid)).await?)
}

/// Makes a key.
pub(super) async fn generate(file: &KeyFile, bits: KeyBits) -> Result<Fresh, KeyringError> {
    let made = tokio::task::spawn_blocking(move || {
        let signing = SigningKey::generate(bits)?;
        Ok::<_, KeyringError>((signing.verifying_key()?, signing.to_pkcs8()?))
    });
    let (public, private) = made.await.map_err(|_| GenerateError)??;
    let kid = base64url(&shared::crypto::random::bytes::<16>());
    let sealed = file.key().seal(&place(&kid), &private)?;
    Ok(Fresh {
        kid,
        modulus: public.modulus().to_vec(),
        exponent: public.exponent().to_vec(),
        sealed,
    })
}

/// Makes sure that a new key is sealed as the others are: the encryption key may be another by now.
pub(super) fn prove_sealing(file: &KeyFile, stored: &[StoredKey]) -> Result<(), SealError> {
    match stored.iter().find(|key| key.is_active()) {
        Some(key) => file.key().open(&place(&key.kid), &key.sealed).map(|_| ()),
        None => Ok(()),
    }
}

fn millis(time: BootTime) -> u64 {
    u64::try_from(time.0.as_millis()).unwrap_or(u64::MAX)
}
