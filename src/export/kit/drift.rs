//! Differences between a kit and what its plan means now, in words.

use std::collections::BTreeSet;

use serde_json::Value;

use super::summary::{FILE, KitRestore, Summary};
use crate::export::{Drift, Files};
use crate::ids::RestoreName;
use crate::plan::sha256;

/// File that the script writes before it starts anything.
const STARTED: &str = "state/kit";

/// Lists what has drifted in a directory whose files `read` gives, one line each; empty where nothing has.
pub fn kit_drift(files: &Files, read: impl Fn(&str) -> Option<Vec<u8>>) -> Vec<String> {
    let drift = files.drift(&read);
    if drift.is_empty() {
        return Vec::new();
    }
    let now = |path: &str| {
        files
            .iter()
            .find(|(of, _)| *of == path)
            .map(|(_, file)| file.bytes.clone())
    };
    let (then, meant) = (read(FILE), now(FILE));
    let summaries = then
        .as_deref()
        .and_then(Summary::read)
        .zip(meant.as_deref().and_then(Summary::read));
    let mut lines = Vec::new();
    if let Some((then, now_meant)) = &summaries {
        let request = |of: &dyn Fn(&str) -> Option<Vec<u8>>, path: &str| -> Option<Value> {
            serde_json::from_slice(&of(path)?).ok()
        };
        lines.extend(restores(then, now_meant, |path| {
            (request(&read, path), request(&now, path))
        }));
    }
    // A file that its own list of sums does not vouch for was not changed by the plan.
    let sums = read(Files::SUMS).map(|sums| String::from_utf8_lossy(&sums).into_owned());
    let sums = sums.unwrap_or_default();
    for drift in &drift {
        lines.push(match drift {
            Drift::Missing(path) => format!("missing: {path}"),
            Drift::Left(path) => format!("no longer part of it: {path}"),
            Drift::Changed(path) => {
                let is_whole = read(path).is_some_and(|bytes| {
                    let line = format!("{}  {path}", sha256(&bytes));
                    sums.lines().any(|of| of == line)
                });
                match is_whole || path == Files::SUMS {
                    true => format!("changed: {path}"),
                    false => format!("changed, and edited since it was exported: {path}"),
                }
            }
        });
    }
    lines
}

/// Checks that a kit may be replaced: it is of the same plan, and of the same run where something was started with it.
///
/// # Errors
///
/// Why not.
pub fn is_same_kit(files: &Files, read: &dyn Fn(&str) -> Option<Vec<u8>>) -> Result<(), String> {
    let meant = files.iter().find(|(path, _)| *path == FILE);
    let meant = meant.and_then(|(_, file)| Summary::read(&file.bytes));
    let then = read(FILE).as_deref().and_then(Summary::read);
    match (then, meant) {
        (Some(then), Some(now)) if then.plan != now.plan => {
            Err(format!("has the kit of plan `{}`", then.plan))
        }
        (Some(then), Some(now)) if then.run != now.run && read(STARTED).is_some() => Err(format!(
            "has the kit of run `{}`, with which something was started",
            then.run
        )),
        (Some(_), Some(_)) => Ok(()),
        _ => Err("has an export that is not a kit".to_owned()),
    }
}

