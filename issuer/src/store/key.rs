//! Signing keys and other secrets of the issuer, sealed.

use shared::limits::KEY_MARGIN;
use shared::time::UnixMillis;

use super::sql::{Statement, args, defect};
use super::{Row, StoreError, Work, outbox};

/// What a signing key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// It is published, and signs from a time on.
    Next {
        /// That time.
        signs_at: UnixMillis,
    },
    /// It signs.
    Active {
        /// Since when.
        since: UnixMillis,
    },
    /// It has signed, and verifies what is left of that.
    Retired {
        /// When no token of it is alive any more.
        withdraw_at: UnixMillis,
    },
}

/// A signing key as it is stored.
#[derive(Clone, Debug)]
pub struct StoredKey {
    /// Key id.
    pub kid: String,
    /// What it is for.
    pub state: KeyState,
    /// Modulus, big-endian.
    pub modulus: Vec<u8>,
    /// Public exponent, big-endian.
    pub exponent: Vec<u8>,
    /// The private key, encrypted.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: UnixMillis,
}

impl StoredKey {
    /// Whether it is the one that signs.
    pub fn is_active(&self) -> bool {
        matches!(self.state, KeyState::Active { .. })
    }

    /// Whether it is the one that signs after that.
    pub fn is_next(&self) -> bool {
        matches!(self.state, KeyState::Next { .. })
    }
}

/// A key that is not there yet.
#[derive(Debug)]
pub struct NewKey<'a> {
    /// Key id.
    pub kid: &'a str,
    /// Modulus and exponent, big-endian.
    pub public: (&'a [u8], &'a [u8]),
    /// The private key, encrypted.
    pub sealed: &'a [u8],
}

fn read(row: &Row) -> Result<StoredKey, StoreError> {
    let created_at = row.time("created_at")?;
    // Keys of a schema that did not have these columns were active.
    let time = |column| Ok::<_, StoreError>(row.time_or_null(column)?.unwrap_or(created_at));
    let state = match row.text("state")?.as_str() {
        "next" => KeyState::Next {
            signs_at: time("signs_at")?,
        },
        "active" => KeyState::Active {
            since: time("activated_at")?,
        },
        "retired" => KeyState::Retired {
            withdraw_at: time("withdraw_at")?,
        },
        other => return Err(defect(format!("unknown state of a key {other:?}"))),
    };
    Ok(StoredKey {
        kid: row.text("kid")?,
        state,
        modulus: row.bytes("modulus")?,
        exponent: row.bytes("exponent")?,
        sealed: row.bytes("sealed")?,
        created_at,
    })
}

/// Every key that may verify a live token, from the oldest.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn list(work: &mut Work) -> Result<Vec<StoredKey>, StoreError> {
    const LIST: Statement = Statement::both(
        "SELECT kid, state, modulus, exponent, sealed, created_at, signs_at, activated_at, withdraw_at \
         FROM signing_keys ORDER BY created_at, kid",
    );
    work.fetch_all(&LIST, args![]).await?.iter().map(read).collect()
}

/// A number that grows with every change of the keys.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn version(work: &mut Work) -> Result<i64, StoreError> {
    const VERSION: Statement = Statement::both("SELECT version FROM signing_key_version");
    work.fetch_one(&VERSION, args![]).await?.number("version")
}

/// Begins a change of the keys: nobody else changes any until the unit of work ends.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn begin_changes(work: &mut Work) -> Result<(), StoreError> {
    const BEGIN: Statement = Statement::both("UPDATE signing_key_version SET version = version + 1");
    work.execute(&BEGIN, args![]).await.map(|_| ())
}

/// Adds a key as the active one, unless there is one already. Whether it was added.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn insert_active(work: &mut Work, key: &NewKey<'_>) -> Result<bool, StoreError> {
    // The index on `state` lets one active key in.
    const INSERT: Statement = Statement::both(
        "INSERT INTO signing_keys (kid, state, modulus, exponent, sealed, created_at, activated_at) \
         VALUES ($1, 'active', $2, $3, $4, $5, $5) ON CONFLICT DO NOTHING",
    );
    let now = work.now().await?;
    let (modulus, exponent) = key.public;
    let arguments = args![key.kid, modulus, exponent, key.sealed, now];
    Ok(work.execute(&INSERT, arguments).await? == 1)
}

