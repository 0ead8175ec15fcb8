//! The claims of an access token (RFC 9068 section 2.2), and whether they hold now.

use uuid::Uuid;

use super::{SignedToken, TokenError, TokenFormat, TokenProfile};
use crate::id::{SessionId, SubjectId, TokenId};
use crate::limits;
use crate::role::RoleSet;
use crate::strict_json::{Json, JsonObject};
use crate::time::UnixSeconds;

/// What an access token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// `iss`: who signed it.
    pub issuer: Box<str>,
    /// `aud`: whom it is for, one or several.
    pub audience: Box<[Box<str>]>,
    /// `sub`: the user, or the service client.
    pub subject: SubjectId,
    /// `sid`: the session; a service's token has its `jti` here.
    pub session: SessionId,
    /// `jti`: this very token.
    pub token_id: TokenId,
    /// `client_id`: `web` for people, a service's name otherwise.
    pub client_id: Box<str>,
    /// `roles`: names at the moment of signing.
    pub roles: RoleSet,
    /// `ver`: the subject's authorization version.
    pub ver: i64,
    /// `rver`: the same for roles being renamed or deleted.
    pub rver: i64,
    /// `superuser`: everything is allowed.
    pub superuser: bool,
    /// `iat`: when its truth was read.
    pub issued_at: UnixSeconds,
    /// `nbf`, where there is one.
    pub not_before: Option<UnixSeconds>,
    /// `exp`.
    pub expires_at: UnixSeconds,
    /// What another issuer calls the subject and the session; `subject`, `session` and `token_id` are nil then.
    pub foreign: Option<Box<ForeignNames>>,
}

/// Names of another issuer's, which are visible ASCII and need not be UUIDs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignNames {
    /// `sub`.
    pub subject: Box<str>,
    /// `sid`; empty if there is none.
    pub session: Box<str>,
}

impl Claims {
    pub(super) fn heap_bytes(&self) -> usize {
        let texts = self
            .audience
            .iter()
            .map(|text| text.len() + size_of::<Box<str>>())
            .sum::<usize>();
        let roles = self
            .roles
            .iter()
            .map(|name| name.len() + size_of::<Box<str>>())
            .sum::<usize>();
        let foreign = self.foreign.as_ref().map_or(0, |names| {
            size_of::<ForeignNames>() + names.subject.len() + names.session.len()
        });
        self.issuer.len() + self.client_id.len() + texts + roles + foreign
    }
}

/// What a token must say to be for us.
#[derive(Clone, Debug)]
pub struct ClaimsPolicy {
    /// The `iss` that we take, compared byte by byte.
    pub issuer: Box<str>,
    /// What `aud` must have among its values.
    pub audience: Box<str>,
    /// What is forgiven in `exp`, `nbf` and `iat`, in seconds.
    pub leeway_s: i64,
}

/// A token that is for us, and valid at the moment it was asked about.
#[derive(Clone, Copy, Debug)]
pub struct ValidToken<'a>(&'a SignedToken);

impl<'a> ValidToken<'a> {
    /// The token.
    pub fn token(self) -> &'a SignedToken {
        self.0
    }
}

impl SignedToken {
    /// Checks the registered claims of a token whose signature already holds.
    ///
    /// `now` is Unix time in whole seconds, read once per request by the caller. `policy.leeway_s` widens `exp`,
    /// `nbf` and `iat`.
    ///
    /// # Errors
    ///
    /// Those of [`SignedToken::check_origin`], then
    /// - [`TokenError::NotYetValid`] if `nbf` or `iat` lies more than the leeway ahead.
    /// - [`TokenError::Expired`] if `now >= exp + leeway_s` (RFC 7519 section 4.1.4).
    pub fn validate(&self, policy: &ClaimsPolicy, now: UnixSeconds) -> Result<ValidToken<'_>, TokenError> {
        self.check_origin(policy)?;
        self.check_time(policy.leeway_s, now)?;
        Ok(ValidToken(self))
    }

    /// Checks who signed it and whom it is for, whatever the time: for a logout with an expired token.
    ///
    /// # Errors
    ///
    /// - [`TokenError::WrongIssuer`] if `iss` is not ours, byte by byte (RFC 7519 section 4.1.1).
    /// - [`TokenError::WrongAudience`] if `aud` lacks ours (RFC 7519 section 4.1.3).
    pub fn check_origin(&self, policy: &ClaimsPolicy) -> Result<(), TokenError> {
        if self.claims.issuer != policy.issuer {
            return Err(TokenError::WrongIssuer);
        }
        if !self.claims.audience.contains(&policy.audience) {
            return Err(TokenError::WrongAudience);
        }
        Ok(())
    }

    fn check_time(&self, leeway_s: i64, now: UnixSeconds) -> Result<(), TokenError> {
        let latest_start = now.plus_s(leeway_s);
        if self.claims.not_before.is_some_and(|at| at > latest_start) || self.claims.issued_at > latest_start
        {
            return Err(TokenError::NotYetValid);
        }
        if now >= self.claims.expires_at.plus_s(leeway_s) {
            return Err(TokenError::Expired);
        }
        Ok(())
    }
}

/// Reads the payload of a token whose signature holds.
pub(super) fn read(base64: &[u8], format: &TokenFormat) -> Result<Claims, TokenError> {
    let json = super::decode(base64)?;
    let object = super::read_object(&json)?;
    match format.profile {
        TokenProfile::AtJwt => claims(&object, format)
            .filter(has_a_bounded_life)
            .ok_or(TokenError::BadClaims),
        TokenProfile::Jwt if is_of_another_kind(&object) => Err(TokenError::Unsupported),
        TokenProfile::Jwt => foreign_claims(&object, format).ok_or(TokenError::BadClaims),
    }
}

