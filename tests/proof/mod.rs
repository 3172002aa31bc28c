//! Proof: what counts, the ledger that says so, and the command that writes it.

mod command;
mod counts;
mod ledger;

use redrill::ids::RunId;
use redrill::proof::{Assessed, Ledger, Proof, assess};
use redrill::report::run_report;
use redrill::state::{Recorded, replay};
use serde_json::{Value, json};

/// What the recovery point of the run below was made of.
pub(crate) const RESOURCE: &str =
    "arn:aws:elasticfilesystem:us-east-1:123456789012:file-system/fs-0f1e2d3c";

/// An event at a minute of the run.
pub(crate) fn event(minute: u32, event: &str, more: Value) -> Value {
    let mut value = json!({ "at": format!("2026-11-29T08:{minute:02}:00Z"), "event": event });
    let members = value.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    value
}

/// A run at AWS of one restore, `files`, that proves its resource: an hour and five minutes after its recovery point, in
/// twenty minutes, by two checks.
pub(crate) fn good() -> Vec<Value> {
    let target = json!({ "account": "210987654321", "region": "us-west-2" });
    let origin =
        json!({ "plan_sha256": "0".repeat(64), "user": "drill", "host": "h", "system": "linux" });
    let check = |name: &str| json!({ "restore": "files", "check": name, "nth": 1, "run": ["./look.sh", name] });
    let passed = |name: &str| json!({ "restore": "files", "check": name, "nth": 1, "verdict": "passed", "exit": 0, "output": "" });
    vec![
        event(
            5,
            "run_opened",
            json!({
                "plan": "orders", "run": "2026-Q4", "redrill": "0.1.0", "target": target, "file": "orders.yaml",
                "world": { "kind": "aws" }, "reports": 3,
            }),
        ),
        event(
            5,
            "planned",
            json!({ "outline": {
            "origin": origin, "restores": [{ "name": "files", "type": "EFS", "checks": ["mounts", "rows"] }],
        } }),
        ),
        event(
            5,
            "intended",
            json!({
                "restore": "files", "attempt": 1, "token": "rd1-0123456789012345678901234567890123456789",
                "digest": "0".repeat(64), "request": {
                    "Metadata": {}, "ResourceType": "EFS",
                    "RecoveryPointArn": "arn:aws:backup:us-west-2:210987654321:recovery-point:1EB3B5E7",
                },
            }),
        ),
        event(
            6,
            "accepted",
            json!({ "restore": "files", "job_id": "JOB-1" }),
        ),
        event(
            20,
            "completed",
            json!({
                "restore": "files", "started_at": "2026-11-29T08:06:00Z", "ended_at": "2026-11-29T08:20:00Z",
                "created_resource_arn": "arn:aws:elasticfilesystem:us-west-2:210987654321:file-system/fs-1",
                "recovery_point_created_at": "2026-11-29T07:00:00Z", "message": null,
                "source_resource_arn": RESOURCE,
            }),
        ),
        event(21, "check_started", check("mounts")),
        event(22, "check_ended", passed("mounts")),
        event(22, "check_started", check("rows")),
        event(25, "check_ended", passed("rows")),
        event(25, "run_ended", json!({})),
    ]
}

/// What a run has shown. The journal is one that redrill could have written.
#[track_caller]
pub(crate) fn assessed(events: &[Value]) -> Vec<Assessed> {
    let events: Vec<Recorded> = events
        .iter()
        .map(|value| {
            serde_json::from_value(value.clone()).unwrap_or_else(|err| panic!("{err}: {value}"))
        })
        .collect();
    replay(&events).unwrap();
    let report = run_report("orders", &RunId::new("2026-Q4"), events.iter().collect());
    assess(&report, &events, &"e".repeat(64))
}

/// The line that the run above makes, of another resource and run.
pub(crate) fn proof(resource: &str, run: &str) -> Proof {
    let proof = assessed(&good()).remove(0).proof.unwrap();
    Proof {
        resource_arn: resource.to_owned(),
        run: RunId::new(run),
        ..*proof
    }
}

/// The lines to add to a ledger for these.
pub(crate) fn added(ledger: &str, proofs: impl IntoIterator<Item = Proof>) -> String {
    let mut text = ledger.to_owned();
    for proof in proofs {
        let one = Assessed {
            restore: proof.restore.clone(),
            result: Some(proof.result),
            doubt: None,
            proof: Some(Box::new(proof)),
        };
        let (lines, _) = Ledger::parse(text.as_bytes()).additions(&[one]);
        text.push_str(&lines);
    }
    text
}
