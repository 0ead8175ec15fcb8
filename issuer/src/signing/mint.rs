//! Access tokens: RFC 9068 JWTs, signed with the kept key.

use serde::Serialize;
use shared::crypto::rsa::GenerateError;
use shared::encoding::base64url;
use shared::id::{SessionId, SubjectId, TokenId};
use shared::time::UnixSeconds;

use super::Keyring;

/// What a token is to say.
#[derive(Debug)]
pub struct AccessGrant<'a> {
    /// `iss`.
    pub issuer: &'a str,
    /// `aud`.
    pub audience: &'a str,
    /// `sub`.
    pub subject: SubjectId,
    /// `sid`.
    pub session: SessionId,
    /// `jti`.
    pub token_id: TokenId,
    /// `client_id`.
    pub client_id: &'a str,
    /// `roles`.
    pub roles: Vec<&'a str>,
    /// `ver`.
    pub ver: i64,
    /// `rver`.
    pub rver: i64,
    /// `superuser`, left out when false.
    pub superuser: bool,
    /// `iat` and `nbf`: taken before the transaction that read all this.
    pub issued_at: UnixSeconds,
    /// `exp`.
    pub expires_at: UnixSeconds,
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'static str,
    kid: &'a str,
}

#[derive(Serialize)]
struct Payload<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: SubjectId,
    iat: UnixSeconds,
    nbf: UnixSeconds,
    exp: UnixSeconds,
    jti: TokenId,
    sid: SessionId,
    client_id: &'a str,
    roles: &'a [&'a str],
    ver: i64,
    rver: i64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    superuser: bool,
}

/// Signs an access token with the active key.
///
/// # Errors
///
/// [`GenerateError`] if the library fails.
pub fn mint(keyring: &Keyring, grant: &AccessGrant<'_>) -> Result<String, GenerateError> {
    let header = Header {
        alg: "RS256",
        typ: "at+jwt",
        kid: keyring.kid(),
    };
    let payload = Payload {
        iss: grant.issuer,
        aud: grant.audience,
        sub: grant.subject,
        iat: grant.issued_at,
        nbf: grant.issued_at,
        exp: grant.expires_at,
        jti: grant.token_id,
        sid: grant.session,
        client_id: grant.client_id,
        roles: &grant.roles,
        ver: grant.ver,
        rver: grant.rver,
        superuser: grant.superuser,
    };
    let mut token = part(&header)?;
    token.push('.');
    token.push_str(&part(&payload)?);
    let signature = keyring.signing().sign(token.as_bytes())?;
    token.push('.');
    token.push_str(&base64url(&signature));
    Ok(token)
}

fn part(value: &impl Serialize) -> Result<String, GenerateError> {
    serde_json::to_vec(value)
        .map(|json| base64url(&json))
        .map_err(|_| GenerateError)
}
