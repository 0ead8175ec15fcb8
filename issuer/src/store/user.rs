//! Users, and the locks that hold them still while something about them is decided.

pub mod bulk;

use secrecy::SecretString;
use shared::id::SubjectId;
use shared::revocation::Fact;
use shared::time::UnixMillis;

use super::sql::{Statement, args};
use super::{Page, PageRequest, Row, StoreError, Work, outbox};

/// A user as others may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The user's id, the `sub` of its tokens.
    pub id: SubjectId,
    /// The login, folded.
    pub login: String,
    /// Whether the account may be used.
    pub active: bool,
    /// Whether everything is allowed.
    pub superuser: bool,
    /// Names of the roles, in order.
    pub roles: Vec<String>,
    /// When it registered.
    pub created_at: UnixMillis,
    /// When it was last changed.
    pub updated_at: UnixMillis,
}

/// What a login is checked against.
#[derive(Debug)]
pub struct PasswordRecord {
    /// Whose it is.
    pub id: SubjectId,
    /// The PHC string.
    pub hash: SecretString,
    /// Whether the account may be used.
    pub active: bool,
}

/// A user whose row is locked until the unit of work ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locked {
    /// The user's id.
    pub id: SubjectId,
    /// Whether the account may be used.
    pub active: bool,
    /// Whether everything is allowed.
    pub superuser: bool,
    /// Authorization version.
    pub ver: i64,
}

/// What is told of a user: the columns of [`User`], for a statement to end.
macro_rules! select_user {
    ($rest:literal) => {
        concat!(
            "SELECT u.id, u.login, u.active, u.superuser, u.created_at, u.updated_at, ",
            "(SELECT string_agg(r.name, ',' ORDER BY r.name) FROM user_roles ur ",
            "JOIN roles r ON r.id = ur.role_id WHERE ur.user_id = u.id) AS roles FROM users u ",
            $rest
        )
    };
}

/// Splits what `string_agg(…, ',')` put together. Role names have no commas.
pub(super) fn names(joined: Option<&str>) -> Vec<String> {
    joined
        .map(|names| names.split(',').map(str::to_owned).collect())
        .unwrap_or_default()
}

fn read_user(row: &Row) -> Result<User, StoreError> {
    Ok(User {
        id: row.id("id")?,
        login: row.text("login")?,
        active: row.flag("active")?,
        superuser: row.flag("superuser")?,
        roles: names(row.text_or_null("roles")?.as_deref()),
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

fn read_locked(row: &Row) -> Result<Locked, StoreError> {
    Ok(Locked {
        id: row.id("id")?,
        active: row.flag("active")?,
        superuser: row.flag("superuser")?,
        ver: row.number("ver")?,
    })
}

/// Adds a user without roles.
///
/// # Errors
///
/// [`StoreError::Duplicate`] if the login is taken.
pub async fn insert(
    work: &mut Work,
    id: SubjectId,
    login: &str,
    password_hash: &str,
    superuser: bool,
) -> Result<(), StoreError> {
    const INSERT: Statement = Statement::both(
        "INSERT INTO users (id, login, password_hash, superuser, ver, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $6)",
    );
    let now = work.now().await?;
    work.execute(&INSERT, args![id, login, password_hash, superuser, now.0, now])
        .await
        .map(|_| ())
}

/// Whether a login is taken.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn login_is_taken(work: &mut Work, login: &str) -> Result<bool, StoreError> {
    const TAKEN: Statement = Statement::both("SELECT id FROM users WHERE login = $1");
    Ok(work.fetch_optional(&TAKEN, args![login]).await?.is_some())
}

/// What a login with this name is checked against.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn password_by_login(work: &mut Work, login: &str) -> Result<Option<PasswordRecord>, StoreError> {
    const BY_LOGIN: Statement =
        Statement::both("SELECT id, password_hash, active FROM users WHERE login = $1");
    read_password(work.fetch_optional(&BY_LOGIN, args![login]).await?.as_ref())
}

/// What this user's password is checked against.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn password_by_id(work: &mut Work, id: SubjectId) -> Result<Option<PasswordRecord>, StoreError> {
    const BY_ID: Statement = Statement::both("SELECT id, password_hash, active FROM users WHERE id = $1");
    read_password(work.fetch_optional(&BY_ID, args![id]).await?.as_ref())
}

