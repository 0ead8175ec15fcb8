//! JSON in which no object has a name twice, at any depth: two readers of such an object could take it for two
//! different things (RFC 8725 section 2.4, RFC 7519 section 4, RFC 7493).

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

use crate::limits;

/// Names of an object that are compared each with each; of more, a sorted list is made.
const NAMES_COMPARED: usize = 16;

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

/// A JSON value whose texts are where it was read from, but for those that were spelled with escapes.
#[derive(Clone, Debug, PartialEq)]
pub enum Json<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A finite number.
    Number(Number),
    /// A text.
    Text(Cow<'a, str>),
    /// An array.
    Array(Vec<Self>),
    /// An object.
    Object(JsonObject<'a>),
}

/// Names and values in the order in which they stand, each name once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JsonObject<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

impl<'a> Json<'a> {
    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// `true` or `false`, if it is one of them.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The number, if it is one, spelled as a whole one, and fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Number(number) => number.as_i64(),
            _ => None,
        }
    }

    /// The elements, if it is an array.
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// Names and values, if it is an object.
    pub fn as_object(&self) -> Option<&JsonObject<'a>> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }
}

impl<'a> JsonObject<'a> {
    /// What stands under a name.
    pub fn get(&self, name: &str) -> Option<&Json<'a>> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    /// A name that stands twice.
    fn duplicate(&self) -> Option<&str> {
        let names = || self.0.iter().map(|(name, _)| &**name);
        if self.0.len() <= NAMES_COMPARED {
            let is_again = |(number, name): &(usize, &str)| names().take(*number).any(|other| other == *name);
            return names().enumerate().find(is_again).map(|(_, name)| name);
        }
        let mut sorted: Vec<&str> = names().collect();
        sorted.sort_unstable();
        let is_twice = |pair: &&[&str]| pair.first() == pair.last();
        sorted.windows(2).find(is_twice)?.first().copied()
    }
}

impl From<Json<'_>> for Value {
    fn from(json: Json<'_>) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(value),
            Json::Number(number) => Self::Number(number),
            Json::Text(text) => Self::String(text.into_owned()),
            Json::Array(elements) => Self::Array(elements.into_iter().map(Into::into).collect()),
            Json::Object(JsonObject(entries)) => {
                let entries = entries.into_iter();
                Self::Object(
                    entries
                        .map(|(name, value)| (name.into_owned(), value.into()))
                        .collect(),
                )
            }
        }
    }
}

/// Reads a JSON value.
///
/// # Errors
///
/// [`StrictJsonError`].
pub fn parse(json: &[u8]) -> Result<Value, StrictJsonError> {
    read(json).map(Into::into)
}

/// Reads a JSON value without copying its texts.
///
/// # Errors
///
/// [`StrictJsonError`].
pub fn read(json: &[u8]) -> Result<Json<'_>, StrictJsonError> {
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
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without duplicate names")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json<'de>, E> {
        Number::from_f64(value)
            .map(Json::Number)
            .ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<Json<'de>, A::Error> {
        let mut array = Vec::new();
        while let Some(element) = elements.next_element_seed(self.inner()?)? {
            array.push(element);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Json<'de>, A::Error> {
        let mut object = JsonObject(Vec::with_capacity(NAMES_COMPARED));
        while let Some(name) = entries.next_key_seed(Name)? {
            let value = entries.next_value_seed(self.inner()?)?;
            object.0.push((name, value));
        }
        match object.duplicate().map(ToOwned::to_owned) {
            None => Ok(Json::Object(object)),
            Some(name) => Err(self.refuse(StrictJsonError::DuplicateName(name))),
        }
    }
}

/// A name of an object: serde copies each unless it is read so.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
    fn a_name_twice_among_many_is_told_too() {
        let object = |last: usize| {
            let names: Vec<_> = (0..100).chain([last]).map(|n| format!("\"n{n}\":{n}")).collect();
            format!("{{{}}}", names.join(","))
        };
        assert_eq!(
            parse(object(7).as_bytes()),
            Err(StrictJsonError::DuplicateName("n7".to_owned()))
        );
        assert_eq!(parse(object(100).as_bytes()).unwrap()["n100"], 100);
    }

    #[test]
    fn texts_are_not_copied_but_where_they_are_escaped() {
        let json = br#"{"plain":"text","\u0065scaped":"a\nb"}"#;
        let Json::Object(JsonObject(entries)) = read(json).unwrap() else {
            panic!("no object")
        };
        let is_borrowed = |text: &Cow<'_, str>| matches!(text, Cow::Borrowed(_));
        let borrowed = entries.iter().map(|(name, value)| match value {
            Json::Text(text) => (is_borrowed(name), is_borrowed(text)),
            _ => panic!("no text"),
        });
        assert!(borrowed.eq([(true, true), (false, false)]));
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_serde_reads(value in any_json()) {
            let json = value.to_string();
            prop_assert_eq!(parse(json.as_bytes()), Ok(value));
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 24, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..24).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..24)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
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
