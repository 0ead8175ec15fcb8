//! The audit trail: who did what to whom, when and from where. Events are added, and never changed.

use std::fmt;

use serde_json::{Map, Value};
use shared::id::{AuditId, SubjectId};
use shared::time::UnixMillis;

use super::session::Origin;
use super::sql::{Statement, args, defect};
use super::{Page, PageRequest, Row, StoreError, Work};

/// Who did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A user or a service.
    Subject(SubjectId),
    /// Whoever may use the command line.
    Operator,
    /// The issuer by itself.
    Issuer,
    /// Somebody of whom nothing is known.
    Anonymous,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subject(id) => id.fmt(f),
            Self::Operator => f.write_str("operator"),
            Self::Issuer => f.write_str("issuer"),
            Self::Anonymous => f.write_str("anonymous"),
        }
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// What was done. The texts are stable: they are in the database, in answers and in logs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Action {
            $($(#[$doc])* $name),+
        }

        impl Action {
            /// Every action there is.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its name.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text),+
                }
            }
        }
    };
}

actions! {
    /// Somebody registered.
    UserRegister = "user.register",
    /// A login was changed.
    UserRename = "user.rename",
    /// A password was changed.
    UserChangePassword = "user.change_password",
    /// An account was disabled.
    UserDisable = "user.disable",
    /// An account was enabled.
    UserEnable = "user.enable",
    /// A user was deleted.
    UserDelete = "user.delete",
    /// Users were brought along from elsewhere, many at once.
    UserImport = "user.import",
    /// Somebody became a superuser.
    SuperuserGrant = "superuser.grant",
    /// Somebody is no superuser any more.
    SuperuserRevoke = "superuser.revoke",
    /// A role was made.
    RoleCreate = "role.create",
    /// A role's name or description was changed.
    RoleChange = "role.change",
    /// A role was deleted.
    RoleDelete = "role.delete",
    /// A user was given a role.
    RoleGrant = "role.grant",
    /// A role was taken from a user.
    RoleRevoke = "role.revoke",
    /// A label was made or changed.
    LabelPut = "label.put",
    /// A label was deleted.
    LabelDelete = "label.delete",
    /// A film was given its labels.
    FilmLabel = "film.label",
    /// Films were given their labels, many at once.
    FilmImport = "film.import",
    /// A session was ended by its owner from elsewhere, or by somebody else.
    SessionEnd = "session.end",
    /// Every session of a user was ended.
    SessionEndAll = "session.end_all",
    /// A refresh token came back that had been used: its session was ended.
    SessionReuse = "session.reuse",
    /// A client was made for a service.
    ClientCreate = "client.create",
    /// A client was given another secret.
    ClientRotateSecret = "client.rotate_secret",
    /// A client was deleted.
    ClientDelete = "client.delete",
    /// An operator asked for another signing key.
    KeyRotate = "key.rotate",
    /// A signing key was made, and is published.
    KeyPublish = "key.publish",
    /// Another signing key signs.
    KeyActivate = "key.activate",
    /// A signing key was revoked.
    KeyRevoke = "key.revoke",
    /// Everything secret was sealed with another encryption key.
    KeyRewrap = "key.rewrap",
    /// Somebody logged in. In the log alone, as the three below: the login history has them.
    LoginSuccess = "login.success",
    /// The password was wrong, or the login unknown.
    LoginWrongPassword = "login.wrong_password",
    /// The password was right and the account disabled.
    LoginDisabled = "login.disabled",
    /// Too many failures before.
    LoginThrottled = "login.throttled",
    /// Somebody logged out. In the log alone.
    SessionLogout = "session.logout",
    /// A client presented a secret that is not its own. In the log alone.
    ClientWrongSecret = "client.wrong_secret",
}

impl Action {
    /// That an account was enabled, or disabled.
    pub const fn of_account(enabled: bool) -> Self {
        if enabled {
            Self::UserEnable
        } else {
            Self::UserDisable
        }
    }
}

/// Something that was done.
#[derive(Clone, Debug)]
pub struct Event {
    actor: Actor,
    action: Action,
    subject: Option<String>,
    ip: Option<String>,
    request_id: Option<String>,
    detail: Map<String, Value>,
}

impl Event {
    /// `actor` did it.
    pub fn new(actor: Actor, action: Action) -> Self {
        Self {
            actor,
            action,
            subject: None,
            ip: None,
            request_id: None,
            detail: Map::new(),
        }
    }

    /// What it was done to: the id of a user, role, film or service, the name of a label or a key.
    pub fn on(self, subject: impl fmt::Display) -> Self {
        Self {
            subject: Some(subject.to_string()),
            ..self
        }
    }

    /// Where the request for it came from.
    pub fn from(self, origin: &Origin) -> Self {
        Self {
            ip: origin.ip.clone(),
            request_id: origin.request_id.clone(),
            ..self
        }
    }

