//! `x-include` in schema files: what several types share stands once.
//!
//! `x-include: common#kms-key` is replaced by the definition `kms-key` of `common.yaml`, `x-include: ebs` by the
//! rules of the type in `ebs.yaml`, `x-include: s3/properties/KMSKey` by that place of it; members beside it win over included ones of the same name. What is left is plain
//! JSON Schema in one piece, so that a place in it leads to the note that explains it.

use serde_json::{Map, Value};

use super::files::file;

/// Deeper than files include one another; ends what would go on for ever.
const DEPTH: usize = 8;

/// Replaces every `x-include` in `schema`.
pub(crate) fn resolve(schema: &mut Value) -> Result<(), String> {
    walk(schema, DEPTH)
}

fn walk(value: &mut Value, depth: usize) -> Result<(), String> {
    match value {
        Value::Array(items) => items.iter_mut().try_for_each(|item| walk(item, depth)),
        Value::Object(map) => {
            if let Some(name) = map.shift_remove("x-include") {
                let name = name.as_str().unwrap_or_default();
                let included = included(name, depth)?;
                let own = std::mem::take(map);
                *map = merged(included, own);
            }
            map.values_mut().try_for_each(|value| walk(value, depth))
        }
        _ => Ok(()),
    }
}

fn included(name: &str, depth: usize) -> Result<Map<String, Value>, String> {
    let depth = depth
        .checked_sub(1)
        .ok_or_else(|| format!("`x-include: {name}` includes itself"))?;
    let unknown = || format!("`x-include: {name}` names nothing");
    let (stem, place) = match name.split_once(['#', '/']) {
        Some((stem, rest)) if name[stem.len()..].starts_with('#') => {
            (stem, format!("/$defs/{rest}"))
        }
        Some((stem, rest)) => (stem, format!("/{rest}")),
        None => (name, String::new()),
    };
    let text = file(stem).ok_or_else(unknown)?;
    let mut whole: Value = serde_yaml::from_str(text).map_err(|err| err.to_string())?;
    let mut part = whole
        .pointer_mut(&place)
        .map(Value::take)
        .ok_or_else(unknown)?;
    walk(&mut part, depth)?;
    let Value::Object(mut part) = part else {
        return Err(unknown());
    };
    if place.is_empty() {
        // Members that describe the file, not the metadata.
        for member in [
            "$schema",
            "$id",
            "title",
            "description",
            "x-redrill",
            "$defs",
        ] {
            part.shift_remove(member);
        }
    }
    Ok(part)
}

/// Own members win; notes are merged member by member.
fn merged(mut included: Map<String, Value>, own: Map<String, Value>) -> Map<String, Value> {
    for (key, value) in own {
        match (key.as_str(), included.get_mut(&key), value) {
            ("x-redrill", Some(Value::Object(theirs)), Value::Object(ours)) => theirs.extend(ours),
            (_, _, value) => drop(included.insert(key, value)),
        }
    }
    included
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::resolve;

    #[test]
    fn members_beside_an_include_win() {
        let mut schema = json!({"x-include": "common#request-id", "description": "mine"});
        resolve(&mut schema).unwrap();
        assert_eq!(schema["type"], "string");
        assert_eq!(schema["description"], "mine");
        assert!(schema["x-redrill"]["expected"].is_string());
    }

    #[test]
    fn an_include_of_nothing_is_an_error() {
        for name in ["common#nothing", "nothing"] {
            assert!(
                resolve(&mut json!({"a": [{"x-include": name}]})).is_err(),
                "{name}"
            );
        }
    }
}
