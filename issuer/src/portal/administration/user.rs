//! A user: what they may do, and how they have signed in.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use shared::id::{RoleId, SubjectId};

use super::every_role;
use crate::http::{Api, ApiError, Paging, cursor, id};
use crate::portal::form::{Form, unknown_act};
use crate::portal::history::Row;
use crate::portal::moment::Moment;
use crate::portal::page::{Faults, Frame};
use crate::portal::visit::{Member, see_other};
use crate::service::ServiceError;
use crate::store::PageRequest;
use crate::store::role::Role;

#[derive(Template)]
#[template(path = "user.html")]
struct Page {
    frame: Frame,
    faults: Faults,
    name: String,
    is_superuser: bool,
    /// What is known to those who may see users.
    account: Option<Account>,
    held: Vec<Held>,
    offered: Vec<Role>,
    may: Powers,
    attempts: Vec<Row>,
    next: Option<String>,
}

/// What the viewer may do to the user.
struct Powers {
    grant: bool,
    disable: bool,
    promote: bool,
}

struct Account {
    id: SubjectId,
    active: bool,
    since: Moment,
}

/// A role that the user has.
struct Held {
    role: Role,
    /// Whether it is the viewer's to take.
    may_take: bool,
}

async fn page(
    api: &Api,
    member: &Member,
    of: SubjectId,
    asked: PageRequest,
    faults: Faults,
) -> Result<Response, ApiError> {
    let (service, caller) = (&api.service, &member.caller);
    let roles = service.user_roles(caller, of, &[]).await?;
    let mut page = Page {
        frame: Frame::for_member(member),
        faults: faults.told(),
        name: of.to_string(),
        is_superuser: roles.superuser,
        account: None,
        held: Vec::new(),
        offered: Vec::new(),
        may: Powers {
            grant: caller.edits_roles(),
            disable: caller.is_admin() && (caller.superuser || !roles.superuser),
            promote: caller.superuser,
        },
        attempts: Vec::new(),
        next: None,
    };
    if caller.is_admin() {
        let user = service.user(caller, of).await?;
        page.name = user.login;
        page.account = Some(Account {
            id: of,
            active: user.active,
            since: user.created_at.into(),
        });
        let history = service.login_history(caller, of, asked).await?;
        page.attempts = history.items.into_iter().map(Row::from).collect();
        page.next = history.next.map(cursor);
    }
    if page.may.grant {
        let is_held = |role: &Role| roles.roles.iter().any(|held| held.id == role.id);
        let every = every_role(api).await?;
        let offered = every
            .into_iter()
            .filter(|role| !is_held(role) && service.may_grant(caller, role));
        page.offered = offered.collect();
    }
    let held = roles.roles.into_iter().map(|role| Held {
        may_take: service.may_grant(caller, &role),
        role,
    });
    page.held = held.collect();
    faults.show(&page)
}

/// Everything about a user that the viewer may see.
pub(in crate::portal) async fn show(
    State(api): State<Api>,
    member: Member,
    Path(user): Path<String>,
    Paging(asked): Paging,
) -> Result<Response, ApiError> {
    page(&api, &member, id(&user)?, asked, Faults::default()).await
}

async fn carry_out(api: &Api, member: &Member, on: SubjectId, form: &Form) -> Result<(), ApiError> {
    let (service, caller) = (&api.service, &member.caller);
    match form.act().as_str() {
        "disable" => service.set_active(caller, on, false).await?,
        "enable" => service.set_active(caller, on, true).await?,
        "promote" => service.set_superuser(caller, on, true).await?,
        "demote" => service.set_superuser(caller, on, false).await?,
        act @ ("grant" | "take") => {
            let role: RoleId = id(&form.text("role"))?;
            service.set_user_role(caller, on, role, act == "grant").await?;
        }
        _ => return Err(unknown_act()),
    }
    Ok(())
}

/// Does what a button says.
pub(in crate::portal) async fn submit(
    State(api): State<Api>,
    member: Member,
    Path(user): Path<String>,
    Paging(asked): Paging,
    form: Form,
) -> Result<Response, ApiError> {
    let user: SubjectId = id(&user)?;
    match carry_out(&api, &member, user, &form).await {
        Ok(()) => Ok(see_other(&format!("/account/users/{user}?done=saved"))),
        Err(ApiError::Service(error @ (ServiceError::Forbidden | ServiceError::LastSuperuser))) => {
            let faults = Faults::of_error(error, member.visit.text())?;
            page(&api, &member, user, asked, faults).await
        }
        Err(other) => Err(other),
    }
}