/// Longer than an issuer can be told: its revocations would be forgotten while it lives.
fn has_a_bounded_life(claims: &Claims) -> bool {
    let lifetime_s = claims.expires_at.0.saturating_sub(claims.issued_at.0);
    u64::try_from(lifetime_s).unwrap_or_default() <= limits::ACCESS_TTL_MAX.as_secs()
}

fn claims(object: &JsonObject<'_>, format: &TokenFormat) -> Option<Claims> {
    Some(Claims {
        issuer: text(object, "iss")?.into(),
        audience: audience(object.get("aud")?)?,
        subject: uuid(object, "sub")?.into(),
        session: uuid(object, "sid")?.into(),
        token_id: uuid(object, "jti")?.into(),
        client_id: text(object, "client_id")?.into(),
        roles: roles(format.roles(object)?)?,
        ver: count(object, "ver")?,
        rver: count(object, "rver")?,
        superuser: match object.get("superuser") {
            None => false,
            Some(value) => value.as_bool()?,
        },
        issued_at: date(object.get("iat")?)?,
        not_before: optional(object, "nbf", None, |value| date(value).map(Some))?,
        expires_at: date(object.get("exp")?)?,
        foreign: None,
    })
}

/// The claims of another issuer's token. Nobody is a superuser there: it is a word of ours, and what others mean by it,
/// or whom they let write it, is not known.
fn foreign_claims(object: &JsonObject<'_>, format: &TokenFormat) -> Option<Claims> {
    Some(Claims {
        issuer: text(object, "iss")?.into(),
        audience: audience(object.get("aud")?)?,
        subject: Uuid::nil().into(),
        session: Uuid::nil().into(),
        token_id: Uuid::nil().into(),
        client_id: optional(object, "azp", "", Json::as_text)?.into(),
        roles: match format.roles(object) {
            None => RoleSet::default(),
            // As OAuth writes lists (RFC 6749 section 3.3).
            Some(Json::Text(names)) => {
                let names = || names.split_ascii_whitespace();
                (names().count() <= limits::ROLES_MAX).then(|| names().collect())?
            }
            Some(names) => roles(names)?,
        },
        ver: 0,
        rver: 0,
        superuser: false,
        issued_at: optional(object, "iat", UnixSeconds::default(), date)?,
        not_before: optional(object, "nbf", None, |value| date(value).map(Some))?,
        expires_at: date(object.get("exp")?)?,
        foreign: Some(Box::new(ForeignNames {
            subject: name(object.get("sub")?)?.into(),
            session: optional(object, "sid", "", name)?.into(),
        })),
    })
}

/// Whether another issuer's token says itself that it is for something else than access: Keycloak has the kind in the
/// claim `typ`, and `at_hash` stands in `OpenID` Connect's ID tokens alone. The header's `typ` is `JWT` for all of them.
fn is_of_another_kind(object: &JsonObject<'_>) -> bool {
    let kind = object.get("typ").and_then(Json::as_text).unwrap_or_default();
    object.get("at_hash").is_some()
        || ["ID", "Refresh", "Offline", "Logout"]
            .iter()
            .any(|other| kind.eq_ignore_ascii_case(other))
}

/// A claim that may be absent, but not of a wrong type.
fn optional<'a, T>(
    object: &'a JsonObject<'a>,
    claim: &str,
    absent: T,
    read: impl Fn(&'a Json<'a>) -> Option<T>,
) -> Option<T> {
    object.get(claim).map_or(Some(absent), read)
}

/// A name that can stand in a header: one that could not would be told to the service as nobody's.
fn name<'a>(value: &'a Json<'_>) -> Option<&'a str> {
    value.as_text().filter(|name| {
        (1..=limits::FOREIGN_NAME_BYTES_MAX).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_graphic())
    })
}

fn text<'a>(object: &'a JsonObject<'a>, name: &str) -> Option<&'a str> {
    object.get(name)?.as_text()
}

/// An id in its one canonical spelling: others would compare unequal somewhere.
fn uuid(object: &JsonObject<'_>, name: &str) -> Option<Uuid> {
    let text = text(object, name)?;
    let id = Uuid::try_parse(text).ok()?;
    let mut canonical = Uuid::encode_buffer();
    (id.as_hyphenated().encode_lower(&mut canonical) == text).then_some(id)
}

fn count(object: &JsonObject<'_>, name: &str) -> Option<i64> {
    object.get(name)?.as_i64().filter(|number| *number >= 0)
}

/// `NumericDate` as whole seconds from 1970 to the year 9999.
fn date(value: &Json<'_>) -> Option<UnixSeconds> {
    const YEAR_9999_ENDS: i64 = 253_402_300_799;
    value
        .as_i64()
        .filter(|seconds| (0..=YEAR_9999_ENDS).contains(seconds))
        .map(UnixSeconds)
}

/// One text or an array of texts (RFC 7519 section 4.1.3).
fn audience(value: &Json<'_>) -> Option<Box<[Box<str>]>> {
    match value {
        Json::Text(one) => Some(Box::new([(&**one).into()])),
        Json::Array(several) => several.iter().map(|one| one.as_text().map(Into::into)).collect(),
        _ => None,
    }
}

fn roles(value: &Json<'_>) -> Option<RoleSet> {
    let names = value
        .as_array()
        .filter(|names| names.len() <= limits::ROLES_MAX)?;
    names
        .iter()
        .map(|name| name.as_text().map(Box::<str>::from))
        .collect()
}
