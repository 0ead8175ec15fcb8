//! The audit trail.

use axum::Json as JsonBody;
use axum::extract::{Query, Request, State};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Api;
use super::caller::SignedIn;
use super::page::{PageBody, PageQuery, Paging, query};
use super::respond::ApiError;
use super::schema::Problem;
use crate::store::audit::{Filter, Recorded};

/// Something that was done.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEvent)]
pub(super) struct AuditBody {
    /// The event's id.
    id: Uuid,
    /// When it was, RFC 3339.
    #[schema(format = DateTime)]
    at: String,
    /// Who did it: the id of a user or a service, `operator` for the command line, `issuer` for the issuer by itself,
    /// `anonymous` for somebody unknown.
    actor: String,
    /// What was done: a stable name.
    #[schema(example = "role.grant")]
    action: String,
    /// What it was done to: the id of a user, role, film or service, the name of a label or a key.
    subject: Option<String>,
    /// Where the request came from; null where that was not known, or the user has been deleted since.
    ip: Option<String>,
    /// The request's id.
    request_id: Option<String>,
    /// What more there is to say, by the action.
    #[schema(value_type = Object)]
    detail: Map<String, Value>,
}

impl From<Recorded> for AuditBody {
    fn from(event: Recorded) -> Self {
        Self {
            id: event.id.0,
            at: event.at.to_rfc3339(),
            actor: event.actor,
            action: event.action,
            subject: event.subject,
            ip: event.ip,
            request_id: event.request_id,
            detail: event.detail,
        }
    }
}

/// Which events.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// By whom: an id, `operator`, `issuer` or `anonymous`.
    actor: Option<String>,
    /// On what.
    subject: Option<String>,
    /// Of what kind.
    action: Option<String>,
}

/// What was done: administrative acts and security events, newest first.
#[utoipa::path(
    get, path = "/api/v1/audit", tag = "audit", params(AuditQuery, PageQuery),
    security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 200, body = PageBody<AuditBody>), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 422, body = Problem),
    )
)]
pub(super) async fn list(
    State(api): State<Api>,
    SignedIn(caller): SignedIn,
    Paging(page): Paging,
    request: Request,
) -> Result<JsonBody<PageBody<AuditBody>>, ApiError> {
    let (mut parts, _) = request.into_parts();
    let Query(asked) = query::<AuditQuery, _>(&mut parts, &api).await?;
    // One that is left empty asks for nothing.
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let (actor, subject, action) = (given(asked.actor), given(asked.subject), given(asked.action));
    let filter = Filter {
        actor: actor.as_deref(),
        subject: subject.as_deref(),
        action: action.as_deref(),
    };
    let page = api.service.audit_trail(&caller, filter, page).await?;
    Ok(JsonBody(PageBody::of(page, AuditBody::from)))
}
