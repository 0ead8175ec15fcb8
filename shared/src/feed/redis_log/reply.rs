//! Redis's answers, taken apart where they lie: a million entries are loaded so.

use ::redis::Value;

use crate::feed::log::{LogBody, LogError, LogItem};
use crate::feed::term::ItemId;

const ENTRY: &[u8] = b"e";
const HEARTBEAT: &[u8] = b"h";

/// The field of an item, and its value.
#[cfg(feature = "signing")]
pub(super) fn field(body: &LogBody) -> Option<(&'static [u8], &[u8])> {
    match body {
        LogBody::Entry(bytes) => Some((ENTRY, bytes)),
        LogBody::Heartbeat(bytes) => Some((HEARTBEAT, bytes)),
        LogBody::Foreign => None,
    }
}

/// The items that `XRANGE` and its kin answer: `[[id, [field, value, …]], …]`.
pub(super) fn items(answer: Value) -> Result<Vec<LogItem>, LogError> {
    let Value::Array(items) = answer else {
        return Err(malformed());
    };
    items
        .into_iter()
        .map(|value| item(value).ok_or_else(malformed))
        .collect()
}

/// The items of the one stream that `XREAD` was asked for; `None`: nothing came.
pub(super) fn of_one_stream(answer: Value) -> Option<Result<Value, LogError>> {
    let items = match answer {
        Value::Nil => return None,
        // RESP 2: [[key, items]]
        Value::Array(streams) => match streams.into_iter().next() {
            Some(Value::Array(stream)) => stream.into_iter().nth(1),
            _ => None,
        },
        // RESP 3: {key: items}
        Value::Map(streams) => streams.into_iter().next().map(|(_, items)| items),
        _ => None,
    };
    Some(items.ok_or_else(malformed))
}

fn item(value: Value) -> Option<LogItem> {
    let Value::Array(parts) = value else {
        return None;
    };
    let [id, fields] = <[Value; 2]>::try_from(parts).ok()?;
    Some(LogItem {
        id: item_id(&id)?,
        body: body(fields),
    })
}

fn item_id(value: &Value) -> Option<ItemId> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
        Value::SimpleString(text) => text.parse().ok(),
        _ => None,
    }
}

/// What an item says, moved out of the answer.
fn body(fields: Value) -> LogBody {
    let Value::Array(fields) = fields else {
        return LogBody::Foreign;
    };
    match <[Value; 2]>::try_from(fields) {
        Ok([Value::BulkString(field), Value::BulkString(bytes)]) => match field.as_slice() {
            ENTRY => LogBody::Entry(bytes),
            HEARTBEAT => LogBody::Heartbeat(bytes),
            _ => LogBody::Foreign,
        },
        _ => LogBody::Foreign,
    }
}

pub(super) fn malformed() -> LogError {
    LogError::Unreadable("an answer in a form that Redis does not have".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    #[test]
    fn an_item_is_what_its_one_field_says() {
        for (fields, body) in [
            (vec![text("e"), text("x")], LogBody::Entry(b"x".to_vec())),
            (vec![text("h"), text("x")], LogBody::Heartbeat(b"x".to_vec())),
            (vec![text("f"), text("x")], LogBody::Foreign),
            (vec![text("e"), text("x"), text("e"), text("y")], LogBody::Foreign),
            (vec![], LogBody::Foreign),
        ] {
            let answer = Value::Array(vec![Value::Array(vec![text("7-2"), Value::Array(fields)])]);
            let id = ItemId { seq: 7, k: 2 };
            assert_eq!(items(answer).unwrap(), [LogItem { id, body }]);
        }
    }

    #[test]
    fn both_forms_of_xread_are_read_and_nothing_else() {
        let items = Value::Array(vec![]);
        let resp2 = Value::Array(vec![Value::Array(vec![text("key"), items.clone()])]);
        let resp3 = Value::Map(vec![(text("key"), items.clone())]);
        assert_eq!(of_one_stream(resp2).unwrap().unwrap(), items);
        assert_eq!(of_one_stream(resp3).unwrap().unwrap(), items);
        assert!(of_one_stream(Value::Nil).is_none());
        assert!(of_one_stream(Value::Okay).unwrap().is_err());
        assert!(of_one_stream(Value::Array(vec![])).unwrap().is_err());
    }

    #[test]
    fn what_is_no_list_of_items_is_refused() {
        for answer in [
            Value::Nil,
            Value::Okay,
            Value::Array(vec![text("7-2")]),
            Value::Array(vec![Value::Array(vec![text("7"), Value::Array(vec![])])]),
            Value::Array(vec![Value::Array(vec![text("7-2")])]),
        ] {
            assert!(matches!(items(answer), Err(LogError::Unreadable(_))));
        }
    }
}
