//! Tables and lists as `serde` walks them; here a problem learns where it happened.

use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess};

use super::super::tree::{Node, Table, Value};
use super::NodeDeserializer;
use super::problem::{Problem, Segment};

/// What ends the name of a setting that holds the path of a secret.
const FILE_SUFFIX: &str = "_file";

/// The entries of a table, in the order of their keys.
pub(super) struct TableAccess {
    entries: std::collections::btree_map::IntoIter<String, Node>,
    current: Option<(String, Node)>,
}

impl TableAccess {
    /// `fields` are the keys that are accepted; `None` accepts all.
    pub(super) fn new(mut entries: Table, fields: Option<&'static [&'static str]>) -> Result<Self, Problem> {
        if let Some(fields) = fields {
            secrets_from_files(&mut entries, fields)?;
            if let Some((key, node)) = entries.iter().find(|(key, _)| !fields.contains(&key.as_str())) {
                return Err(Problem::unknown_key(key, fields).at(&node.named));
            }
        }
        Ok(Self {
            entries: entries.into_iter(),
            current: None,
        })
    }
}

/// Where a struct has a field `x` and no `x_file`, an entry `x_file` gives `x`, if that is a secret.
fn secrets_from_files(entries: &mut Table, fields: &[&str]) -> Result<(), Problem> {
    let given: Vec<String> = entries
        .keys()
        .filter(|key| !fields.contains(&key.as_str()))
        .filter(|key| {
            key.strip_suffix(FILE_SUFFIX)
                .is_some_and(|stem| fields.contains(&stem))
        })
        .cloned()
        .collect();
    for key in given {
        let Some(node) = entries.remove(&key) else {
            continue;
        };
        let stem = key.strip_suffix(FILE_SUFFIX).unwrap_or(&key);
        if entries.contains_key(stem) {
            return Err(Problem::given_twice(stem, &key)
                .under(Segment::Key(stem.to_owned()))
                .at(&node.named));
        }
        let (Value::String(path) | Value::Untyped(path)) = node.value else {
            return Err(Problem::expected("the path of a file")
                .under(Segment::Key(key))
                .at(&node.origin));
        };
        entries.insert(
            stem.to_owned(),
            Node {
                value: Value::SecretFile(path),
                ..node
            },
        );
    }
    Ok(())
}

impl<'de> MapAccess<'de> for TableAccess {
    type Error = Problem;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Problem> {
        self.current = self.entries.next();
        let Some((key, node)) = &self.current else {
            return Ok(None);
        };
        seed.deserialize(IntoDeserializer::<Problem>::into_deserializer(key.as_str()))
            .map(Some)
            .map_err(|problem| problem.at(&node.named))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Problem> {
        let Some((key, node)) = self.current.take() else {
            return Err(Problem::expected("a key before its value"));
        };
        let origin = node.origin.clone();
        seed.deserialize(NodeDeserializer { node })
            .map_err(|problem| problem.under(Segment::Key(key)).at(&origin))
    }
}

/// The items of a list.
pub(super) struct ListAccess {
    items: std::iter::Enumerate<std::vec::IntoIter<Node>>,
}

impl ListAccess {
    pub(super) fn new(items: Vec<Node>) -> Self {
        Self {
            items: items.into_iter().enumerate(),
        }
    }
}

impl<'de> SeqAccess<'de> for ListAccess {
    type Error = Problem;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Problem> {
        let Some((index, node)) = self.items.next() else {
            return Ok(None);
        };
        let origin = node.origin.clone();
        seed.deserialize(NodeDeserializer { node })
            .map(Some)
            .map_err(|problem| problem.under(Segment::Item(index)).at(&origin))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}
