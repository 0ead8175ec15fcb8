//! The JOSE header (RFC 7515 section 4).

use serde_json::Value;

use super::TokenError;
use crate::limits;

/// Reads the header and gives the key id.
///
/// Names that we do not know are passed over (RFC 7515 section 4), so no `jwk`, `jku`, `x5c` or `x5u` is ever
/// looked at; `crit` is refused, since we know no extension (section 4.1.11).
pub(super) fn read(base64: &[u8]) -> Result<Box<str>, TokenError> {
    let header = super::read_object(base64)?;
    if header.contains_key("crit") {
        return Err(TokenError::Unsupported);
    }
    if header.get("alg").and_then(Value::as_str) != Some("RS256") {
        return Err(TokenError::Unsupported);
    }
    let typ = header
        .get("typ")
        .and_then(Value::as_str)
        .ok_or(TokenError::Unsupported)?;
    // A media type without its `application/` (RFC 7515 section 4.1.9), compared without case (RFC 2045).
    if !typ.eq_ignore_ascii_case("at+jwt") && !typ.eq_ignore_ascii_case("application/at+jwt") {
        return Err(TokenError::Unsupported);
    }
    match header.get("kid").and_then(Value::as_str) {
        Some(kid) if !kid.is_empty() && kid.len() <= limits::KID_BYTES_MAX => Ok(kid.into()),
        _ => Err(TokenError::UnknownKey),
    }
}
