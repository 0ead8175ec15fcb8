//! The login history: every attempt, good or bad.

pub mod months;

use shared::id::{LoginId, SessionId, SubjectId};
use shared::time::UnixMillis;

use super::audit::{self, Action, Actor, Event};
use super::session::Origin;
use super::sql::{Statement, args, defect};
use super::{Page, PageRequest, Row, StoreError, Work};

/// How an attempt to log in ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A session began.
    Success,
    /// The password was wrong, or the login unknown.
    WrongPassword,
    /// The password was right and the account disabled.
    Disabled,
    /// Too many failures before.
    Throttled,
}

impl Outcome {
    /// Its name in the database and in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::WrongPassword => "wrong_password",
            Self::Disabled => "disabled",
            Self::Throttled => "throttled",
        }
    }

    const fn action(self) -> Action {
        match self {
            Self::Success => Action::LoginSuccess,
            Self::WrongPassword => Action::LoginWrongPassword,
            Self::Disabled => Action::LoginDisabled,
            Self::Throttled => Action::LoginThrottled,
        }
    }

    fn read(name: &str) -> Result<Self, StoreError> {
        [
            Self::Success,
            Self::WrongPassword,
            Self::Disabled,
            Self::Throttled,
        ]
        .into_iter()
        .find(|outcome| outcome.as_str() == name)
        .ok_or_else(|| defect(format!("unknown outcome {name:?}")))
    }
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its id.
    pub id: LoginId,
    /// When it was.
    pub at: UnixMillis,
    /// How it ended.
    pub outcome: Outcome,
    /// Where it came from.
    pub origin: Origin,
    /// The session that it began.
    pub session: Option<SessionId>,
}

/// Writes an attempt down. `user` is absent where the login was unknown: the same write either way, so that the time
/// it takes tells nothing.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn insert(
    work: &mut Work,
    user: Option<SubjectId>,
    outcome: Outcome,
    session: Option<SessionId>,
    origin: &Origin,
) -> Result<(), StoreError> {
    const INSERT: Statement = Statement::both(
        "INSERT INTO login_history (id, at, user_id, session_id, outcome, ip, user_agent, device) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    );
    let now = work.now().await?;
    let arguments = args![
        LoginId::new(now),
        now,
        user,
        session,
        outcome.as_str(),
        origin.ip.as_deref(),
        origin.user_agent.as_deref(),
        origin.device.as_deref()
    ];
    work.execute(&INSERT, arguments).await?;
    note(work, user, outcome, origin);
    Ok(())
}

/// Has an attempt that was written down logged as an event once it is committed.
pub(super) fn note(work: &mut Work, user: Option<SubjectId>, outcome: Outcome, origin: &Origin) {
    let actor = user.map_or(Actor::Anonymous, Actor::Subject);
    audit::note(work, Event::new(actor, outcome.action()).from(origin));
}

/// A page of a user's attempts, newest first.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn list(work: &mut Work, user: SubjectId, page: PageRequest) -> Result<Page<Attempt>, StoreError> {
    const LIST: Statement = Statement::both(
        "SELECT id, at, session_id, outcome, ip, user_agent, device FROM login_history \
         WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
    );
    let rows = work
        .fetch_all(&LIST, args![user, page.before_or_end(), page.limit_and_one()])
        .await?;
    page.page(&rows, read, |attempt| attempt.id.0)
}

fn read(row: &Row) -> Result<Attempt, StoreError> {
    Ok(Attempt {
        id: row.id("id")?,
        at: row.time("at")?,
        outcome: Outcome::read(&row.text("outcome")?)?,
        origin: Origin {
            ip: row.text_or_null("ip")?,
            user_agent: row.text_or_null("user_agent")?,
            device: row.text_or_null("device")?,
            request_id: None,
        },
        session: row.id_or_null("session_id")?,
    })
}

/// Forgets attempts before `before` that are in no partition of their month, at most `limit` of them. How many.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn delete_before(work: &mut Work, before: UnixMillis, limit: u32) -> Result<u64, StoreError> {
    // What somebody else deletes right now is left for the next time.
    const DELETE: Statement = Statement::each(
        "DELETE FROM login_history_default WHERE ctid = ANY (ARRAY(SELECT ctid FROM login_history_default \
         WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED))",
        "DELETE FROM login_history WHERE id IN (SELECT id FROM login_history WHERE at < $1 ORDER BY at LIMIT $2)",
    );
    work.execute(&DELETE, args![before, i64::from(limit)]).await
}
