//! What counts as proof, and what does not, as a table: a run that proves, and one change that takes the proof away.

use std::collections::BTreeSet;

use redrill::proof::{Doubt, ProofResult};
use serde_json::{Value, json};

use super::{RESOURCE, assessed, event, good};

type Change = fn(&mut Vec<Value>);

/// Sets a member of the first event of a kind.
fn set(events: &mut [Value], kind: &str, member: &str, value: Value) {
    let event = events.iter_mut().find(|of| of["event"] == kind).unwrap();
    event[member] = value;
}

fn drop_from(events: &mut Vec<Value>, kind: &str) {
    let at = events.iter().position(|of| of["event"] == kind).unwrap();
    events.truncate(at);
}

/// The restore without its checks, in the plan too.
fn unchecked(events: &mut Vec<Value>) {
    events.retain(|of| !of["event"].as_str().unwrap().starts_with("check_"));
    let planned = events
        .iter_mut()
        .find(|of| of["event"] == "planned")
        .unwrap();
    planned["outline"]["restores"][0]["checks"] = json!([]);
}

/// Another restore of the run, which was sent.
fn another(events: &mut Vec<Value>, then: Option<Value>) {
    let planned = events
        .iter_mut()
        .find(|of| of["event"] == "planned")
        .unwrap();
    let restores = planned["outline"]["restores"].as_array_mut().unwrap();
    restores.push(json!({ "name": "other", "type": "EFS" }));
    let mut intended = events
        .iter()
        .find(|of| of["event"] == "intended")
        .unwrap()
        .clone();
    intended["restore"] = json!("other");
    let end = events.len() - 1;
    events.insert(end, intended);
    if let Some(then) = then {
        events.insert(end + 1, then);
    }
}

fn adopt(events: &mut [Value], ours: Option<bool>) {
    let at = events
        .iter()
        .position(|of| of["event"] == "accepted")
        .unwrap();
    events[at] = event(
        6,
        "adopted",
        json!({ "restore": "files", "job_id": "JOB-1", "because": "it asks for the same", "ours": ours }),
    );
}

fn deleting(minute: u32) -> Value {
    let arn = "arn:aws:elasticfilesystem:us-west-2:210987654321:file-system/fs-1";
    event(
        minute,
        "deleting",
        json!({ "restore": "files", "arn": arn, "token": "08bb7fa8-6809-5ee4-93f2-3e8eccff682e" }),
    )
}

fn failing(events: &mut [Value], message: &str) {
    let at = events
        .iter()
        .rposition(|of| of["event"] == "check_ended")
        .unwrap();
    events[at]["verdict"] = json!("failed");
    events[at]["exit"] = json!(1);
    events[at]["message"] = json!(message);
}

fn of_plan(events: &mut Vec<Value>, verdict: Option<&str>) {
    let planned = events
        .iter_mut()
        .find(|of| of["event"] == "planned")
        .unwrap();
    planned["outline"]["checks"] = json!(["whole"]);
    let end = events.len() - 1;
    events.insert(
        end,
        event(
            26,
            "check_started",
            json!({ "check": "whole", "nth": 1, "run": ["./whole.sh"] }),
        ),
    );
    if let Some(verdict) = verdict {
        let ended =
            json!({ "check": "whole", "nth": 1, "verdict": verdict, "exit": 1, "output": "" });
        events.insert(end + 1, event(27, "check_ended", ended));
    }
}

