//! The typed form of a value: `"true"` and `true`, `"[…]"` and a list mean the same to AWS.

use serde_json::Value;

/// `value` as the type that `schema` asks for, where it can be read as that; else as it is, for the schema to refuse.
pub(super) fn coerce(schema: &Value, value: Value) -> Value {
    let wanted = schema
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    match (wanted, value) {
        ("boolean", Value::String(text)) => match text.as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => Value::String(text),
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
        ("object", Value::Object(map)) => Value::Object(
            map.into_iter()
                .map(|(key, value)| {
                    let of = schema.get("properties").and_then(|p| p.get(&key));
                    let value = match of {
                        Some(of) => coerce(of, value),
                        None => value,
                    };
                    (key, value)
                })
                .collect(),
        ),
        (_, value) => value,
    }
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
    fn what_cannot_be_read_stays_for_the_schema_to_refuse() {
        assert_eq!(
            coerce(&json!({"type": "boolean"}), json!("True")),
            json!("True")
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
