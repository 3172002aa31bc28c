//! No error without a page that says so or a refusal on record: the sentence stands beside what it is for.

use redrill::rules::Rules;
use serde_json::Value;

use super::read;

/// What a key may be; a value outside of it is an error unless the note says otherwise.
const LIMITS: [&str; 10] = [
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "multipleOf",
    "required",
];

fn is_evidence(text: &Value) -> bool {
    text.as_str().is_some_and(|text| text.len() > 20)
}

/// Errors of `of` that nothing stands beside, and the places of errors that something does.
fn rules(of: &Value, path: &str, bare: &mut Vec<String>, count: &mut usize) {
    match of {
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                rules(item, &format!("{path}/{at}"), bare, count);
            }
        }
        Value::Object(map) => {
            let note = &of["x-redrill"];
            let is_rule = [
                "if",
                "then",
                "not",
                "anyOf",
                "properties",
                "patternProperties",
                "required",
            ]
            .iter()
            .any(|member| map.contains_key(*member));
            if is_rule && note.is_object() {
                *count += 1;
                if note["severity"] != "warning" && !is_evidence(&note["evidence"]) {
                    bare.push(note["rule"].as_str().unwrap_or(path).to_owned());
                }
            } else {
                for (key, value) in map {
                    rules(value, &format!("{path}/{key}"), bare, count);
                }
            }
        }
        _ => {}
    }
}

/// Keys and members whose limits are errors that nothing stands beside.
fn limits(of: &Value, path: &str, above: &Value, bare: &mut Vec<String>) {
    let own = &of["x-redrill"];
    let note = if own.is_object() { own } else { above };
    let has_limit = LIMITS.iter().any(|limit| of.get(limit).is_some());
    if has_limit && note["severity"] != "warning" && !is_evidence(&note["evidence"]) {
        bare.push(path.to_owned());
    }
    for member in ["properties", "patternProperties"] {
        for (key, inner) in of[member].as_object().into_iter().flatten() {
            limits(inner, &format!("{path}.{key}"), note, bare);
        }
    }
    for member in ["items", "propertyNames"] {
        if let Some(inner) = of.get(member) {
            limits(inner, &format!("{path}[]"), note, bare);
        }
    }
}

#[test]
fn every_error_has_its_evidence_beside_it() {
    let all = Rules::embedded();
    let mut bare = Vec::new();
    let mut count = 0;
    for resource_type in all.types() {
        let schema = all.schema(resource_type).unwrap();
        rules(&schema["allOf"], "allOf", &mut bare, &mut count);
        rules(
            &schema["$defs"]["request"],
            "request",
            &mut bare,
            &mut count,
        );
        for member in ["properties", "patternProperties"] {
            for (key, of) in schema[member].as_object().into_iter().flatten() {
                limits(
                    of,
                    &format!("{resource_type}.{key}"),
                    &Value::Null,
                    &mut bare,
                );
            }
        }
        for key in schema["required"].as_array().into_iter().flatten() {
            let key = key.as_str().unwrap();
            if !is_evidence(&schema["x-redrill"]["required"][key]) {
                bare.push(format!("{resource_type}: required {key}"));
            }
        }
    }
    assert!(count > 150, "only {count} rules were looked at");
    bare.sort();
    bare.dedup();
    assert!(
        bare.is_empty(),
        "give each of these `evidence` (schemas/README.md), or `severity: warning`: {bare:#?}"
    );
}

/// Types are errors for every key of every type; what was refused for each stands in `common.yaml`.
#[test]
fn every_type_of_value_has_its_evidence() {
    let common: Value = serde_yaml::from_str(&read("schemas/common.yaml")).unwrap();
    for of in ["array", "object", "boolean", "integer"] {
        assert!(is_evidence(&common["x-redrill"]["types"][of]), "{of}");
    }
}