fn read_password(row: Option<&Row>) -> Result<Option<PasswordRecord>, StoreError> {
    row.map(|row| {
        Ok(PasswordRecord {
            id: row.id("id")?,
            hash: row.text("password_hash")?.into(),
            active: row.flag("active")?,
        })
    })
    .transpose()
}

/// The user of this id.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn by_id(work: &mut Work, id: SubjectId) -> Result<Option<User>, StoreError> {
    const BY_ID: Statement = Statement::both(select_user!("WHERE u.id = $1"));
    work.fetch_optional(&BY_ID, args![id])
        .await?
        .as_ref()
        .map(read_user)
        .transpose()
}

/// The id of the user with this login.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn id_by_login(work: &mut Work, login: &str) -> Result<Option<SubjectId>, StoreError> {
    const ID: Statement = Statement::both("SELECT id FROM users WHERE login = $1");
    work.fetch_optional(&ID, args![login])
        .await?
        .map(|row| row.id("id"))
        .transpose()
}

/// A page of the users whose login begins with `prefix`, newest first.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn list(work: &mut Work, prefix: &str, page: PageRequest) -> Result<Page<User>, StoreError> {
    const ALL: Statement = Statement::both(select_user!("WHERE u.id < $1 ORDER BY u.id DESC LIMIT $2"));
    const BY_PREFIX: Statement = Statement::both(select_user!(
        "WHERE u.login >= $3 AND u.login < $4 AND u.id < $1 ORDER BY u.id DESC LIMIT $2"
    ));
    let mut arguments = args![page.before_or_end(), page.limit_and_one()];
    let rows = if prefix.is_empty() {
        work.fetch_all(&ALL, arguments).await?
    } else {
        let end = format!("{prefix}{}", char::MAX);
        arguments.extend(args![prefix, end.as_str()]);
        work.fetch_all(&BY_PREFIX, arguments).await?
    };
    page.page(&rows, read_user, |user| user.id.0)
}

/// Locks the rows of these users, and with `superusers` every superuser's, in the order of their ids, so that no two
/// units of work wait for each other in a circle. Users that are not there are left out.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn lock(
    work: &mut Work,
    first: SubjectId,
    second: SubjectId,
    superusers: bool,
) -> Result<Vec<Locked>, StoreError> {
    const LOCK: Statement = Statement::each(
        "SELECT id, active, superuser, ver FROM users WHERE id IN ($1, $2) ORDER BY id FOR NO KEY UPDATE",
        "SELECT id, active, superuser, ver FROM users WHERE id IN ($1, $2) ORDER BY id",
    );
    const LOCK_SUPERUSERS: Statement = Statement::each(
        "SELECT id, active, superuser, ver FROM users WHERE id IN ($1, $2) OR superuser ORDER BY id \
         FOR NO KEY UPDATE",
        // For an `OR` of both, SQLite would read every user.
        "SELECT id, active, superuser, ver FROM users WHERE id IN \
         (SELECT $1 UNION ALL SELECT $2 UNION ALL SELECT id FROM users WHERE superuser) ORDER BY id",
    );
    let statement = if superusers { &LOCK_SUPERUSERS } else { &LOCK };
    work.fetch_all(statement, args![first, second])
        .await?
        .iter()
        .map(read_locked)
        .collect()
}

