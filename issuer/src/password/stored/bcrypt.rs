//! bcrypt (Provos and Mazières, 1999), with Django's digest before it or without.
//!
//! bcrypt looks at 72 bytes of a password. Longer ones are cut, as the libraries that made these hashes did; that ends with
//! the first login, which hashes all of what was typed anew. About a NUL byte they do not agree: some stop there, so that
//! anything could follow it. A password with one is therefore never right.

use base64::Engine;
use base64::alphabet;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use shared::limits::BCRYPT_COST_MAX;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::HashRefused;
use super::fields::{fields, malformed, number, within};

const KIND: &str = "bcrypt";

/// The bytes of a password that count.
const PASSWORD_BYTES_MAX: usize = 72;

/// The least cost that there is.
const COST_MIN: u64 = 4;

const SALT_BYTES: usize = 16;

/// The last of the 24 bytes that bcrypt gives is left out of what is stored.
const OUTPUT_BYTES: usize = 23;

/// The characters of both in the alphabet of bcrypt.
const SALT_CHARACTERS: usize = 22;

/// Neither is a whole number of characters, and makers differ in what they leave in the last one.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::BCRYPT,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::RequireNone),
);

/// A stored bcrypt hash.
pub(in crate::password) struct BcryptHash {
    cost: u32,
    salt: [u8; SALT_BYTES],
    output: [u8; OUTPUT_BYTES],
    /// Whether it is the hash of the password's SHA-256 in hexadecimal, as Django's `bcrypt_sha256` has it.
    is_of_digest: bool,
}

impl BcryptHash {
    /// Reads what follows `$2b$`.
    pub(super) fn read(rest: &str, is_of_digest: bool) -> Result<Self, HashRefused> {
        let [cost, encoded] = fields(KIND, rest)?;
        let wrong = || malformed(KIND, "the salt and the hash");
        if cost.len() != 2 {
            return Err(malformed(KIND, "the cost"));
        }
        let cost = number(KIND, "the cost", cost)?;
        if cost < COST_MIN {
            return Err(malformed(KIND, "the cost"));
        }
        within(KIND, "cost", cost, BCRYPT_COST_MAX.into())?;
        let (salt, output) = encoded.split_at_checked(SALT_CHARACTERS).ok_or_else(wrong)?;
        let decode = |text: &str| BASE64.decode(text).map_err(|_| wrong());
        Ok(Self {
            cost: u32::try_from(cost).map_err(|_| wrong())?,
            salt: decode(salt)?.try_into().map_err(|_| wrong())?,
            output: decode(output)?.try_into().map_err(|_| wrong())?,
            is_of_digest,
        })
    }

    /// Reads what follows `bcrypt$`, which begins with another `$`.
    pub(super) fn read_in_django(rest: &str, is_of_digest: bool) -> Result<Self, HashRefused> {
        let own = ["$2a$", "$2b$", "$2y$"];
        let rest = own.iter().find_map(|prefix| rest.strip_prefix(prefix));
        Self::read(
            rest.ok_or(malformed(KIND, "the fields between `$`"))?,
            is_of_digest,
        )
    }

    pub(super) fn is_of(&self, password: &[u8]) -> bool {
        let digest;
        let password = if self.is_of_digest {
            digest = Zeroizing::new(hex_of_sha256(password));
            digest.as_bytes()
        } else {
            password
        };
        if password.contains(&0) {
            return false;
        }
        // The NUL behind it counts, where there is room.
        let mut key = Zeroizing::new([0; PASSWORD_BYTES_MAX]);
        for (to, from) in key.iter_mut().zip(password) {
            *to = *from;
        }
        let used = (password.len() + 1).min(PASSWORD_BYTES_MAX);
        let key = key.get(..used).unwrap_or_default();
        let computed = Zeroizing::new(::bcrypt::bcrypt(self.cost, self.salt, key));
        let computed = computed.get(..OUTPUT_BYTES).unwrap_or_default();
        computed.ct_eq(&self.output).into()
    }
}

fn hex_of_sha256(password: &[u8]) -> String {
    use std::fmt::Write;
    let digest = ring::digest::digest(&ring::digest::SHA256, password);
    let mut hex = String::with_capacity(2 * digest.as_ref().len());
    for byte in digest.as_ref() {
        // Writing to a `String` cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
