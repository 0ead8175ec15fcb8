//! What the spellings of hashes have in common.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use shared::limits::STORED_HASH_OUTPUT_BYTES_MIN;

use super::HashRefused;

/// The fields between `$`, if there are as many as there should be.
pub(super) fn fields<'a, const N: usize>(
    kind: &'static str,
    text: &'a str,
) -> Result<[&'a str; N], HashRefused> {
    let fields: Vec<&str> = text.split('$').collect();
    fields
        .try_into()
        .map_err(|_| malformed(kind, "the fields between `$`"))
}

/// A number in decimal digits alone.
pub(super) fn number(kind: &'static str, part: &'static str, text: &str) -> Result<u64, HashRefused> {
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| is_digits);
    number.ok_or(malformed(kind, part))
}

/// The values of `a=1,b=2` for the names that are known, in the order of these; none twice, none unknown.
pub(super) fn parameters<const N: usize>(
    kind: &'static str,
    names: [&str; N],
    text: &str,
) -> Result<[Option<u64>; N], HashRefused> {
    let wrong = || malformed(kind, "the parameters");
    let mut values = [None; N];
    for parameter in text.split(',') {
        let (name, value) = parameter.split_once('=').ok_or_else(wrong)?;
        let value = number(kind, "the parameters", value)?;
        let at = names.iter().position(|known| *known == name).ok_or_else(wrong)?;
        let place = values.get_mut(at).ok_or_else(wrong)?;
        if place.replace(value).is_some() {
            return Err(wrong());
        }
    }
    Ok(values)
}

/// Bytes in base64, padded or not, in the alphabet of RFC 4648 or in passlib's, which has `.` for `+`.
pub(super) fn bytes(kind: &'static str, part: &'static str, text: &str) -> Result<Vec<u8>, HashRefused> {
    let text = text.trim_end_matches('=').replace('.', "+");
    let bytes = STANDARD_NO_PAD.decode(text);
    bytes.map_err(|_| malformed(kind, part))
}

/// The bytes that are compared, of which there must be enough.
pub(super) fn output(kind: &'static str, text: &str) -> Result<Vec<u8>, HashRefused> {
    let output = bytes(kind, "the hash", text)?;
    if output.len() < STORED_HASH_OUTPUT_BYTES_MIN {
        return Err(malformed(kind, "the hash is too short"));
    }
    Ok(output)
}

pub(super) const fn malformed(kind: &'static str, part: &'static str) -> HashRefused {
    HashRefused::Malformed { kind, part }
}

/// Refuses what asks for more than is given.
pub(super) fn within(
    kind: &'static str,
    parameter: &'static str,
    asked: u64,
    most: u64,
) -> Result<(), HashRefused> {
    if asked <= most {
        Ok(())
    } else {
        Err(HashRefused::TooExpensive {
            kind,
            parameter,
            asked,
            most,
        })
    }
}
