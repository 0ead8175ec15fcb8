//! Revocations and changes of labels as bytes: the bodies of stream entries.
//!
//! ```text
//! kind (1) ‖ expires, Unix ms, big-endian (8; all ones: never) ‖ what
//! session, token: id (16)         subject: id (16) ‖ min_ver (8)
//! role: min_rver (8) ‖ name       key: kid
//!
//! kind (1) ‖ changes of labels, in the form of [`crate::label::wire`]
//! ```
//!
//! There is one text for each, so that equals have equal hashes.

use crate::label::LabelChange;
use crate::label::wire::{self, Chunk, UnreadableChange};
use crate::limits;
use crate::revocation::{Fact, Revocation};
use crate::time::UnixMillis;
use uuid::Uuid;

const SESSION: u8 = 1;
const SUBJECT: u8 = 2;
const ROLE: u8 = 3;
const TOKEN: u8 = 4;
const KEY: u8 = 5;
const LABELS: u8 = 6;

const NEVER: i64 = -1;

/// Bytes that are no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the entry cannot be read: {0}")]
pub struct UnreadableEntry(&'static str);

impl From<UnreadableChange> for UnreadableEntry {
    fn from(UnreadableChange(why): UnreadableChange) -> Self {
        Self(why)
    }
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Something is refused.
    Revocation(Revocation),
    /// What is known about labels changes, in this order.
    Labels(Vec<LabelChange>),
}

impl Entry {
    /// Reads any entry.
    ///
    /// # Errors
    ///
    /// [`UnreadableEntry`] for anything that neither [`encode`] nor [`encode_labels`] writes.
    pub fn read(bytes: &[u8]) -> Result<Self, UnreadableEntry> {
        match bytes.split_first() {
            Some((&LABELS, changes)) => {
                Ok(Self::Labels(wire::read_chunk(changes).collect::<Result<_, _>>()?))
            }
            _ => decode(bytes).map(Self::Revocation),
        }
    }
}

/// The bytes of changes of labels.
pub fn encode_labels<'a>(changes: impl IntoIterator<Item = &'a LabelChange>) -> Vec<u8> {
    [&[LABELS], Chunk::of(changes).as_bytes()].concat()
}

/// The bytes of a revocation.
pub fn encode(revocation: &Revocation) -> Vec<u8> {
    let expires = revocation.expires.map_or(NEVER, |at| at.0.max(0)).to_be_bytes();
    let mut bytes = Vec::with_capacity(33);
    let mut write = |kind: u8, parts: &[&[u8]]| {
        bytes.push(kind);
        bytes.extend_from_slice(&expires);
        for part in parts {
            bytes.extend_from_slice(part);
        }
    };
    match &revocation.fact {
        Fact::Session { session } => write(SESSION, &[session.0.as_bytes()]),
        Fact::Subject { subject, min_ver } => {
            write(SUBJECT, &[subject.0.as_bytes(), &min_ver.to_be_bytes()]);
        }
        Fact::Role { name, min_rver } => write(ROLE, &[&min_rver.to_be_bytes(), name.as_bytes()]),
        Fact::Token { token } => write(TOKEN, &[token.0.as_bytes()]),
        Fact::Key { kid } => write(KEY, &[kid.as_bytes()]),
    }
    bytes
}

