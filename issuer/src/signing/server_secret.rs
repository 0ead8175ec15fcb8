//! Secrets that all replicas share: random, made by whoever comes first, sealed in the database.

use shared::crypto::random;
use zeroize::Zeroizing;

use super::{KeyringError, SealError, SealingKey};
use crate::store::{self, Store, StoreError};

/// Bytes of a secret.
const BYTES: usize = 32;

/// Opens the secret of this name, such as `server-secret/refresh`, and makes it if there is none.
///
/// # Errors
///
/// [`KeyringError`] if the database does not answer or the secret does not open.
pub async fn load_or_create_secret(
    store: &Store,
    sealing: &SealingKey,
    name: &str,
) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    let sealed = if let Some(sealed) = stored(store, name).await? {
        sealed
    } else {
        let fresh = Zeroizing::new(random::bytes::<BYTES>());
        let mut work = store.write().await?;
        store::key::insert_secret(&mut work, name, &sealing.seal(name, fresh.as_slice())?).await?;
        work.commit().await?;
        // Another replica's may have been first.
        stored(store, name).await?.ok_or(SealError::Unopenable)?
    };
    Ok(sealing.open(name, &sealed)?)
}

async fn stored(store: &Store, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    store::key::secret(&mut store.read().await?, name).await
}
