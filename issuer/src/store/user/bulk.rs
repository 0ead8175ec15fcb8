//! Many users at once, in and out.

use std::collections::HashSet;

use secrecy::SecretString;
use serde_json::{Value, json};
use shared::id::{RoleId, SubjectId};
use shared::time::UnixMillis;
use uuid::Uuid;

use super::names;
use crate::store::sql::{Statement, args};
use crate::store::{StoreError, Work};

/// A user to be made.
#[derive(Clone, Copy)]
pub struct NewUser<'a> {
    /// Its id.
    pub id: SubjectId,
    /// The login, folded.
    pub login: &'a str,
    /// The hash of the password, of whatever kind.
    pub password_hash: &'a str,
    /// Whether the account may be used.
    pub active: bool,
    /// Whether everything is allowed.
    pub superuser: bool,
    /// When it registered.
    pub created_at: UnixMillis,
}

/// A user with all that makes it another one elsewhere.
#[derive(Debug)]
pub struct StoredUser {
    /// The login, folded.
    pub login: String,
    /// The hash of the password, of whatever kind.
    pub password_hash: SecretString,
    /// Names of the roles, in order.
    pub roles: Vec<String>,
    /// Whether the account may be used.
    pub active: bool,
    /// Whether everything is allowed.
    pub superuser: bool,
    /// When it registered.
    pub created_at: UnixMillis,
}

/// 32 hexadecimal digits, which both databases read.
fn hex(id: Uuid) -> String {
    id.simple().to_string()
}

/// Adds users without roles whose logins are not taken. The ids of those that were added.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn insert_new(work: &mut Work, users: &[NewUser<'_>]) -> Result<HashSet<SubjectId>, StoreError> {
    const INSERT: Statement = Statement::each(
        "INSERT INTO users (id, login, password_hash, active, superuser, created_at, ver, updated_at) \
         SELECT (e->>0)::uuid, e->>1, e->>2, (e->>3)::boolean, (e->>4)::boolean, \
         timestamptz 'epoch' + (e->>5)::bigint * interval '1 millisecond', $2, $3 \
         FROM jsonb_array_elements($1::jsonb) AS e ON CONFLICT (login) DO NOTHING RETURNING id",
        "INSERT INTO users (id, login, password_hash, active, superuser, created_at, ver, updated_at) \
         SELECT unhex(json_extract(e.value, '$[0]')), json_extract(e.value, '$[1]'), json_extract(e.value, '$[2]'), \
         json_extract(e.value, '$[3]'), json_extract(e.value, '$[4]'), json_extract(e.value, '$[5]'), $2, $3 \
         FROM json_each($1) AS e WHERE true ON CONFLICT (login) DO NOTHING RETURNING id",
    );
    let now = work.now().await?;
    let rows = users.iter().map(|user| {
        json!([
            hex(user.id.0),
            user.login,
            user.password_hash,
            user.active,
            user.superuser,
            user.created_at.0
        ])
    });
    let text = rows.collect::<Value>().to_string();
    let added = work.fetch_all(&INSERT, args![text.as_str(), now.0, now]).await?;
    added.iter().map(|row| row.id("id")).collect()
}

/// Gives roles to users who have just been added.
///
/// # Errors
///
/// [`StoreError::Gone`] if a role is.
pub async fn grant_all(work: &mut Work, grants: &[(SubjectId, RoleId)]) -> Result<(), StoreError> {
    const GRANT: Statement = Statement::each(
        "INSERT INTO user_roles (user_id, role_id, granted_at) \
         SELECT (e->>0)::uuid, (e->>1)::uuid, $2 FROM jsonb_array_elements($1::jsonb) AS e",
        "INSERT INTO user_roles (user_id, role_id, granted_at) \
         SELECT unhex(json_extract(e.value, '$[0]')), unhex(json_extract(e.value, '$[1]')), $2 FROM json_each($1) AS e",
    );
    let now = work.now().await?;
    let rows = grants
        .iter()
        .map(|(user, role)| json!([hex(user.0), hex(role.0)]));
    let text = rows.collect::<Value>().to_string();
    work.execute(&GRANT, args![text.as_str(), now]).await.map(|_| ())
}

/// Those of the logins whose users were added or changed at `since` or later.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn changed_since(
    work: &mut Work,
    logins: &[&str],
    since: UnixMillis,
) -> Result<HashSet<String>, StoreError> {
    const CHANGED: Statement = Statement::each(
        "SELECT login FROM users WHERE login = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb))) \
         AND updated_at >= $2",
        "SELECT login FROM users WHERE login IN (SELECT value FROM json_each($1)) AND updated_at >= $2",
    );
    if logins.is_empty() {
        return Ok(HashSet::new());
    }
    let text = json!(logins).to_string();
    let rows = work.fetch_all(&CHANGED, args![text.as_str(), since]).await?;
    rows.iter().map(|row| row.text("login")).collect()
}

/// Users in the order of their logins, from behind one on, at most `limit`.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn page(work: &mut Work, after: &str, limit: u32) -> Result<Vec<StoredUser>, StoreError> {
    const PAGE: Statement = Statement::both(
        "SELECT u.login, u.password_hash, u.active, u.superuser, u.created_at, \
         (SELECT string_agg(r.name, ',' ORDER BY r.name) FROM user_roles ur \
         JOIN roles r ON r.id = ur.role_id WHERE ur.user_id = u.id) AS roles \
         FROM users u WHERE u.login > $1 ORDER BY u.login LIMIT $2",
    );
    let rows = work.fetch_all(&PAGE, args![after, i64::from(limit)]).await?;
    rows.iter()
        .map(|row| {
            Ok(StoredUser {
                login: row.text("login")?,
                password_hash: row.text("password_hash")?.into(),
                roles: names(row.text_or_null("roles")?.as_deref()),
                active: row.flag("active")?,
                superuser: row.flag("superuser")?,
                created_at: row.time("created_at")?,
            })
        })
        .collect()
}
