//! The walls of a plan: what `allow` does not have is refused in every kind of spot, and what it has is not.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::run;
use crate::support::{at_once, emulator, folder, repository_file, write};

/// One place of `walls.yaml`.
#[derive(serde::Deserialize)]
struct Place {
    r#type: String,
    point: String,
    allow: Vec<String>,
    r#in: String,
    out: String,
    metadata: serde_json::Map<String, Value>,
}

#[derive(serde::Deserialize)]
struct Table {
    every: Vec<String>,
    points: BTreeMap<String, String>,
    places: Vec<Place>,
}

/// The kinds of spots that a value is written in.
const SPOTS: [&str; 9] = [
    "plain",
    "variable",
    "half",
    "for_each",
    "alias",
    "json",
    "json in json",
    "escaped",
    "key case",
];

fn table() -> Table {
    serde_yaml::from_str(&repository_file("tests/drill/walls.yaml")).unwrap()
}

/// A plan as JSON, which YAML takes too: the head, and the restore with a value in a spot; none where the spot is not one of
/// this place.
fn plan(table: &Table, place: &Place, spot: &str, value: &str) -> Option<String> {
    let mut metadata = place.metadata.clone();
    let holds = |value: &Value| value.to_string().contains("\"@\"");
    let (key, inner) = metadata.iter().find(|(_, value)| holds(value)).unwrap();
    let (key, inner) = (key.clone(), inner.to_string());
    let is_nested = !metadata[&key].is_string();
    let quoted = Value::from(value).to_string();
    let mut head = json!({});
    let mut more = json!({});
    let mut written = inner.replace("\"@\"", &quoted);
    let half = value.len() / 2;
    match spot {
        "plain" => {}
        "variable" => {
            head = json!({ "vars": { "v": value } });
            written = inner.replace('@', "{{ vars.v }}");
        }
        "half" => {
            head = json!({ "vars": { "v": &value[half..] } });
            written = inner.replace('@', &format!("{}{{{{ vars.v }}}}", &value[..half]));
        }
        "for_each" => {
            more = json!({ "for_each": { "one": value } });
            written = inner.replace('@', "{{ each.value }}");
        }
        "alias" => {
            head = json!({ "x-v": "@@" });
            written = inner.replace("\"@\"", "*v ");
        }
        "json" if is_nested => written = Value::from(written).to_string(),
        "json in json" if is_nested => {
            // Within a string within a string.
            written = Value::from(Value::from(written).to_string()).to_string();
        }
        "escaped" if is_nested => {
            let units = value.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
            let escaped = inner.replace('@', &units.collect::<String>());
            written = Value::from(escaped).to_string();
        }
        "key case" if place.r#type != "Novel" => {}
        _ => return None,
    }
    metadata.shift_remove(&key);
    let typed = match spot {
        "key case" => key.to_uppercase(),
        _ => key,
    };
    let rest = Value::Object(metadata).to_string();
    let rest = &rest[..rest.len() - 1];
    let comma = if rest == "{" { "" } else { "," };
    let members = |value: &Value| {
        let text = value.to_string();
        let text = text[1..text.len() - 1].to_owned();
        if text.is_empty() {
            text
        } else {
            format!("{text},")
        }
    };
    let allow: Vec<&String> = table.every.iter().chain(&place.allow).collect();
    let text = format!(
        "{{ \"plan\": \"p\", {} \"drill\": true, \"allow\": {}, \"target\": {{ \"region\": \"us-west-2\", \"account\": \"123456789012\", \"iam_role_arn\": \"arn:aws:iam::123456789012:role/restore\" }}, \"restores\": {{ \"r\": {{ \"type\": {}, {} \"recovery_point\": {}, \"metadata\": {rest}{comma} {}: {written} }} }} }} }}\n",
        members(&head),
        json!(allow),
        json!(place.r#type),
        members(&more),
        json!(table.points[&place.point]),
        json!(typed),
    );
    Some(text.replace("\"@@\"", &format!("&v {quoted}")))
}

#[test]
fn hundreds_of_plans_that_leave_the_walls_are_refused_and_those_inside_are_not() {
    let folder = folder();
    let table = table();
    let mut plans: BTreeMap<String, String> = BTreeMap::new();
    let mut types = BTreeSet::new();
    for (at, place) in table.places.iter().enumerate() {
        types.insert(&place.r#type);
        for (number, spot) in SPOTS.iter().enumerate() {
            for (kind, value) in [("in", &place.r#in), ("out", &place.out)] {
                if let Some(text) = plan(&table, place, spot, value) {
                    let name = format!("{kind}-{at:02}-{number}.yaml");
                    write(folder.path(), &name, &text);
                    plans.insert(name, format!("{}, {spot}: {text}", place.r#type));
                }
            }
        }
    }
    assert!(plans.len() > 600, "{}", plans.len());
    assert_eq!(
        types.len(),
        20,
        "nineteen types, and one that redrill does not know"
    );
    let mut arguments = vec!["validate", "--format", "json"];
    arguments.extend(plans.keys().map(String::as_str));
    let (code, stdout, stderr) = run(folder.path(), &arguments);
    assert_eq!(code, 4, "{stderr}");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    let mut caught: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for finding in report["findings"].as_array().unwrap() {
        let rule = finding["rule"].as_str().unwrap();
        if rule.starts_with("allow/") && finding["severity"] == "error" {
            let file = finding["file"].as_str().unwrap();
            caught
                .entry(file)
                .or_default()
                .push(format!("{rule}: {finding}"));
        }
        assert!(
            !rule.starts_with("template/") && !rule.starts_with("yaml/"),
            "{finding}"
        );
    }
    let mut wrong = Vec::new();
    for (name, text) in &plans {
        let found = caught.get(name.as_str()).cloned().unwrap_or_default();
        if name.starts_with("in-") {
            if !found.is_empty() {
                wrong.push(format!("{name} {text}\n{found:?}"));
            }
        } else {
            let is_outside = found.len() == 1 && found[0].starts_with("allow/outside");
            if !is_outside {
                wrong.push(format!("{name} {text}\n{found:?}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}\n{}",
        wrong.len(),
        plans.len(),
        wrong.join("\n")
    );
}

/// What leaves the walls is refused by whatever shows, sends or hands out a request, with nothing asked of AWS.
#[test]
fn no_command_lets_a_request_out_of_the_walls() {
    let folder = folder();
    let table = table();
    for (at, place) in table.places.iter().enumerate().step_by(6) {
        let text = plan(&table, place, SPOTS[at % 4], &place.out).unwrap();
        write(folder.path(), "plan.yaml", &text);
        for command in [
            &["validate"][..],
            &["render"],
            &["plan"],
            &["run", "--yes", "--endpoint-url", "http://127.0.0.1:9"],
            &["rehearse"],
            &["export", "kit", "-o", "kit"],
            &[
                "export",
                "step-functions",
                "-o",
                "machine",
                "--bucket",
                "drill-runs",
            ],
        ] {
            let mut arguments = command.to_vec();
            arguments.push("plan.yaml");
            let (code, stdout, stderr) = run(folder.path(), &arguments);
            assert_eq!(code, 4, "{command:?} {text}: {stdout}{stderr}");
            let said = format!("{stdout}{stderr}");
            assert!(said.contains("allow/outside"), "{command:?}: {said}");
        }
        assert!(!folder.path().join("kit").exists() && !folder.path().join("machine").exists());
    }
}