/// What it is, the change, what is written down (`nothing` for no line), and why it is not proven.
const TABLE: [(&str, Change, &str, &str); 34] = [
    (
        "a COMPLETED job at AWS whose checks passed",
        |_| {},
        "proven",
        "",
    ),
    (
        "a job that this run started, found again from another machine",
        |events| adopt(events, Some(true)),
        "proven",
        "",
    ),
    (
        "cleaned up after its checks",
        |events| events.push(deleting(40)),
        "proven",
        "",
    ),
    (
        "a check of the plan passed too",
        |events| of_plan(events, Some("passed")),
        "proven",
        "",
    ),
    (
        "a note of AWS's that says nothing is missing",
        |events| {
            set(
                events,
                "completed",
                "message",
                json!("Some objects were skipped because they exist."),
            );
        },
        "proven",
        "",
    ),
    (
        "another restore of the run failed",
        |events| {
            another(
                events,
                Some(event(
                    7,
                    "refused",
                    json!({ "restore": "other", "code": null, "message": "no" }),
                )),
            );
        },
        "proven",
        "",
    ),
    (
        "it failed first, and its second attempt is good",
        |events| {
            let at = events
                .iter()
                .position(|of| of["event"] == "completed")
                .unwrap();
            let failed = json!({ "restore": "files", "status": "FAILED", "message": "no room", "started_at": null, "ended_at": null });
            events.insert(at, event(7, "failed", failed));
            let mut again = events[2].clone();
            again["attempt"] = json!(2);
            events.insert(at + 1, again);
            events.insert(
                at + 2,
                event(
                    8,
                    "accepted",
                    json!({ "restore": "files", "job_id": "JOB-2" }),
                ),
            );
        },
        "proven",
        "",
    ),
    (
        "a rehearsal",
        |events| {
            set(
                events,
                "run_opened",
                "world",
                json!({ "kind": "rehearsal" }),
            )
        },
        "nothing",
        "not_aws",
    ),
    (
        "an emulator",
        |events| {
            set(
                events,
                "run_opened",
                "world",
                json!({ "kind": "endpoint", "url": "http://127.0.0.1:4566" }),
            );
        },
        "nothing",
        "not_aws",
    ),
    (
        "an endpoint of somebody's that is called AWS",
        |events| {
            set(
                events,
                "run_opened",
                "world",
                json!({ "kind": "endpoint", "url": "https://backup.aws.example.com" }),
            );
        },
        "nothing",
        "not_aws",
    ),
    (
        "a rehearsal that says it was at AWS",
        |events| {
            let planned = events
                .iter_mut()
                .find(|of| of["event"] == "planned")
                .unwrap();
            planned["outline"]["origin"]["rehearsal"] = json!(true);
        },
        "nothing",
        "not_aws",
    ),
    (
        "a journal of an earlier version",
        |events| set(events, "run_opened", "world", Value::Null),
        "nothing",
        "endpoint_unknown",
    ),
    (
        "another restore of the run is unsettled",
        |events| another(events, None),
        "nothing",
        "unsettled",
    ),
    (
        "it is unsettled itself",
        |events| drop_from(events, "accepted"),
        "nothing",
        "unsettled",
    ),
    (
        "its job runs",
        |events| drop_from(events, "completed"),
        "nothing",
        "not_over",
    ),
    (
        "its second check has not begun",
        |events| events.truncate(7),
        "nothing",
        "not_over",
    ),
    (
        "its second check runs",
        |events| events.truncate(8),
        "nothing",
        "not_over",
    ),
    (
        "a check of the plan runs",
        |events| of_plan(events, None),
        "nothing",
        "not_over",
    ),
    (
        "nothing was sent",
        |events| drop_from(events, "intended"),
        "nothing",
        "not_started",
    ),
    (
        "it was skipped",
        |events| {
            drop_from(events, "intended");
            events.push(event(
                6,
                "skipped",
                json!({ "restore": "files", "because": "`db` failed" }),
            ));
        },
        "nothing",
        "not_started",
    ),
    (
        "nobody says what was backed up",
        |events| {
            set(events, "completed", "source_resource_arn", Value::Null);
        },
        "nothing",
        "resource_unknown",
    ),
    ("no check", unchecked, "restored", "no_check"),
    (
        "no check, but one of the plan",
        |events| {
            unchecked(events);
            of_plan(events, Some("passed"));
        },
        "restored",
        "no_check",
    ),
    (
        "checks that cannot have looked",
        |events| {
            for started in events
                .iter_mut()
                .filter(|of| of["event"] == "check_started")
            {
                started["run"] = json!(["sh", "-c", "echo ok; exit 0"]);
            }
        },
        "restored",
        "looks_at_nothing",
    ),
    (
        "somebody else's job",
        |events| adopt(events, Some(false)),
        "restored",
        "adopted",
    ),
    (
        "a job of whoever: an earlier version did not say",
        |events| adopt(events, None),
        "restored",
        "adopted",
    ),
    (
        "a second job of it",
        |events| {
            let end = events.len() - 1;
            events.insert(end, event(24, "second_job", json!({
            "restore": "files", "job_id": "JOB-9", "beside": "JOB-1", "because": "its mark",
        })));
        },
        "restored",
        "second_job",
    ),
    (
        "cleaned up before its checks",
        |events| {
            events.truncate(5);
            events.push(deleting(21));
        },
        "restored",
        "cleaned_up_first",
    ),
    (
        "a check could not be run",
        |events| failing(events, "it could not be run: no such file"),
        "restored",
        "check_not_run",
    ),
    (
        "a check failed",
        |events| failing(events, "it ended with exit code 1"),
        "failed",
        "check_failed",
    ),
    (
        "a check of the plan failed",
        |events| of_plan(events, Some("failed")),
        "failed",
        "plan_check_failed",
    ),
    (
        "COMPLETED with losses",
        |events| {
            set(
                events,
                "completed",
                "message",
                json!(
                    "One or more Kubernetes objects failed to restore. To get notified of these failures, enable SNS event notifications."
                ),
            );
        },
        "failed",
        "lossy",
    ),
    (
        "its job failed",
        |events| {
            drop_from(events, "completed");
            events.push(event(20, "failed", json!({
            "restore": "files", "status": "FAILED", "message": "Not enough space.", "started_at": null,
            "ended_at": "2026-11-29T08:20:00Z", "source_resource_arn": RESOURCE,
        })));
        },
        "failed",
        "job_failed",
    ),
    (
        "AWS names something else as made",
        |events| {
            set(events, "completed", "mismatch", json!("AWS names another"));
            events.retain(|of| !of["event"].as_str().unwrap().starts_with("check_"));
        },
        "failed",
        "mismatch",
    ),
];

