//! Users, found by the beginning of their logins.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use shared::id::SubjectId;

use crate::http::{Api, ApiError, Paging, cursor, id};
use crate::portal::page::{Faults, Field, Frame, show as show_page};
use crate::portal::visit::{Member, see_other};
use crate::service::ServiceError;
use crate::store::user::User;

#[derive(Template)]
#[template(path = "users.html")]
struct Page {
    frame: Frame,
    field: Field,
    users: Vec<User>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "user_id.html")]
struct ByIdPage {
    frame: Frame,
    faults: Faults,
    field: Field,
}

/// A page of them. Whoever may give roles but not look through users goes by the id.
pub(in crate::portal) async fn show(
    State(api): State<Api>,
    member: Member,
    Paging(asked): Paging,
) -> Result<Response, ApiError> {
    if member.caller.edits_roles() && !member.caller.is_admin() {
        return by_id(&member);
    }
    let prefix = member.visit.query_or_empty("login");
    let page = api.service.users(&member.caller, &prefix, asked).await?;
    let t = member.visit.text();
    let page = Page {
        frame: Frame::for_member(&member),
        field: Field::text("login", t.users_search, prefix).searched(),
        users: page.items,
        next: page.next.map(cursor),
    };
    show_page(StatusCode::OK, &page)
}

fn by_id(member: &Member) -> Result<Response, ApiError> {
    let t = member.visit.text();
    let typed = member.visit.query_or_empty("id");
    let mut faults = Faults::default();
    if !typed.is_empty() {
        if let Ok(user) = id::<SubjectId>(&typed) {
            return Ok(see_other(&format!("/account/users/{user}")));
        }
        let error = ServiceError::field("id", "invalid", "a UUID is expected");
        faults = Faults::of_error(error, t)?;
    }
    let page = ByIdPage {
        frame: Frame::for_member(member),
        field: Field::text("id", t.user_id, typed).with_faults(&faults),
        faults: faults.told(),
    };
    faults.show(&page)
}
