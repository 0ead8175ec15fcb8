//! One's own sessions, and ending one.

use axum::Json as JsonBody;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use shared::id::SessionId;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::caller::{Id, SignedIn, SignedInPerson};
use super::page::{PageBody, PageQuery, Paging};
use super::respond::ApiError;
use super::schema::Problem;
use crate::store::session::Session;

/// A live session.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(super) struct SessionBody {
    /// The session's id.
    id: Uuid,
    /// When its login was, RFC 3339.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was last refreshed, RFC 3339.
    #[schema(format = DateTime)]
    last_seen_at: String,
    /// Where its login came from.
    ip: Option<String>,
    /// The `User-Agent` of its login.
    user_agent: Option<String>,
    /// A short name read from it.
    device: Option<String>,
    /// Whether it is the one that asks.
    current: bool,
}

impl SessionBody {
    fn of(session: Session, current: SessionId) -> Self {
        Self {
            id: session.id.0,
            created_at: session.created_at.to_rfc3339(),
            last_seen_at: session.last_seen_at.to_rfc3339(),
            ip: session.origin.ip,
            user_agent: session.origin.user_agent,
            device: session.origin.device,
            current: session.id == current,
        }
    }
}

/// One's own live sessions.
#[utoipa::path(
    get, path = "/api/v1/session", tag = "account", params(PageQuery),
    security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 200, body = PageBody<SessionBody>), (status = 401, body = Problem),
        (status = 403, body = Problem, description = "`forbidden`: a service has no account"), (status = 422, body = Problem),
    )
)]
pub(super) async fn sessions(
    State(api): State<Api>,
    SignedInPerson(caller): SignedInPerson,
    Paging(page): Paging,
) -> Result<JsonBody<PageBody<SessionBody>>, ApiError> {
    let page = api.service.sessions(&caller, page).await?;
    Ok(JsonBody(PageBody::of(page, |session| {
        SessionBody::of(session, caller.session)
    })))
}

/// End a session at every edge: one's own, `admin` anybody's but a superuser's, superusers anybody's.
#[utoipa::path(
    delete, path = "/api/v1/session/{id}", tag = "account", params(("id" = Uuid, Path)),
    security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem, description = "Somebody else's session too"),
    )
)]
pub(super) async fn end_session(
    State(api): State<Api>,
    SignedIn(caller): SignedIn,
    Id(id): Id<SessionId>,
) -> Result<StatusCode, ApiError> {
    api.service.end_session(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
