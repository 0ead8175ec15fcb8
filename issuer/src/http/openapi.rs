//! The frame of the OpenAPI document; the routes fill it.

mod complete;

use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::schema::Problem;
use super::token::Transport;

pub(super) use complete::complete;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Usher issuer",
        description = "Registration, login, sessions and roles; access tokens as RFC 9068 JWTs that the verifiers \
                       judge without asking here."
    ),
    components(schemas(Problem, Transport)),
    modifiers(&Credentials),
    tags(
        (name = "account", description = "Registering, signing in, and one's own account"),
        (name = "roles", description = "Roles, and who has them"),
        (name = "labels", description = "Access labels, and the films that carry them"),
        (name = "audit", description = "What was done, and by whom"),
        (name = "oauth", description = "The standard endpoints for clients"),
        (name = "discovery", description = "Keys and metadata"),
    )
)]
pub(super) struct Document;

struct Credentials;

impl Modify for Credentials {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        // RFC 6749 section 2.3.1; the body's parameters will do as well.
        let client = HttpBuilder::new().scheme(HttpAuthScheme::Basic).build();
        components.add_security_scheme("client", SecurityScheme::Http(client));
        let cookie = ApiKey::Cookie(ApiKeyValue::new("__Host-access_token"));
        components.add_security_scheme("cookie", SecurityScheme::ApiKey(cookie));
    }
}