    /// One thing more about it; nothing secret and nothing personal.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(name.to_owned(), value.into());
        self
    }

    /// Says it in the log: what is to be written down as well, once it is committed.
    pub fn log(&self) {
        tracing::info!(
            target: "audit",
            action = self.action.as_str(),
            actor = %self.actor,
            subject = self.subject.as_deref(),
            ip = self.ip.as_deref(),
            request_id = self.request_id.as_deref(),
            detail = %self.detail_text(),
            "audit"
        );
    }

    fn detail_text(&self) -> String {
        Value::Object(self.detail.clone()).to_string()
    }
}

/// Writes an event down, to be committed with what it tells of, and logged then.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn record(work: &mut Work, event: Event) -> Result<(), StoreError> {
    const INSERT: Statement = Statement::both(
        "INSERT INTO audit_events (id, at, actor, action, subject, ip, request_id, detail) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    );
    let now = work.now().await?;
    let arguments = args![
        AuditId::new(now).0,
        now,
        event.actor.to_string().as_str(),
        event.action.as_str(),
        event.subject.as_deref(),
        event.ip.as_deref(),
        event.request_id.as_deref(),
        event.detail_text().as_str()
    ];
    work.execute(&INSERT, arguments).await?;
    work.note_event(event);
    Ok(())
}

/// Has an event logged once the unit of work is committed, and written down nowhere else.
pub fn note(work: &mut Work, event: Event) {
    work.note_event(event);
}

/// An event as it was written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its id.
    pub id: AuditId,
    /// When it was.
    pub at: UnixMillis,
    /// Who: the id of a user or a service, `operator` or `issuer`.
    pub actor: String,
    /// What.
    pub action: String,
    /// Whom or what it was done to.
    pub subject: Option<String>,
    /// The address that the request came from.
    pub ip: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
    /// What more there is to say, by the action.
    pub detail: Map<String, Value>,
}

/// Which events; each that is absent asks for nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// By this actor.
    pub actor: Option<&'a str>,
    /// On this subject.
    pub subject: Option<&'a str>,
    /// Of this action.
    pub action: Option<&'a str>,
}

/// A page of events, newest first.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn list(
    work: &mut Work,
    filter: Filter<'_>,
    page: PageRequest,
) -> Result<Page<Recorded>, StoreError> {
    // One text for each filter that decides which index is read, the narrowest first; the others are looked at in passing.
    macro_rules! listing {
        ($where:literal) => {
            Statement::both(concat!(
                "SELECT id, at, actor, action, subject, ip, request_id, detail FROM audit_events WHERE id < $1 AND ",
                $where,
                " ORDER BY id DESC LIMIT $2"
            ))
        };
    }
    const ALL: Statement = listing!("$3 IS NULL AND $4 IS NULL AND $5 IS NULL");
    const BY_ACTION: Statement = listing!("action = $3 AND $4 IS NULL AND $5 IS NULL");
    const BY_ACTOR: Statement = listing!("actor = $4 AND ($3 IS NULL OR action = $3) AND $5 IS NULL");
    const BY_SUBJECT: Statement =
        listing!("subject = $5 AND ($3 IS NULL OR action = $3) AND ($4 IS NULL OR actor = $4)");
    let statement = match filter {
        Filter { subject: Some(_), .. } => &BY_SUBJECT,
        Filter { actor: Some(_), .. } => &BY_ACTOR,
        Filter { action: Some(_), .. } => &BY_ACTION,
        Filter { .. } => &ALL,
    };
    let arguments = args![
        page.before_or_end(),
        page.limit_and_one(),
        filter.action,
        filter.actor,
        filter.subject
    ];
    let rows = work.fetch_all(statement, arguments).await?;
    page.page(&rows, read, |event| event.id.0)
}

fn read(row: &Row) -> Result<Recorded, StoreError> {
    let Ok(Value::Object(detail)) = serde_json::from_str(&row.text("detail")?) else {
        return Err(defect(
            "the detail of an audit event is no JSON object".to_owned(),
        ));
    };
    Ok(Recorded {
        id: row.id("id")?,
        at: row.time("at")?,
        actor: row.text("actor")?,
        action: row.text("action")?,
        subject: row.text_or_null("subject")?,
        ip: row.text_or_null("ip")?,
        request_id: row.text_or_null("request_id")?,
        detail,
    })
}

/// Forgets the addresses that a user, who is deleted, acted from, and those of somebody unknown with the user's tokens, who
/// may have been the user. What was done stays.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn forget_addresses(work: &mut Work, user: SubjectId) -> Result<(), StoreError> {
    const ITS_OWN: Statement =
        Statement::both("UPDATE audit_events SET ip = NULL WHERE actor = $1 AND ip IS NOT NULL");
    const UNKNOWN: Statement = Statement::both(
        "UPDATE audit_events SET ip = NULL WHERE subject = $1 AND actor = 'anonymous' AND ip IS NOT NULL",
    );
    let user = user.to_string();
    work.execute(&ITS_OWN, args![user.as_str()]).await?;
    work.execute(&UNKNOWN, args![user.as_str()]).await.map(|_| ())
}
