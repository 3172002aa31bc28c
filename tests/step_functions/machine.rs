//! The machine itself: what the linters miss, and what both of them say.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{export, options, text};

/// The calls that the machine makes; a role of its own allows each.
const CALLS: [&str; 3] = [
    "arn:aws:states:::aws-sdk:backup:startRestoreJob",
    "arn:aws:states:::aws-sdk:backup:describeRestoreJob",
    "arn:aws:states:::aws-sdk:sfn:describeMapRun",
];

/// Where a state may lead.
fn following(state: &Value) -> BTreeSet<&str> {
    let choices = state["Choices"].as_array().into_iter().flatten();
    let catches = state["Catch"].as_array().into_iter().flatten();
    let all = choices.chain(catches).chain([state]);
    let next = all.flat_map(|of| [&of["Next"], &of["Default"]]);
    next.filter_map(Value::as_str).collect()
}

/// What is wrong with a machine, or with one inside it.
pub(super) fn faults(machine: &Value, wrong: &mut Vec<String>) {
    let states = machine["States"].as_object().unwrap();
    let mut open = vec![machine["StartAt"].as_str().unwrap()];
    let mut reached = BTreeSet::new();
    while let Some(name) = open.pop() {
        match states.get(name) {
            None => wrong.push(format!("there is no state {name}")),
            Some(state) if reached.insert(name) => open.extend(following(state)),
            Some(_) => {}
        }
    }
    for (name, state) in states {
        let kind = state["Type"].as_str().unwrap();
        if !reached.contains(name.as_str()) {
            wrong.push(format!("{name} is never reached"));
        }
        let ends = state["End"] == true || ["Succeed", "Fail"].contains(&kind);
        if following(state).is_empty() != ends {
            wrong.push(format!("{name} neither ends nor leads on, or both"));
        }
        for retry in state["Retry"].as_array().into_iter().flatten() {
            if retry["BackoffRate"].as_f64().is_some_and(|rate| rate < 1.0) {
                wrong.push(format!("{name} retries faster and faster"));
            }
        }
        for handlers in [&state["Retry"], &state["Catch"]] {
            let handlers = handlers.as_array().map_or(&[][..], Vec::as_slice);
            let is_all = |of: &Value| {
                of["ErrorEquals"]
                    .as_array()
                    .unwrap()
                    .contains(&"States.ALL".into())
            };
            if handlers.iter().rev().skip(1).any(is_all) {
                wrong.push(format!("{name} has something behind States.ALL"));
            }
        }
        if kind == "Task" && !CALLS.contains(&state["Resource"].as_str().unwrap()) {
            wrong.push(format!("{name} calls {}", state["Resource"]));
        }
        if kind == "Map" {
            faults(&state["ItemProcessor"], wrong);
        }
    }
}

#[test]
fn the_machine_has_no_fault_that_linters_miss() {
    let (files, _) = export(&crate::support::many(3, 2), &options()).unwrap();
    let machine: Value = serde_json::from_str(&text(&files, "state-machine.asl.json")).unwrap();
    let mut wrong = Vec::new();
    faults(&machine, &mut wrong);
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn faults_that_linters_miss_are_found() {
    let machine = serde_json::json!({"StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:backup:deleteBackupVault", "Next": "B",
              "Retry": [{"ErrorEquals": ["States.ALL"], "BackoffRate": 0.5}, {"ErrorEquals": ["X"]}]},
        "C": {"Type": "Pass"},
    }});
    let mut wrong = Vec::new();
    faults(&machine, &mut wrong);
    assert_eq!(wrong.len(), 6, "{wrong:#?}");
}
