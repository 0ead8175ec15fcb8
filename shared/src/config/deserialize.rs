//! From the tree to the program's own types.

mod access;
mod problem;

use serde::de::{
    DeserializeOwned, Deserializer, Error as _, Expected, IntoDeserializer, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;

pub(super) use problem::Problem;

use self::access::{ListAccess, TableAccess};
use super::error::{ConfigError, Origin};
use super::tree::{Document, Node, Table, Value};
use super::{limit, list, secret};

/// Reads a type from the merged settings.
pub(super) fn from_node<T: DeserializeOwned>(root: Node) -> Result<T, Problem> {
    T::deserialize(NodeDeserializer { node: root })
}

/// One value of the tree, as `serde` reads it.
struct NodeDeserializer {
    node: Node,
}

impl NodeDeserializer {
    fn mismatch(&self, expected: &dyn Expected) -> Problem {
        mismatch(&self.node.value, expected)
    }

    /// Reads a whole number of the range, whatever its width.
    fn integer<N: TryFrom<i128>>(&self, expected: &'static str) -> Result<N, Problem> {
        let number = match &self.node.value {
            Value::Integer(number) => Some(i128::from(*number)),
            Value::Untyped(text) => text.trim().parse().ok(),
            _ => None,
        };
        number
            .and_then(|number| N::try_from(number).ok())
            .ok_or_else(|| self.mismatch(&expected))
    }

    fn float(&self) -> Result<f64, Problem> {
        let number = match &self.node.value {
            Value::Float(number) => Some(*number),
            Value::Integer(number) => i32::try_from(*number).ok().map(f64::from),
            Value::Untyped(text) => text.trim().parse().ok(),
            _ => None,
        };
        number
            .filter(|number| number.is_finite())
            .ok_or_else(|| self.mismatch(&"a number"))
    }

    /// The items of a list, from TOML or from an untyped text.
    fn items(node: Node, expected: &dyn Expected) -> Result<Vec<Node>, Problem> {
        match node.value {
            Value::Array(items) => Ok(items),
            Value::Untyped(text) if text.trim_start().starts_with('[') => {
                match inline(&text, &node.origin)? {
                    Value::Array(items) => Ok(items),
                    other => Err(mismatch(&other, expected)),
                }
            }
            Value::Untyped(text) => Ok(text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(|item| Node::new(Value::Untyped(item.to_owned()), node.origin.clone()))
                .collect()),
            other => Err(mismatch(&other, expected)),
        }
    }

    /// The entries of a table, from TOML or from an untyped text.
    fn entries(node: Node, expected: &dyn Expected) -> Result<Table, Problem> {
        match node.value {
            Value::Table(table) => Ok(table),
            Value::Untyped(text) if text.trim_start().starts_with('{') => {
                match inline(&text, &node.origin)? {
                    Value::Table(table) => Ok(table),
                    other => Err(mismatch(&other, expected)),
                }
            }
            other => Err(mismatch(&other, expected)),
        }
    }

    /// Whether a value that may be one item or a list of them is a list.
    fn is_list(&self) -> bool {
        match &self.node.value {
            Value::Array(_) => true,
            Value::Untyped(text) => {
                text.is_empty() || text.contains(',') || text.trim_start().starts_with('[')
            }
            _ => false,
        }
    }
}

/// Reads an untyped text that is written as TOML.
fn inline(text: &str, origin: &Origin) -> Result<Value, Problem> {
    Document::Whole(origin.clone())
        .parse_value(text.trim())
        .map_err(|error| match error {
            ConfigError::Syntax { message, .. } => Problem::custom(format!("not TOML: {message}")),
            other => Problem::custom(other),
        })
}

fn mismatch(value: &Value, expected: &dyn Expected) -> Problem {
    match value {
        Value::SecretFile(_) => Problem::not_a_secret(),
        Value::Untyped(text) | Value::String(text) => Problem::invalid_type(Unexpected::Str(text), expected),
        Value::Integer(number) => Problem::invalid_type(Unexpected::Signed(*number), expected),
        Value::Float(number) => Problem::invalid_type(Unexpected::Float(*number), expected),
        Value::Boolean(boolean) => Problem::invalid_type(Unexpected::Bool(*boolean), expected),
        Value::Datetime(text) => Problem::invalid_type(Unexpected::Other(text), expected),
        Value::Array(_) => Problem::invalid_type(Unexpected::Seq, expected),
        Value::Table(_) => Problem::invalid_type(Unexpected::Map, expected),
    }
}

macro_rules! integers {
    ($($method:ident $visit:ident $type:ty, $expected:literal;)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
            visitor.$visit(self.integer::<$type>($expected)?)
        }
    )+};
}

