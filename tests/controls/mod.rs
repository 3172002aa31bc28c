//! What the record of a run answers of controls, and the same in NIST's OSCAL.

use std::collections::BTreeSet;

use redrill::controls::{OscalBundle, controls, frameworks, oscal};
use redrill::evidence::{BundleFiles, Parts, bundle};
use redrill::ids::RunId;
use redrill::proof::assess;
use redrill::report::{AnswerState, Format, RunReport, run_report};
use redrill::state::{Recorded, replay};
use serde_json::{Value, json};

use crate::dry_run::outputs::assert_valid;
use crate::proof::{event, good};
use crate::support::repository_file;

fn recorded(events: &[Value]) -> Vec<Recorded> {
    let events = events.iter().cloned();
    let events: Vec<Recorded> = events
        .map(|value| serde_json::from_value(value).unwrap())
        .collect();
    replay(&events).unwrap();
    events
}

/// The report of a run, with everything that its record answers.
fn reported(events: &[Value]) -> (RunReport, Vec<Recorded>) {
    let events = recorded(events);
    let mut report = run_report("orders", &RunId::new("2026-Q4"), events.iter().collect());
    let assessed = assess(&report, &events, "");
    let all: Vec<String> = frameworks().into_iter().map(str::to_owned).collect();
    let found = controls(&all, &report, &events, &assessed).unwrap();
    report.controls = Some(Box::new(found));
    (report, events)
}

/// The same run, changed.
fn with(change: impl Fn(&mut Vec<Value>)) -> Vec<Value> {
    let mut events = good();
    change(&mut events);
    events
}

/// Changes a member of each event of a kind.
fn set(events: &mut [Value], kind: &str, member: &str, value: &Value) {
    let of_kind = events.iter_mut().filter(|event| event["event"] == kind);
    of_kind.for_each(|event| event[member] = value.clone());
}

/// States of a kind of evidence, by its id, and what is said of it.
fn state(report: &RunReport, evidence: &str) -> (AnswerState, String) {
    let frameworks = &report.controls.as_ref().unwrap().frameworks;
    let answers = frameworks
        .iter()
        .flat_map(|framework| &framework.controls)
        .flat_map(|control| &control.answers);
    let answer = answers
        .into_iter()
        .find(|answer| answer.evidence == evidence);
    let answer = answer.unwrap_or_else(|| panic!("{evidence}"));
    (answer.state, answer.record.clone())
}

#[test]
fn a_good_run_answers_and_says_what_it_leaves() {
    let (report, _) = reported(&good());
    for (evidence, expected, words) in [
        (
            "restored",
            AnswerState::Recorded,
            "1 of 1 restores completed at AWS, from ",
        ),
        (
            "proven",
            AnswerState::Recorded,
            "1 of 1 restores are proven",
        ),
        (
            "checks",
            AnswerState::Recorded,
            "2 of 2 checks passed, 0 failed",
        ),
        (
            "failures_recorded",
            AnswerState::Recorded,
            "Nothing failed and no objective was missed",
        ),
        ("retries", AnswerState::Missing, "Nothing was tried again"),
        (
            "saved_plan",
            AnswerState::Missing,
            "did not carry out a saved plan",
        ),
        ("cutover", AnswerState::Missing, "No cutover was asked for"),
        (
            "signed",
            AnswerState::Elsewhere,
            "`redrill evidence verify BUNDLE --keys DIR`",
        ),
        (
            "schedule",
            AnswerState::Elsewhere,
            "`redrill coverage --due`",
        ),
    ] {
        let (state, said) = state(&report, evidence);
        assert!(
            state == expected && said.contains(words),
            "{evidence}: {state:?} {said}"
        );
    }
    let json: Value = serde_json::from_str(&Format::Json.text(&report)).unwrap();
    assert_valid("run", &json);
    let markdown = Format::Markdown.text(&report);
    let html = Format::Html.text(&report);
    for framework in &report.controls.as_ref().unwrap().frameworks {
        assert!(html.contains(&framework.url.replace('/', "&#x2f;")));
        for control in &framework.controls {
            assert!(!control.leaves.is_empty());
            let id = control.control.replace('#', "\\#");
            assert!(markdown.contains(&format!("**[{id}](")), "{id}");
        }
    }
    for text in [&markdown, &html] {
        assert!(text.contains("It does not say that a control is met"));
        assert!(text.contains("Left to others:"));
    }
}

