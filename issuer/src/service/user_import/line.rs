//! A line of an import: `{login,password_hash,roles?,active?,superuser?,created_at?}`.

use std::collections::BTreeSet;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use shared::id::SubjectId;
use shared::limits;
use shared::role::RoleName;
use shared::strict_json::{self, StrictJsonError};
use shared::time::UnixMillis;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::login::{LoginName, LoginRefused};
use crate::password::HashRefused;
use crate::service::built_in;
use crate::service::film::shortened;
use crate::store::user::bulk::NewUser;

/// Among the roles of a line: the person lacks the role that everybody gets. No role can have such a name.
pub(in crate::service) const NOT_USER: &str = "!user";

/// Why a line is not taken. The hash in it is not told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserFault {
    /// No JSON object.
    #[error("the line is no JSON object: {{\"login\":…,\"password_hash\":…}} is expected")]
    NoObject,
    /// A field stands twice.
    #[error("{0:?} stands twice")]
    FieldTwice(String),
    /// A field that there is not.
    #[error("there is no field {0:?}")]
    UnknownField(String),
    /// A field is not there, or of another type.
    #[error("`{field}` is missing, or not {expected}")]
    Field {
        /// Which.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// A text that cannot be a login.
    #[error("`login`: {0}")]
    Login(LoginRefused),
    /// A text that is no hash, or a hash that costs too much.
    #[error("`password_hash`: {0}")]
    Hash(#[from] HashRefused),
    /// A role that is not there, or a text that cannot be one.
    #[error("there is no role {0:?}")]
    UnknownRole(String),
    /// More roles than a token can carry.
    #[error("there are more than {} roles", limits::ROLES_MAX)]
    TooManyRoles,
    /// A time that is still to come.
    #[error("`created_at` lies ahead")]
    Ahead,
    /// Somebody has been given the login since the import began.
    #[error(
        "the login is that of an earlier line, or of somebody who was added or changed since the import began; this line \
         is passed over"
    )]
    Again,
    /// Longer than any good line.
    #[error("the line has more than {} bytes", limits::USER_LINE_BYTES_MAX)]
    TooLong,
}

/// A person to be made.
#[derive(Debug)]
pub struct UserLine {
    login: LoginName,
    password_hash: SecretString,
    roles: BTreeSet<RoleName>,
    is_user: bool,
    active: bool,
    superuser: bool,
    created_at: Option<UnixMillis>,
}

impl UserLine {
    /// Reads a line of JSON Lines. Whether its hash can be checked, and its roles are there, is not looked at.
    ///
    /// # Errors
    ///
    /// [`UserFault`].
    pub fn from_json(line: &[u8]) -> Result<Self, UserFault> {
        let mut object = match strict_json::parse(line) {
            Ok(Value::Object(object)) => object,
            Err(StrictJsonError::DuplicateName(name)) => return Err(UserFault::FieldTwice(shortened(&name))),
            Ok(_) | Err(StrictJsonError::TooDeep | StrictJsonError::Syntax) => {
                return Err(UserFault::NoObject);
            }
        };
        let login = text(&mut object, "login")?;
        let password_hash = SecretString::from(text(&mut object, "password_hash")?);
        let (roles, is_user) = roles(&mut object)?;
        let active = flag(&mut object, "active")?.unwrap_or(true);
        let superuser = flag(&mut object, "superuser")?.unwrap_or(false);
        let created_at = time(&mut object, "created_at")?;
        if let Some(unknown) = object.keys().next() {
            return Err(UserFault::UnknownField(shortened(unknown)));
        }
        Ok(Self {
            login: LoginName::parse(&login).map_err(UserFault::Login)?,
            password_hash,
            roles,
            is_user,
            active,
            superuser,
            created_at,
        })
    }

    pub(super) fn login(&self) -> &str {
        self.login.as_str()
    }

    pub(super) fn password_hash(&self) -> &str {
        self.password_hash.expose_secret()
    }

    /// The roles beside the one that everybody gets.
    pub(super) fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles.iter().map(RoleName::as_str)
    }

    /// Whether the person gets the role that everybody gets.
    pub(super) fn is_user(&self) -> bool {
        self.is_user
    }

    pub(super) fn is_of_after(&self, now: UnixMillis) -> bool {
        self.created_at.is_some_and(|at| at > now)
    }

    pub(super) fn to_new_user(&self, now: UnixMillis) -> NewUser<'_> {
        let created_at = self.created_at.unwrap_or(now);
        NewUser {
            // Lists are in the order of ids.
            id: SubjectId::new(created_at),
            login: self.login(),
            password_hash: self.password_hash(),
            active: self.active,
            superuser: self.superuser,
            created_at,
        }
    }
}

const fn not(field: &'static str, expected: &'static str) -> UserFault {
    UserFault::Field { field, expected }
}

fn text(object: &mut Map<String, Value>, field: &'static str) -> Result<String, UserFault> {
    match object.remove(field) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(not(field, "a text")),
    }
}

fn flag(object: &mut Map<String, Value>, field: &'static str) -> Result<Option<bool>, UserFault> {
    match object.remove(field) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(flag)),
        Some(_) => Err(not(field, "`true` or `false`")),
    }
}

fn time(object: &mut Map<String, Value>, field: &'static str) -> Result<Option<UnixMillis>, UserFault> {
    let Some(value) = object.remove(field) else {
        return Ok(None);
    };
    let read = value
        .as_str()
        .and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
    let millis = read.and_then(|at| i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000)).ok());
    // Ids are made of it, and they begin with 1970.
    match millis {
        Some(millis @ 0..) => Ok(Some(UnixMillis(millis))),
        _ => Err(not(
            field,
            "a time as in RFC 3339, such as `2026-11-22T19:33:26Z`, since 1970",
        )),
    }
}

/// The roles beside the one that everybody gets, and whether the person gets that.
fn roles(object: &mut Map<String, Value>) -> Result<(BTreeSet<RoleName>, bool), UserFault> {
    let names = match object.remove("roles") {
        None => return Ok((BTreeSet::new(), true)),
        Some(Value::Array(names)) => names,
        Some(_) => return Err(not("roles", "a list of names")),
    };
    if names.len() > limits::ROLES_MAX {
        return Err(UserFault::TooManyRoles);
    }
    let (mut roles, mut is_user) = (BTreeSet::new(), true);
    for name in &names {
        let name = name.as_str().ok_or(not("roles", "a list of names"))?;
        if name == NOT_USER {
            is_user = false;
            continue;
        }
        let read = name.parse::<RoleName>();
        roles.insert(read.map_err(|_| UserFault::UnknownRole(shortened(name)))?);
    }
    let names_user = roles.iter().any(|role| role.as_str() == built_in::USER);
    if names_user && !is_user {
        return Err(not("roles", "of one mind about `user`"));
    }
    roles.retain(|role| role.as_str() != built_in::USER);
    Ok((roles, is_user))
}
