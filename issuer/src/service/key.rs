//! The signing keys, for whoever may see how they stand.

use shared::time::UnixMillis;

use super::{Caller, Service, ServiceError};
use crate::signing::list_keys;
use crate::store::key::KeyState;

/// A signing key that is published, without anything secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedKey {
    /// Key id.
    pub kid: String,
    /// What it is for.
    pub state: KeyState,
}

/// How the signing keys stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// Those that are published.
    pub published: Vec<PublishedKey>,
    /// Those that were revoked, and when.
    pub revoked: Vec<(String, UnixMillis)>,
}

impl Service {
    /// How the signing keys stand, for `admin` and superusers.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Forbidden`].
    pub async fn signing_keys(&self, caller: &Caller) -> Result<Keys, ServiceError> {
        Caller::require(caller.is_admin())?;
        let (stored, revoked) = list_keys(&self.store).await?;
        let published = stored.into_iter().map(|key| PublishedKey {
            kid: key.kid,
            state: key.state,
        });
        Ok(Keys {
            published: published.collect(),
            revoked,
        })
    }
}
