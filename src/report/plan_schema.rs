//! `schema`: the JSON Schema of a type's metadata, and the one of the whole plan file for editors.
//!
//! What an editor underlines is what redrill refuses: limits that only warn are left out, and every value may be a
//! template or the string that AWS is sent.

use serde_json::{Map, Value, json};

use super::pretty;
use crate::rules::Rules;

/// Everything of the plan file but the metadata.
const PLAN: &str = include_str!("plan.schema.yaml");

/// The rules of one type as JSON Schema; none where there is no such type.
#[must_use]
pub fn type_schema(rules: &Rules, resource_type: &str) -> Option<String> {
    rules.schema(resource_type).map(pretty)
}

/// The plan file as JSON Schema for editors.
#[must_use]
pub fn plan_schema(rules: &Rules) -> String {
    // Embedded, and read by the test that compares the generated file.
    let mut plan: Value = serde_yaml::from_str(PLAN).unwrap_or_default();
    let types: Vec<Value> = rules
        .types()
        .filter_map(|name| {
            let of = rules.schema(name)?;
            Some(json!({ "const": name, "description": of["description"] }))
        })
        .collect();
    let names: Vec<&str> = rules.types().collect();
    let restore = &mut plan["definitions"]["restore"];
    restore["properties"]["type"] = json!({
        "description": "AWS's name of the resource type. One that redrill does not know is sent as it is.",
        "anyOf": [{ "enum": names, "oneOf": types }, { "type": "string" }],
    });
    restore["allOf"] = rules
        .types()
        .map(|name| {
            json!({
                "if": { "required": ["type"], "properties": { "type": { "const": name } } },
                "then": { "properties": { "metadata": { "$ref": format!("#/definitions/{}", definition(name)) } } },
            })
        })
        .collect();
    for name in rules.types() {
        if let Some(schema) = rules.schema(name) {
            plan["definitions"][definition(name)] = metadata(schema);
        }
    }
    pretty(&plan)
}

/// Explains a key of the plan, at every place where it may appear; `None` if there is no such key.
#[must_use]
pub fn explain_plan_key(key: &str) -> Option<String> {
    let plan: Value = serde_yaml::from_str(PLAN).unwrap_or_default();
    let mut text = String::new();
    let (within, name) = match key.rsplit_once('.') {
        Some((within, name)) => (Some(within), name),
        None => (None, key),
    };
    for (place, of) in places(&plan) {
        let is_meant = within.is_none_or(|within| place.contains(within.trim_end_matches('s')));
        let Some(found) = of.get(name).filter(|_| is_meant) else {
            continue;
        };
        if !text.is_empty() {
            text.push('\n');
        }
        describe(&mut text, name, &place, found, &plan);
    }
    (!text.is_empty()).then_some(text)
}