/// Locks a user for a login if the password hash is still `hash` and the account active. With `new_hash` it is
/// replaced in the same breath. Whether it was.
///
/// Held against every change of the user until the unit of work ends, so that no login survives a change that it
/// overlapped.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn lock_for_login(
    work: &mut Work,
    id: SubjectId,
    hash: &str,
    new_hash: Option<&str>,
) -> Result<bool, StoreError> {
    // The time is of after the lock was had: what is in `WITH` is done first.
    const LOCK: Statement = Statement::each(
        "WITH locked AS MATERIALIZED \
         (SELECT id FROM users WHERE id = $1 AND password_hash = $2 AND active FOR SHARE) \
         SELECT id, clock_timestamp() AS now FROM locked",
        "SELECT id FROM users WHERE id = $1 AND password_hash = $2 AND active",
    );
    const REHASH: Statement = Statement::each(
        "UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2 AND active \
         RETURNING id, clock_timestamp() AS now",
        "UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2 AND active RETURNING id",
    );
    let locked = match new_hash {
        None => work.fetch_optional(&LOCK, args![id, hash]).await?,
        Some(new_hash) => work.fetch_optional(&REHASH, args![id, hash, new_hash]).await?,
    };
    locked.as_ref().map_or(Ok(()), |row| work.learn_now(row))?;
    Ok(locked.is_some())
}

/// Raises the user's authorization version and records that tokens below it are stale.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn outdate_tokens(work: &mut Work, id: SubjectId) -> Result<(), StoreError> {
    // Never below the time: a database that lost its last commits cannot hand out a number twice.
    const RAISE: Statement = Statement::each(
        "UPDATE users SET ver = GREATEST(ver + 1, $2), updated_at = $3 WHERE id = $1 RETURNING ver",
        "UPDATE users SET ver = MAX(ver + 1, $2), updated_at = $3 WHERE id = $1 RETURNING ver",
    );
    let now = work.now().await?;
    let row = work.fetch_one(&RAISE, args![id, now.0, now]).await?;
    let fact = Fact::Subject {
        subject: id,
        min_ver: row.number("ver")?,
    };
    outbox::record(work, &fact).await
}

/// Changes the login.
///
/// # Errors
///
/// [`StoreError::Duplicate`] if the login is taken.
pub async fn set_login(work: &mut Work, id: SubjectId, login: &str) -> Result<(), StoreError> {
    const SET: Statement = Statement::both("UPDATE users SET login = $2, updated_at = $3 WHERE id = $1");
    let now = work.now().await?;
    work.execute(&SET, args![id, login, now]).await.map(|_| ())
}

/// Changes the password's hash.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn set_password_hash(work: &mut Work, id: SubjectId, hash: &str) -> Result<(), StoreError> {
    const SET: Statement =
        Statement::both("UPDATE users SET password_hash = $2, updated_at = $3 WHERE id = $1");
    let now = work.now().await?;
    work.execute(&SET, args![id, hash, now]).await.map(|_| ())
}

/// Enables or disables the account.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn set_active(work: &mut Work, id: SubjectId, active: bool) -> Result<(), StoreError> {
    const SET: Statement = Statement::both("UPDATE users SET active = $2, updated_at = $3 WHERE id = $1");
    let now = work.now().await?;
    work.execute(&SET, args![id, active, now]).await.map(|_| ())
}

/// Makes the user a superuser, or no longer one.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn set_superuser(work: &mut Work, id: SubjectId, superuser: bool) -> Result<(), StoreError> {
    const SET: Statement = Statement::both("UPDATE users SET superuser = $2, updated_at = $3 WHERE id = $1");
    let now = work.now().await?;
    work.execute(&SET, args![id, superuser, now]).await.map(|_| ())
}

/// Deletes the user with everything personal: roles, sessions, refresh tokens and login history.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn delete(work: &mut Work, id: SubjectId) -> Result<(), StoreError> {
    const HISTORY: Statement = Statement::both("DELETE FROM login_history WHERE user_id = $1");
    const USER: Statement = Statement::both("DELETE FROM users WHERE id = $1");
    work.execute(&HISTORY, args![id]).await?;
    work.execute(&USER, args![id]).await.map(|_| ())
}

/// Whether there is an active superuser.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn any_superuser(work: &mut Work) -> Result<bool, StoreError> {
    const ANY: Statement = Statement::both("SELECT id FROM users WHERE superuser AND active LIMIT 1");
    Ok(work.fetch_optional(&ANY, args![]).await?.is_some())
}
