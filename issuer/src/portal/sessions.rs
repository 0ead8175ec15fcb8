//! One's sessions, and a button to end each.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::form::{Form, unknown_act};
use super::moment::Moment;
use super::page::{Frame, show as show_page};
use super::visit::{Member, see_other};
use crate::http::{Api, ApiError, Paging, cursor, id};

#[derive(Template)]
#[template(path = "sessions.html")]
struct Page {
    frame: Frame,
    sessions: Vec<Row>,
    next: Option<String>,
}

struct Row {
    id: String,
    device: Option<String>,
    ip: Option<String>,
    began: Moment,
    last_used: Moment,
    is_current: bool,
}

/// A page of them.
pub(super) async fn show(
    State(api): State<Api>,
    member: Member,
    Paging(asked): Paging,
) -> Result<Response, ApiError> {
    let page = api.service.sessions(&member.caller, asked).await?;
    let sessions = page.items.into_iter().map(|session| Row {
        id: session.id.to_string(),
        device: session.origin.device,
        ip: session.origin.ip,
        began: session.created_at.into(),
        last_used: session.last_seen_at.into(),
        is_current: session.id == member.caller.session,
    });
    let page = Page {
        frame: Frame::for_member(&member),
        sessions: sessions.collect(),
        next: page.next.map(cursor),
    };
    show_page(StatusCode::OK, &page)
}

/// Ends one.
pub(super) async fn submit(State(api): State<Api>, member: Member, form: Form) -> Result<Response, ApiError> {
    if form.act() != "end" {
        return Err(unknown_act());
    }
    let session = id(&form.text("session"))?;
    api.service.end_session(&member.caller, session).await?;
    Ok(see_other("/account/sessions?done=session"))
}
