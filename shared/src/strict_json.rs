//! JSON in which no object has a name twice, at any depth: two readers of such an object could take it for two
//! different things (RFC 8725 section 2.4, RFC 7519 section 4, RFC 7493).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::limits;

/// Why bytes are no strict JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StrictJsonError {
    /// No JSON at all, or text that is no UTF-8, or bytes behind the value.
    #[error("no JSON")]
    Syntax,
    /// An object has this name twice. Escaped spellings are compared unescaped.
    #[error("the name {0:?} stands twice in an object")]
    DuplicateName(String),
    /// Nested deeper than [`limits::JSON_DEPTH_MAX`].
    #[error("nested too deep")]
    TooDeep,
}

/// Reads a JSON value.
///
/// # Errors
///
/// [`StrictJsonError`].
pub fn parse(json: &[u8]) -> Result<Value, StrictJsonError> {
    let mut refused = None;
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let strict = Strict {
        depth_left: limits::JSON_DEPTH_MAX,
        refused: &mut refused,
    };
    let value = strict
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|_| refused.unwrap_or(StrictJsonError::Syntax))
}

struct Strict<'a> {
    depth_left: usize,
    /// Why the reading was broken off, if it was not the syntax.
    refused: &'a mut Option<StrictJsonError>,
}

impl Strict<'_> {
    fn inner<E: Error>(&mut self) -> Result<Strict<'_>, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Strict {
                depth_left,
                refused: self.refused,
            }),
            None => Err(self.refuse(StrictJsonError::TooDeep)),
        }
    }

    fn refuse<E: Error>(&mut self, why: StrictJsonError) -> E {
        *self.refused = Some(why);
        E::custom("refused")
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without duplicate names")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(element) = elements.next_element_seed(self.inner()?)? {
            array.push(element);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(self.inner()?)?;
            if object.contains_key(&name) {
                return Err(self.refuse(StrictJsonError::DuplicateName(name)));
            }
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_twice_is_told_by_name() {
        let twice = |name: &str| Err(StrictJsonError::DuplicateName(name.to_owned()));
        assert_eq!(parse(br#"{"a":1,"a":1}"#), twice("a"));
        assert_eq!(parse(br#"{"a":1,"\u0061":1}"#), twice("a"));
        assert_eq!(parse(br#"[{"x":{"b":1,"b":2}}]"#), twice("b"));
        assert_eq!(parse(br#"{"a":1,"b":{"a":1}}"#).unwrap()["b"]["a"], 1);
    }

    #[test]
    fn what_is_no_json_is_syntax() {
        for text in [
            "",
            "{",
            "{}x",
            "{'a':1}",
            "nul",
            "\"\u{1}\"",
            "1e999",
            "{\"a\"}",
            "[1,]",
        ] {
            assert_eq!(parse(text.as_bytes()), Err(StrictJsonError::Syntax), "{text}");
        }
        assert_eq!(parse(b"\"\xff\""), Err(StrictJsonError::Syntax));
    }

    /// Attack: JSON that nests deeper than anything of ours
    /// Source: CWE-674
    /// Result: it is refused
    #[test]
    fn depth_is_bounded() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(limits::JSON_DEPTH_MAX).as_bytes()).is_ok());
        assert_eq!(
            parse(nested(limits::JSON_DEPTH_MAX + 1).as_bytes()),
            Err(StrictJsonError::TooDeep)
        );
        assert_eq!(
            parse("[".repeat(100_000).as_bytes()),
            Err(StrictJsonError::TooDeep)
        );
    }
}
