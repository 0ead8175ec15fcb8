//! The audit trail.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde_json::Value;

use crate::http::{Api, ApiError, Paging, cursor};
use crate::portal::moment::Moment;
use crate::portal::page::{Faults, Field, Frame};
use crate::portal::visit::Member;
use crate::service::ServiceError;
use crate::store::Page as Listed;
use crate::store::audit::{Filter, Recorded};

#[derive(Template)]
#[template(path = "audit.html")]
struct Page {
    frame: Frame,
    faults: Faults,
    fields: [Field; 3],
    events: Vec<Row>,
    next: Option<String>,
}

struct Row {
    at: Moment,
    action: String,
    actor: String,
    subject: Option<String>,
    ip: Option<String>,
    request_id: Option<String>,
    detail: Option<String>,
}

impl From<Recorded> for Row {
    fn from(event: Recorded) -> Self {
        let detail = (!event.detail.is_empty()).then(|| Value::Object(event.detail).to_string());
        Self {
            at: event.at.into(),
            action: event.action,
            actor: event.actor,
            subject: event.subject,
            ip: event.ip,
            request_id: event.request_id,
            detail,
        }
    }
}

/// A page of it.
pub(in crate::portal) async fn show(
    State(api): State<Api>,
    member: Member,
    Paging(asked): Paging,
) -> Result<Response, ApiError> {
    let t = member.visit.text();
    let asked_for = |name: &str| member.visit.query(name);
    let (action, actor, subject) = (asked_for("action"), asked_for("actor"), asked_for("subject"));
    let filter = Filter {
        actor: actor.as_deref(),
        subject: subject.as_deref(),
        action: action.as_deref(),
    };
    let (page, faults) = match api.service.audit_trail(&member.caller, filter, asked).await {
        Ok(page) => (page, Faults::default()),
        Err(error @ ServiceError::Invalid(_)) => {
            let none = Listed {
                items: Vec::new(),
                next: None,
            };
            (none, Faults::of_error(error, t)?)
        }
        Err(other) => return Err(other.into()),
    };
    let fields = [
        Field::text("action", t.action, action.unwrap_or_default()),
        Field::text("actor", t.actor, actor.unwrap_or_default()),
        Field::text("subject", t.subject, subject.unwrap_or_default()),
    ];
    let page = Page {
        frame: Frame::for_member(&member),
        fields: fields.map(|field| field.searched().with_faults(&faults)),
        events: page.items.into_iter().map(Row::from).collect(),
        next: page.next.map(cursor),
        faults: faults.told(),
    };
    faults.show(&page)
}
