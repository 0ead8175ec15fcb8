//! Roles, and who has them.

use axum::Json as JsonBody;
use axum::extract::{FromRequestParts, State};
use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use shared::id::{RoleId, SubjectId};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Api;
use super::body::{Fields, FromFields, Json};
use super::caller::{Id, Ids, SignedIn};
use super::page::{PageBody, PageQuery, Paging, query};
use super::respond::ApiError;
use super::schema::Problem;
use crate::service::{RoleDraft, UserRoles};
use crate::store::role::Role;

/// A role.
#[derive(Serialize, ToSchema)]
#[schema(as = Role)]
pub(super) struct RoleBody {
    /// The role's id, which a rename leaves alone.
    id: Uuid,
    /// Its name.
    name: String,
    /// What it is for.
    description: Option<String>,
    /// Whether the product gives it a meaning.
    built_in: bool,
    /// When it was made, RFC 3339.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was last changed, RFC 3339.
    #[schema(format = DateTime)]
    updated_at: String,
}

impl From<Role> for RoleBody {
    fn from(role: Role) -> Self {
        Self {
            id: role.id.0,
            name: role.name,
            description: role.description,
            built_in: role.built_in,
            created_at: role.created_at.to_rfc3339(),
            updated_at: role.updated_at.to_rfc3339(),
        }
    }
}

/// A role as it is to be.
#[derive(ToSchema)]
#[schema(as = RoleDraft)]
pub(super) struct DraftBody {
    /// The name.
    #[schema(pattern = "^[a-z][a-z0-9_-]{1,63}$", example = "subscriber")]
    name: String,
    /// What it is for, at most 500 characters.
    description: Option<String>,
}

impl FromFields for DraftBody {
    fn from_fields(fields: &mut Fields) -> Self {
        Self {
            name: fields.text("name"),
            description: fields.nullable_text("description"),
        }
    }
}

impl From<DraftBody> for RoleDraft {
    fn from(body: DraftBody) -> Self {
        Self {
            name: body.name,
            description: body.description,
        }
    }
}

/// The roles of a user.
#[derive(Serialize, ToSchema)]
#[schema(as = UserRoles)]
pub(super) struct UserRolesBody {
    /// Whose they are.
    user_id: Uuid,
    /// Whether the user passes every check anyway.
    superuser: bool,
    /// The roles.
    roles: Vec<RoleBody>,
    /// Whether the user has every role of `name`; left out where none was asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    granted: Option<bool>,
}

impl From<UserRoles> for UserRolesBody {
    fn from(held: UserRoles) -> Self {
        Self {
            user_id: held.user_id.0,
            superuser: held.superuser,
            roles: held.roles.into_iter().map(RoleBody::from).collect(),
            granted: held.granted,
        }
    }
}

/// Make a role, for `role_editor` and superusers.
#[utoipa::path(
    post, path = "/api/v1/role", tag = "roles", request_body = DraftBody,
    security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 201, body = RoleBody, headers(("Location", description = "The new role"))),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 409, body = Problem, description = "`role-name-taken`"), (status = 422, body = Problem),
    )
)]
pub(super) async fn create(
    State(api): State<Api>,
    SignedIn(caller): SignedIn,
    Json(draft): Json<DraftBody>,
) -> Result<Response, ApiError> {
    let role = api.service.create_role(&caller, &draft.into()).await?;
    let location = HeaderValue::from_str(&format!("/api/v1/role/{}", role.id));
    let mut response = (StatusCode::CREATED, JsonBody(RoleBody::from(role))).into_response();
    if let Ok(location) = location {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// List the roles.
#[utoipa::path(
    get, path = "/api/v1/role", tag = "roles", params(PageQuery),
    security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 200, body = PageBody<RoleBody>), (status = 401, body = Problem), (status = 422, body = Problem),
    )
)]
pub(super) async fn list(
    State(api): State<Api>,
    _caller: SignedIn,
    Paging(page): Paging,
) -> Result<JsonBody<PageBody<RoleBody>>, ApiError> {
    Ok(JsonBody(PageBody::of(
        api.service.roles(page).await?,
        RoleBody::from,
    )))
}

