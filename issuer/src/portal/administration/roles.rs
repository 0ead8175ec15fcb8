//! Roles, and a form for another one.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::require_editor;
use crate::http::{Api, ApiError, Paging, cursor};
use crate::portal::form::{Form, unknown_act};
use crate::portal::page::{Faults, Field, Frame};
use crate::portal::text::Text;
use crate::portal::visit::{Member, see_other};
use crate::service::RoleDraft;
use crate::store::PageRequest;
use crate::store::role::Role;

#[derive(Template)]
#[template(path = "roles.html")]
struct Page {
    frame: Frame,
    faults: Faults,
    roles: Vec<Listed>,
    fields: [Field; 2],
    next: Option<String>,
}

struct Listed {
    role: Role,
    may_change: bool,
}

/// The fields of a role.
pub(super) fn fields(t: &'static Text, draft: &RoleDraft, faults: &Faults) -> [Field; 2] {
    let description = draft.description.clone().unwrap_or_default();
    let fields = [
        Field::text("name", t.name, draft.name.clone()).with_hint(t.name_invalid),
        Field::text("description", t.description, description).optional(),
    ];
    fields.map(|field| field.with_faults(faults))
}

/// A role as a form has it.
pub(super) fn draft(form: &Form) -> RoleDraft {
    RoleDraft {
        name: form.text("name"),
        description: form.given("description"),
    }
}

async fn page(
    api: &Api,
    member: &Member,
    asked: PageRequest,
    draft: &RoleDraft,
    faults: Faults,
) -> Result<Response, ApiError> {
    let page = api.service.roles(asked).await?;
    let listed = page.items.into_iter().map(|role| Listed {
        may_change: api.service.may_change_role(&member.caller, &role),
        role,
    });
    let page = Page {
        frame: Frame::for_member(member),
        roles: listed.collect(),
        fields: fields(member.visit.text(), draft, &faults),
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
    let empty = RoleDraft {
        name: String::new(),
        description: None,
    };
    page(&api, &member, asked, &empty, Faults::default()).await
}

/// Makes one.
pub(in crate::portal) async fn submit(
    State(api): State<Api>,
    member: Member,
    Paging(asked): Paging,
    form: Form,
) -> Result<Response, ApiError> {
    if form.act() != "create" {
        return Err(unknown_act());
    }
    let draft = draft(&form);
    match api.service.create_role(&member.caller, &draft).await {
        Ok(_) => Ok(see_other("/account/roles?done=saved")),
        Err(error) => {
            let faults = Faults::of_error(error, member.visit.text())?;
            require_editor(&member.caller)?;
            page(&api, &member, asked, &draft, faults).await
        }
    }
}
