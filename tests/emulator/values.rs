//! Every value that a line of refusals.yaml is about: one that AWS takes, and one that it does not.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::judgement::{Expect, ROLE, ended};
use super::*;

/// A line about values; others have none of these.
#[derive(Debug, Deserialize)]
pub(super) struct Line {
    pub(super) id: String,
    #[serde(default)]
    types: Vec<String>,
    when: Vec<Map<String, Value>>,
    message: String,
}

/// What a line says of one place.
struct Rule<'a> {
    line: &'a Line,
    kind: &'a str,
    path: String,
    may: &'a Value,
}

const KINDS: [&str; 4] = ["values", "forms", "integers", "lengths"];

pub(super) fn lines() -> Vec<Line> {
    let text = include_str!("../../crates/redrill-emulator/src/refusals.yaml");
    let lines: Vec<Line> = serde_yaml::from_str(text).unwrap();
    let about = |line: &Line| rules(line).next().is_some();
    lines.into_iter().filter(about).collect()
}

/// The conditions of a line, its own and those within an object, with where their places begin.
fn conditions(line: &Line) -> Vec<(String, &Map<String, Value>)> {
    let mut found = Vec::new();
    for condition in &line.when {
        found.push((String::new(), condition));
        let within = condition.get("within").and_then(Value::as_object);
        for (path, inner) in within.into_iter().flatten() {
            let inner = inner.as_array().unwrap().iter();
            found.extend(inner.map(|inner| (format!("{path}."), inner.as_object().unwrap())));
        }
    }
    found
}

fn rules(line: &Line) -> impl Iterator<Item = Rule<'_>> {
    let mut found = Vec::new();
    for (begin, condition) in conditions(line) {
        for kind in KINDS {
            let places = condition.get(kind).and_then(Value::as_object);
            found.extend(places.into_iter().flatten().map(|(path, may)| Rule {
                line,
                kind,
                path: format!("{begin}{path}"),
                may,
            }));
        }
    }
    found.into_iter()
}

/// A request of a type that is accepted, and the places that values of it stand in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Type {
    #[serde(rename = "type")]
    name: String,
    recovery_point: String,
    metadata: BTreeMap<String, String>,
    places: BTreeMap<String, Place>,
    #[serde(default)]
    lines: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Place {
    /// What AWS takes and does not take, beyond what the line says by itself.
    takes: Vec<String>,
    refuses: Vec<String>,
    /// How texts of a length begin, where letters alone are not of the form.
    begins: String,
    /// Of the line's words those that this request takes; none: all.
    words: Vec<String>,
    /// Further metadata; null takes a key out.
    with: BTreeMap<String, Option<String>>,
    /// The value of the key around `<value>`, where the place alone is not enough.
    around: Option<String>,
}

fn types() -> Vec<Type> {
    serde_yaml::from_str(include_str!("values.yaml")).unwrap()
}

impl Type {
    /// The request with a value at a place.
    fn with(&self, path: &str, place: &Place, value: &str) -> BTreeMap<String, String> {
        let mut metadata = self.metadata.clone();
        for (key, value) in &place.with {
            match value {
                None => metadata.remove(key),
                Some(value) => metadata.insert(key.clone(), value.clone()),
            };
        }
        let key = path.split(['.', '[']).next().unwrap().to_owned();
        let quoted = Value::String(value.to_owned()).to_string();
        let whole = match &place.around {
            Some(text) => text.replace("<value>", &quoted),
            None if key == path => value.to_owned(),
            None => within(path, &quoted),
        };
        metadata.insert(key, whole);
        metadata
    }
}

/// The JSON around a value at the end of a path.
fn within(path: &str, quoted: &str) -> String {
    let parts: Vec<&str> = path.split('.').collect();
    let mut json = quoted.to_owned();
    for (index, part) in parts.iter().enumerate().rev() {
        let name = part.trim_end_matches("[]");
        if name != *part {
            json = format!("[{json}]");
        }
        if index > 0 {
            json = format!("{{\"{name}\":{json}}}");
        }
    }
    json
}