/// Lists how the restores have changed.
fn restores(
    then: &Summary,
    now: &Summary,
    requests: impl Fn(&str) -> (Option<Value>, Option<Value>),
) -> Vec<String> {
    let mut lines = Vec::new();
    if then.plan != now.plan {
        lines.push(format!(
            "the plan is `{}`, and the kit is of `{}`",
            now.plan, then.plan
        ));
    }
    if then.run != now.run {
        lines.push(format!(
            "the run is `{}`, and the kit is of `{}`: every token differs",
            now.run, then.run
        ));
    }
    let find = |of: &Summary, name: &str| {
        of.restores
            .iter()
            .find(|restore| restore.name == name)
            .cloned()
    };
    let added: Vec<&KitRestore> = now
        .restores
        .iter()
        .filter(|r| find(then, r.name.as_str()).is_none())
        .collect();
    let removed: Vec<&KitRestore> = then
        .restores
        .iter()
        .filter(|r| find(now, r.name.as_str()).is_none())
        .collect();
    let is_renamed = |of: &KitRestore, other: &KitRestore| {
        of.recovery_point.is_some()
            && of.recovery_point == other.recovery_point
            && of.resource_type == other.resource_type
    };
    let renamed: Vec<(&KitRestore, &KitRestore)> = removed
        .iter()
        .filter_map(|old| Some((*old, *added.iter().find(|new| is_renamed(old, new))?)))
        .collect();
    let is_new_name = |name: &str| renamed.iter().any(|(_, new)| new.name == name);
    let is_old_name = |name: &str| renamed.iter().any(|(old, _)| old.name == name);
    for (old, new) in &renamed {
        lines.push(format!(
            "`{}`: renamed to `{}`, so it has another token",
            old.name, new.name
        ));
    }
    for restore in added.iter().filter(|r| !is_new_name(r.name.as_str())) {
        lines.push(format!("`{}`: the kit does not have it", restore.name));
    }
    for restore in removed.iter().filter(|r| !is_old_name(r.name.as_str())) {
        lines.push(format!("`{}`: the plan no longer has it", restore.name));
    }
    for restore in &now.restores {
        if let Some(old) = find(then, restore.name.as_str()) {
            let (before, after) = requests(&restore.request);
            for what in differences(&old, restore, before.as_ref(), after.as_ref()) {
                lines.push(format!("`{}`: {what}", restore.name));
            }
        }
    }
    let order =
        |of: &Summary| -> Vec<RestoreName> { of.restores.iter().map(|r| r.name.clone()).collect() };
    if lines.is_empty() && order(then) != order(now) {
        lines.push("the restores start in another order".to_owned());
    }
    lines
}

/// Lists the differences of one restore.
fn differences(
    old: &KitRestore,
    new: &KitRestore,
    before: Option<&Value>,
    after: Option<&Value>,
) -> Vec<String> {
    let mut found = Vec::new();
    if old.resource_type != new.resource_type {
        found.push(format!(
            "its type is {}, and was {}",
            new.resource_type, old.resource_type
        ));
    }
    if old.recovery_point != new.recovery_point {
        let name = |of: &Option<String>| {
            of.clone()
                .unwrap_or_else(|| "what another restore creates".to_owned())
        };
        found.push(format!(
            "another recovery point: {}, and was {}",
            name(&new.recovery_point),
            name(&old.recovery_point)
        ));
    }
    if old.target != new.target {
        found.push(format!(
            "another target: {} {}, and was {} {}",
            new.target.account, new.target.region, old.target.account, old.target.region
        ));
    }
    if old.needs != new.needs {
        let names = |of: &[RestoreName]| match of.is_empty() {
            true => "nothing".to_owned(),
            false => of.join(", "),
        };
        found.push(format!(
            "it needs {}, and needed {}",
            names(&new.needs),
            names(&old.needs)
        ));
    }
    if old.timeout_seconds != new.timeout_seconds {
        found.push("its `timeout` differs".to_owned());
    }
    if old.checks != new.checks {
        found.push("its checks to run by hand differ".to_owned());
    }
    let metadata = |of: Option<&Value>| of.and_then(|of| of["Metadata"].as_object().cloned());
    if let (Some(before), Some(after)) = (metadata(before), metadata(after)) {
        let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        // The mark follows the token.
        for key in keys.into_iter().filter(|key| *key != crate::plan::MARK) {
            match (before.get(key), after.get(key)) {
                (Some(_), None) => found.push(format!("`{key}` is no longer sent")),
                (None, Some(_)) => found.push(format!("`{key}` is new")),
                (Some(old), Some(new)) if old != new => found.push(format!("`{key}` differs")),
                _ => {}
            }
        }
    }
    // A request that somebody has edited until it cannot be read says nothing.
    let outer = |of: Option<&Value>| of.and_then(|of| of.as_object().cloned());
    let (Some(before), Some(after)) = (outer(before), outer(after)) else {
        return found;
    };
    for (key, name) in [
        (
            "CopySourceTagsToRestoredResource",
            "whether tags are copied",
        ),
        ("IamRoleArn", "the role of the restore"),
    ] {
        if before.get(key) != after.get(key) {
            found.push(format!("{name} differs"));
        }
    }
    found
}
