//! Every rule, of redrill's own and of resource types, as `redrill explain` and SARIF tell it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::diagnostic::{Described, Severity, rule};
use crate::rules::{Level, Rules, SchemaNote, expected, note};

impl Rules {
    /// The rule of an id, in any case.
    #[must_use]
    pub fn described(&self, id: &str) -> Option<Described> {
        let (named, name) = id.split_once('/')?;
        let resource_type = self.types().find(|title| title.eq_ignore_ascii_case(named));
        let own = resource_type.and_then(|title| self.own(title, name));
        own.or_else(|| {
            let rule = rule::find(id)?;
            let described = Described::from(rule);
            // Rules that every type has do not hold for a name that is no type.
            match resource_type {
                _ if rule.id.eq_ignore_ascii_case(id) => Some(described),
                Some(title) => {
                    let notes = &self.of(title)?.notes;
                    let of_keys = notes.unknown_key.as_ref().and_then(|note| note.severity);
                    let severity = match rule {
                        rule::OF_TYPE_UNKNOWN_KEY if of_keys == Some(Level::Error) => {
                            Severity::Error
                        }
                        rule::OF_TYPE_KEY_CASE if notes.lenient_case.is_some() => Severity::Note,
                        _ => rule.severity,
                    };
                    Some(Described {
                        id: rule.id_of(title),
                        severity,
                        url: Some(notes.url.clone()),
                        ..described
                    })
                }
                None => None,
            }
        })
    }

    /// The ids of all rules: those of redrill's own first.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = rule::ALL.iter().map(|rule| rule.id.to_owned()).collect();
        for schema in self.types().filter_map(|title| self.of(title)) {
            let mut notes = Vec::new();
            named(&schema.text, &mut notes);
            ids.extend(notes.into_iter().filter_map(|note| note.rule));
            let keys = schema.properties.keys();
            ids.extend(keys.map(|key| format!("{}/{key}", schema.title)));
        }
        // EKS has those of EBS as well, for volumes.
        let mut seen = BTreeSet::new();
        ids.retain(|id| seen.insert(id.clone()));
        ids
    }

    /// A rule that is data: one that a schema names, or what it asks of a key.
    fn own(&self, title: &str, name: &str) -> Option<Described> {
        let schema = self.of(title)?;
        let id = format!("{title}/{name}");
        let mut notes = Vec::new();
        named(&schema.text, &mut notes);
        let is_named = |note: &&SchemaNote| {
            let rule = note.rule.as_deref();
            rule.is_some_and(|rule| rule.eq_ignore_ascii_case(&id))
        };
        if let Some(note) = notes.iter().find(is_named) {
            return Some(Described {
                id: note.rule.clone()?,
                severity: note.severity(),
                title: sentence(note.message.as_deref()?),
                explanation: sentence(note.help.as_deref()?) + ".",
                evidence: note.evidence.clone(),
                url: note.url.clone().or_else(|| Some(schema.notes.url.clone())),
            });
        }
        let mut properties = schema.properties.iter();
        let (key, of) = properties.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        let note = note(
            &schema.text,
            &format!("/properties/{}", super::escaped(key)),
        );
        let wants = expected(&of.schema).map_or(String::new(), |it| format!(" It is {it}."));
        let meaning = of.schema["description"].as_str().unwrap_or_default();
        Some(Described {
            id: format!("{title}/{key}"),
            severity: note.severity(),
            title: format!("`{key}` is not what AWS takes, or is missing"),
            explanation: format!("{meaning}{wants}"),
            evidence: note.evidence,
            url: note.url.or_else(|| Some(schema.notes.url.clone())),
        })
    }
}

/// The notes of every rule that a schema names.
fn named(schema: &Value, notes: &mut Vec<SchemaNote>) {
    match schema {
        Value::Array(items) => items.iter().for_each(|item| named(item, notes)),
        Value::Object(map) => {
            let note = map.get("x-redrill").filter(|note| note["rule"].is_string());
            notes.extend(note.and_then(|note| serde_json::from_value(note.clone()).ok()));
            map.values().for_each(|value| named(value, notes));
        }
        _ => {}
    }
}

/// The words of a finding, as a sentence of their own.
fn sentence(words: &str) -> String {
    let mut rest = words.chars();
    let first = rest.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + rest.as_str()
}
