//! `explain`: what AWS asks of a type, or of one key, in words.

use std::fmt::Write as _;

use serde_json::Value;

use super::columns::columns;
use crate::diagnostic::{Described, Severity};
use crate::rules::{Rules, example, expected, written};

/// Longer lines are broken.
const WIDTH: usize = 80;

/// Subject of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    resource_type: String,
    /// The key and the members below it.
    path: Vec<String>,
}

/// Finds `EBS`, `storage gateway`, `EFS.KmsKeyId` or `FSx.WindowsConfiguration.ThroughputCapacity`, in any case.
#[must_use]
pub fn topic(rules: &Rules, name: &str) -> Option<Topic> {
    let folded = name.to_lowercase().replace('-', " ");
    let resource_type = rules.types().find(|title| {
        let title = title.to_lowercase();
        folded == title || folded.starts_with(&format!("{title}."))
    })?;
    let rest = name.get(resource_type.len()..).unwrap_or_default();
    let mut of = rules.schema(resource_type)?;
    let mut path = Vec::new();
    for step in rest.split('.').filter(|step| !step.is_empty()) {
        let (spelled, next) = member(of, step)?;
        path.push(spelled);
        of = next;
    }
    Some(Topic {
        resource_type: resource_type.to_owned(),
        path,
    })
}

/// Lists what one may ask about, for a name that [`topic`] does not find.
#[must_use]
pub fn topics(rules: &Rules, name: &str) -> Vec<String> {
    let of_type = rules.types().find_map(|title| {
        topic(rules, name.split('.').next()?).filter(|t| t.resource_type == title)
    });
    match of_type.and_then(|topic| rules.schema(&topic.resource_type).map(|s| (topic, s))) {
        Some((topic, schema)) => members(schema)
            .map(|(key, _)| format!("{}.{key}", topic.resource_type))
            .collect(),
        None => rules.types().map(str::to_owned).collect(),
    }
}

/// The page of a topic.
#[must_use]
pub fn explain(rules: &Rules, topic: &Topic) -> String {
    let Some(schema) = rules.schema(&topic.resource_type) else {
        return String::new();
    };
    match topic.path.as_slice() {
        [] => explain_type(schema),
        path => explain_key(schema, path),
    }
}

/// The page of a rule.
#[must_use]
pub fn explain_rule(rule: &Described) -> String {
    let mut text = format!("{}\n\n", rule.id);
    wrapped(&mut text, "", &format!("{}.", rule.title));
    for paragraph in rule.explanation.split("\n\n") {
        text.push('\n');
        wrapped(&mut text, "", paragraph);
    }
    if let Some(evidence) = &rule.evidence {
        text.push('\n');
        wrapped(&mut text, "", &format!("Evidence: {evidence}"));
    }
    let severity = match rule.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let _ = writeln!(text, "\nSeverity  {severity}");
    if let Some(url) = &rule.url {
        let _ = writeln!(text, "Source    {url}");
    }
    text
}

fn explain_type(schema: &Value) -> String {
    let mut text = String::new();
    let title = string(&schema["title"]);
    let _ = writeln!(text, "{title}\n");
    wrapped(&mut text, "", string(&schema["description"]));
    let sent = |of: &Value| of["x-redrill"]["send"] != false;
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let rows = |wanted: &dyn Fn(&Value) -> bool| -> Vec<Vec<String>> {
        members(schema)
            .filter(|(_, of)| wanted(of))
            .map(|(key, of)| {
                let always = required.contains(&key.as_str());
                vec![key.clone(), kind(of).to_owned(), mark(always), brief(of)]
            })
            .collect()
    };
    text.push_str("\nKeys\n");
    text.push_str(&columns(&rows(&sent), "  "));
    let returned = rows(&|of| !sent(of));
    if !returned.is_empty() {
        text.push_str("\nReturned by AWS or known from elsewhere; do not send\n");
        text.push_str(&columns(&returned, "  "));
    }
    let rules = rules_of(schema, None);
    if !rules.is_empty() {
        text.push_str("\nRules\n");
        for rule in rules {
            write_rule(&mut text, rule);
        }
    }
    let notes = schema["x-redrill"]["notes"].as_array();
    if let Some(notes) = notes.filter(|notes| !notes.is_empty()) {
        text.push_str("\nBefore you restore\n");
        for note in notes {
            wrapped(&mut text, "  ", string(note));
        }
    }
    let _ = writeln!(text, "\nSource  {}", string(&schema["x-redrill"]["url"]));
    text
}

