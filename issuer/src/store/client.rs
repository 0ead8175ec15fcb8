//! Clients: services that take tokens in their own name.

use shared::id::SubjectId;
use shared::revocation::Fact;
use shared::time::UnixMillis;

use super::sql::{Statement, args};
use super::user::names;
use super::{StoreError, Work, outbox};

/// A client as its operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its id, the `sub` of its tokens.
    pub id: SubjectId,
    /// Its name, the `client_id`.
    pub name: String,
    /// Names of its roles, in order.
    pub roles: Vec<String>,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When its secret was made.
    pub rotated_at: UnixMillis,
}

/// What a presented secret is compared with.
#[derive(Debug)]
pub struct SecretRecord {
    /// Whose it is.
    pub id: SubjectId,
    /// Digest of the secret.
    pub digest: Vec<u8>,
}

/// Adds a client without roles.
///
/// # Errors
///
/// [`StoreError::Duplicate`] if the name is taken.
pub async fn insert(work: &mut Work, id: SubjectId, name: &str, digest: &[u8]) -> Result<(), StoreError> {
    const INSERT: Statement = Statement::both(
        "INSERT INTO clients (id, name, secret_digest, ver, created_at, rotated_at) VALUES ($1, $2, $3, $4, $5, $5)",
    );
    let now = work.now().await?;
    work.execute(&INSERT, args![id, name, digest, now.0, now])
        .await
        .map(|_| ())
}

/// Gives a new client the role of this name. Whether there is such a role.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn give_role(work: &mut Work, id: SubjectId, role: &str) -> Result<bool, StoreError> {
    const GIVE: Statement = Statement::both(
        "INSERT INTO client_roles (client_id, role_id) SELECT $1, id FROM roles WHERE name = $2",
    );
    Ok(work.execute(&GIVE, args![id, role]).await? == 1)
}

/// Every client, by name. An operator makes each by hand, so they are few.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn list(work: &mut Work) -> Result<Vec<Client>, StoreError> {
    const LIST: Statement = Statement::both(
        "SELECT c.id, c.name, c.created_at, c.rotated_at, \
         (SELECT string_agg(r.name, ',' ORDER BY r.name) FROM client_roles cr \
         JOIN roles r ON r.id = cr.role_id WHERE cr.client_id = c.id) AS roles FROM clients c ORDER BY c.name",
    );
    let rows = work.fetch_all(&LIST, args![]).await?;
    rows.iter()
        .map(|row| {
            Ok(Client {
                id: row.id("id")?,
                name: row.text("name")?,
                roles: names(row.text_or_null("roles")?.as_deref()),
                created_at: row.time("created_at")?,
                rotated_at: row.time("rotated_at")?,
            })
        })
        .collect()
}

/// What the secret of the client of this name is compared with.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn secret_by_name(work: &mut Work, name: &str) -> Result<Option<SecretRecord>, StoreError> {
    const BY_NAME: Statement = Statement::both("SELECT id, secret_digest FROM clients WHERE name = $1");
    work.fetch_optional(&BY_NAME, args![name])
        .await?
        .map(|row| {
            Ok(SecretRecord {
                id: row.id("id")?,
                digest: row.bytes("secret_digest")?,
            })
        })
        .transpose()
}

/// Raises the client's authorization version and records that tokens below it are stale. `false` if there is no such
/// client.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn outdate_tokens(work: &mut Work, id: SubjectId) -> Result<bool, StoreError> {
    // Never below the time, as with users.
    const RAISE: Statement = Statement::each(
        "UPDATE clients SET ver = GREATEST(ver + 1, $2) WHERE id = $1 RETURNING ver",
        "UPDATE clients SET ver = MAX(ver + 1, $2) WHERE id = $1 RETURNING ver",
    );
    let now = work.now().await?;
    let Some(row) = work.fetch_optional(&RAISE, args![id, now.0]).await? else {
        return Ok(false);
    };
    let fact = Fact::Subject {
        subject: id,
        min_ver: row.number("ver")?,
    };
    outbox::record(work, &fact).await?;
    Ok(true)
}

/// Changes the secret.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn set_secret(work: &mut Work, id: SubjectId, digest: &[u8]) -> Result<(), StoreError> {
    const SET: Statement =
        Statement::both("UPDATE clients SET secret_digest = $2, rotated_at = $3 WHERE id = $1");
    let now = work.now().await?;
    work.execute(&SET, args![id, digest, now]).await.map(|_| ())
}

/// Deletes a client.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn delete(work: &mut Work, id: SubjectId) -> Result<(), StoreError> {
    const DELETE: Statement = Statement::both("DELETE FROM clients WHERE id = $1");
    work.execute(&DELETE, args![id]).await.map(|_| ())
}

/// Whether a client still has this authorization version. Held against every change of it until the unit of work ends.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn hold(work: &mut Work, id: SubjectId, ver: i64) -> Result<bool, StoreError> {
    const HOLD: Statement = Statement::each(
        "SELECT id FROM clients WHERE id = $1 AND ver = $2 FOR SHARE",
        "SELECT id FROM clients WHERE id = $1 AND ver = $2",
    );
    Ok(work.fetch_optional(&HOLD, args![id, ver]).await?.is_some())
}
