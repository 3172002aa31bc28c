//! The typed form of a value: `"true"` and `true`, `"[…]"` and a list mean the same to AWS.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::Regex;
use serde_json::{Map, Value};

/// `value` as the type that `schema` asks for, where it can be read as that; else as it is, for the schema to refuse.
pub(crate) fn coerce(schema: &Value, value: Value) -> Value {
    let wanted = schema
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    // Not by a JSON pointer, which is taken apart for each value of each restore.
    let wrapped_in = schema
        .get("x-redrill")
        .and_then(|own| own.get("wrapped_in"));
    let value = match wrapped_in.and_then(Value::as_str) {
        Some(name) => unwrapped(name, value),
        None => value,
    };
    match (wanted, value) {
        ("boolean", Value::String(text)) => match boolean(&text) {
            Some(value) => Value::Bool(value),
            None => Value::String(text),
        },
        ("integer", Value::String(text)) => match text.parse::<i64>() {
            Ok(number) => number.into(),
            Err(_) => Value::String(text),
        },
        ("number", Value::String(text)) => match text
            .parse::<f64>()
            .ok()
            .and_then(serde_json::Number::from_f64)
        {
            Some(number) => Value::Number(number),
            None => Value::String(text),
        },
        ("array" | "object", Value::String(text)) => match serde_json::from_str::<Value>(&text) {
            Ok(parsed @ (Value::Array(_) | Value::Object(_))) => coerce(schema, parsed),
            _ => Value::String(text),
        },
        ("string", value @ (Value::Bool(_) | Value::Number(_))) => Value::String(value.to_string()),
        ("array", Value::Array(items)) => match schema.get("items") {
            Some(of) => items.into_iter().map(|item| coerce(of, item)).collect(),
            None => Value::Array(items),
        },
        ("object", Value::Object(map)) => Value::Object(members(schema, map)),
        (_, value) => value,
    }
}

/// The list in a map whose one key is `name`, in JSON or not; anything else as it is.
fn unwrapped(name: &str, value: Value) -> Value {
    let inner = |map: &Map<String, Value>| match map.iter().next() {
        Some((key, inner)) if map.len() == 1 && key.eq_ignore_ascii_case(name) => {
            Some(inner.clone())
        }
        _ => None,
    };
    let parsed = value
        .as_str()
        .and_then(|text| serde_json::from_str(text).ok());
    let map = parsed.as_ref().unwrap_or(&value).as_object();
    map.and_then(inner).unwrap_or(value)
}

/// A boolean in any case: languages write `True`, AWS's pages write `TRUE` here and there.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// The members of a map, with AWS's spelling of their keys. A null is a member left out: AWS's own samples have some.
fn members(schema: &Value, map: Map<String, Value>) -> Map<String, Value> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let mut typed = Map::new();
    for (key, value) in map {
        if value.is_null() {
            continue;
        }
        let spelled = properties.and_then(|properties| {
            if properties.contains_key(&key) {
                return Some(&key);
            }
            properties.keys().find(|k| k.eq_ignore_ascii_case(&key))
        });
        let of = match spelled {
            Some(spelled) => properties.and_then(|properties| properties.get(spelled)),
            None => by_pattern(schema, &key),
        };
        let value = match of {
            Some(of) => coerce(of, value),
            None => value,
        };
        // Of two spellings the first one counts; the other stays what it is.
        let name = match spelled {
            Some(spelled) if !typed.contains_key(spelled) => spelled.clone(),
            _ => key,
        };
        typed.insert(name, value);
    }
    typed
}

/// The schema of a member whose key has a pattern, such as an ARN.
fn by_pattern<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    thread_local! {
        static PATTERNS: RefCell<HashMap<String, Option<Regex>>> = RefCell::default();
    }
    let patterns = schema.get("patternProperties")?.as_object()?;
    PATTERNS.with_borrow_mut(|compiled| {
        patterns.iter().find_map(|(pattern, of)| {
            let regex = compiled
                .entry(pattern.clone())
                .or_insert_with(|| Regex::new(pattern).ok());
            regex.as_ref()?.is_match(key).then_some(of)
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::coerce;

    #[test]
    fn both_forms_of_a_value_become_the_same() {
        for (schema, string, typed) in [
            (json!({"type": "boolean"}), json!("true"), json!(true)),
            (json!({"type": "integer"}), json!("5432"), json!(5432)),
            (json!({"type": "number"}), json!("0.5"), json!(0.5)),
            (json!({"type": "string"}), json!(16), json!("16")),
            (
                json!({"type": "array", "items": {"type": "string"}}),
                json!("[\"a\",1]"),
                json!(["a", "1"]),
            ),
            (
                json!({"type": "object", "properties": {"n": {"type": "integer"}}}),
                json!("{\"n\":\"1\",\"m\":\"2\"}"),
                json!({"n": 1, "m": "2"}),
            ),
        ] {
            assert_eq!(coerce(&schema, string), typed);
            assert_eq!(coerce(&schema, typed.clone()), typed);
        }
    }

    #[test]
    fn members_are_met_in_any_case_and_nulls_are_left_out() {
        let schema = json!({
            "type": "object",
            "properties": {"availabilityZone": {"type": "string"}},
            "patternProperties": {"^arn:": {"type": "object"}},
        });
        assert_eq!(
            coerce(&schema, json!({"AvailabilityZone": "a", "x": null})),
            json!({"availabilityZone": "a"})
        );
        assert_eq!(
            coerce(&schema, json!({"arn:x": "{\"a\":1}"})),
            json!({"arn:x": {"a": 1}})
        );
    }

    #[test]
    fn what_cannot_be_read_stays_for_the_schema_to_refuse() {
        assert_eq!(
            coerce(&json!({"type": "boolean"}), json!("yes")),
            json!("yes")
        );
        assert_eq!(
            coerce(&json!({"type": "array"}), json!("sg-1,sg-2")),
            json!("sg-1,sg-2")
        );
        assert_eq!(
            coerce(&json!({"type": "array"}), json!("\"x\"")),
            json!("\"x\"")
        );
    }
}