#[test]
fn what_counts_and_what_does_not() {
    let mut seen = BTreeSet::new();
    for (name, change, wanted, why) in TABLE {
        let mut events = good();
        change(&mut events);
        let found = assessed(&events);
        let one = found.iter().find(|one| one.restore == "files").unwrap();
        let result = one.result.map_or("nothing", ProofResult::word);
        let doubt = one.doubt.as_ref().map_or("", Doubt::id);
        assert_eq!((result, doubt), (wanted, why), "{name}: {one:?}");
        assert_eq!(one.proof.is_some(), wanted != "nothing", "{name}");
        if let Some(proof) = &one.proof {
            assert_eq!(proof.resource_arn, RESOURCE, "{name}");
            assert_eq!(proof.rto_seconds.is_some(), wanted == "proven", "{name}");
            assert_eq!(proof.reason.as_deref().unwrap_or_default(), why, "{name}");
        }
        seen.insert(why);
    }
    // A refused request has no job that could name the resource: a selector does.
    let mut events = good();
    drop_from(&mut events, "intended");
    events.push(event(
        5,
        "resolved",
        json!({
            "restore": "files", "measured_from": "2026-11-29T08:05:00Z", "point": {
                "selector": { "resource": RESOURCE, "pick": "latest" }, "vault": "backups",
                "recovery_point": "arn:aws:backup:us-west-2:210987654321:recovery-point:1EB3B5E7",
            },
        }),
    ));
    events.push(good()[2].clone());
    events.push(event(
        6,
        "refused",
        json!({ "restore": "files", "code": null, "message": "no" }),
    ));
    let one = assessed(&events).remove(0);
    assert_eq!(one.result, Some(ProofResult::Failed));
    seen.extend(one.doubt.iter().map(Doubt::id));
    seen.remove("");
    assert_eq!(
        seen,
        Doubt::IDS.into_iter().collect(),
        "each reason has its line"
    );
}

#[test]
fn a_proof_says_what_it_is() {
    let proof = assessed(&good()).remove(0).proof.unwrap();
    assert_eq!(proof.at.to_string(), "2026-11-29T08:25:00Z");
    assert_eq!(proof.rto_seconds, Some(20 * 60));
    assert_eq!(proof.recovery_point_age_seconds, Some(65 * 60));
    assert_eq!(proof.checks, ["mounts", "rows"]);
    assert_eq!(
        (proof.account.as_str(), proof.region.as_str()),
        ("210987654321", "us-west-2")
    );
    assert_eq!(proof.job_id.unwrap(), "JOB-1");
    assert_eq!(proof.reason, None);
    assert_eq!(proof.attempts, 1);
}

/// Every reason is in the documents, and what the documents have is a reason.
#[test]
fn the_documents_have_every_reason() {
    let page = crate::support::repository_file("docs/proof.md");
    let rows = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let rows: BTreeSet<&str> = rows
        .map(|(id, _)| id)
        .filter(|id| Doubt::IDS.contains(id))
        .collect();
    assert_eq!(rows, Doubt::IDS.into_iter().collect());
}
