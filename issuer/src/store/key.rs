//! Signing keys and other secrets of the issuer, sealed.

use shared::time::UnixMillis;

use super::sql::{Statement, args};
use super::{Row, StoreError, Work};

/// A signing key as it is stored.
#[derive(Clone, Debug)]
pub struct StoredKey {
    /// Key id.
    pub kid: String,
    /// Whether it is the one that signs.
    pub active: bool,
    /// Modulus, big-endian.
    pub modulus: Vec<u8>,
    /// Public exponent, big-endian.
    pub exponent: Vec<u8>,
    /// The private key, encrypted.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: UnixMillis,
}

fn read(row: &Row) -> Result<StoredKey, StoreError> {
    Ok(StoredKey {
        kid: row.text("kid")?,
        active: row.text("state")? == "active",
        modulus: row.bytes("modulus")?,
        exponent: row.bytes("exponent")?,
        sealed: row.bytes("sealed")?,
        created_at: row.time("created_at")?,
    })
}

/// Every key that may verify a live token.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn list(work: &mut Work) -> Result<Vec<StoredKey>, StoreError> {
    const LIST: Statement = Statement::both(
        "SELECT kid, state, modulus, exponent, sealed, created_at FROM signing_keys ORDER BY created_at, kid",
    );
    work.fetch_all(&LIST, args![]).await?.iter().map(read).collect()
}

/// Adds a key as the active one, unless there is one already. Whether it was added.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn insert_active(
    work: &mut Work,
    kid: &str,
    public: (&[u8], &[u8]),
    sealed: &[u8],
) -> Result<bool, StoreError> {
    // The index on `state` lets one active key in: of replicas that start at once, one wins.
    const INSERT: Statement = Statement::both(
        "INSERT INTO signing_keys (kid, state, modulus, exponent, sealed, created_at, activated_at) \
         VALUES ($1, 'active', $2, $3, $4, $5, $5) ON CONFLICT DO NOTHING",
    );
    let now = work.now().await?;
    Ok(work
        .execute(&INSERT, args![kid, public.0, public.1, sealed, now])
        .await?
        == 1)
}

/// A secret of the issuer by name, sealed.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn secret(work: &mut Work, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    const SECRET: Statement = Statement::both("SELECT sealed FROM server_secrets WHERE name = $1");
    work.fetch_optional(&SECRET, args![name])
        .await?
        .map(|row| row.bytes("sealed"))
        .transpose()
}

/// Adds a secret, unless there is one of the name already.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn insert_secret(work: &mut Work, name: &str, sealed: &[u8]) -> Result<(), StoreError> {
    const INSERT: Statement = Statement::both(
        "INSERT INTO server_secrets (name, sealed, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    );
    let now = work.now().await?;
    work.execute(&INSERT, args![name, sealed, now]).await.map(|_| ())
}
