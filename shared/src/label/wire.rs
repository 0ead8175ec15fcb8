//! Changes of labels as bytes: chunks of them, of which stream entries and the table consist.
//!
//! ```text
//! film:        id (16) ‖ each label: length (1) ‖ name
//! definition:  what (1; 0: deleted, 1: roles, 2: anonymous too) ‖ length (1) ‖ name ‖ each role: id (16) ‖ length (1) ‖ name
//! chunk:       each item: length (2) ‖ kind (1; 1: film, 2: definition) ‖ the same
//! ```
//!
//! There is one text for each change, so that equal changes have equal hashes.

use std::sync::Arc;

use uuid::Uuid;

use super::{Definition, LabelChange, LabelName, LabelNames, LabelRole};
use crate::id::{FilmId, RoleId};
use crate::limits;

const FILM: u8 = 1;
const DEFINITION: u8 = 2;

const DELETED: u8 = 0;
const ROLES: u8 = 1;
const ANONYMOUS: u8 = 2;

/// Bytes that are no change of labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a change of labels cannot be read: {0}")]
pub struct UnreadableChange(pub(crate) &'static str);

/// Puts a film and its labels behind what is there.
pub fn write_film(bytes: &mut Vec<u8>, film: FilmId, labels: &LabelNames) {
    bytes.extend_from_slice(film.0.as_bytes());
    for name in labels.iter() {
        write_short(bytes, name.as_str());
    }
}

/// The inverse of [`write_film`].
///
/// # Errors
///
/// [`UnreadableChange`] for anything that it does not write.
pub fn read_film(bytes: &[u8]) -> Result<LabelChange, UnreadableChange> {
    let (film, mut rest) = id(bytes)?;
    let mut names = Vec::new();
    while !rest.is_empty() {
        let name = label_name(short(&mut rest)?)?;
        if names.last().is_some_and(|last| *last >= name) {
            return Err(UnreadableChange("labels out of order"));
        }
        names.push(name);
    }
    let labels = LabelNames::new(names).map_err(|_| UnreadableChange("too many labels"))?;
    Ok(LabelChange::Film {
        film: FilmId(film),
        labels: Arc::new(labels),
    })
}

/// Puts a label and what it asks behind what is there.
pub fn write_definition(bytes: &mut Vec<u8>, name: &LabelName, definition: Option<&Definition>) {
    bytes.push(match definition {
        None => DELETED,
        Some(Definition { anonymous: false, .. }) => ROLES,
        Some(Definition { anonymous: true, .. }) => ANONYMOUS,
    });
    write_short(bytes, name.as_str());
    for role in definition.into_iter().flat_map(|definition| &definition.roles) {
        bytes.extend_from_slice(role.id.0.as_bytes());
        write_short(bytes, &role.name);
    }
}

/// The inverse of [`write_definition`].
///
/// # Errors
///
/// [`UnreadableChange`] for anything that it does not write.
pub fn read_definition(bytes: &[u8]) -> Result<LabelChange, UnreadableChange> {
    let (what, mut rest) = bytes.split_first().ok_or(UnreadableChange("it is empty"))?;
    let name = label_name(short(&mut rest)?)?;
    let mut roles: Vec<LabelRole> = Vec::new();
    while !rest.is_empty() {
        let (role, behind) = id(rest)?;
        rest = behind;
        let role = LabelRole {
            id: RoleId(role),
            name: role_name(short(&mut rest)?)?,
        };
        if roles.last().is_some_and(|last| last.id >= role.id) || roles.len() >= limits::LABEL_ROLES_MAX {
            return Err(UnreadableChange("roles out of order, or too many"));
        }
        roles.push(role);
    }
    let definition = match *what {
        DELETED if roles.is_empty() => None,
        ROLES | ANONYMOUS => Some(Definition {
            anonymous: *what == ANONYMOUS,
            roles,
        }),
        _ => return Err(UnreadableChange("no such form of definition")),
    };
    Ok(LabelChange::Definition { name, definition })
}

/// Changes one behind the other.
#[derive(Debug, Default)]
pub struct Chunk(Vec<u8>);

impl Chunk {
    /// Adds a change.
    pub fn push(&mut self, change: &LabelChange) {
        match change {
            LabelChange::Film { film, labels } => self.item(FILM, |bytes| write_film(bytes, *film, labels)),
            LabelChange::Definition { name, definition } => self.item(DEFINITION, |bytes| {
                write_definition(bytes, name, definition.as_ref());
            }),
        }
    }

    /// The chunk of these.
    pub fn of<'a>(changes: impl IntoIterator<Item = &'a LabelChange>) -> Self {
        let mut chunk = Self::default();
        changes.into_iter().for_each(|change| chunk.push(change));
        chunk
    }

    /// The bytes so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn item(&mut self, kind: u8, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.0.len();
        self.0.extend_from_slice(&[0, 0, kind]);
        write(&mut self.0);
        // A definition of the greatest number of roles has 10 KiB.
        let length = u16::try_from(self.0.len() - start - 2).unwrap_or(u16::MAX);
        if let Some(prefix) = self.0.get_mut(start..start + 2) {
            prefix.copy_from_slice(&length.to_be_bytes());
        }
    }
}

/// What a chunk says, item by item.
pub fn read_chunk(bytes: &[u8]) -> impl Iterator<Item = Result<LabelChange, UnreadableChange>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let item = chunk_item(&mut rest);
        if item.is_err() {
            rest = &[];
        }
        Some(item)
    })
}

fn chunk_item(rest: &mut &[u8]) -> Result<LabelChange, UnreadableChange> {
    const SHORT: UnreadableChange = UnreadableChange("a chunk ends early");
    let (length, behind) = rest.split_first_chunk::<2>().ok_or(SHORT)?;
    let (item, behind) = behind
        .split_at_checked(usize::from(u16::from_be_bytes(*length)))
        .ok_or(SHORT)?;
    *rest = behind;
    match item.split_first() {
        Some((&FILM, film)) => read_film(film),
        Some((&DEFINITION, definition)) => read_definition(definition),
        _ => Err(UnreadableChange("no such kind of item")),
    }
}

fn write_short(bytes: &mut Vec<u8>, text: &str) {
    // Names have at most 64 bytes.
    bytes.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    bytes.extend_from_slice(text.as_bytes());
}

fn short<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], UnreadableChange> {
    const SHORT: UnreadableChange = UnreadableChange("a name ends early");
    let (length, behind) = rest.split_first().ok_or(SHORT)?;
    let (text, behind) = behind.split_at_checked(usize::from(*length)).ok_or(SHORT)?;
    *rest = behind;
    Ok(text)
}

fn id(bytes: &[u8]) -> Result<(Uuid, &[u8]), UnreadableChange> {
    let (id, rest) = bytes
        .split_first_chunk::<16>()
        .ok_or(UnreadableChange("an id has 16 bytes"))?;
    Ok((Uuid::from_bytes(*id), rest))
}

fn label_name(bytes: &[u8]) -> Result<LabelName, UnreadableChange> {
    std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(UnreadableChange("no label name"))
}

fn role_name(bytes: &[u8]) -> Result<Box<str>, UnreadableChange> {
    let name = std::str::from_utf8(bytes).ok();
    name.filter(|name| !name.is_empty() && name.len() <= limits::ROLE_NAME_BYTES_MAX)
        .map(Into::into)
        .ok_or(UnreadableChange("no role name"))
}

#[cfg(test)]
mod tests;
