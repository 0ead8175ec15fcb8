//! Labels, and a form for another one.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::{every_role, require_editor};
use crate::http::{Api, ApiError, Paging, cursor};
use crate::portal::form::{Form, unknown_act};
use crate::portal::page::{Choice, Faults, Field, Frame};
use crate::portal::visit::{Member, see_other};
use crate::service::{LabelDraft, ServiceError};
use crate::store::PageRequest;
use crate::store::label::Label;

#[derive(Template)]
#[template(path = "labels.html")]
struct Page {
    frame: Frame,
    faults: Faults,
    labels: Vec<Label>,
    name: Field,
    description: Field,
    anonymous: bool,
    roles: Vec<Choice>,
    roles_error: Option<&'static str>,
    next: Option<String>,
}

/// A label as a form has it.
pub(super) fn draft(form: &Form) -> LabelDraft {
    LabelDraft {
        roles: form.all("roles"),
        anonymous: form.given("anonymous").is_some(),
        description: form.given("description"),
    }
}

/// Every role, with a mark at those that a label names.
pub(super) async fn roles_of(api: &Api, draft: &LabelDraft) -> Result<Vec<Choice>, ApiError> {
    let names = every_role(api).await?.into_iter().map(|role| role.name);
    Ok(Choice::of(names.collect(), &draft.roles))
}

/// The field for what a label is for.
pub(super) fn description(member: &Member, draft: &LabelDraft, faults: &Faults) -> Field {
    let text = draft.description.clone().unwrap_or_default();
    Field::text("description", member.visit.text().description, text)
        .optional()
        .with_faults(faults)
}

async fn page(
    api: &Api,
    member: &Member,
    asked: PageRequest,
    name: String,
    draft: &LabelDraft,
    faults: Faults,
) -> Result<Response, ApiError> {
    let t = member.visit.text();
    let page = api.service.labels(asked).await?;
    let page = Page {
        frame: Frame::for_member(member),
        labels: page.items,
        name: Field::text("name", t.name, name)
            .with_hint(t.name_invalid)
            .with_faults(&faults),
        description: description(member, draft, &faults),
        anonymous: draft.anonymous,
        roles: roles_of(api, draft).await?,
        roles_error: faults.of("roles"),
        next: page.next.map(cursor),
        faults: faults.told(),
    };
    faults.show(&page)
}

/// A page of them.
pub(in crate::portal) async fn show(
    State(api): State<Api>,
    member: Member,
    Paging(asked): Paging,
) -> Result<Response, ApiError> {
    require_editor(&member.caller)?;
    let empty = LabelDraft {
        roles: Vec::new(),
        anonymous: false,
        description: None,
    };
    page(&api, &member, asked, String::new(), &empty, Faults::default()).await
}

/// Makes one. One that is there already is changed on its own page alone.
pub(in crate::portal) async fn submit(
    State(api): State<Api>,
    member: Member,
    Paging(asked): Paging,
    form: Form,
) -> Result<Response, ApiError> {
    require_editor(&member.caller)?;
    if form.act() != "create" {
        return Err(unknown_act());
    }
    let (name, draft) = (form.text("name"), draft(&form));
    let made = match api.service.label(&name).await {
        Ok(_) => Err(ServiceError::field("name", "taken", "the name is taken")),
        Err(ServiceError::NotFound) => api.service.put_label(&member.caller, &name, &draft).await,
        Err(other) => Err(other),
    };
    match made {
        Ok(_) => Ok(see_other("/account/labels?done=saved")),
        Err(error) => {
            let faults = Faults::of_error(error, member.visit.text())?;
            page(&api, &member, asked, name, &draft, faults).await
        }
    }
}
