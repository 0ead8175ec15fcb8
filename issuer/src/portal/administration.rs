//! Administration. What somebody may do is decided by the use cases; the pages leave out the buttons that would be refused.

mod audit;
mod films;
mod keys;
mod label;
mod labels;
mod role;
mod roles;
mod user;
mod users;
mod verifiers;

use axum::Router;
use axum::routing::get;
use shared::limits;

use super::page::Choice;
use crate::http::{Api, ApiError};
use crate::service::{Caller, ServiceError};
use crate::store::PageRequest;
use crate::store::role::Role;

/// Roles that are offered to choose from.
const ROLES_OFFERED_MAX: usize = 1000;

/// The pages.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/account/users", get(users::show))
        .route("/account/users/{id}", get(user::show).post(user::submit))
        .route("/account/roles", get(roles::show).post(roles::submit))
        .route("/account/roles/{id}", get(role::show).post(role::submit))
        .route("/account/labels", get(labels::show).post(labels::submit))
        .route("/account/labels/{name}", get(label::show).post(label::submit))
        .route("/account/films", get(films::show).post(films::submit))
        .route("/account/keys", get(keys::show))
        .route("/account/audit", get(audit::show))
        .route("/account/verifiers", get(verifiers::show))
}

/// Pages that are of use to those alone who manage roles and labels.
fn require_editor(caller: &Caller) -> Result<(), ApiError> {
    if caller.edits_roles() {
        Ok(())
    } else {
        Err(ServiceError::Forbidden.into())
    }
}

/// Every role, by name.
async fn every_role(api: &Api) -> Result<Vec<Role>, ApiError> {
    let mut roles = Vec::new();
    let mut asked = PageRequest {
        limit: limits::PAGE_ITEMS_MAX,
        before: None,
    };
    while roles.len() < ROLES_OFFERED_MAX {
        let page = api.service.roles(asked).await?;
        roles.extend(page.items);
        asked.before = page.next;
        if asked.before.is_none() {
            break;
        }
    }
    roles.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(roles)
}

/// Every label's name, in order, with a mark at those that are chosen.
async fn every_label(api: &Api, chosen: &[String]) -> Result<Vec<Choice>, ApiError> {
    let mut names = Vec::new();
    let mut asked = PageRequest {
        limit: limits::PAGE_ITEMS_MAX,
        before: None,
    };
    // There are no more than this.
    while names.len() < limits::LABELS_MAX {
        let page = api.service.labels(asked).await?;
        names.extend(page.items.into_iter().map(|label| label.name.as_str().to_owned()));
        asked.before = page.next;
        if asked.before.is_none() {
            break;
        }
    }
    names.sort();
    Ok(Choice::of(names, chosen))
}
