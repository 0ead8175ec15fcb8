//! Users: seen, changed, disabled, deleted, made superusers; and their login history.

use axum::Json as JsonBody;
use axum::extract::{FromRequestParts, State};
use http::StatusCode;
use http::request::Parts;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use shared::id::SubjectId;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Api;
use super::body::{Fields, FromFields, Json};
use super::caller::{Id, SignedIn, SignedInPerson};
use super::context::Client;
use super::page::{PageBody, PageQuery, Paging, query};
use super::respond::ApiError;
use super::schema::Problem;
use crate::service::{Caller, Change};
use crate::store::login_history::Attempt;
use crate::store::user::User;

/// A user.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub(super) struct UserBody {
    /// The user's id.
    id: Uuid,
    /// The login, folded (RFC 8265).
    login: String,
    /// Whether everything is allowed.
    superuser: bool,
    /// Whether the account may be used.
    active: bool,
    /// Names of the roles.
    roles: Vec<String>,
    /// When it registered, RFC 3339.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was last changed, RFC 3339.
    #[schema(format = DateTime)]
    updated_at: String,
}

impl From<User> for UserBody {
    fn from(user: User) -> Self {
        Self {
            id: user.id.0,
            login: user.login,
            superuser: user.superuser,
            active: user.active,
            roles: user.roles,
            created_at: user.created_at.to_rfc3339(),
            updated_at: user.updated_at.to_rfc3339(),
        }
    }
}

/// What to change.
#[derive(ToSchema)]
#[schema(as = UserChange)]
pub(super) struct ChangeBody {
    /// A new login.
    login: Option<String>,
    /// A new password: it ends every other session.
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<SecretString>,
    /// The password as it is. Needed where the operator says so; checked whenever it is given.
    #[schema(value_type = Option<String>, format = Password)]
    current_password: Option<SecretString>,
}

impl FromFields for ChangeBody {
    fn from_fields(fields: &mut Fields) -> Self {
        Self {
            login: fields.optional_text("login"),
            password: fields.optional_secret("password"),
            current_password: fields.optional_secret("current_password"),
        }
    }
}

impl From<ChangeBody> for Change {
    fn from(body: ChangeBody) -> Self {
        Self {
            login: body.login,
            password: body.password,
            current_password: body.current_password,
        }
    }
}

/// Whether somebody is to be a superuser.
#[derive(ToSchema)]
#[schema(as = SuperuserChange)]
pub(super) struct SuperuserBody {
    /// Whether everything is to be allowed.
    superuser: bool,
}

impl FromFields for SuperuserBody {
    fn from_fields(fields: &mut Fields) -> Self {
        Self {
            superuser: fields.flag("superuser"),
        }
    }
}

/// See oneself.
#[utoipa::path(
    get, path = "/api/v1/user/me", tag = "account", security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, body = UserBody), (status = 401, body = Problem),
        (status = 403, body = Problem, description = "`forbidden`: a service has no account"))
)]
pub(super) async fn me(
    State(api): State<Api>,
    SignedInPerson(caller): SignedInPerson,
) -> Result<JsonBody<UserBody>, ApiError> {
    see(&api, &caller, caller.subject).await
}

/// See a user: oneself, or anybody for `admin` and superusers.
#[utoipa::path(
    get, path = "/api/v1/user/{id}", tag = "account", params(("id" = Uuid, Path)),
    security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 200, body = UserBody), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
    )
)]
pub(super) async fn user(
    State(api): State<Api>,
    SignedIn(caller): SignedIn,
    Id(id): Id<SubjectId>,
) -> Result<JsonBody<UserBody>, ApiError> {
    see(&api, &caller, id).await
}

async fn see(api: &Api, caller: &Caller, id: SubjectId) -> Result<JsonBody<UserBody>, ApiError> {
    Ok(JsonBody(api.service.user(caller, id).await?.into()))
}

/// Which users.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct UsersQuery {
    /// The beginning of the login.
    login: Option<String>,
}