/// The inverse of [`encode`].
///
/// # Errors
///
/// [`UnreadableEntry`] for anything that [`encode`] does not write.
pub fn decode(bytes: &[u8]) -> Result<Revocation, UnreadableEntry> {
    let (&kind, rest) = bytes.split_first().ok_or(UnreadableEntry("it is empty"))?;
    let (expires, what) = number(rest)?;
    let fact = match kind {
        SESSION => Fact::Session {
            session: id(what)?.into(),
        },
        TOKEN => Fact::Token {
            token: id(what)?.into(),
        },
        SUBJECT => {
            let (id_bytes, min_ver) = what
                .split_at_checked(16)
                .ok_or(UnreadableEntry("an id has 16 bytes"))?;
            Fact::Subject {
                subject: id(id_bytes)?.into(),
                min_ver: exactly(number(min_ver)?)?,
            }
        }
        ROLE => {
            let (min_rver, name) = number(what)?;
            Fact::Role {
                name: text(name, limits::ROLE_NAME_BYTES_MAX)?,
                min_rver,
            }
        }
        KEY => Fact::Key {
            kid: text(what, limits::KID_BYTES_MAX)?,
        },
        _ => return Err(UnreadableEntry("its kind is unknown")),
    };
    let expires = match expires {
        NEVER => None,
        0.. => Some(UnixMillis(expires)),
        _ => return Err(UnreadableEntry("it expires before time began")),
    };
    Ok(Revocation { fact, expires })
}

fn number(bytes: &[u8]) -> Result<(i64, &[u8]), UnreadableEntry> {
    let (number, rest) = bytes
        .split_first_chunk::<8>()
        .ok_or(UnreadableEntry("a number has 8 bytes"))?;
    Ok((i64::from_be_bytes(*number), rest))
}

fn exactly((number, rest): (i64, &[u8])) -> Result<i64, UnreadableEntry> {
    if rest.is_empty() {
        Ok(number)
    } else {
        Err(UnreadableEntry("it is too long"))
    }
}

fn id(bytes: &[u8]) -> Result<Uuid, UnreadableEntry> {
    Uuid::from_slice(bytes).map_err(|_| UnreadableEntry("an id has 16 bytes"))
}

fn text(bytes: &[u8], bytes_max: usize) -> Result<Box<str>, UnreadableEntry> {
    if bytes.is_empty() || bytes.len() > bytes_max {
        return Err(UnreadableEntry("a name is empty or too long"));
    }
    std::str::from_utf8(bytes)
        .map(Into::into)
        .map_err(|_| UnreadableEntry("a name is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::{SessionId, SubjectId, TokenId};

    fn revocation() -> impl Strategy<Value = Revocation> {
        let id = any::<u128>().prop_map(Uuid::from_u128);
        let fact = prop_oneof![
            id.clone().prop_map(|id| Fact::Session {
                session: SessionId(id)
            }),
            (id.clone(), any::<i64>()).prop_map(|(id, min_ver)| Fact::Subject {
                subject: SubjectId(id),
                min_ver
            }),
            ("[a-z][a-z0-9_-]{1,63}", any::<i64>()).prop_map(|(name, min_rver)| Fact::Role {
                name: name.into(),
                min_rver
            }),
            id.prop_map(|id| Fact::Token { token: TokenId(id) }),
            ".{1,32}".prop_map(|kid| Fact::Key { kid: kid.into() }),
        ];
        let expires = proptest::option::of((0..i64::MAX).prop_map(UnixMillis));
        (fact, expires).prop_map(|(fact, expires)| Revocation { fact, expires })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(revocation in revocation()) {
            prop_assert_eq!(decode(&encode(&revocation)), Ok(revocation));
        }

        #[test]
        fn there_is_one_text_for_each_revocation(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(revocation) = decode(&bytes) {
                prop_assert_eq!(encode(&revocation), bytes);
            }
        }

        #[test]
        fn what_is_cut_short_or_longer_is_not_the_same(revocation in revocation(), cut in 1..40_usize) {
            let bytes = encode(&revocation);
            let shorter = &bytes[..bytes.len().saturating_sub(cut)];
            prop_assert_ne!(decode(shorter), Ok(revocation.clone()));
            prop_assert_ne!(decode(&[bytes.as_slice(), b"x"].concat()), Ok(revocation));
        }
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        for bytes in [
            &[][..],
            &[1],
            &[9; 25],
            &[0; 25],
            &[1; 26],
            &[3; 17],
            &[[3; 17].as_slice(), &[0xff; 4]].concat(),
        ] {
            assert!(decode(bytes).is_err(), "{bytes:?}");
        }
    }
}
