//! Every documented route: the one list that both the router and the OpenAPI document are made from.

use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::openapi::Document;
use super::{Api, account, audit, discovery, film, label, oauth, role, session, token};

/// Every documented route.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(token::register, account::users))
        .routes(routes!(token::login))
        .routes(routes!(token::logout))
        .routes(routes!(token::refresh))
        .routes(routes!(token::continue_to))
        .routes(routes!(account::me, account::change_me, account::delete_me))
        .routes(routes!(account::user, account::change_user, account::delete_user))
        .routes(routes!(account::disable))
        .routes(routes!(account::enable))
        .routes(routes!(account::set_superuser))
        .routes(routes!(account::own_history))
        .routes(routes!(account::history))
        .routes(routes!(session::sessions))
        .routes(routes!(session::end_session))
        .routes(routes!(role::create, role::list))
        .routes(routes!(role::see, role::change, role::delete))
        .routes(routes!(role::of_user))
        .routes(routes!(role::grant, role::revoke))
        .routes(routes!(label::list))
        .routes(routes!(label::see, label::put, label::delete))
        .routes(routes!(film::import, film::export))
        .routes(routes!(film::see, film::put, film::clear))
        .routes(routes!(audit::list))
        .routes(routes!(oauth::token))
        .routes(routes!(oauth::introspect))
        .routes(routes!(oauth::revoke))
        .routes(routes!(discovery::jwks))
        .routes(routes!(discovery::revocation_feed))
        .routes(routes!(discovery::metadata))
        .routes(routes!(discovery::openid_configuration))
}
