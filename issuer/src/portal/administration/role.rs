//! A role, to be changed or deleted.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use shared::id::RoleId;

use super::require_editor;
use super::roles::{draft, fields};
use crate::http::{Api, ApiError, id};
use crate::portal::form::{Form, unknown_act};
use crate::portal::page::{Faults, Field, Frame};
use crate::portal::visit::{Member, see_other};
use crate::service::RoleDraft;
use crate::store::role::Role;

#[derive(Template)]
#[template(path = "role.html")]
struct Page {
    frame: Frame,
    faults: Faults,
    role: Role,
    fields: [Field; 2],
    may_change: bool,
}

fn page(
    api: &Api,
    member: &Member,
    role: Role,
    draft: &RoleDraft,
    faults: Faults,
) -> Result<Response, ApiError> {
    let page = Page {
        frame: Frame::for_member(member),
        may_change: api.service.may_change_role(&member.caller, &role),
        role,
        fields: fields(member.visit.text(), draft, &faults),
        faults: faults.told(),
    };
    faults.show(&page)
}

/// The role as it is.
pub(in crate::portal) async fn show(
    State(api): State<Api>,
    member: Member,
    Path(role): Path<String>,
) -> Result<Response, ApiError> {
    require_editor(&member.caller)?;
    let role = api.service.role(id(&role)?).await?;
    let draft = RoleDraft {
        name: role.name.clone(),
        description: role.description.clone(),
    };
    page(&api, &member, role, &draft, Faults::default())
}

/// Changes or deletes it.
pub(in crate::portal) async fn submit(
    State(api): State<Api>,
    member: Member,
    Path(role): Path<String>,
    form: Form,
) -> Result<Response, ApiError> {
    require_editor(&member.caller)?;
    let role: RoleId = id(&role)?;
    let draft = draft(&form);
    let (outcome, target) = match form.act().as_str() {
        "change" => {
            let changed = api.service.change_role(&member.caller, role, &draft).await;
            (changed.map(|_| ()), format!("/account/roles/{role}?done=saved"))
        }
        "delete" => {
            let deleted = api.service.delete_role(&member.caller, role).await;
            (deleted, "/account/roles?done=deleted".to_owned())
        }
        _ => return Err(unknown_act()),
    };
    match outcome {
        Ok(()) => Ok(see_other(&target)),
        Err(error) => {
            let faults = Faults::of_error(error, member.visit.text())?;
            let current = api.service.role(role).await?;
            page(&api, &member, current, &draft, faults)
        }
    }
}