/// The beginning of a login, as asked for.
pub(super) struct LoginPrefix(String);

impl FromRequestParts<Api> for LoginPrefix {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let UsersQuery { login } = query::<UsersQuery, _>(parts, api).await?.0;
        Ok(Self(login.unwrap_or_default()))
    }
}

/// List the users, for `admin` and superusers.
#[utoipa::path(
    get, path = "/api/v1/user", tag = "account", params(UsersQuery, PageQuery),
    security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 200, body = PageBody<UserBody>), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 422, body = Problem),
    )
)]
pub(super) async fn users(
    State(api): State<Api>,
    SignedIn(caller): SignedIn,
    LoginPrefix(prefix): LoginPrefix,
    Paging(page): Paging,
) -> Result<JsonBody<PageBody<UserBody>>, ApiError> {
    let page = api.service.users(&caller, &prefix, page).await?;
    Ok(JsonBody(PageBody::of(page, UserBody::from)))
}

/// Change one's own login or password.
#[utoipa::path(
    patch, path = "/api/v1/user/me", tag = "account", request_body = ChangeBody,
    security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 200, body = UserBody), (status = 401, body = Problem),
        (status = 403, body = Problem, description = "`forbidden`, `wrong-password`, `cross-site`"),
        (status = 409, body = Problem, description = "`login-taken`"), (status = 422, body = Problem),
        (status = 429, body = Problem, description = "Too many wrong passwords"),
    )
)]
pub(super) async fn change_me(
    State(api): State<Api>,
    SignedInPerson(caller): SignedInPerson,
    client: Client,
    Json(change): Json<ChangeBody>,
) -> Result<JsonBody<UserBody>, ApiError> {
    let changed = api
        .service
        .change_user(&caller, caller.subject, &change.into(), client.counted_as())
        .await?;
    Ok(JsonBody(changed.into()))
}

/// Change a user's login or password: one's own, or anybody's for superusers.
#[utoipa::path(
    patch, path = "/api/v1/user/{id}", tag = "account", params(("id" = Uuid, Path)), request_body = ChangeBody,
    security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 200, body = UserBody), (status = 401, body = Problem),
        (status = 403, body = Problem, description = "`forbidden`, `wrong-password`, `cross-site`"),
        (status = 404, body = Problem),
        (status = 409, body = Problem, description = "`login-taken`"), (status = 422, body = Problem),
        (status = 429, body = Problem, description = "Too many wrong passwords"),
    )
)]
pub(super) async fn change_user(
    State(api): State<Api>,
    SignedIn(caller): SignedIn,
    Id(id): Id<SubjectId>,
    client: Client,
    Json(change): Json<ChangeBody>,
) -> Result<JsonBody<UserBody>, ApiError> {
    Ok(JsonBody(
        api.service
            .change_user(&caller, id, &change.into(), client.counted_as())
            .await?
            .into(),
    ))
}

