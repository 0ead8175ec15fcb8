//! Encryption at rest: AES-256-GCM under the key of `keys.encryption_key_file`.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use shared::crypto::random;
use shared::encoding::{base64, base64_decode};
use zeroize::Zeroizing;

/// Bytes of the key.
const KEY_BYTES: usize = 32;

/// First byte of everything sealed, so that another form can follow this one.
const FORM: u8 = 1;

/// Why something could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The key file cannot be read or made.
    #[error("the key file cannot be read")]
    File(#[from] std::io::Error),
    /// The key file holds something else.
    #[error("the key file must hold 32 bytes in base64, as `openssl rand -base64 32` prints them")]
    NotKey,
    /// What was sealed does not open: another key, another place, or altered.
    #[error("what is stored was sealed with another key, or altered")]
    Unopenable,
    /// The library failed.
    #[error("encryption failed")]
    Failed,
}

/// The key that everything secret in the database is encrypted under.
pub struct SealingKey(LessSafeKey);

impl SealingKey {
    /// Reads the key from its file.
    ///
    /// # Errors
    ///
    /// [`SealError::File`] and [`SealError::NotKey`].
    pub fn read(path: &Path) -> Result<Self, SealError> {
        let text = Zeroizing::new(std::fs::read_to_string(path)?);
        let bytes = Zeroizing::new(base64_decode(text.trim()).ok_or(SealError::NotKey)?);
        Self::from_bytes(&bytes)
    }

    /// Reads the key from its file, or makes one there that only its owner may read.
    ///
    /// # Errors
    ///
    /// As [`SealingKey::read`].
    pub fn read_or_create(path: &Path) -> Result<Self, SealError> {
        let made = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        match made {
            Ok(mut file) => {
                let bytes = Zeroizing::new(random::bytes::<KEY_BYTES>());
                let text = Zeroizing::new(base64(bytes.as_slice()));
                file.write_all(text.as_bytes())?;
                file.write_all(b"\n")?;
                file.sync_all()?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
        Self::read(path)
    }

    /// The key of these 32 bytes.
    ///
    /// # Errors
    ///
    /// [`SealError::NotKey`] for another number of bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        let key = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| SealError::NotKey)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Encrypts a secret for a place, such as `signing-key/<kid>`: it opens nowhere else.
    ///
    /// # Errors
    ///
    /// [`SealError::Failed`] if the library fails.
    pub fn seal(&self, place: &str, secret: &[u8]) -> Result<Vec<u8>, SealError> {
        let nonce: [u8; NONCE_LEN] = random::bytes();
        let mut sealed = vec![FORM];
        sealed.extend(nonce);
        let mut text = secret.to_vec();
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place.as_bytes()),
                &mut text,
            )
            .map_err(|_| SealError::Failed)?;
        sealed.extend(text);
        Ok(sealed)
    }

    /// Decrypts what [`SealingKey::seal`] made for the same place.
    ///
    /// # Errors
    ///
    /// [`SealError::Unopenable`] if it was sealed with another key or for another place, or altered.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (form, rest) = sealed.split_first().ok_or(SealError::Unopenable)?;
        let (nonce, text) = rest.split_at_checked(NONCE_LEN).ok_or(SealError::Unopenable)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Unopenable)?;
        if *form != FORM {
            return Err(SealError::Unopenable);
        }
        let mut text = Zeroizing::new(text.to_vec());
        let length = self
            .0
            .open_in_place(nonce, Aad::from(place.as_bytes()), &mut text)
            .map_err(|_| SealError::Unopenable)?
            .len();
        text.truncate(length);
        Ok(text)
    }
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealingKey([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attack: a stored signing key that was moved to the place of another one
    /// Source: CWE-345
    /// Result: it does not open
    #[test]
    fn what_is_sealed_opens_in_its_place_alone() {
        let key = SealingKey::from_bytes(&[7; 32]).unwrap();
        let sealed = key.seal("here", b"secret").unwrap();
        assert_eq!(key.open("here", &sealed).unwrap().as_slice(), b"secret");
        assert!(matches!(key.open("there", &sealed), Err(SealError::Unopenable)));
        let other = SealingKey::from_bytes(&[8; 32]).unwrap();
        assert!(matches!(other.open("here", &sealed), Err(SealError::Unopenable)));
        for index in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[index] ^= 1;
            assert!(key.open("here", &altered).is_err(), "byte {index}");
            assert!(key.open("here", &sealed[..index]).is_err(), "cut at {index}");
        }
    }

    #[test]
    fn a_key_file_is_made_once_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let first = SealingKey::read_or_create(&path).unwrap();
        let second = SealingKey::read_or_create(&path).unwrap();
        let sealed = first.seal("here", b"secret").unwrap();
        assert!(second.open("here", &sealed).is_ok());
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, "not a key").unwrap();
        assert!(matches!(
            SealingKey::read_or_create(&path),
            Err(SealError::NotKey)
        ));
    }
}
