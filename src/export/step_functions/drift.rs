//! Differences between an export and what its plan means now, restore by restore.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use crate::export::{Drift, Files};
use crate::plan::MARK;

/// Field that differs in a request where the restore is the same.
const TOKEN: &str = "IdempotencyToken";

/// A lane of a file of restores, as far as it is compared.
#[derive(Deserialize)]
struct ExportedLane {
    levels: Vec<ExportedLevel>,
}

#[derive(Deserialize)]
struct ExportedLevel {
    restores: Vec<ExportedRestore>,
}

#[derive(Deserialize)]
struct ExportedRestore {
    id: String,
    request: Value,
}

/// Lists the drift of a directory whose files `read` gives, one line each, restores first; empty where there is none.
pub fn step_functions_drift(files: &Files, read: impl Fn(&str) -> Option<Vec<u8>>) -> Vec<String> {
    let drift = files.drift(&read);
    let sums = read(Files::SUMS).unwrap_or_default();
    let then = requests(Files::listed(&String::from_utf8_lossy(&sums)), &read);
    let paths = files.iter().map(|(path, _)| path.to_owned());
    let now = requests(paths, |path| files.get(path).map(<[u8]>::to_vec));
    // A file that cannot be read on one side shows as changed or missing, which says it all.
    let (then, now) = then.zip(now).unwrap_or_default();
    let names: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    let restores = names.into_iter().filter_map(|name| {
        let what = match (then.get(name), now.get(name)) {
            (Some(_), None) => "the plan no longer has it".to_owned(),
            (None, Some(_)) => "the export does not have it".to_owned(),
            (Some(then), Some(now)) => changed(then, now)?,
            (None, None) => return None,
        };
        Some(format!("`{name}`: {what}"))
    });
    let restores: Vec<String> = restores.collect();
    let drift = drift.iter().map(Drift::to_string);
    restores.into_iter().chain(drift).collect()
}

/// The requests in the files of restores, by restore; none where a file cannot be read.
fn requests(
    paths: impl IntoIterator<Item = String>,
    read: impl Fn(&str) -> Option<Vec<u8>>,
) -> Option<BTreeMap<String, Value>> {
    let is_items = |path: &String| {
        let name = path.rsplit('/').next().unwrap_or_default();
        name.starts_with("items") && name.ends_with(".json")
    };
    let files = paths.into_iter().filter(is_items);
    let lanes: Option<Vec<Vec<ExportedLane>>> = files
        .map(|path| serde_json::from_slice(&read(&path)?).ok())
        .collect();
    let requests = lanes?
        .into_iter()
        .flatten()
        .flat_map(|lane| lane.levels)
        .flat_map(|level| level.restores)
        .map(|restore| (restore.id, restore.request))
        .collect();
    Some(requests)
}

/// Describes what has changed in a request; none where nothing has.
fn changed(then: &Value, now: &Value) -> Option<String> {
    let fields = |of: &Value| -> BTreeMap<String, Value> {
        let outer = of.as_object().into_iter().flatten();
        let inner = of["Metadata"].as_object().into_iter().flatten();
        let all = outer.filter(|(key, _)| *key != "Metadata").chain(inner);
        all.map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    };
    let (then, now) = (fields(then), fields(now));
    let keys: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    // Token and mark follow the others.
    let follows = |key: &str| key == TOKEN || key == MARK;
    let differs = keys
        .into_iter()
        .filter(|key| then.get(*key) != now.get(*key));
    let (following, others): (Vec<&String>, Vec<&String>) = differs.partition(|key| follows(key));
    match (others.is_empty(), following.is_empty()) {
        (false, _) => {
            let names: Vec<String> = others.iter().map(|key| format!("`{key}`")).collect();
            Some(format!("differs in {}", names.join(", ")))
        }
        (true, false) => {
            Some("has another token: the plan, the run or the target differs".to_owned())
        }
        (true, true) => None,
    }
}