/// Values that a rule takes, and values that it does not.
fn samples(rule: &Rule<'_>, place: &Place) -> (Vec<String>, Vec<String>) {
    let (mut takes, mut refuses) = (place.takes.clone(), place.refuses.clone());
    let bounds = || rule.may.as_array().unwrap().iter().map(Value::as_i64);
    match rule.kind {
        "values" => {
            let words = rule.may.as_array().unwrap().iter();
            let words = words.map(|word| word.as_str().unwrap().to_owned());
            takes.extend(words.filter(|word| place.words.is_empty() || place.words.contains(word)));
            refuses.push("bogus".to_owned());
        }
        "integers" => {
            let bounds: Vec<_> = bounds().collect();
            takes.extend(bounds.iter().flatten().map(i64::to_string));
            refuses.extend(["abc", "0x", "1.5"].map(str::to_owned));
            refuses.extend(bounds[0].map(|least| (least - 1).to_string()));
            refuses.extend(bounds[1].map(|most| (most + 1).to_string()));
        }
        "lengths" => {
            let bounds: Vec<usize> = bounds()
                .map(|bound| usize::try_from(bound.unwrap()).unwrap())
                .collect();
            let text = |length: usize| {
                let rest = length.checked_sub(place.begins.len())?;
                Some(format!("{}{}", place.begins, "a".repeat(rest)))
            };
            takes.extend(bounds.iter().filter_map(|length| text(*length)));
            refuses.extend(text(bounds[1] + 1));
            // Nothing is not given.
            refuses.extend((bounds[0] > 1).then(|| text(bounds[0] - 1)).flatten());
        }
        _ => {}
    }
    (takes, refuses)
}

/// What a line says of a value.
fn said_of(line: &Line, of: &Type, path: &str, value: &str) -> String {
    let message = line.message.replace("{key}", path);
    let message = message.replace("{value}", value);
    let metadata = of.metadata.iter();
    metadata.fold(message, |message, (key, value)| {
        message.replace(&format!("{{{key}}}"), value)
    })
}

async fn judge(of: &Type, metadata: BTreeMap<String, String>) -> (Expect, Option<String>) {
    let emulator = start(standing()).await;
    let client = sdk(&emulator);
    let request = client
        .start_restore_job()
        .recovery_point_arn(&of.recovery_point)
        .resource_type(&of.name)
        .iam_role_arn(ROLE)
        .set_metadata(Some(metadata.into_iter().collect()));
    ended(&emulator, request.send().await)
}

#[tokio::test]
async fn issue_14_h_every_documented_value_is_taken_and_no_other() {
    let types = types();
    for of in &types {
        let judged = judge(of, of.metadata.clone()).await;
        assert_eq!(judged, (Expect::Accepted, None), "{}", of.name);
    }
    let lines = lines();
    let mut wrong = String::new();
    let mut used: BTreeSet<(&str, String)> = BTreeSet::new();
    // What depends on other keys has requests of its own.
    let named = |id: &String| types.iter().any(|of| of.lines.contains(id));
    for rule in lines.iter().flat_map(rules) {
        let (line, path) = (rule.line, rule.path.as_str());
        let mut tried = false;
        for of in types.iter().filter(|of| line.types.contains(&of.name)) {
            let Some(place) = of.places.get(path) else {
                continue;
            };
            if (named(&line.id) || !of.lines.is_empty()) && !of.lines.contains(&line.id) {
                continue;
            }
            used.insert((&of.name, path.to_owned()));
            let (takes, refuses) = samples(&rule, place);
            tried |= !takes.is_empty() && !refuses.is_empty();
            for value in takes {
                let (judged, said) = judge(of, of.with(path, place, &value)).await;
                if (judged, &said) != (Expect::Accepted, &None) {
                    wrong.push_str(&format!(
                        "{}, {path}: {value:?} is not taken: {said:?}\n",
                        of.name
                    ));
                }
            }
            for value in refuses {
                let (judged, said) = judge(of, of.with(path, place, &value)).await;
                let own = said_of(line, of, path, &value);
                // Of a value that is wrong in two ways, the first line speaks.
                let others = lines
                    .iter()
                    .filter(|other| rules(other).any(|rule| rule.path == path));
                let mut messages = others.map(|other| said_of(other, of, path, &value));
                if judged == Expect::Accepted || !messages.any(|message| Some(message) == said) {
                    wrong.push_str(&format!(
                        "{}: {}, {path}: {value:?}: {judged:?} {said:?}, and not {own:?}\n",
                        line.id, of.name
                    ));
                }
            }
        }
        if !tried {
            wrong.push_str(&format!(
                "{}: {path}: values.yaml has no value for it\n",
                line.id
            ));
        }
    }
    for (of, path) in types
        .iter()
        .flat_map(|of| of.places.keys().map(|path| (&of.name, path)))
    {
        if !used.contains(&(of.as_str(), path.clone())) {
            wrong.push_str(&format!("{of}: {path}: no line is about it\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