/// Delete oneself.
#[utoipa::path(
    delete, path = "/api/v1/user/me", tag = "account", security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 409, body = Problem, description = "`last-superuser`"),
    )
)]
pub(super) async fn delete_me(
    State(api): State<Api>,
    SignedInPerson(caller): SignedInPerson,
) -> Result<StatusCode, ApiError> {
    api.service.delete_user(&caller, caller.subject).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Delete a user: oneself, or anybody for superusers.
#[utoipa::path(
    delete, path = "/api/v1/user/{id}", tag = "account", params(("id" = Uuid, Path)),
    security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem, description = "`last-superuser`"),
    )
)]
pub(super) async fn delete_user(
    State(api): State<Api>,
    SignedIn(caller): SignedIn,
    Id(id): Id<SubjectId>,
) -> Result<StatusCode, ApiError> {
    api.service.delete_user(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Disable an account and end its sessions at once, for `admin` (not a superuser's) and superusers.
#[utoipa::path(
    post, path = "/api/v1/user/{id}/disable", tag = "account", params(("id" = Uuid, Path)),
    security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem, description = "`last-superuser`"),
    )
)]
pub(super) async fn disable(
    State(api): State<Api>,
    SignedIn(caller): SignedIn,
    Id(id): Id<SubjectId>,
) -> Result<StatusCode, ApiError> {
    api.service.set_active(&caller, id, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Enable an account, for `admin` (not a superuser's) and superusers.
#[utoipa::path(
    post, path = "/api/v1/user/{id}/enable", tag = "account", params(("id" = Uuid, Path)),
    security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
    )
)]
pub(super) async fn enable(
    State(api): State<Api>,
    SignedIn(caller): SignedIn,
    Id(id): Id<SubjectId>,
) -> Result<StatusCode, ApiError> {
    api.service.set_active(&caller, id, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Make somebody a superuser, or no longer one; for superusers.
#[utoipa::path(
    put, path = "/api/v1/user/{id}/superuser", tag = "roles", params(("id" = Uuid, Path)),
    request_body = SuperuserBody, security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem, description = "`last-superuser`"),
        (status = 422, body = Problem),
    )
)]
pub(super) async fn set_superuser(
    State(api): State<Api>,
    SignedIn(caller): SignedIn,
    Id(id): Id<SubjectId>,
    Json(body): Json<SuperuserBody>,
) -> Result<StatusCode, ApiError> {
    api.service.set_superuser(&caller, id, body.superuser).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// One attempt to log in.
#[derive(Serialize, ToSchema)]
#[schema(as = LoginAttempt)]
pub(super) struct AttemptBody {
    /// The attempt's id.
    id: Uuid,
    /// When it was, RFC 3339.
    #[schema(format = DateTime)]
    at: String,
    /// `success`, `wrong_password`, `disabled` or `throttled`.
    outcome: &'static str,
    /// The client's address.
    ip: Option<String>,
    /// Its `User-Agent`.
    user_agent: Option<String>,
    /// A short name read from it.
    device: Option<String>,
    /// The session that it began.
    session_id: Option<Uuid>,
}

impl From<Attempt> for AttemptBody {
    fn from(attempt: Attempt) -> Self {
        Self {
            id: attempt.id.0,
            at: attempt.at.to_rfc3339(),
            outcome: attempt.outcome.as_str(),
            ip: attempt.origin.ip,
            user_agent: attempt.origin.user_agent,
            device: attempt.origin.device,
            session_id: attempt.session.map(|session| session.0),
        }
    }
}

/// One's own login history.
#[utoipa::path(
    get, path = "/api/v1/login/history", tag = "account", params(PageQuery),
    security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 200, body = PageBody<AttemptBody>), (status = 401, body = Problem),
        (status = 403, body = Problem, description = "`forbidden`: a service has no account"), (status = 422, body = Problem),
    )
)]
pub(super) async fn own_history(
    State(api): State<Api>,
    SignedInPerson(caller): SignedInPerson,
    Paging(page): Paging,
) -> Result<JsonBody<PageBody<AttemptBody>>, ApiError> {
    let page = api.service.login_history(&caller, caller.subject, page).await?;
    Ok(JsonBody(PageBody::of(page, AttemptBody::from)))
}

/// A user's login history: one's own, or anybody's for `admin` and superusers.
#[utoipa::path(
    get, path = "/api/v1/user/{id}/login/history", tag = "account", params(("id" = Uuid, Path), PageQuery),
    security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 200, body = PageBody<AttemptBody>), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem),
    )
)]
pub(super) async fn history(
    State(api): State<Api>,
    SignedIn(caller): SignedIn,
    Id(id): Id<SubjectId>,
    Paging(page): Paging,
) -> Result<JsonBody<PageBody<AttemptBody>>, ApiError> {
    let page = api.service.login_history(&caller, id, page).await?;
    Ok(JsonBody(PageBody::of(page, AttemptBody::from)))
}
