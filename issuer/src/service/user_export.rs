//! Everybody, with the hashes of their passwords, for an operator who moves elsewhere.

use serde::Serialize;
use shared::limits;

use super::user_import::NOT_USER;
use super::{Service, ServiceError, built_in};
use crate::store::user::bulk::{self, StoredUser};

/// A person as a line of JSON, which can be imported. The hash in it is a secret.
#[derive(Serialize)]
pub struct ExportedUser<'a> {
    login: &'a str,
    password_hash: &'a str,
    roles: Vec<&'a str>,
    active: bool,
    superuser: bool,
    created_at: String,
}

impl<'a> ExportedUser<'a> {
    /// What is written of somebody.
    pub fn of(user: &'a StoredUser) -> Self {
        use secrecy::ExposeSecret;
        let names = user.roles.iter().map(String::as_str);
        let mut roles: Vec<&str> = names.filter(|name| *name != built_in::USER).collect();
        if roles.len() == user.roles.len() {
            roles.push(NOT_USER);
        }
        Self {
            login: &user.login,
            password_hash: user.password_hash.expose_secret(),
            roles,
            active: user.active,
            superuser: user.superuser,
            created_at: user.created_at.to_rfc3339(),
        }
    }
}

impl Service {
    /// Some of everybody, in the order of logins, from behind one on; empty: there are no more.
    ///
    /// # Errors
    ///
    /// That the database is away.
    pub async fn user_page(&self, after: &str) -> Result<Vec<StoredUser>, ServiceError> {
        let mut work = self.store.read().await?;
        Ok(bulk::page(&mut work, after, limits::USERS_AT_ONCE).await?)
    }
}
