//! A label, to be changed or deleted.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;

use super::labels::{description, draft, roles_of};
use super::require_editor;
use crate::http::{Api, ApiError};
use crate::portal::form::{Form, unknown_act};
use crate::portal::page::{Choice, Faults, Field, Frame};
use crate::portal::visit::{Member, see_other};
use crate::service::{LabelDraft, ServiceError};

#[derive(Template)]
#[template(path = "label.html")]
struct Page {
    frame: Frame,
    faults: Faults,
    label: String,
    description: Field,
    anonymous: bool,
    roles: Vec<Choice>,
    roles_error: Option<&'static str>,
    is_in_use: bool,
}

async fn page(
    api: &Api,
    member: &Member,
    label: String,
    draft: &LabelDraft,
    (faults, is_in_use): (Faults, bool),
) -> Result<Response, ApiError> {
    let page = Page {
        frame: Frame::for_member(member),
        label,
        description: description(member, draft, &faults),
        anonymous: draft.anonymous,
        roles: roles_of(api, draft).await?,
        roles_error: faults.of("roles"),
        is_in_use,
        faults: faults.told(),
    };
    faults.show(&page)
}

async fn current(api: &Api, name: &str) -> Result<LabelDraft, ApiError> {
    let label = api.service.label(name).await?;
    Ok(LabelDraft {
        roles: label.roles,
        anonymous: label.anonymous,
        description: label.description,
    })
}

/// The label as it is.
pub(in crate::portal) async fn show(
    State(api): State<Api>,
    member: Member,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
    require_editor(&member.caller)?;
    let draft = current(&api, &name).await?;
    page(&api, &member, name, &draft, (Faults::default(), false)).await
}

/// Changes or deletes it.
pub(in crate::portal) async fn submit(
    State(api): State<Api>,
    member: Member,
    Path(name): Path<String>,
    form: Form,
) -> Result<Response, ApiError> {
    require_editor(&member.caller)?;
    let stored = current(&api, &name).await?;
    let caller = &member.caller;
    let (outcome, shown, target) = match form.act().as_str() {
        "change" => {
            let draft = draft(&form);
            let changed = api.service.put_label(caller, &name, &draft).await;
            let target = format!("/account/labels/{name}?done=saved");
            (changed.map(|_| ()), draft, target)
        }
        "delete" => {
            let is_forced = form.given("force").is_some();
            let deleted = api.service.delete_label(caller, &name, is_forced).await;
            (deleted, stored, "/account/labels?done=deleted".to_owned())
        }
        _ => return Err(unknown_act()),
    };
    match outcome {
        Ok(()) => Ok(see_other(&target)),
        Err(error) => {
            let is_in_use = matches!(error, ServiceError::LabelInUse);
            let faults = Faults::of_error(error, member.visit.text())?;
            page(&api, &member, name, &shown, (faults, is_in_use)).await
        }
    }
}
