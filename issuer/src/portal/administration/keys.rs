//! How the signing keys stand.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use shared::time::UnixMillis;

use crate::http::{Api, ApiError};
use crate::portal::moment::Moment;
use crate::portal::page::{Frame, show as show_page};
use crate::portal::visit::Member;
use crate::store::key::KeyState;

#[derive(Template)]
#[template(path = "keys.html")]
struct Page {
    frame: Frame,
    keys: Vec<Row>,
}

struct Row {
    kid: String,
    state: &'static str,
    /// What the time is of.
    when: &'static str,
    at: Moment,
}

/// All of them.
pub(in crate::portal) async fn show(State(api): State<Api>, member: Member) -> Result<Response, ApiError> {
    let keys = api.service.signing_keys(&member.caller).await?;
    let t = member.visit.text();
    let row = |kid: String, state: &'static str, when: &'static str, at: UnixMillis| Row {
        kid,
        state,
        when,
        at: at.into(),
    };
    let published = keys.published.into_iter().map(|key| match key.state {
        KeyState::Next { signs_at } => row(key.kid, t.key_next, t.key_signs_from, signs_at),
        KeyState::Active { since } => row(key.kid, t.key_active, t.since, since),
        KeyState::Retired { withdraw_at } => row(key.kid, t.key_retired, t.key_published_until, withdraw_at),
    });
    let revoked = keys
        .revoked
        .into_iter()
        .map(|(kid, at)| row(kid, t.key_revoked, t.since, at));
    let page = Page {
        frame: Frame::for_member(&member),
        keys: published.chain(revoked).collect(),
    };
    show_page(StatusCode::OK, &page)
}
