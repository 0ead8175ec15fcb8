//! What introspection tells (RFC 7662 section 2.2).

use serde::Serialize;
use shared::time::UnixSeconds;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::client_name;
use crate::service::{Introspected, RefreshTokenState};

/// What is so of a token. Of one that does not hold, `active` alone is told.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = Introspection)]
pub(in crate::http) struct IntrospectionBody {
    /// Whether the token holds now.
    active: bool,
    /// `Bearer` for an access token; `refresh_token` for one of those, which opens nothing by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    /// To which client it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    /// The login, of a person's.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// Whom it speaks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<Uuid>,
    /// Whom it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<String>,
    /// Who signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    /// The token's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<Uuid>,
    /// When it ends, Unix time in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    /// When it was given, Unix time in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    /// From when it holds, Unix time in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    /// Its session.
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<Uuid>,
    /// Names of the roles.
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<String>>,
    /// Whether everything is allowed; left out where it is not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    superuser: bool,
}

impl IntrospectionBody {
    /// What is told; `None`: the token does not hold.
    pub(super) fn of(found: Option<Introspected>, issuer: &str) -> Self {
        match found {
            None => Self::default(),
            Some(Introspected::Access { claims, login }) => Self {
                active: true,
                token_type: Some("Bearer"),
                client_id: Some(claims.client_id.into()),
                username: login,
                sub: Some(claims.subject.0),
                aud: claims.audience.first().map(ToString::to_string),
                iss: Some(claims.issuer.into()),
                jti: Some(claims.token_id.0),
                exp: Some(claims.expires_at.0),
                iat: Some(claims.issued_at.0),
                nbf: claims.not_before.map(|UnixSeconds(at)| at),
                sid: Some(claims.session.0),
                roles: Some(claims.roles.iter().map(str::to_owned).collect()),
                superuser: claims.superuser,
            },
            Some(Introspected::Refresh(token)) => Self::of_refresh_token(token, issuer),
        }
    }

    /// No roles and no audience: whoever takes it for an access token finds nothing that it opens.
    fn of_refresh_token(token: RefreshTokenState, issuer: &str) -> Self {
        Self {
            active: true,
            token_type: Some("refresh_token"),
            client_id: Some(client_name::WEB.to_owned()),
            username: Some(token.login),
            sub: Some(token.subject.0),
            iss: Some(issuer.to_owned()),
            exp: Some(token.expires_at.0),
            sid: Some(token.session.0),
            ..Self::default()
        }
    }
}