/// An answer changes with the record that it rests on.
#[test]
fn each_answer_rests_on_the_record() {
    type Change = fn(&mut Vec<Value>);
    let cases: [(&str, Change, AnswerState, &str); 8] = [
        (
            "saved_plan",
            |events| set(events, "run_opened", "saved_plan", &json!("5a7ed")),
            AnswerState::Recorded,
            "The saved plan 5a7ed was carried out",
        ),
        (
            "caller",
            |events| {
                let planned = events.iter_mut().find(|event| event["event"] == "planned");
                planned.unwrap()["outline"]["origin"]["callers"] = json!(["arn:aws:iam::1:role/a"]);
            },
            AnswerState::Recorded,
            "Called by arn:aws:iam::1:role/a",
        ),
        (
            "plan_under_version_control",
            |events| {
                let planned = events.iter_mut().find(|event| event["event"] == "planned");
                planned.unwrap()["outline"]["origin"]["commit"] = json!("89ab-dirty");
            },
            AnswerState::Missing,
            "The plan was at commit 89ab-dirty: somebody ran it with changes",
        ),
        (
            "plan_under_version_control",
            |events| {
                let planned = events.iter_mut().find(|event| event["event"] == "planned");
                planned.unwrap()["outline"]["origin"]["commit"] = json!("89ab");
            },
            AnswerState::Recorded,
            "The plan was at commit 89ab",
        ),
        (
            "checks",
            |events| {
                events.retain(|event| {
                    event["event"] != "check_started" && event["event"] != "check_ended"
                });
            },
            AnswerState::Missing,
            "None of 2 has ended",
        ),
        (
            "another_account",
            |events| {
                let arn = "arn:aws:elasticfilesystem:us-east-1:999999999999:file-system/fs-1";
                set(events, "completed", "source_resource_arn", &json!(arn));
            },
            AnswerState::Recorded,
            "1 of 1 were restored into another account",
        ),
        (
            "another_account",
            |events| {
                set(
                    events,
                    "completed",
                    "source_resource_arn",
                    &json!("arn:aws:s3:::bucket"),
                );
            },
            AnswerState::Unknown,
            "The record does not say in which account the sources are",
        ),
        (
            "new_resource",
            |events| {
                let mismatch = json!("it is another file system");
                set(events, "completed", "mismatch", &mismatch);
                events.retain(|event| {
                    event["event"] != "check_started" && event["event"] != "check_ended"
                });
            },
            AnswerState::Missing,
            "0 of 0 were restored as new resources",
        ),
    ];
    for (evidence, change, expected, words) in cases {
        let (report, _) = reported(&with(change));
        let (state, said) = state(&report, evidence);
        assert!(
            state == expected && said.contains(words),
            "{evidence}: {state:?} {said}"
        );
    }
}

/// Only a run at AWS answers anything.
#[test]
fn a_run_elsewhere_answers_nothing() {
    for (world, words) in [
        (
            json!("rehearsal"),
            "This run was a rehearsal: it answers nothing",
        ),
        (
            json!({ "kind": "endpoint", "url": "http://127.0.0.1:9" }),
            "This run was at http://127.0.0.1:9, not at AWS: it answers nothing",
        ),
        (
            Value::Null,
            "does not say whether it was at AWS: it answers nothing",
        ),
    ] {
        let world = match world {
            Value::String(kind) => json!({ "kind": kind }),
            other => other,
        };
        let (report, events) = reported(&with(|events| set(events, "run_opened", "world", &world)));
        let found = report.controls.as_ref().unwrap();
        assert!(found.frameworks.is_empty());
        assert!(
            found.answers_nothing.as_ref().unwrap().contains(words),
            "{found:?}"
        );
        for format in [Format::Markdown, Format::Html] {
            assert!(
                format
                    .text(&report)
                    .contains("it answers nothing of any control")
            );
        }
        let json: Value = serde_json::from_str(&Format::Json.text(&report)).unwrap();
        assert_valid("run", &json);
        let bundle = OscalBundle {
            files: &BundleFiles::new(),
            name: "drill",
            archive_sha256: None,
        };
        assert!(oscal(bundle, &report, &events).unwrap_err().contains(words));
    }
}

#[test]
fn a_framework_that_nobody_knows_is_named() {
    let events = recorded(&good());
    let report = run_report("orders", &RunId::new("2026-Q4"), events.iter().collect());
    let error = controls(&["sox".to_owned()], &report, &events, &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "--controls names `sox`, which is not a framework that it knows; known are `dora`, `iso22301`, `iso27001`, `nist80053`, `soc2`"
    );
    let twice = ["SOC2".to_owned(), "soc2".to_owned()];
    let found = controls(&twice, &report, &events, &[]).unwrap();
    assert_eq!(found.frameworks.len(), 1, "in any case, and once");
}

