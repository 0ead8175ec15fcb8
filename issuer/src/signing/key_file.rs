//! The file with the key that secrets are sealed under, which an operator may replace while the issuer runs.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use zeroize::Zeroizing;

use super::{SealError, SealingKey};

/// The file, and the key that was last read from it.
#[derive(Debug)]
pub struct KeyFile {
    path: PathBuf,
    key: ArcSwap<SealingKey>,
}

impl KeyFile {
    /// A file, and the key that was read from it.
    pub fn new(path: PathBuf, key: SealingKey) -> Self {
        Self {
            path,
            key: ArcSwap::from_pointee(key),
        }
    }

    /// The key.
    pub fn key(&self) -> Arc<SealingKey> {
        self.key.load_full()
    }

    /// Opens what was sealed for a place. Where the key at hand does not, the file is read again: it may have been replaced,
    /// and what is stored sealed anew.
    ///
    /// # Errors
    ///
    /// [`SealError`].
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        match self.key().open(place, sealed) {
            Err(SealError::Unopenable) => {
                let fresh = SealingKey::read(&self.path)?;
                let opened = fresh.open(place, sealed)?;
                self.key.store(Arc::new(fresh));
                tracing::info!(file = %self.path.display(), "the encryption key was replaced");
                Ok(opened)
            }
            outcome => outcome,
        }
    }
}
