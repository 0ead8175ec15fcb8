//! Labels: who may see the films that carry them.

use axum::Json as JsonBody;
use axum::extract::{FromRequestParts, Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::body::{Fields, FromFields, Json};
use super::caller::SignedIn;
use super::page::{PageBody, PageQuery, Paging, query};
use super::respond::ApiError;
use super::schema::Problem;
use crate::service::{LabelDraft, ServiceError};
use crate::store::label::Label;

/// A label.
#[derive(Serialize, ToSchema)]
#[schema(as = Label)]
pub(super) struct LabelBody {
    /// Its name.
    name: String,
    /// Names of the roles of which any one satisfies it.
    roles: Vec<String>,
    /// Whether everybody satisfies it, anonymous callers too.
    anonymous: bool,
    /// What it is for.
    description: Option<String>,
    /// When it was made, RFC 3339.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was last changed, RFC 3339.
    #[schema(format = DateTime)]
    updated_at: String,
}

impl From<Label> for LabelBody {
    fn from(label: Label) -> Self {
        Self {
            name: label.name.to_string(),
            roles: label.roles,
            anonymous: label.anonymous,
            description: label.description,
            created_at: label.created_at.to_rfc3339(),
            updated_at: label.updated_at.to_rfc3339(),
        }
    }
}

/// A label as it is to be.
#[derive(ToSchema)]
#[schema(as = LabelDraft)]
pub(super) struct DraftBody {
    /// Names of the roles of which any one satisfies it.
    #[schema(example = json!(["subscriber"]))]
    roles: Vec<String>,
    /// Whether everybody satisfies it, anonymous callers too.
    anonymous: bool,
    /// What it is for, at most 500 characters.
    description: Option<String>,
}

impl FromFields for DraftBody {
    fn from_fields(fields: &mut Fields) -> Self {
        Self {
            roles: fields.texts("roles"),
            anonymous: fields.flag("anonymous"),
            description: fields.nullable_text("description"),
        }
    }
}

impl From<DraftBody> for LabelDraft {
    fn from(body: DraftBody) -> Self {
        Self {
            roles: body.roles,
            anonymous: body.anonymous,
            description: body.description,
        }
    }
}

/// The name in the path.
pub(super) struct Name(String);

impl FromRequestParts<Api> for Name {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let Path(name) = Path::<String>::from_request_parts(parts, api)
            .await
            .map_err(|_| ServiceError::NotFound)?;
        Ok(Self(name))
    }
}

/// Make a label, or change it, for `role_editor` (not with reserved roles) and superusers. In force at every edge at once.
#[utoipa::path(
    put, path = "/api/v1/label/{name}", tag = "labels",
    params(("name" = String, Path, description = "`^[a-z][a-z0-9_-]{1,63}$`")), request_body = DraftBody,
    security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 200, body = LabelBody, description = "Changed"), (status = 201, body = LabelBody, description = "Made"),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 422, body = Problem),
    )
)]
pub(super) async fn put(
    State(api): State<Api>,
    SignedIn(caller): SignedIn,
    Name(name): Name,
    Json(draft): Json<DraftBody>,
) -> Result<Response, ApiError> {
    let (label, is_new) = api.service.put_label(&caller, &name, &draft.into()).await?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, JsonBody(LabelBody::from(label))).into_response())
}

/// List the labels.
#[utoipa::path(
    get, path = "/api/v1/label", tag = "labels", params(PageQuery),
    security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 200, body = PageBody<LabelBody>), (status = 401, body = Problem), (status = 422, body = Problem),
    )
)]
pub(super) async fn list(
    State(api): State<Api>,
    _caller: SignedIn,
    Paging(page): Paging,
) -> Result<JsonBody<PageBody<LabelBody>>, ApiError> {
    Ok(JsonBody(PageBody::of(
        api.service.labels(page).await?,
        LabelBody::from,
    )))
}

/// See a label.
#[utoipa::path(
    get, path = "/api/v1/label/{name}", tag = "labels", params(("name" = String, Path)),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, body = LabelBody), (status = 401, body = Problem), (status = 404, body = Problem))
)]
pub(super) async fn see(
    State(api): State<Api>,
    _caller: SignedIn,
    Name(name): Name,
) -> Result<JsonBody<LabelBody>, ApiError> {
    Ok(JsonBody(api.service.label(&name).await?.into()))
}

/// What becomes of films that carry a label.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ForceQuery {
    /// Take the label from the films that carry it, which is refused otherwise.
    #[param(value_type = Option<bool>)]
    force: Option<String>,
}

/// Whether to take a label from the films that carry it.
pub(super) struct Force(bool);

impl FromRequestParts<Api> for Force {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let force = query::<ForceQuery, _>(parts, api).await?.0.force;
        match force.as_deref() {
            None | Some("false") => Ok(Self(false)),
            Some("true") => Ok(Self(true)),
            Some(_) => Err(ServiceError::field("force", "invalid", "true or false is expected").into()),
        }
    }
}

/// Delete a label, for `role_editor` and superusers.
#[utoipa::path(
    delete, path = "/api/v1/label/{name}", tag = "labels", params(("name" = String, Path), ForceQuery),
    security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem, description = "`label-in-use`"),
    )
)]
pub(super) async fn delete(
    State(api): State<Api>,
    SignedIn(caller): SignedIn,
    Name(name): Name,
    Force(is_forced): Force,
) -> Result<StatusCode, ApiError> {
    api.service.delete_label(&caller, &name, is_forced).await?;
    Ok(StatusCode::NO_CONTENT)
}
