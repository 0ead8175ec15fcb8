//! Secrets in settings: given as a text or as a file that holds it.

use std::fmt;
use std::io::Read;

use serde::de::{Deserialize, Deserializer, Error as _, Visitor};

use super::deserialize::Problem;
use super::tree::Value;
use crate::secret::{ExposeSecret, SecretString};

/// The name by which the settings' deserializer knows [`Secret`].
pub(super) const NEWTYPE: &str = "shared::config::Secret";

/// A secret, in bytes.
const BYTES_MAX: u64 = 64 * 1024;

/// A secret setting. A field `x` of this type (or `Option` of it) can be given as `x_file` as well: a file that
/// holds the secret and at most one line break at its end.
#[derive(Clone, Debug)]
pub struct Secret(SecretString);

impl Secret {
    /// The secret itself, to be read as late and as briefly as possible.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The secret as the rest of the program handles it.
    pub fn into_inner(self) -> SecretString {
        self.0
    }
}

impl From<SecretString> for Secret {
    fn from(secret: SecretString) -> Self {
        Self(secret)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SecretVisitor;

        impl<'de> Visitor<'de> for SecretVisitor {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text in quotes")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Secret, E> {
                Ok(Secret(SecretString::from(text)))
            }

            fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Secret, E> {
                Ok(Secret(SecretString::from(text)))
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Secret, D::Error> {
                deserializer.deserialize_string(self)
            }
        }

        deserializer.deserialize_newtype_struct(NEWTYPE, SecretVisitor)
    }
}

/// Reads a secret from its value in the tree. No problem quotes what is there.
pub(super) fn deserialize<'de, V: Visitor<'de>>(value: Value, visitor: V) -> Result<V::Value, Problem> {
    match value {
        Value::Untyped(text) | Value::String(text) => visitor.visit_string(text),
        Value::SecretFile(path) => visitor.visit_string(read(&path)?),
        Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_)
        | Value::Array(_)
        | Value::Table(_) => Err(Problem::custom("expected a text in quotes")),
    }
}

fn read(path: &str) -> Result<String, Problem> {
    let unreadable = |error: std::io::Error| {
        Problem::custom(format!(
            "cannot read {path}: {error}; expected a file that holds the secret alone"
        ))
    };
    let mut text = String::new();
    let mut bounded = std::fs::File::open(path).map_err(unreadable)?.take(BYTES_MAX + 1);
    bounded.read_to_string(&mut text).map_err(unreadable)?;
    if bounded.limit() == 0 {
        return Err(Problem::custom(format!(
            "{path} is larger than {BYTES_MAX} bytes, which no secret is"
        )));
    }
    let end = text
        .strip_suffix('\n')
        .map_or(text.len(), |line| line.strip_suffix('\r').unwrap_or(line).len());
    text.truncate(end);
    if text.is_empty() {
        return Err(Problem::custom(format!(
            "{path} is empty; expected a file that holds the secret alone"
        )));
    }
    Ok(text)
}
