//! Stored hashes: the house's own, and those that people bring along from where they were before.
//!
//! | kind | spellings |
//! | --- | --- |
//! | argon2 | PHC: `$argon2id$…`, `$argon2i$…`, `$argon2d$…`; Django: `argon2$argon2id$…` |
//! | bcrypt | `$2a$…`, `$2b$…`, `$2y$…`; Django: `bcrypt$$2b$…`, `bcrypt_sha256$$2b$…` |
//! | scrypt | PHC: `$scrypt$ln=14,r=8,p=1$salt$hash`; Django: `scrypt$16384$salt$8$1$hash` |
//! | PBKDF2 | PHC: `$pbkdf2-sha256$i=29000,l=32$salt$hash`; passlib: `$pbkdf2-sha256$29000$salt$hash`; both with `-sha512`, and `$pbkdf2$…` for SHA-1; Django: `pbkdf2_sha256$1000000$salt$hash`, `pbkdf2_sha1$…` |

mod argon2;
mod bcrypt;
mod fields;
mod pbkdf2;
mod scrypt;

use shared::limits::STORED_HASH_BYTES_MAX;

use self::argon2::Argon2Hash;
use self::bcrypt::BcryptHash;
use self::pbkdf2::Pbkdf2Hash;
use self::scrypt::ScryptHash;
use super::hash::{HashFailure, HashParams, Memory};

/// Why a text is not taken for the hash of a password. The text itself is not told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashRefused {
    /// None of the kinds that are known.
    #[error(
        "it is of no known kind: argon2, bcrypt, scrypt or PBKDF2, in the spelling of PHC, Django or passlib"
    )]
    UnknownKind,
    /// Longer than any of them.
    #[error("it has more than {STORED_HASH_BYTES_MAX} bytes")]
    TooLong,
    /// Of a known kind, but not as it should be.
    #[error("it is no well-formed {kind} hash: {part}")]
    Malformed {
        /// Which kind.
        kind: &'static str,
        /// Which part of it is wrong.
        part: &'static str,
    },
    /// It asks for more than its bounds.
    #[error("{kind} with {parameter} = {asked} is refused: {most} is the most")]
    TooExpensive {
        /// Which kind.
        kind: &'static str,
        /// What it asks too much of.
        parameter: &'static str,
        /// How much it asks for.
        asked: u64,
        /// How much is given.
        most: u64,
    },
}

/// A stored hash within its bounds.
pub(super) enum Stored {
    Argon2(Argon2Hash),
    Bcrypt(BcryptHash),
    Scrypt(ScryptHash),
    Pbkdf2(Pbkdf2Hash),
}

impl Stored {
    /// Reads a stored hash. `wanted` are the house's parameters, to which it may always go.
    pub(super) fn read(text: &str, wanted: HashParams) -> Result<Self, HashRefused> {
        if text.len() > STORED_HASH_BYTES_MAX {
            return Err(HashRefused::TooLong);
        }
        // None of them has any; and not every database stores them.
        if text.contains(char::is_control) {
            return Err(HashRefused::UnknownKind);
        }
        let (name, rest) = match text.strip_prefix('$') {
            Some(phc) => phc.split_once('$'),
            None => text.split_once('$'),
        }
        .ok_or(HashRefused::UnknownKind)?;
        let is_phc = text.starts_with('$');
        match (is_phc, name) {
            (true, "argon2id" | "argon2i" | "argon2d") => Argon2Hash::read(text, wanted).map(Self::Argon2),
            (false, "argon2") => {
                // `argon2` and a PHC string without what stands between.
                let phc = text.get(name.len()..).unwrap_or_default();
                Argon2Hash::read(phc, wanted).map(Self::Argon2)
            }
            (true, "2a" | "2b" | "2y") => BcryptHash::read(rest, false).map(Self::Bcrypt),
            (false, "bcrypt") => BcryptHash::read_in_django(rest, false).map(Self::Bcrypt),
            (false, "bcrypt_sha256") => BcryptHash::read_in_django(rest, true).map(Self::Bcrypt),
            (true, "scrypt") => ScryptHash::read_phc(rest).map(Self::Scrypt),
            (false, "scrypt") => ScryptHash::read_django(rest).map(Self::Scrypt),
            _ => Pbkdf2Hash::read(is_phc, name, rest)
                .unwrap_or(Err(HashRefused::UnknownKind))
                .map(Self::Pbkdf2),
        }
    }

    /// Memory that it takes to compute, in KiB.
    pub(super) fn memory_kib(&self) -> u32 {
        match self {
            Self::Argon2(hash) => hash.cost().memory_kib,
            Self::Scrypt(hash) => hash.memory_kib(),
            // Less than any that is counted.
            Self::Bcrypt(_) | Self::Pbkdf2(_) => 0,
        }
    }

    /// Whether a new hash would be another one: of another kind, or stronger.
    pub(super) fn is_below(&self, wanted: HashParams) -> bool {
        match self {
            Self::Argon2(hash) => hash.is_below(wanted),
            Self::Bcrypt(_) | Self::Scrypt(_) | Self::Pbkdf2(_) => true,
        }
    }

    /// Whether to compute it is the house's work already, or more of the same.
    pub(super) fn is_house_work(&self, wanted: HashParams) -> bool {
        match self {
            Self::Argon2(hash) => {
                let cost = hash.cost();
                cost.memory_kib >= wanted.memory_kib && cost.work_kib() >= wanted.work_kib()
            }
            Self::Bcrypt(_) | Self::Scrypt(_) | Self::Pbkdf2(_) => false,
        }
    }

    /// Whether it is the hash of these bytes. Compared in constant time.
    pub(super) fn is_of(&self, password: &[u8], memory: &mut Memory) -> Result<bool, HashFailure> {
        match self {
            Self::Argon2(hash) => hash.is_of(password, memory),
            Self::Bcrypt(hash) => Ok(hash.is_of(password)),
            Self::Scrypt(hash) => {
                // It has memory of its own: not both at once.
                memory.clear();
                hash.is_of(password)
            }
            Self::Pbkdf2(hash) => Ok(hash.is_of(password)),
        }
    }
}

#[cfg(test)]
mod tests;
