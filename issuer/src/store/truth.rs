//! What a token says, read at one instant.

use shared::id::{SessionId, SubjectId, TokenId};
use shared::role::RoleSet;

use super::sql::{Statement, args};
use super::user::names;
use super::{Row, StoreError, Work};

/// What a token signed now would say of its subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth {
    /// Whose session it is.
    pub subject: SubjectId,
    /// Names of the subject's roles.
    pub roles: RoleSet,
    /// The subject's authorization version.
    pub ver: i64,
    /// The roles' version.
    pub rver: i64,
    /// Whether everything is allowed.
    pub superuser: bool,
    /// Id of the key that signs.
    pub kid: Option<String>,
}

/// The columns of a user's [`Truth`], for a statement to end.
macro_rules! select_truth {
    ($rest:literal) => {
        concat!(
            "SELECT u.id, u.superuser, u.ver, v.rver, ",
            "(SELECT k.kid FROM signing_keys k WHERE k.state = 'active') AS kid, ",
            "(SELECT string_agg(r.name, ',' ORDER BY r.name) FROM user_roles ur ",
            "JOIN roles r ON r.id = ur.role_id WHERE ur.user_id = u.id) AS roles",
            $rest
        )
    };
}
pub(super) use select_truth;

/// Reads the truth about a live session of an active user, in one statement, so that it is of one instant, and locks
/// the session until the unit of work ends. `None` if the session has ended or the account is disabled.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn of_session(work: &mut Work, session: SessionId) -> Result<Option<Truth>, StoreError> {
    const TRUTH: Statement = Statement::each(
        select_truth!(
            ", clock_timestamp() AS now FROM sessions s JOIN users u ON u.id = s.user_id CROSS JOIN role_version v \
             WHERE s.id = $1 AND s.ended_at IS NULL AND s.expires_at > clock_timestamp() \
             AND s.refresh_expires_at > clock_timestamp() AND u.active FOR NO KEY UPDATE OF s"
        ),
        select_truth!(
            " FROM sessions s JOIN users u ON u.id = s.user_id CROSS JOIN role_version v \
             WHERE s.id = $1 AND s.ended_at IS NULL AND s.expires_at > $2 AND s.refresh_expires_at > $2 AND u.active"
        ),
    );
    let arguments = if work.is_postgres() {
        args![session]
    } else {
        args![session, work.now().await?]
    };
    let Some(row) = work.fetch_optional(&TRUTH, arguments).await? else {
        return Ok(None);
    };
    work.learn_now(&row)?;
    read(&row).map(Some)
}

/// Reads the columns of [`select_truth`].
pub(super) fn read(row: &Row) -> Result<Truth, StoreError> {
    Ok(Truth {
        subject: row.id("id")?,
        roles: names(row.text_or_null("roles")?.as_deref()).into_iter().collect(),
        ver: row.number("ver")?,
        rver: row.number("rver")?,
        superuser: row.flag("superuser")?,
        kid: row.text_or_null("kid")?,
    })
}

/// Reads the truth about a client whose secret still has this digest, in one statement, so that it is of one instant.
/// `None` if it has another by now, or is gone.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn of_client(
    work: &mut Work,
    client: SubjectId,
    secret_digest: &[u8],
) -> Result<Option<Truth>, StoreError> {
    const TRUTH: Statement = Statement::both(
        "SELECT c.ver, v.rver, (SELECT k.kid FROM signing_keys k WHERE k.state = 'active') AS kid, \
         (SELECT string_agg(r.name, ',' ORDER BY r.name) FROM client_roles cr \
         JOIN roles r ON r.id = cr.role_id WHERE cr.client_id = c.id) AS roles \
         FROM clients c CROSS JOIN role_version v WHERE c.id = $1 AND c.secret_digest = $2",
    );
    // For the skew of our clock.
    work.now().await?;
    let Some(row) = work.fetch_optional(&TRUTH, args![client, secret_digest]).await? else {
        return Ok(None);
    };
    Ok(Some(Truth {
        subject: client,
        roles: names(row.text_or_null("roles")?.as_deref()).into_iter().collect(),
        ver: row.number("ver")?,
        rver: row.number("rver")?,
        superuser: false,
        kid: row.text_or_null("kid")?,
    }))
}

/// Who a caller is now, as the database says, whatever its token does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own that a token is judged by"
)]
pub struct Standing {
    /// Whether the account may be used.
    pub active: bool,
    /// Whether everything is allowed.
    pub superuser: bool,
    /// Authorization version.
    pub ver: i64,
    /// The roles' version.
    pub rver: i64,
    /// Names of the roles.
    pub roles: RoleSet,
    /// Whether the session has not ended; of a service, whether the token was not revoked.
    pub session_lives: bool,
    /// Whether the key that signed the token has not been withdrawn.
    pub key_stands: bool,
}

/// Reads how a subject, a session of it and the key of a token stand now. `None` if the subject is gone.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn of_caller(
    work: &mut Work,
    subject: SubjectId,
    session: SessionId,
    kid: &str,
) -> Result<Option<Standing>, StoreError> {
    const STANDING: Statement = Statement::both(
        "SELECT u.active, u.superuser, u.ver, v.rver, \
         (SELECT string_agg(r.name, ',' ORDER BY r.name) FROM user_roles ur \
         JOIN roles r ON r.id = ur.role_id WHERE ur.user_id = u.id) AS roles, \
         (SELECT COUNT(*) FROM sessions s WHERE s.id = $2 AND s.user_id = u.id AND s.ended_at IS NULL \
         AND s.expires_at > $3) AS sessions, \
         (SELECT COUNT(*) FROM signing_keys k WHERE k.kid = $4) AS keys \
         FROM users u CROSS JOIN role_version v WHERE u.id = $1",
    );
    let now = work.now().await?;
    let Some(row) = work
        .fetch_optional(&STANDING, args![subject, session, now, kid])
        .await?
    else {
        return Ok(None);
    };
    Ok(Some(Standing {
        active: row.flag("active")?,
        superuser: row.flag("superuser")?,
        ver: row.number("ver")?,
        rver: row.number("rver")?,
        roles: names(row.text_or_null("roles")?.as_deref()).into_iter().collect(),
        session_lives: row.number("sessions")? > 0,
        key_stands: row.number("keys")? > 0,
    }))
}

/// Reads how a service, a token of it and the token's key stand now. `None` if the service is gone.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn of_service(
    work: &mut Work,
    client: SubjectId,
    token: TokenId,
    kid: &str,
) -> Result<Option<Standing>, StoreError> {
    const STANDING: Statement = Statement::both(
        "SELECT c.ver, v.rver, \
         (SELECT string_agg(r.name, ',' ORDER BY r.name) FROM client_roles cr \
         JOIN roles r ON r.id = cr.role_id WHERE cr.client_id = c.id) AS roles, \
         (SELECT COUNT(*) FROM outbox o WHERE o.kind = 'token' AND o.ref = $2) AS revocations, \
         (SELECT COUNT(*) FROM signing_keys k WHERE k.kid = $3) AS keys \
         FROM clients c CROSS JOIN role_version v WHERE c.id = $1",
    );
    let Some(row) = work.fetch_optional(&STANDING, args![client, token, kid]).await? else {
        return Ok(None);
    };
    Ok(Some(Standing {
        active: true,
        superuser: false,
        ver: row.number("ver")?,
        rver: row.number("rver")?,
        roles: names(row.text_or_null("roles")?.as_deref()).into_iter().collect(),
        session_lives: row.number("revocations")? == 0,
        key_stands: row.number("keys")? > 0,
    }))
}
