//! The JOSE header (RFC 7515 section 4).

use super::{TokenError, TokenProfile};
use crate::limits;
use crate::strict_json::Json;

/// Reads the header and gives the key id.
///
/// Names that we do not know are passed over (RFC 7515 section 4), so no `jwk`, `jku`, `x5c` or `x5u` is ever
/// looked at; `crit` is refused, since we know no extension (section 4.1.11).
pub(super) fn read(base64: &[u8], profile: TokenProfile) -> Result<Box<str>, TokenError> {
    let json = super::decode(base64)?;
    let header = super::read_object(&json)?;
    if header.get("crit").is_some() {
        return Err(TokenError::Unsupported);
    }
    if header.get("alg").and_then(Json::as_text) != Some("RS256") {
        return Err(TokenError::Unsupported);
    }
    match (header.get("typ"), profile) {
        (Some(Json::Text(typ)), _) if is_type(typ, "at+jwt") => {}
        // RFC 7519 section 5.1.
        (Some(Json::Text(typ)), TokenProfile::Jwt) if is_type(typ, "jwt") => {}
        (None, TokenProfile::Jwt) => {}
        _ => return Err(TokenError::Unsupported),
    }
    match header.get("kid").and_then(Json::as_text) {
        Some(kid) if !kid.is_empty() && kid.len() <= limits::KID_BYTES_MAX => Ok(kid.into()),
        _ => Err(TokenError::UnknownKey),
    }
}

/// A media type, with or without its `application/` (RFC 7515 section 4.1.9), compared without case (RFC 2045).
fn is_type(typ: &str, expected: &str) -> bool {
    const APPLICATION: &str = "application/";
    let prefix = typ.get(..APPLICATION.len());
    let subtype = match prefix {
        Some(prefix) if prefix.eq_ignore_ascii_case(APPLICATION) => {
            typ.get(APPLICATION.len()..).unwrap_or(typ)
        }
        _ => typ,
    };
    subtype.eq_ignore_ascii_case(expected)
}
