//! Every attempt to sign in to the account.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::moment::Moment;
use super::page::{Frame, show as show_page};
use super::text::Text;
use super::visit::Member;
use crate::http::{Api, ApiError, Paging, cursor};
use crate::store::login_history::{Attempt, Outcome};

#[derive(Template)]
#[template(path = "history.html")]
struct Page {
    frame: Frame,
    attempts: Vec<Row>,
    next: Option<String>,
}

/// One attempt, as it is shown.
pub(super) struct Row {
    pub(super) at: Moment,
    outcome: Outcome,
    pub(super) device: Option<String>,
    pub(super) ip: Option<String>,
}

impl Row {
    /// How it ended, in words.
    pub(super) fn outcome(&self, t: &Text) -> &'static str {
        t.outcome(self.outcome)
    }

    /// Whether it signed somebody in.
    pub(super) fn is_good(&self) -> bool {
        self.outcome == Outcome::Success
    }
}

impl From<Attempt> for Row {
    fn from(attempt: Attempt) -> Self {
        Self {
            at: attempt.at.into(),
            outcome: attempt.outcome,
            device: attempt.origin.device,
            ip: attempt.origin.ip,
        }
    }
}

/// A page of them.
pub(super) async fn show(
    State(api): State<Api>,
    member: Member,
    Paging(asked): Paging,
) -> Result<Response, ApiError> {
    let of = member.caller.subject;
    let page = api.service.login_history(&member.caller, of, asked).await?;
    let page = Page {
        frame: Frame::for_member(&member),
        attempts: page.items.into_iter().map(Row::from).collect(),
        next: page.next.map(cursor),
    };
    show_page(StatusCode::OK, &page)
}
