//! Wording of what a piece of a schema asks for; what it does not say explicitly is taken from its keywords.

use serde_json::Value;

/// Returns what a value should be, as the end of the sentence «this is not …».
#[must_use]
pub fn expected(schema: &Value) -> Option<String> {
    if let Some(words) = schema["x-redrill"]["expected"].as_str() {
        return Some(words.to_owned());
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> = values.iter().map(|v| format!("`{}`", plain(v))).collect();
        return Some(match values.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
            None => return None,
        });
    }
    let number = |name: &str| schema[name].as_i64();
    match schema["type"].as_str()? {
        "boolean" => Some("true or false".to_owned()),
        "integer" => Some(match (number("minimum"), number("maximum")) {
            (Some(min), Some(max)) => format!("a whole number from {min} to {max}"),
            (Some(min), None) => format!("a whole number of {min} or more"),
            (None, Some(max)) => format!("a whole number up to {max}"),
            (None, None) => "a whole number".to_owned(),
        }),
        "array" => Some(match (number("minItems"), number("maxItems")) {
            (Some(min), Some(max)) if min == max => format!("a list of {min}"),
            (Some(min), Some(max)) => format!("a list of {min} to {max}"),
            (None, Some(max)) => format!("a list of up to {max}"),
            _ => "a list".to_owned(),
        }),
        "object" => Some("a map".to_owned()),
        "string" => Some(match (number("minLength"), number("maxLength")) {
            (Some(min), Some(max)) => format!("a text of {min} to {max} characters"),
            (None, Some(max)) => format!("a text of up to {max} characters"),
            _ => "a text".to_owned(),
        }),
        _ => None,
    }
}

/// A value to write: the first example, or what the keywords leave no doubt about.
#[must_use]
pub fn example(schema: &Value) -> Option<Value> {
    let given = schema.pointer("/examples/0").or(schema.get("default"));
    given.or(schema.pointer("/enum/0")).cloned().or_else(|| {
        match schema.get("type").and_then(Value::as_str) {
            Some("boolean") => Some(Value::Bool(true)),
            _ => None,
        }
    })
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