fn explain_key(schema: &Value, path: &[String]) -> String {
    let mut text = String::new();
    let mut of = schema;
    let mut note = &Value::Null;
    for step in path {
        let Some((_, next)) = member(of, step) else {
            return text;
        };
        of = next;
        if of["x-redrill"].get("url").is_some() {
            note = &of["x-redrill"];
        }
    }
    let title = string(&schema["title"]);
    let _ = writeln!(text, "{title}.{}\n", path.join("."));
    wrapped(&mut text, "", string(&of["description"]));
    text.push('\n');
    let key = path.last().map_or("", String::as_str);
    let own = &of["x-redrill"];
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    if let Some(expected) = expected(of) {
        row("Value", expected);
    }
    if let Some(default) = of.get("default") {
        row("Default", written(default));
    }
    if let Some(example) = example(of) {
        row("Example", format!("{key}: {}", written(&example)));
    }
    let required = schema["required"]
        .as_array()
        .is_some_and(|required| path.len() == 1 && required.iter().any(|k| k == key));
    let rules = rules_of(schema, path.first().map(String::as_str));
    let needed = match (required, rules.is_empty()) {
        _ if own["send"] == false => "never",
        (true, _) => "always",
        (false, true) => "no",
        (false, false) => "see the rules below",
    };
    row("Needed", needed.to_owned());
    if path.len() == 1 {
        let returned = own["returned"] == true;
        let sent = own["send"] != false;
        row(
            "Returned",
            match (returned, sent) {
                (true, true) => "by GetRecoveryPointRestoreMetadata; may be sent back",
                (true, false) => "by GetRecoveryPointRestoreMetadata; must not be sent back",
                (false, true) => "GetRecoveryPointRestoreMetadata is not known to return it",
                (false, false) => "not known to be returned; must not be sent",
            }
            .to_owned(),
        );
    }
    let source = note.get("url").unwrap_or(&schema["x-redrill"]["url"]);
    row("Source", string(source).to_owned());
    text.push_str(&columns(&rows, ""));
    let members: Vec<Vec<String>> = members(of)
        .chain(members(&of["items"]))
        .map(|(member, of)| vec![member.clone(), kind(of).to_owned(), brief(of)])
        .collect();
    if !members.is_empty() {
        text.push_str("\nMembers\n");
        text.push_str(&columns(&members, "  "));
    }
    if !rules.is_empty() {
        text.push_str("\nRules\n");
        for rule in rules {
            write_rule(&mut text, rule);
        }
    }
    text
}

/// Every rule between keys, or those that speak of one key.
fn rules_of<'a>(schema: &'a Value, key: Option<&str>) -> Vec<&'a Value> {
    [&schema["allOf"], &schema["$defs"]["request"]["allOf"]]
        .into_iter()
        .filter_map(Value::as_array)
        .flatten()
        .filter(|rule| rule["x-redrill"]["rule"].is_string())
        .filter(|rule| key.is_none_or(|key| speaks_of(rule, key)))
        .map(|rule| &rule["x-redrill"])
        .collect()
}

/// Returns true if a rule names a key, in its notes or in what has to hold.
fn speaks_of(rule: &Value, key: &str) -> bool {
    match rule {
        Value::Array(items) => items.iter().any(|item| speaks_of(item, key)),
        Value::Object(map) => map.iter().any(|(name, value)| match name.as_str() {
            "at" | "key" => value == key,
            "properties" | "patternProperties" => value.get(key).is_some() || speaks_of(value, key),
            _ => speaks_of(value, key),
        }),
        Value::String(text) => text == key,
        _ => false,
    }
}

fn write_rule(text: &mut String, rule: &Value) {
    let severity = rule["severity"].as_str().unwrap_or("error");
    let _ = writeln!(text, "  {severity}  {}", string(&rule["rule"]));
    wrapped(text, "    ", &format!("{}.", string(&rule["message"])));
    wrapped(text, "    ", &format!("Help: {}.", string(&rule["help"])));
}

fn member<'a>(of: &'a Value, name: &str) -> Option<(String, &'a Value)> {
    members(of)
        .chain(members(&of["items"]))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
}

fn members(of: &Value) -> impl Iterator<Item = (String, &Value)> {
    let named = of.get("properties").and_then(Value::as_object);
    let by_pattern = of.get("patternProperties").and_then(Value::as_object);
    let named = named.into_iter().flatten().map(|(k, v)| (k.clone(), v));
    // `^InformationalOnly:` is read as `InformationalOnly:…`; children of EKS have no description of their own.
    let by_pattern = by_pattern
        .into_iter()
        .flatten()
        .filter(|(_, of)| of.get("description").is_some())
        .map(|(k, v)| (format!("{}…", k.trim_start_matches('^')), v));
    named.chain(by_pattern)
}

fn kind(of: &Value) -> &str {
    match of["type"].as_str() {
        Some("boolean") => "boolean",
        Some("integer" | "number") => "number",
        Some("array") => "list",
        Some("object") => "map",
        Some(_) => "text",
        None => "any",
    }
}

fn mark(always: bool) -> String {
    if always { "required" } else { "optional" }.to_owned()
}

/// The first sentence of a description, which is what a table has room for.
fn brief(of: &Value) -> String {
    let text = string(&of["description"]);
    let end = ["; ", ": ", ". "]
        .iter()
        .filter_map(|mark| text.find(mark))
        .min();
    text[..end.unwrap_or(text.len())]
        .trim_end_matches('.')
        .to_owned()
}

fn string(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A paragraph, broken into lines.
fn wrapped(text: &mut String, indent: &str, paragraph: &str) {
    let mut line = String::from(indent);
    for word in paragraph.split_whitespace() {
        if line.len() > indent.len() && line.chars().count() + word.chars().count() >= WIDTH {
            let _ = writeln!(text, "{}", line.trim_end());
            line = String::from(indent);
        }
        line.push_str(word);
        line.push(' ');
    }
    let _ = writeln!(text, "{}", line.trim_end());
}
