//! The key that heartbeats of the revocation feed are signed with: one for all replicas, sealed in the database.

use shared::feed::key::FeedSigningKey;

use super::{KeyringError, SealError, SealingKey};
use crate::store::{self, Store};

/// Where the key is sealed for.
const PLACE: &str = "server-secret/feed";

/// Opens the feed key in the database, and makes it if there is none.
///
/// # Errors
///
/// [`KeyringError`] if the database does not answer or the key does not open.
pub async fn load_or_create_feed_key(
    store: &Store,
    sealing: &SealingKey,
) -> Result<FeedSigningKey, KeyringError> {
    let stored = async || store::key::secret(&mut store.read().await?, PLACE).await;
    let sealed = if let Some(sealed) = stored().await? {
        sealed
    } else {
        let fresh = FeedSigningKey::generate().map_err(|_| SealError::Failed)?;
        let mut work = store.write().await?;
        store::key::insert_secret(&mut work, PLACE, &sealing.seal(PLACE, fresh.to_pkcs8())?).await?;
        work.commit().await?;
        // Another replica's may have been first.
        stored().await?.ok_or(SealError::Unopenable)?
    };
    let pkcs8 = sealing.open(PLACE, &sealed)?;
    FeedSigningKey::from_pkcs8(&pkcs8).map_err(|_| SealError::Unopenable.into())
}