/// The bundle of a run, and what it shows.
fn results(events: &[Value], archive_sha256: Option<&str>) -> Value {
    let events = recorded(events);
    let report = run_report("orders", &RunId::new("2026-Q4"), events.iter().collect());
    let journal = [("journal/000001.jsonl".to_owned(), b"{}\n".to_vec())];
    let files = bundle(Parts {
        plan: "plan: orders\n",
        lock: None,
        events: &events,
        journal: journal.into(),
        report: &report,
    });
    let bundle = OscalBundle {
        files: &files,
        name: "drill-2026-Q4",
        archive_sha256,
    };
    oscal(bundle, &report, &events).unwrap()
}

/// The schema is the one that NIST publishes (`tests/fixtures/README.md`); it does not see references that lead nowhere.
#[track_caller]
pub(crate) fn assert_oscal(document: &Value) {
    let text = repository_file("tests/fixtures/oscal-assessment-results-1.2.1.json");
    let mut schema: Value = serde_json::from_str(&text).unwrap();
    without_ids(&mut schema, true);
    let validator = jsonschema::draft7::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap();
    let problems = validator.iter_errors(document);
    let problems: Vec<String> = problems
        .map(|problem| format!("{}: {problem}", problem.instance_path()))
        .collect();
    assert!(problems.is_empty(), "{problems:#?}");
    let (mut defined, mut referred) = (Vec::new(), BTreeSet::new());
    references(document, &mut defined, &mut referred);
    let known: BTreeSet<String> = defined.iter().cloned().collect();
    assert_eq!(known.len(), defined.len(), "an id is given once");
    let lost: Vec<&String> = referred.difference(&known).collect();
    assert!(lost.is_empty(), "{lost:?}");
    let text = document.to_string();
    assert!(!text.contains("\"satisfied\""));
}

/// Takes out the ids of parts of the schema, an old habit: `#/definitions/…` is no id.
fn without_ids(schema: &mut Value, is_root: bool) {
    match schema {
        Value::Object(members) => {
            if !is_root && members.get("$id").is_some_and(Value::is_string) {
                members.remove("$id");
            }
            members
                .values_mut()
                .for_each(|value| without_ids(value, false));
        }
        Value::Array(values) => values
            .iter_mut()
            .for_each(|value| without_ids(value, false)),
        _ => {}
    }
}

/// Collects the ids that a document gives, and those that it refers to.
fn references(value: &Value, defined: &mut Vec<String>, referred: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match (name.as_str(), value.as_str()) {
                    ("uuid", Some(id)) => defined.push(id.to_owned()),
                    ("href", Some(href)) => {
                        referred.extend(href.strip_prefix('#').map(str::to_owned));
                    }
                    (name, Some(id)) if name.ends_with("-uuid") => {
                        referred.insert(id.to_owned());
                    }
                    _ => references(value, defined, referred),
                }
            }
        }
        Value::Array(values) => values
            .iter()
            .for_each(|value| references(value, defined, referred)),
        _ => {}
    }
}

#[test]
fn oscal_is_what_its_schema_asks_for() {
    let document = results(&good(), None);
    assert_oscal(&document);
    let result = &document["assessment-results"]["results"][0];
    assert!(
        result.get("findings").is_none(),
        "a good run contradicts nothing"
    );
    assert_eq!(
        results(&good(), None),
        document,
        "the same bundle, the same bytes"
    );
    let zipped = results(&good(), Some(&"a".repeat(64)));
    assert_oscal(&zipped);
    assert_eq!(zipped["assessment-results"]["results"][0], *result);
}

#[test]
fn oscal_has_a_finding_where_the_run_contradicts_an_objective() {
    let failed = with(|events| {
        events.retain(|event| event["event"] != "check_started" && event["event"] != "check_ended");
        let completed = events
            .iter_mut()
            .find(|event| event["event"] == "completed");
        let completed = completed.unwrap();
        *completed = event(
            30,
            "failed",
            json!({
                "restore": completed["restore"],
                "status": "FAILED",
                "message": "The role cannot\n  be assumed ",
                "started_at": completed["started_at"],
                "ended_at": completed["ended_at"],
            }),
        );
    });
    let document = results(&failed, None);
    assert_oscal(&document);
    let findings = &document["assessment-results"]["results"][0]["findings"];
    assert_eq!(findings[0]["target"]["target-id"], "cp-10_obj-1");
    assert_eq!(findings[0]["target"]["status"]["state"], "not-satisfied");
}