/// Adds a key as the next one, which signs from a time on. Within a change that has begun.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer, or there is a next one.
pub async fn insert_next(work: &mut Work, key: &NewKey<'_>, signs_at: UnixMillis) -> Result<(), StoreError> {
    const INSERT: Statement = Statement::both(
        "INSERT INTO signing_keys (kid, state, modulus, exponent, sealed, created_at, signs_at) \
         VALUES ($1, 'next', $2, $3, $4, $5, $6)",
    );
    let now = work.now().await?;
    let (modulus, exponent) = key.public;
    let arguments = args![key.kid, modulus, exponent, key.sealed, now, signs_at];
    work.execute(&INSERT, arguments).await.map(|_| ())
}

/// Has the next key sign from another time on. Within a change that has begun.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn set_signs_at(work: &mut Work, signs_at: UnixMillis) -> Result<(), StoreError> {
    const SET: Statement = Statement::both("UPDATE signing_keys SET signs_at = $1 WHERE state = 'next'");
    work.execute(&SET, args![signs_at]).await.map(|_| ())
}

/// Has the active key sign no more. It stays until no token of it can be alive. Within a change that has begun.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn retire_active(work: &mut Work) -> Result<(), StoreError> {
    const RETIRE: Statement = Statement::both(
        "UPDATE signing_keys SET state = 'retired', retired_at = $1, withdraw_at = $2 WHERE state = 'active'",
    );
    let now = work.now().await?;
    let withdraw_at = outbox::tokens_end(work).await?.plus(KEY_MARGIN);
    work.execute(&RETIRE, args![now, withdraw_at]).await.map(|_| ())
}

/// Has the next key sign from now on; the active one is retired, or gone. Within a change that has begun.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn activate_next(work: &mut Work) -> Result<(), StoreError> {
    const ACTIVATE: Statement =
        Statement::both("UPDATE signing_keys SET state = 'active', activated_at = $1 WHERE state = 'next'");
    let now = work.now().await?;
    work.execute(&ACTIVATE, args![now]).await.map(|_| ())
}

/// Deletes a key, whatever its state. Within a change that has begun.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn delete(work: &mut Work, kid: &str) -> Result<(), StoreError> {
    const DELETE: Statement = Statement::both("DELETE FROM signing_keys WHERE kid = $1");
    work.execute(&DELETE, args![kid]).await.map(|_| ())
}

/// Deletes the retired keys of which no token can be alive any more. How many. Within a change that has begun.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn delete_withdrawn(work: &mut Work) -> Result<u64, StoreError> {
    const DELETE: Statement =
        Statement::both("DELETE FROM signing_keys WHERE state = 'retired' AND withdraw_at <= $1");
    let now = work.now().await?;
    work.execute(&DELETE, args![now]).await
}

/// The keys that were revoked, and when, from the first.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn revoked(work: &mut Work) -> Result<Vec<(String, UnixMillis)>, StoreError> {
    const REVOKED: Statement =
        Statement::both("SELECT name, created_at FROM outbox WHERE kind = 'key' ORDER BY created_at, name");
    let rows = work.fetch_all(&REVOKED, args![]).await?;
    rows.iter()
        .map(|row| Ok((row.text("name")?, row.time("created_at")?)))
        .collect()
}

/// Seals a key's private part anew. Within a change that has begun.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn reseal(work: &mut Work, kid: &str, sealed: &[u8]) -> Result<(), StoreError> {
    const RESEAL: Statement = Statement::both("UPDATE signing_keys SET sealed = $2 WHERE kid = $1");
    work.execute(&RESEAL, args![kid, sealed]).await.map(|_| ())
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

/// Every secret with its name, sealed; nobody adds or changes any until the unit of work ends.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn hold_secrets(work: &mut Work) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    const HOLD: Statement = Statement::each(
        "LOCK TABLE server_secrets IN SHARE ROW EXCLUSIVE MODE",
        "SELECT 1",
    );
    const SECRETS: Statement = Statement::both("SELECT name, sealed FROM server_secrets ORDER BY name");
    work.execute(&HOLD, args![]).await?;
    let rows = work.fetch_all(&SECRETS, args![]).await?;
    rows.iter()
        .map(|row| Ok((row.text("name")?, row.bytes("sealed")?)))
        .collect()
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

/// Seals a secret anew.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn reseal_secret(work: &mut Work, name: &str, sealed: &[u8]) -> Result<(), StoreError> {
    const RESEAL: Statement = Statement::both("UPDATE server_secrets SET sealed = $2 WHERE name = $1");
    work.execute(&RESEAL, args![name, sealed]).await.map(|_| ())
}
