//! Access tokens: RFC 9068 JWTs, signed with the kept key.

use std::sync::Arc;

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

/// An access token that has yet to be signed, and the key to sign it with.
#[derive(Debug)]
pub(super) struct Unsigned {
    keyring: Arc<Keyring>,
    text: String,
}

impl Unsigned {
    /// Puts the token together.
    pub(super) fn new(keyring: Arc<Keyring>, grant: &AccessGrant<'_>) -> Result<Self, GenerateError> {
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
        let mut text = part(&header)?;
        text.push('.');
        text.push_str(&part(&payload)?);
        Ok(Self { keyring, text })
    }

    /// Signs it: about a millisecond of a core.
    pub(super) fn sign(mut self) -> Result<String, GenerateError> {
        let signature = self.keyring.signing().sign(self.text.as_bytes())?;
        self.text.push('.');
        self.text.push_str(&base64url(&signature));
        Ok(self.text)
    }
}

fn part(value: &impl Serialize) -> Result<String, GenerateError> {
    serde_json::to_vec(value)
        .map(|json| base64url(&json))
        .map_err(|_| GenerateError)
}
