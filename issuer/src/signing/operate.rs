//! What an operator does with signing keys by hand. Running issuers see it the next time they look, or sign.

use shared::limits::SIGNING_KEYS_MAX;
use shared::revocation::Fact;
use shared::time::UnixMillis;

use super::keyring::place;
use super::keys::{Fresh, generate, prove_sealing};
use super::{KeyringError, SealError, SealingKey, SigningKeys};
use crate::store::audit::{self, Action, Actor, Event};
use crate::store::key::{self, KeyState, StoredKey};
use crate::store::{Store, StoreError, Work, outbox};

/// Why an operator's act was not carried out. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    /// The keys are not to be had.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// Verifiers would not take a longer list.
    #[error(
        "{SIGNING_KEYS_MAX} keys are published, and can be no more: wait until the tokens of the oldest have expired"
    )]
    TooMany,
    /// There is no such key.
    #[error("there is no signing key {0:?}")]
    NoSuchKey(String),
    /// Neither the old nor the new encryption key opens something.
    #[error("{0} opens neither with the old encryption key nor with that of the settings")]
    Neither(String),
}

impl From<StoreError> for OperateError {
    fn from(error: StoreError) -> Self {
        Self::Keyring(error.into())
    }
}

impl From<SealError> for OperateError {
    fn from(error: SealError) -> Self {
        Self::Keyring(error.into())
    }
}

/// What came of a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// The key that follows.
    pub kid: String,
    /// From when it signs; `None`: it does.
    pub signs_at: Option<UnixMillis>,
}

/// What came of a revocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// It is refused from now on, and another one signs: the one named, if it was active.
    Now {
        /// The key that signs in its place.
        successor: Option<String>,
    },
    /// It had been revoked before.
    Before,
}

/// How much was sealed anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rewrapped {
    /// What was sealed with the old key.
    pub rewrapped: u64,
    /// What was sealed with the new one already.
    pub kept: u64,
}

/// Signing keys as they are stored, and those that were revoked, each with when.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn list_keys(store: &Store) -> Result<(Vec<StoredKey>, Vec<(String, UnixMillis)>), StoreError> {
    let mut work = store.read().await?;
    Ok((key::list(&mut work).await?, key::revoked(&mut work).await?))
}

impl SigningKeys {
    /// Has another key follow: it is published at once, and signs when verifiers have had the time to fetch it, or with
    /// `at_once` right now. Where one is published already, that one follows, if need be sooner than it would have.
    ///
    /// # Errors
    ///
    /// [`OperateError`].
    pub async fn rotate(&self, at_once: bool) -> Result<Rotated, OperateError> {
        let fresh = generate(&self.file, self.policy().bits).await?;
        let mut work = self.begin().await?;
        let stored = key::list(&mut work).await?;
        let now = work.now().await?;
        let next = stored.iter().find(|key| key.is_next());
        let kid = match next {
            Some(next) => {
                let sooner = match next.state {
                    KeyState::Next { signs_at } => signs_at.min(self.policy().earliest(next.created_at)),
                    KeyState::Active { .. } | KeyState::Retired { .. } => now,
                };
                key::set_signs_at(&mut work, sooner).await?;
                next.kid.clone()
            }
            None if stored.len() >= SIGNING_KEYS_MAX => return Err(OperateError::TooMany),
            None => {
                self.add_next(&mut work, &stored, &fresh).await?;
                fresh.kid.clone()
            }
        };
        if at_once {
            key::retire_active(&mut work).await?;
            key::activate_next(&mut work).await?;
        }
        let event = Event::new(Actor::Operator, Action::KeyRotate).on(&kid);
        audit::record(&mut work, event.with("at_once", at_once)).await?;
        let stored = key::list(&mut work).await?;
        work.commit().await?;
        let signs_at = stored.iter().find_map(|key| match key.state {
            KeyState::Next { signs_at } => Some(signs_at),
            KeyState::Active { .. } | KeyState::Retired { .. } => None,
        });
        Ok(Rotated { kid, signs_at })
    }

    /// Withdraws a key for good: no token that it signed is good anywhere any more. If it is the active one, the next key
    /// signs from now on, or one that is made now.
    ///
    /// # Errors
    ///
    /// [`OperateError`].
    pub async fn revoke(&self, kid: &str) -> Result<Revoked, OperateError> {
        let fresh = generate(&self.file, self.policy().bits).await?;
        let mut work = self.begin().await?;
        let stored = key::list(&mut work).await?;
        let Some(revoked) = stored.iter().find(|key| key.kid == kid) else {
            let before = key::revoked(&mut work).await?;
            return if before.iter().any(|(before, _)| before == kid) {
                Ok(Revoked::Before)
            } else {
                Err(OperateError::NoSuchKey(kid.chars().take(64).collect()))
            };
        };
        key::delete(&mut work, kid).await?;
        let fact = Fact::Key { kid: kid.into() };
        outbox::record(&mut work, &fact).await?;
        let mut successor = None;
        if revoked.is_active() {
            let next = stored.iter().find(|key| key.is_next());
            if next.is_none() {
                self.add_next(&mut work, &stored, &fresh).await?;
            }
            successor = Some(next.map_or(fresh.kid, |next| next.kid.clone()));
            key::activate_next(&mut work).await?;
        }
        let event = Event::new(Actor::Operator, Action::KeyRevoke).on(kid);
        audit::record(&mut work, event.with("successor", successor.clone())).await?;
        work.commit().await?;
        Ok(Revoked::Now { successor })
    }

    async fn begin(&self) -> Result<Work, StoreError> {
        let mut work = self.store.write().await?;
        key::begin_changes(&mut work).await?;
        Ok(work)
    }

    async fn add_next(
        &self,
        work: &mut Work,
        stored: &[StoredKey],
        fresh: &Fresh,
    ) -> Result<(), OperateError> {
        prove_sealing(&self.file, stored)?;
        let signs_at = self.policy().earliest(work.now().await?);
        Ok(key::insert_next(work, &fresh.as_new(), signs_at).await?)
    }
}

/// Seals everything with another encryption key that was sealed with the old one. It can be run again.
///
/// # Errors
///
/// [`OperateError::Neither`] if something opens with neither; nothing has changed then.
pub async fn rewrap(store: &Store, old: &SealingKey, new: &SealingKey) -> Result<Rewrapped, OperateError> {
    let mut outcome = Rewrapped::default();
    let mut resealed = |place: &str, sealed: &[u8]| {
        if new.open(place, sealed).is_ok() {
            outcome.kept += 1;
            return Ok(None);
        }
        let secret = old
            .open(place, sealed)
            .map_err(|_| OperateError::Neither(place.to_owned()))?;
        outcome.rewrapped += 1;
        Ok::<_, OperateError>(Some(new.seal(place, &secret)?))
    };
    let mut work = store.write().await?;
    key::begin_changes(&mut work).await?;
    for StoredKey { kid, sealed, .. } in key::list(&mut work).await? {
        if let Some(sealed) = resealed(&place(&kid), &sealed)? {
            key::reseal(&mut work, &kid, &sealed).await?;
        }
    }
    for (name, sealed) in key::hold_secrets(&mut work).await? {
        if let Some(sealed) = resealed(&name, &sealed)? {
            key::reseal_secret(&mut work, &name, &sealed).await?;
        }
    }
    let event = Event::new(Actor::Operator, Action::KeyRewrap);
    audit::record(&mut work, event.with("secrets", outcome.rewrapped)).await?;
    work.commit().await?;
    Ok(outcome)
}