/// See a role.
#[utoipa::path(
    get, path = "/api/v1/role/{id}", tag = "roles", params(("id" = Uuid, Path)),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, body = RoleBody), (status = 401, body = Problem), (status = 404, body = Problem))
)]
pub(super) async fn see(
    State(api): State<Api>,
    _caller: SignedIn,
    Id(id): Id<RoleId>,
) -> Result<JsonBody<RoleBody>, ApiError> {
    Ok(JsonBody(api.service.role(id).await?.into()))
}

/// Change a role, for `role_editor` and superusers. Tokens that carry its old name are stale at every edge.
#[utoipa::path(
    put, path = "/api/v1/role/{id}", tag = "roles", params(("id" = Uuid, Path)), request_body = DraftBody,
    security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 200, body = RoleBody), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
        (status = 409, body = Problem, description = "`role-name-taken`, `built-in-role`"),
        (status = 422, body = Problem),
    )
)]
pub(super) async fn change(
    State(api): State<Api>,
    SignedIn(caller): SignedIn,
    Id(id): Id<RoleId>,
    Json(draft): Json<DraftBody>,
) -> Result<JsonBody<RoleBody>, ApiError> {
    Ok(JsonBody(
        api.service.change_role(&caller, id, &draft.into()).await?.into(),
    ))
}

/// Delete a role and take it from everyone, for `role_editor` and superusers.
#[utoipa::path(
    delete, path = "/api/v1/role/{id}", tag = "roles", params(("id" = Uuid, Path)),
    security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem, description = "`built-in-role`"),
    )
)]
pub(super) async fn delete(
    State(api): State<Api>,
    SignedIn(caller): SignedIn,
    Id(id): Id<RoleId>,
) -> Result<StatusCode, ApiError> {
    api.service.delete_role(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give a role to a user, for `role_editor` (not the built-in powers) and superusers.
#[utoipa::path(
    post, path = "/api/v1/user/{user_id}/role/{role_id}", tag = "roles",
    params(("user_id" = Uuid, Path), ("role_id" = Uuid, Path)),
    security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
    )
)]
pub(super) async fn grant(
    State(api): State<Api>,
    SignedIn(caller): SignedIn,
    Ids(user, role): Ids<SubjectId, RoleId>,
) -> Result<StatusCode, ApiError> {
    api.service.set_user_role(&caller, user, role, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take a role from a user; older access tokens are stale at every edge at once.
#[utoipa::path(
    delete, path = "/api/v1/user/{user_id}/role/{role_id}", tag = "roles",
    params(("user_id" = Uuid, Path), ("role_id" = Uuid, Path)),
    security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
    )
)]
pub(super) async fn revoke(
    State(api): State<Api>,
    SignedIn(caller): SignedIn,
    Ids(user, role): Ids<SubjectId, RoleId>,
) -> Result<StatusCode, ApiError> {
    api.service.set_user_role(&caller, user, role, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Names of roles to ask about. For the document; a name may be repeated, which `serde` does not read.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its description is used")]
pub(super) struct RoleNamesQuery {
    /// Has the user every one of these? May be repeated.
    name: Option<Vec<String>>,
}

/// The names of a query.
pub(super) struct RoleNames(Vec<String>);

impl FromRequestParts<Api> for RoleNames {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let pairs = query::<Vec<(String, String)>, _>(parts, api).await?.0;
        Ok(Self(
            pairs
                .into_iter()
                .filter(|(key, _)| key == "name")
                .map(|(_, name)| name)
                .collect(),
        ))
    }
}

/// The roles of a user: one's own, or anybody's for `role_editor`, `admin` and superusers.
#[utoipa::path(
    get, path = "/api/v1/user/{user_id}/role", tag = "roles", params(("user_id" = Uuid, Path), RoleNamesQuery),
    security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 200, body = UserRolesBody), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
    )
)]
pub(super) async fn of_user(
    State(api): State<Api>,
    SignedIn(caller): SignedIn,
    Id(user): Id<SubjectId>,
    RoleNames(names): RoleNames,
) -> Result<JsonBody<UserRolesBody>, ApiError> {
    Ok(JsonBody(
        api.service.user_roles(&caller, user, &names).await?.into(),
    ))
}
