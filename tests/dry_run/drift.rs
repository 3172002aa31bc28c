//! What was backed up and what a plan asks for drift apart: every drift is found, and classed as the table says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use redrill::diagnostic::Source;
use redrill::diff::{Comparing, Review, Sense, Wanted, compare_sources};
use redrill::ids::RunId;
use redrill::plan::{Plan, Step};
use redrill::render::{Inputs, Known, Secrets, SourceFacts};
use redrill::report::{DryRun, dry_run_json};
use redrill::rules::Rules;
use redrill::session;
use redrill::state::RunState;
use serde_json::Value;

use crate::support::repository_file;

/// Every plan that the rules accept: all types, keys of all kinds.
fn plans(rules: &Arc<Rules>) -> Vec<Plan> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules/accepted");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let (name, text) = crate::rules::files::fixture(path);
            let source = Source::new(name.as_str(), text);
            let inputs = Inputs::default().for_checking();
            let loaded = session::read(&source, &RunId::new("main"), &inputs, rules).unwrap();
            let plan = loaded.draft(&Known::default()).plan;
            plan.unwrap_or_else(|| panic!("{name}"))
        })
        .collect()
}

/// A recovery point that is exactly what a restore asks for.
fn source(step: &Step) -> SourceFacts {
    let request = &step.draft.request;
    SourceFacts {
        created_at: "2026-11-20T03:00:00Z".to_owned(),
        resource_arn: "arn:aws:x:::y".to_owned(),
        metadata: request.metadata.clone().into_iter().collect(),
        resource_type: Some(request.resource_type.clone()),
        ..SourceFacts::default()
    }
}

/// What `plan --against source --format json` says of it.
fn compared(plan: &Plan, step: &Step, facts: SourceFacts, review: &Review) -> Value {
    let sources = BTreeMap::from([(step.draft.request.recovery_point_arn.clone(), facts)]);
    let diff = redrill::diff::diff(plan, &RunState::default(), &Wanted::default());
    let secrets = Secrets::default();
    let comparing = Comparing {
        review,
        sense: Sense::Meaning,
        secrets: [&secrets, &secrets],
    };
    let compared = compare_sources(plan, &diff, &sources, &comparing).noted(
        plan,
        &diff,
        &BTreeSet::new(),
        &comparing,
    );
    let text = dry_run_json(&DryRun {
        forecast: None,
        endpoint: None,
        findings: &[],
        notice: None,
        file: "plan.yaml",
        plan,
        diff: &diff,
        compared: Some(("source", &compared)),
        sources: &sources,
        resolved: &BTreeMap::new(),
        secrets: &secrets,
        now: jiff::Timestamp::UNIX_EPOCH,
        full: false,
    });
    let document: Value = serde_json::from_str(&text).unwrap();
    let restores = document["restores"].as_array().unwrap();
    let of = |restore: &&Value| restore["restore"] == step.name.as_str();
    restores.iter().find(of).unwrap().clone()
}

/// The table, read on its own: the names of keys by class.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let table: Value = serde_yaml::from_str(&repository_file("src/diff/review.yaml")).unwrap();
    let lists = table["keys"].as_object().unwrap();
    lists
        .iter()
        .map(|(class, names)| {
            let names = names.as_array().unwrap().iter();
            (
                class.clone(),
                names
                    .map(|name| name.as_str().unwrap().to_lowercase())
                    .collect(),
            )
        })
        .collect()
}

fn classes(names: &[&str]) -> BTreeSet<String> {
    table()
        .into_iter()
        .filter(|(_, of)| names.iter().any(|name| of.contains(&name.to_lowercase())))
        .map(|(class, _)| class)
        .collect()
}

/// The ways to the strings inside a JSON text, one level of maps and lists at a time.
fn leaves(value: &Value, way: &str, names: &[String], found: &mut Vec<(String, Vec<String>)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let mut names = names.to_vec();
                names.push(key.clone());
                let plain = key
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
                let step = if plain {
                    format!(".{key}")
                } else {
                    format!("[{}]", Value::from(key.as_str()))
                };
                leaves(value, &format!("{way}{step}"), &names, found);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                leaves(item, &format!("{way}[{at}]"), names, found);
            }
        }
        Value::String(text) if !text.starts_with(['{', '[']) => {
            found.push((way.to_owned(), names.to_vec()))
        }
        _ => {}
    }
}

/// Changes the string that a way leads to.
fn change(value: &mut Value, way: &str, here: &str) -> bool {
    match value {
        Value::Object(map) => map.iter_mut().any(|(key, value)| {
            let plain = key
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
            let step = if plain {
                format!(".{key}")
            } else {
                format!("[{}]", Value::from(key.as_str()))
            };
            change(value, way, &format!("{here}{step}"))
        }),
        Value::Array(items) => items
            .iter_mut()
            .enumerate()
            .any(|(at, item)| change(item, way, &format!("{here}[{at}]"))),
        Value::String(text) if here == way => {
            text.insert(0, 'x');
            true
        }
        _ => false,
    }
}

