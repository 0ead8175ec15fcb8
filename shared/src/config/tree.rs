//! Settings before they have types: a tree whose every value knows where it was given.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Origin};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    /// Where the value stands.
    pub(super) origin: Origin,
    /// Where its key stands.
    pub(super) named: Origin,
}

pub(super) type Table = BTreeMap<String, Node>;

#[derive(Clone, Debug)]
pub(super) enum Value {
    /// From a variable or a flag: whatever type its setting wants.
    Untyped(String),
    /// The path of a file that holds the value; only secrets accept it.
    SecretFile(String),
    String(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Datetime(String),
    Array(Vec<Node>),
    Table(Table),
}

impl Node {
    /// A value whose key stands where it does itself.
    pub(super) fn new(value: Value, origin: Origin) -> Self {
        Self {
            value,
            named: origin.clone(),
            origin,
        }
    }
}

/// What locates the values of one TOML text.
pub(super) enum Document<'t> {
    /// A file: values have a line and a column.
    File { path: Arc<Path>, text: &'t str },
    /// A text from somewhere that has no lines to speak of.
    Whole(Origin),
}

impl Document<'_> {
    fn origin(&self, offset: usize) -> Origin {
        match self {
            Self::Whole(origin) => origin.clone(),
            Self::File { path, text } => {
                let before = text.get(..offset).unwrap_or(text);
                let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
                Origin::File {
                    path: Arc::clone(path),
                    line: before.matches('\n').count() + 1,
                    column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
                }
            }
        }
    }

    fn syntax_error(&self, error: &toml::de::Error) -> ConfigError {
        let offset = error.span().map_or(0, |span| span.start);
        ConfigError::Syntax {
            origin: self.origin(offset),
            message: error.message().to_owned(),
        }
    }

    /// Reads a whole TOML document.
    pub(super) fn parse(&self, text: &str) -> Result<Table, ConfigError> {
        let document = DeTable::parse(text).map_err(|error| self.syntax_error(&error))?;
        self.table(document.into_inner())
    }

    /// Reads a single TOML value.
    pub(super) fn parse_value(&self, text: &str) -> Result<Value, ConfigError> {
        let value = DeValue::parse(text).map_err(|error| self.syntax_error(&error))?;
        self.value(value.into_inner(), 0)
    }

    fn table(&self, table: DeTable<'_>) -> Result<Table, ConfigError> {
        let mut converted = Table::new();
        for (key, value) in table {
            let named = self.origin(key.span().start);
            let node = Node {
                named,
                ..self.node(value)?
            };
            converted.insert(key.into_inner().into_owned(), node);
        }
        Ok(converted)
    }

    fn node(&self, value: Spanned<DeValue<'_>>) -> Result<Node, ConfigError> {
        let offset = value.span().start;
        Ok(Node::new(
            self.value(value.into_inner(), offset)?,
            self.origin(offset),
        ))
    }

    fn value(&self, value: DeValue<'_>, offset: usize) -> Result<Value, ConfigError> {
        let out_of_range = |text: &str| ConfigError::Syntax {
            origin: self.origin(offset),
            message: format!("the number {text} is out of range"),
        };
        Ok(match value {
            DeValue::String(text) => Value::String(text.into_owned()),
            DeValue::Integer(number) => Value::Integer(
                i64::from_str_radix(number.as_str(), number.radix())
                    .map_err(|_| out_of_range(number.as_str()))?,
            ),
            DeValue::Float(number) => Value::Float(
                number
                    .as_str()
                    .parse()
                    .map_err(|_| out_of_range(number.as_str()))?,
            ),
            DeValue::Boolean(boolean) => Value::Boolean(boolean),
            DeValue::Datetime(datetime) => Value::Datetime(datetime.to_string()),
            DeValue::Array(items) => Value::Array(
                items
                    .into_iter()
                    .map(|item| self.node(item))
                    .collect::<Result<_, ConfigError>>()?,
            ),
            DeValue::Table(table) => Value::Table(self.table(table)?),
        })
    }
}

/// Lays `upper` over `lower`. A secret and the file that holds it override each other.
pub(super) fn merge(lower: &mut Table, upper: Table) {
    for key in upper.keys() {
        let rival = key
            .strip_suffix("_file")
            .map_or_else(|| format!("{key}_file"), str::to_owned);
        if !upper.contains_key(&rival) {
            lower.remove(&rival);
        }
    }
    for (key, node) in upper {
        match (lower.get_mut(&key).map(|held| &mut held.value), node) {
            (
                Some(Value::Table(held)),
                Node {
                    value: Value::Table(table),
                    ..
                },
            ) => merge(held, table),
            (_, node) => {
                lower.insert(key, node);
            }
        }
    }
}

/// Puts a value at a place in the tree. `false` if something other than a table stands in the way.
pub(super) fn insert(table: &mut Table, path: &[&str], node: Node) -> bool {
    match path {
        [] => false,
        [key] => {
            let free = !table.contains_key(*key);
            if free {
                table.insert((*key).to_owned(), node);
            }
            free
        }
        [key, rest @ ..] => {
            let empty = Node::new(Value::Table(Table::new()), node.origin.clone());
            match &mut table.entry((*key).to_owned()).or_insert(empty).value {
                Value::Table(below) => insert(below, rest, node),
                _ => false,
            }
        }
    }
}

/// Where the setting `key` was given, or the nearest table above it.
pub(super) fn origin_of(root: &Node, key: &str) -> Option<Origin> {
    let mut node = root;
    let mut origin = None;
    for segment in key.split(['.', '[']) {
        let below = match &node.value {
            Value::Table(table) => table.get(segment),
            Value::Array(items) => segment
                .trim_end_matches(']')
                .parse()
                .ok()
                .and_then(|i: usize| items.get(i)),
            _ => None,
        };
        let Some(below) = below else { break };
        origin = Some(below.origin.clone());
        node = below;
    }
    origin
}
