//! Variables of a new plan: what belongs to the place that is restored into, mapped once for each value.

use std::collections::BTreeMap;

use serde_json::Value;

/// Marks, within a value, that a variable holds it.
pub(super) const VARIABLE: &str = "\u{0}var";

/// Variables of a new plan: one for each value, in the order of their first use.
#[derive(Debug, Default)]
pub(super) struct Variables {
    all: Vec<(String, Value, String)>,
    index: BTreeMap<(String, String), String>,
}

impl Variables {
    /// Name, default and description of each.
    pub(super) fn iter(&self) -> impl Iterator<Item = &(String, Value, String)> {
        self.all.iter()
    }

    /// A template that stands for the variable `name` of this default.
    pub(super) fn stand_in(&mut self, name: &str, default: Value, description: &str) -> Value {
        let key = (name.to_owned(), default.to_string());
        let declared = self.index.entry(key).or_insert_with(|| {
            let count = self.all.iter().filter(|(n, ..)| is_of(n, name)).count();
            let declared = match count {
                0 => name.to_owned(),
                n => format!("{name}_{}", n + 1),
            };
            self.all
                .push((declared.clone(), default, description.to_owned()));
            declared
        });
        Value::String(format!("{{{{ vars.{declared} }}}}"))
    }
}

/// Returns true if `declared` is `name`, or `name` with a number.
fn is_of(declared: &str, name: &str) -> bool {
    declared.strip_prefix(name).is_some_and(|rest| {
        rest.is_empty()
            || rest
                .strip_prefix('_')
                .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// Puts a template in place of every variable that is marked within a value.
pub(super) fn declared(value: Value, description: &str, variables: &mut Variables) -> Value {
    match value {
        Value::Object(map) => match map.get(VARIABLE).and_then(Value::as_str) {
            Some(name) => {
                let default = map.get("default").cloned().unwrap_or_default();
                let says = map.get("says").and_then(Value::as_str);
                variables.stand_in(name, default, says.unwrap_or(description))
            }
            None => map
                .into_iter()
                .map(|(key, value)| (key, declared(value, description, variables)))
                .collect(),
        },
        Value::Array(items) => items
            .into_iter()
            .map(|item| declared(item, description, variables))
            .collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{VARIABLE, Variables, declared};

    #[test]
    fn each_value_has_one_variable() {
        let mut all = Variables::default();
        let mut stand_in = |name: &str, default| all.stand_in(name, json!(default), "What.");
        assert_eq!(stand_in("zone", "a"), "{{ vars.zone }}");
        assert_eq!(stand_in("zones", "a"), "{{ vars.zones }}");
        assert_eq!(stand_in("zone", "b"), "{{ vars.zone_2 }}");
        assert_eq!(stand_in("zone", "a"), "{{ vars.zone }}");
        assert_eq!(stand_in("zone", "c"), "{{ vars.zone_3 }}");
        let nested = json!({"arn:x": {"zone": {VARIABLE: "zone", "default": "b"}}});
        assert_eq!(
            declared(nested, "What.", &mut all),
            json!({"arn:x": {"zone": "{{ vars.zone_2 }}"}})
        );
    }
}