/// Every key of the plan, at whatever depth.
#[must_use]
pub fn plan_keys() -> Vec<String> {
    let plan: Value = serde_yaml::from_str(PLAN).unwrap_or_default();
    let all = places(&plan);
    let mut keys: Vec<String> = all.iter().flat_map(|(_, of)| of.keys().cloned()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Lists the places that have keys, each with its keys.
fn places(plan: &Value) -> Vec<(String, Map<String, Value>)> {
    let keys = |of: &Value| of["properties"].as_object().cloned().unwrap_or_default();
    let mut all = vec![("the plan".to_owned(), keys(plan))];
    for (name, of) in plan["definitions"].as_object().into_iter().flatten() {
        all.push((format!("a {}", name.replace('_', " ")), keys(of)));
    }
    all.retain(|(_, keys)| !keys.is_empty());
    all
}

fn describe(text: &mut String, name: &str, place: &str, of: &Value, plan: &Value) {
    use std::fmt::Write as _;
    let of = match of["$ref"].as_str() {
        Some(to) => plan.pointer(to.trim_start_matches('#')).unwrap_or(of),
        None => of,
    };
    let _ = writeln!(text, "`{name}` of {place}");
    if let Some(description) = of["description"].as_str() {
        let _ = writeln!(text, "  {description}");
    }
    let values = of["enum"].as_array().into_iter().flatten();
    let values: Vec<&str> = values.filter_map(Value::as_str).collect();
    if !values.is_empty() {
        let _ = writeln!(text, "  one of: {}", values.join(", "));
    }
    for (key, of) in of["properties"].as_object().into_iter().flatten() {
        let description = of["description"].as_str().unwrap_or_default();
        let _ = writeln!(text, "  {key:<14}  {description}");
    }
}

/// The name of a type's definition; a blank in it would have to be escaped in references.
fn definition(name: &str) -> String {
    name.replace(' ', "-")
}

fn metadata(schema: &Value) -> Value {
    let notes = &schema["x-redrill"];
    let mut properties = Map::new();
    for (key, of) in schema["properties"].as_object().into_iter().flatten() {
        let page = of["x-redrill"].get("url").unwrap_or(&notes["url"]);
        let value = key_schema(of, page);
        for other in of["x-redrill"]["also"].as_array().into_iter().flatten() {
            if let Some(other) = other.as_str() {
                let name = definition(schema["title"].as_str().unwrap_or_default());
                let same = format!("#/definitions/{name}/properties/{key}");
                let value = json!({ "doNotSuggest": true, "allOf": [{ "$ref": same }] });
                properties.insert(other.to_owned(), value);
            }
        }
        properties.insert(key.clone(), value);
    }
    let mut of = json!({
        "type": "object",
        "description": schema["description"],
        "properties": properties,
    });
    // Unknown keys are underlined only where AWS is known to refuse them.
    if notes["unknown_key"]["severity"] == "error" {
        of["additionalProperties"] = false.into();
    }
    of
}

/// A key: its meaning, and what may stand there.
fn key_schema(of: &Value, page: &Value) -> Value {
    let mut value = value_schema(of);
    let meaning = of["description"].as_str().unwrap_or_default();
    // Editors make a link of it.
    let page = page.as_str().unwrap_or_default();
    value["description"] = format!("{meaning}\n\n{page}").into();
    for member in ["default", "examples"] {
        if let Some(given) = of.get(member) {
            value[member] = given.clone();
        }
    }
    if of["x-redrill"]["send"] == false {
        value["doNotSuggest"] = true.into();
        value["deprecationMessage"] = meaning.into();
    }
    value
}

/// Builds the schema for the values at a place: the typed value, the string that AWS is sent, or a template.
fn value_schema(of: &Value) -> Value {
    let refused = of["x-redrill"]["severity"] != "warning";
    let typed = |members: &[&str]| {
        let mut typed = json!({ "type": of["type"] });
        for member in members.iter().filter(|_| refused) {
            if let Some(limit) = of.get(*member) {
                typed[*member] = limit.clone();
            }
        }
        typed
    };
    let or_text = |typed: Value, text: &str| {
        let text = if refused {
            json!({ "type": "string", "pattern": format!("{text}|\\{{\\{{") })
        } else {
            json!({ "type": "string" })
        };
        json!({ "anyOf": [typed, text] })
    };
    if let Some(values) = of.get("enum") {
        let other = if refused {
            json!({ "$ref": "#/definitions/template" })
        } else {
            json!({ "type": "string" })
        };
        return json!({ "anyOf": [{ "enum": values }, other] });
    }
    match of["type"].as_str() {
        Some("boolean") => or_text(
            json!({ "type": "boolean" }),
            "^([Tt]rue|[Ff]alse|TRUE|FALSE)$",
        ),
        Some("integer" | "number") => or_text(typed(&["minimum", "maximum"]), "^-?[0-9.]+$"),
        Some("array") => {
            let mut list = typed(&["minItems", "maxItems"]);
            if let Some(items) = of.get("items") {
                list["items"] = member_schema(items);
            }
            match of.pointer("/x-redrill/wrapped_in").and_then(Value::as_str) {
                Some(name) => json!({ "anyOf": [
                    list.clone(),
                    { "type": "object", "properties": { name: list } },
                    { "type": "string" },
                ] }),
                None => or_text(list, "^\\s*\\["),
            }
        }
        Some("object") => {
            let mut map = json!({ "type": "object" });
            if let Some(properties) = of.get("properties").and_then(Value::as_object) {
                map["properties"] = properties
                    .iter()
                    .map(|(key, of)| (key.clone(), member_schema(of)))
                    .collect::<Map<_, _>>()
                    .into();
            }
            or_text(map, "^\\s*\\{")
        }
        Some("string") if refused && of.get("pattern").is_some() => {
            let pattern = of["pattern"].as_str().unwrap_or_default();
            json!({ "type": ["string", "number"], "pattern": format!("({pattern})|\\{{\\{{") })
        }
        Some("string") => json!({ "type": ["string", "number", "boolean"] }),
        _ => json!({}),
    }
}

/// A member of a map or an item of a list.
fn member_schema(of: &Value) -> Value {
    let mut value = value_schema(of);
    for member in ["description", "default", "examples"] {
        if let Some(given) = of.get(member) {
            value[member] = given.clone();
        }
    }
    value
}
