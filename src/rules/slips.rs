//! Common slips with lists and maps, which AWS wants as JSON in a string: what was meant, written right.

use serde_json::Value;

use crate::diagnostic::{Rule, rule};

/// The page that says how lists are written, for every type.
pub(crate) const LISTS: &str =
    "https://docs.aws.amazon.com/aws-backup/latest/devguide/restore-testing-inferred-metadata.html";

/// A slip, and the line to write instead.
pub(crate) struct Slip {
    pub(crate) rule: &'static Rule,
    pub(crate) message: String,
    pub(crate) instead: String,
    pub(crate) because: String,
}

/// Tells what went wrong if `schema` wants a list or a map and `text` is neither.
pub(crate) fn of(schema: &Value, text: &str) -> Option<Slip> {
    let wanted = schema.get("type").and_then(Value::as_str)?;
    let trimmed = text.trim();
    if !matches!(wanted, "array" | "object") || trimmed.is_empty() {
        return None;
    }
    if trimmed.starts_with(['[', '{']) {
        let why = match serde_json::from_str::<Value>(trimmed) {
            Err(err) => err.to_string(),
            Ok(_) => return None,
        };
        return Some(Slip {
            rule: rule::METADATA_BROKEN_JSON,
            message: format!(
                "`{}` begins like JSON and is not valid JSON: {why}",
                cut(text)
            ),
            instead: written(&example_of(schema)),
            because: "; redrill writes the JSON".to_owned(),
        });
    }
    if wanted == "object" {
        return None;
    }
    let items: Vec<&str> = trimmed
        .split(',')
        .map(|item| item.trim().trim_matches(['\'', '"']))
        .filter(|item| !item.is_empty())
        .collect();
    let list: Vec<Value> = items.iter().map(|item| Value::from(*item)).collect();
    let json = Value::Array(list);
    let because = format!("; redrill sends `{json}`, the string that AWS wants");
    let (rule, what) = if items.len() > 1 {
        (rule::METADATA_COMMA_LIST, "is one text with commas in it")
    } else {
        (rule::METADATA_BARE_ITEM, "is a single text")
    };
    Some(Slip {
        rule,
        message: format!(
            "`{}` {what}; AWS wants a JSON array in a string, also for one item",
            cut(text)
        ),
        instead: written(&json),
        because,
    })
}

/// A value as one writes it in a plan: YAML's flow style, quoted where YAML needs it.
#[must_use]
pub fn written(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(written).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(map) => {
            let members: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{}: {}", text(key), written(value)))
                .collect();
            format!("{{ {} }}", members.join(", "))
        }
        Value::String(string) => text(string),
        other => other.to_string(),
    }
}

fn text(string: &str) -> String {
    let plain = !string.is_empty()
        && string
            .chars()
            .all(|c| c.is_alphanumeric() || "-_./: ".contains(c))
        && string
            .chars()
            .next()
            .is_some_and(|c| c.is_alphanumeric() || c == '/')
        && !string.contains(": ")
        && !string.ends_with([':', ' '])
        && string.parse::<f64>().is_err()
        && !matches!(string, "true" | "false" | "null");
    if plain {
        string.to_owned()
    } else {
        Value::from(string).to_string()
    }
}

fn example_of(schema: &Value) -> Value {
    super::wording::example(schema).unwrap_or_else(|| match schema["type"].as_str() {
        Some("object") => Value::Object(serde_json::Map::new()),
        _ => Value::Array(Vec::new()),
    })
}

fn cut(text: &str) -> String {
    let cut: String = text.chars().take(60).collect();
    let dots = if cut.len() < text.len() { "…" } else { "" };
    format!("{cut}{dots}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{of, rule, written};

    #[test]
    fn a_slip_comes_with_the_line_to_write() {
        for (schema, text, rule, instead) in [
            (
                "array",
                "sg-1, sg-2",
                rule::METADATA_COMMA_LIST,
                "[sg-1, sg-2]",
            ),
            ("array", "sg-1", rule::METADATA_BARE_ITEM, "[sg-1]"),
            ("array", "[\"sg-1\"", rule::METADATA_BROKEN_JSON, "[]"),
            ("object", "{a:1}", rule::METADATA_BROKEN_JSON, "{  }"),
        ] {
            let slip = of(&json!({"type": schema}), text).unwrap();
            assert_eq!(
                (slip.rule, slip.instead.as_str()),
                (rule, instead),
                "{text}"
            );
        }
        assert!(of(&json!({"type": "array"}), "").is_none());
        assert!(of(&json!({"type": "string"}), "a,b").is_none());
        assert!(of(&json!({"type": "object"}), "default").is_none());
    }

    #[test]
    fn examples_are_written_as_in_a_plan() {
        assert_eq!(
            written(&json!({"a": ["arn:aws:x", "true", 1, ""], "b": "{{ c }}"})),
            r#"{ a: [arn:aws:x, "true", 1, ""], b: "{{ c }}" }"#
        );
    }
}