#[test]
fn two_hundred_drifts_are_found_and_classed() {
    let rules = Arc::new(Rules::embedded());
    let review = Review::embedded(&rules);
    let plans = plans(&rules);
    let mut random = fastrand::Rng::with_seed(7);
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    let mut classed = BTreeSet::new();
    for plan in &plans {
        for step in &plan.steps {
            let same = compared(plan, step, source(step), &review);
            assert_eq!(same["diff"], serde_json::json!([]), "nothing has drifted");
            assert_eq!(same["change"], "unchanged");
        }
    }
    for seed in 0..200 {
        let plan = &plans[random.usize(..plans.len())];
        let step = &plan.steps.as_slice()[random.usize(..plan.steps.len())];
        let mut facts = source(step);
        let keys: Vec<String> = facts
            .metadata
            .keys()
            .filter(|key| *key != "aws:backup:request-id")
            .cloned()
            .collect();
        let key = (!keys.is_empty()).then(|| keys[random.usize(..keys.len())].clone());
        let (kind, path, expected) = match (seed % 5, key) {
            (0, Some(key)) => {
                let value = facts.metadata.get_mut(&key).unwrap();
                let inside: Option<Value> = serde_json::from_str(value)
                    .ok()
                    .filter(|v: &Value| v.is_object() || v.is_array());
                let mut ways = Vec::new();
                if let Some(inside) = &inside {
                    leaves(inside, &key, std::slice::from_ref(&key), &mut ways);
                }
                if ways.is_empty() {
                    value.push_str("-drifted");
                    ("changed", key.clone(), None)
                } else {
                    let (way, names) = ways[random.usize(..ways.len())].clone();
                    let mut inside = inside.unwrap();
                    assert!(change(&mut inside, &way, &key));
                    *value = inside.to_string();
                    let names: Vec<&str> = names.iter().map(String::as_str).collect();
                    ("changed inside", way, Some(classes(&names)))
                }
            }
            (1, Some(key)) => {
                facts.metadata.remove(&key);
                ("new", key, None)
            }
            (2, _) => {
                let names = [
                    "KmsKeyId",
                    "SubnetId",
                    "VpcSecurityGroupIds",
                    "SomethingElse",
                ];
                let name = names[random.usize(..names.len())];
                if facts
                    .metadata
                    .keys()
                    .any(|key| key.eq_ignore_ascii_case(name))
                {
                    facts
                        .metadata
                        .retain(|key, _| !key.eq_ignore_ascii_case(name));
                    ("new", name.to_owned(), Some(classes(&[name])))
                } else {
                    facts.metadata.insert(name.to_owned(), "drifted".to_owned());
                    ("gone", name.to_owned(), Some(classes(&[name])))
                }
            }
            (3, Some(key)) => {
                // A key in another case is the same key, and its value has changed.
                let value = facts.metadata.remove(&key).unwrap();
                facts
                    .metadata
                    .insert(key.to_uppercase(), format!("{value} drifted"));
                ("changed, key in another case", key, None)
            }
            _ => {
                facts.resource_type = Some("Unheard".to_owned());
                ("type", "ResourceType".to_owned(), Some(BTreeSet::new()))
            }
        };
        *kinds.entry(kind).or_default() += 1;
        let restore = compared(plan, step, facts, &review);
        let found: Vec<&Value> = restore["diff"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|change| change["key"].as_str().unwrap().eq_ignore_ascii_case(&path))
            .collect();
        assert_eq!(
            found.len(),
            1,
            "seed {seed}, {kind} {path}: {}",
            restore["diff"]
        );
        if kind != "type" {
            assert_eq!(
                restore["diff"].as_array().unwrap().len(),
                1,
                "seed {seed}, {kind} {path}: {}",
                restore["diff"]
            );
        }
        let (old, new) = (&found[0]["old"], &found[0]["new"]);
        match kind {
            "new" => assert!(old.is_null() && !new.is_null(), "seed {seed}"),
            "gone" => assert!(!old.is_null() && new.is_null(), "seed {seed}"),
            _ => assert!(
                !old.is_null() && !new.is_null() && old != new,
                "seed {seed}"
            ),
        }
        let told: BTreeSet<String> = found[0]["classes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|class| class.as_str().unwrap().to_owned())
            .collect();
        // A value that came or went whole has the classes of all that is inside it.
        let expected = expected.unwrap_or_else(|| {
            let mut names = vec![path.clone()];
            for value in [old, new] {
                let inside: Option<Value> = value
                    .as_str()
                    .and_then(|text| serde_json::from_str(text).ok());
                let mut ways = Vec::new();
                if let Some(inside) =
                    inside.filter(|inside| inside.is_object() || inside.is_array())
                {
                    all_names(&inside, &mut ways);
                }
                names.extend(ways);
            }
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            classes(&names)
        });
        assert_eq!(told, expected, "seed {seed}, {kind} {path}");
        classed.extend(told);
    }
    assert_eq!(kinds.values().sum::<usize>(), 200);
    assert!(
        kinds.len() == 6 && kinds.values().all(|count| *count >= 10),
        "{kinds:?}"
    );
    assert_eq!(
        classed,
        BTreeSet::from(["network".to_owned(), "encryption".to_owned()])
    );
}

fn all_names(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                names.push(key.clone());
                all_names(value, names);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| all_names(item, names)),
        Value::String(text) => {
            if let Some(inside) = serde_json::from_str::<Value>(text)
                .ok()
                .filter(|v| v.is_object() || v.is_array())
            {
                all_names(&inside, names);
            }
        }
        _ => {}
    }
}
