//! The strings that AWS wants: its metadata is a map of strings, whatever a value's type is.

use litemap::LiteMap;
use serde_json::Value;

/// The metadata of a request, sorted by key. In one piece, and no larger than what is in it: a plan has ten thousand.
pub type Metadata = LiteMap<String, String>;

/// `true` as `true`, `5432` as `5432`, lists and maps as compact JSON, text as it is.
#[must_use]
pub fn wire(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        // serde_json's Display is compact, keeps the order of keys, and does not fail.
        other => other.to_string(),
    }
}

/// Describes a value, for a sentence.
pub(super) fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::wire;

    #[test]
    fn values_become_the_strings_aws_wants() {
        for (value, text) in [
            (json!(true), "true"),
            (json!(5432), "5432"),
            (json!("as it is"), "as it is"),
            (json!(["a", "b"]), r#"["a","b"]"#),
            (
                json!({"b": 1, "a": [true, null]}),
                r#"{"b":1,"a":[true,null]}"#,
            ),
            (json!(""), ""),
        ] {
            assert_eq!(wire(&value), text);
        }
    }
}