impl<'de> Deserializer<'de> for NodeDeserializer {
    type Error = Problem;

    integers! {
        deserialize_i8 visit_i8 i8, "a whole number from -128 to 127";
        deserialize_i16 visit_i16 i16, "a whole number from -32768 to 32767";
        deserialize_i32 visit_i32 i32, "a whole number from -2147483648 to 2147483647";
        deserialize_i64 visit_i64 i64, "a whole number";
        deserialize_u8 visit_u8 u8, "a whole number from 0 to 255";
        deserialize_u16 visit_u16 u16, "a whole number from 0 to 65535";
        deserialize_u32 visit_u32 u32, "a whole number from 0 to 4294967295";
        deserialize_u64 visit_u64 u64, "a whole number, 0 or more";
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_f64(self.float()?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_f64(self.float()?)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        let boolean = match &self.node.value {
            Value::Boolean(boolean) => Some(*boolean),
            Value::Untyped(text) => text.trim().parse().ok(),
            _ => None,
        };
        visitor.visit_bool(boolean.ok_or_else(|| self.mismatch(&"`true` or `false`"))?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.node.value {
            Value::Untyped(text) | Value::String(text) => visitor.visit_string(text),
            other => Err(mismatch(&other, &visitor)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        match (name, self.node.value) {
            (secret::NEWTYPE, value) => secret::deserialize(value, visitor),
            (limit::NEWTYPE, Value::Untyped(text) | Value::String(text)) if text.trim() == limit::OFF => {
                visitor.visit_unit()
            }
            (list::NEWTYPE, value) => {
                let this = Self {
                    node: Node { value, ..self.node },
                };
                if this.is_list() {
                    this.deserialize_seq(visitor)
                } else {
                    visitor.visit_newtype_struct(this)
                }
            }
            (_, value) => visitor.visit_newtype_struct(Self {
                node: Node { value, ..self.node },
            }),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        let items = Self::items(self.node, &"a list")?;
        visitor.visit_seq(ListAccess::new(items))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Problem> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        let entries = Self::entries(self.node, &"a table")?;
        visitor.visit_map(TableAccess::new(entries, None)?)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        let entries = Self::entries(self.node, &"a table")?;
        visitor.visit_map(TableAccess::new(entries, Some(fields))?)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        match self.node.value {
            Value::Untyped(text) | Value::String(text) => {
                visitor.visit_enum(IntoDeserializer::<Problem>::into_deserializer(text))
            }
            Value::Table(entries) => {
                let access = TableAccess::new(entries, None)?;
                visitor.visit_enum(serde::de::value::MapAccessDeserializer::new(access))
            }
            other => Err(mismatch(&other, &problem::OneOf(variants))),
        }
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.node.value {
            Value::Untyped(text) | Value::String(text) | Value::Datetime(text) => visitor.visit_string(text),
            Value::Integer(number) => visitor.visit_i64(number),
            Value::Float(number) => visitor.visit_f64(number),
            Value::Boolean(boolean) => visitor.visit_bool(boolean),
            Value::Array(items) => visitor.visit_seq(ListAccess::new(items)),
            Value::Table(entries) => visitor.visit_map(TableAccess::new(entries, None)?),
            Value::SecretFile(_) => Err(Problem::not_a_secret()),
        }
    }

    forward_to_deserialize_any! { i128 u128 char bytes byte_buf unit unit_struct ignored_any }
}
