//! Roles, and who has them.

use std::collections::HashMap;

use serde_json::json;
use shared::id::{RoleId, SubjectId};
use shared::revocation::Fact;
use shared::time::UnixMillis;

use super::sql::{Statement, args};
use super::{Page, PageRequest, Row, StoreError, Work, outbox};

/// A role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its id, which a rename leaves alone.
    pub id: RoleId,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Whether the product gives it a meaning.
    pub built_in: bool,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it was last changed.
    pub updated_at: UnixMillis,
}

fn read(row: &Row) -> Result<Role, StoreError> {
    Ok(Role {
        id: row.id("id")?,
        name: row.text("name")?,
        description: row.text_or_null("description")?,
        built_in: row.flag("built_in")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Adds a role.
///
/// # Errors
///
/// [`StoreError::Duplicate`] if the name is taken.
pub async fn insert(
    work: &mut Work,
    id: RoleId,
    name: &str,
    description: Option<&str>,
) -> Result<(), StoreError> {
    const INSERT: Statement = Statement::both(
        "INSERT INTO roles (id, name, description, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)",
    );
    let now = work.now().await?;
    work.execute(&INSERT, args![id, name, description, now])
        .await
        .map(|_| ())
}

/// The role of this id.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn by_id(work: &mut Work, id: RoleId) -> Result<Option<Role>, StoreError> {
    const BY_ID: Statement = Statement::both(
        "SELECT id, name, description, built_in, created_at, updated_at FROM roles WHERE id = $1",
    );
    work.fetch_optional(&BY_ID, args![id])
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// The role of this id, its row locked until the unit of work ends.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn lock(work: &mut Work, id: RoleId) -> Result<Option<Role>, StoreError> {
    const LOCK: Statement = Statement::each(
        "SELECT id, name, description, built_in, created_at, updated_at FROM roles WHERE id = $1 FOR UPDATE",
        "SELECT id, name, description, built_in, created_at, updated_at FROM roles WHERE id = $1",
    );
    work.fetch_optional(&LOCK, args![id])
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// A page of the roles, newest first.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn list(work: &mut Work, page: PageRequest) -> Result<Page<Role>, StoreError> {
    const LIST: Statement = Statement::both(
        "SELECT id, name, description, built_in, created_at, updated_at FROM roles \
         WHERE id < $1 ORDER BY id DESC LIMIT $2",
    );
    let rows = work
        .fetch_all(&LIST, args![page.before_or_end(), page.limit_and_one()])
        .await?;
    page.page(&rows, read, |role| role.id.0)
}

/// Every role of a user, by name.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn of_user(work: &mut Work, user: SubjectId) -> Result<Vec<Role>, StoreError> {
    const OF_USER: Statement = Statement::both(
        "SELECT r.id, r.name, r.description, r.built_in, r.created_at, r.updated_at FROM user_roles ur \
         JOIN roles r ON r.id = ur.role_id WHERE ur.user_id = $1 ORDER BY r.name",
    );
    work.fetch_all(&OF_USER, args![user])
        .await?
        .iter()
        .map(read)
        .collect()
}

/// Changes name and description.
///
/// # Errors
///
/// [`StoreError::Duplicate`] if the name is taken.
pub async fn update(
    work: &mut Work,
    id: RoleId,
    name: &str,
    description: Option<&str>,
) -> Result<(), StoreError> {
    const UPDATE: Statement =
        Statement::both("UPDATE roles SET name = $2, description = $3, updated_at = $4 WHERE id = $1");
    let now = work.now().await?;
    work.execute(&UPDATE, args![id, name, description, now])
        .await
        .map(|_| ())
}

/// Deletes a role, and so takes it from everyone.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn delete(work: &mut Work, id: RoleId) -> Result<(), StoreError> {
    const DELETE: Statement = Statement::both("DELETE FROM roles WHERE id = $1");
    work.execute(&DELETE, args![id]).await.map(|_| ())
}

/// The ids of the roles of these names, which stay as they are until the unit of work ends. Names that no role has are left
/// out.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn ids_of(work: &mut Work, names: &[&str]) -> Result<HashMap<String, RoleId>, StoreError> {
    const IDS: Statement = Statement::each(
        "SELECT id, name FROM roles WHERE name = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb))) \
         ORDER BY id FOR KEY SHARE",
        "SELECT id, name FROM roles WHERE name IN (SELECT value FROM json_each($1))",
    );
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let text = json!(names).to_string();
    let rows = work.fetch_all(&IDS, args![text.as_str()]).await?;
    rows.iter()
        .map(|row| Ok((row.text("name")?, row.id("id")?)))
        .collect()
}

/// Raises the roles' version and records that tokens below it that carry `name` are stale.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn outdate_name(work: &mut Work, name: &str) -> Result<(), StoreError> {
    const RAISE: Statement = Statement::both("UPDATE role_version SET rver = rver + 1 RETURNING rver");
    let row = work.fetch_one(&RAISE, args![]).await?;
    let fact = Fact::Role {
        name: name.into(),
        min_rver: row.number("rver")?,
    };
    outbox::record(work, &fact).await
}

/// Gives a role to a user. Whether the user lacked it.
///
/// # Errors
///
/// [`StoreError::Gone`] if the user or the role is.
pub async fn grant(work: &mut Work, user: SubjectId, role: RoleId) -> Result<bool, StoreError> {
    const GRANT: Statement = Statement::both(
        "INSERT INTO user_roles (user_id, role_id, granted_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    );
    let now = work.now().await?;
    Ok(work.execute(&GRANT, args![user, role, now]).await? == 1)
}

/// Takes a role from a user. Whether the user had it.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn revoke(work: &mut Work, user: SubjectId, role: RoleId) -> Result<bool, StoreError> {
    const REVOKE: Statement = Statement::both("DELETE FROM user_roles WHERE user_id = $1 AND role_id = $2");
    Ok(work.execute(&REVOKE, args![user, role]).await? == 1)
}
