//! What is shown and saved is what is sent, byte for byte, but for declared holes.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use redrill::diagnostic::{Findings, Source};
use redrill::diff::{Saved, SavedInputs, Wanted, diff};
use redrill::ids::RunId;
use redrill::render::{Inputs, Known};
use redrill::report::{RequestFormat, requests};
use redrill::rules::Rules;
use redrill::session;
use redrill::state::{PositionCounter, RunState};
use redrill_emulator::JobSnapshot;
use serde_json::Value;

use crate::harness::{Death, Going, fast};
use crate::support::{at_once, emulator, folder};
use crate::wire::canonical;

/// A restore in a saved plan, or a line of `render`, is the request of one job.
pub(super) fn assert_is_sent(restore: &Value, jobs: &[JobSnapshot]) {
    let mut request = restore["request"].clone();
    let holes: Vec<&str> = restore["holes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hole| hole["key"].as_str().unwrap())
        .collect();
    let mark = "aws:backup:request-id";
    let without = |request: &mut Value| {
        for key in holes.iter().copied().chain([mark]) {
            request["Metadata"].as_object_mut().unwrap().remove(key);
        }
        request.as_object_mut().unwrap().remove("IdempotencyToken");
    };
    let complete = !restore["token"].is_null();
    let sent: Vec<Value> = jobs
        .iter()
        .map(|job| job.request.clone())
        .filter(|sent| match complete {
            true => sent["IdempotencyToken"] == restore["token"],
            false => sent["RecoveryPointArn"] == request["RecoveryPointArn"],
        })
        .collect();
    assert_eq!(sent.len(), 1, "{restore}");
    let mut sent = sent.into_iter().next().unwrap();
    if !complete {
        // Its token, and the mark that is made of that, follow from what the holes are filled with.
        assert!(!holes.is_empty(), "{restore}");
        without(&mut sent);
        without(&mut request);
    } else {
        for hole in &holes {
            assert!(
                sent["Metadata"]
                    .as_object_mut()
                    .unwrap()
                    .remove(*hole)
                    .is_some(),
                "{restore}"
            );
        }
    }
    assert_eq!(canonical(&sent), canonical(&request));
}

/// Text that wants care wherever it is written.
fn text() -> impl Strategy<Value = String> {
    // A text as a strategy would be read as a regular expression anew for each value.
    let regex = |text| proptest::string::string_regex(text).unwrap();
    prop_oneof![
        regex("[a-z0-9-]{1,20}"),
        regex("[ -~]{1,30}"),
        regex("[\\PC]{1,20}"),
        Just("a\"b\\c\n\t«é» \u{1F600} {{ }}".replace("{{ }}", "{ }")),
    ]
}

#[derive(Clone, Debug)]
struct Generated {
    kind: u8,
    token: String,
    items: Vec<String>,
    number: i64,
    flag: bool,
    tags: Option<bool>,
    needs: bool,
}

fn restore() -> impl Strategy<Value = Generated> {
    (
        0..4_u8,
        text(),
        prop::collection::vec(text(), 0..4),
        any::<i64>(),
        any::<bool>(),
        prop::option::of(any::<bool>()),
        any::<bool>(),
    )
        .prop_map(
            |(kind, token, items, number, flag, tags, needs)| Generated {
                kind,
                token,
                items,
                number,
                flag,
                tags,
                needs,
            },
        )
}

/// A scalar that no template is in.
fn scalar(text: &str) -> Value {
    Value::from(
        text.replace("{{", "{ ")
            .replace("{%", "{ ")
            .replace("{#", "{ "),
    )
}

fn plan(restores: &[Generated], salt: u64) -> String {
    let mut plan = String::from(
        "plan: many\nvars: { word: { default: \"déjà \\\"vu\\\"\" } }\ntarget: { region: us-west-2, account: \"123456789012\", iam_role_arn: \"arn:aws:iam::123456789012:role/restore\" }\nrestores:\n",
    );
    let arn = |at: usize| {
        format!(
            "arn:aws:backup:us-west-2:123456789012:recovery-point:{salt:08x}-0000-0000-0000-{at:012}"
        )
    };
    for (at, of) in restores.iter().enumerate() {
        let needs = of.needs && at > 0;
        let _ = write!(plan, "  r{at}:\n    recovery_point: {}\n", arn(at));
        if needs {
            let _ = writeln!(plan, "    needs: [r{}]", at - 1);
        }
        let created = match needs {
            true => format!("\"{{{{ restores.r{}.created.resource_arn }}}}\"", at - 1),
            false => format!("\"{{{{ vars.word }}}} {{{{ restore }}}} {salt}\""),
        };
        match of.kind {
            0 => {
                let token: String = of.token.chars().take(20).collect();
                let items: Vec<String> = of
                    .items
                    .iter()
                    .map(|item| scalar(&format!("/{item}")).to_string())
                    .collect();
                let _ = write!(
                    plan,
                    "    type: EFS\n    metadata:\n      file-system-id: fs-0a1b2c3d\n      newFileSystem: true\n      Encrypted: {}\n      CreationToken: {}\n",
                    of.flag,
                    scalar(&format!("{token} {at} {salt:x}"))
                );
                if !items.is_empty() {
                    let _ = writeln!(plan, "      ItemsToRestore: [{}]", items.join(", "));
                } else if let Some(tags) = of.tags {
                    let _ = writeln!(plan, "    copy_source_tags_to_restored_resource: {tags}");
                }
            }
            1 => {
                let _ = write!(
                    plan,
                    "    type: DynamoDB\n    metadata: {{ targetTableName: t{at}-{salt:x}, encryptionType: Default }}\n"
                );
            }
            2 => {
                let _ = write!(
                    plan,
                    "    type: CloudFormation\n    metadata:\n      ChangeSetName: c{at}\n      StackName: s{at}-{salt:x}\n      StackParameters: {{ A: {created}, N: {}, B: {}, T: {} }}\n",
                    of.number,
                    of.flag,
                    scalar(&of.token)
                );
            }
            _ => {
                let _ = write!(
                    plan,
                    "    type: S3\n    metadata:\n      DestinationBucketName: b{at}-{salt:x}\n      NewBucket: true\n      Encrypted: {}\n      RestoreACLs: false\n      CreationToken: {created}\n",
                    of.flag,
                );
            }
        }
    }
    plan
}

/// What `render` prints and `plan -o` keeps of a plan.
fn shown(text: &str, rules: &Arc<Rules>) -> Result<(Vec<Value>, Value), String> {
    let refused = |findings: Findings| {
        let messages: Vec<&String> = findings.iter().map(|f| &f.message).collect();
        format!("{messages:?}\n{text}")
    };
    let source = Source::new("plan.yaml", text);
    let loaded =
        session::read(&source, &RunId::new("main"), &Inputs::default(), rules).map_err(refused)?;
    let (plan, _) = loaded
        .draft(&Known::default())
        .into_plan()
        .map_err(refused)?;
    let planner = loaded.planner;
    let lines = requests(&plan, &[], RequestFormat::Lines, planner.secrets());
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let diff = diff(&plan, &RunState::default(), &Wanted::default());
    let saved = Saved::new(
        &plan,
        &diff,
        planner.secrets(),
        SavedInputs::default(),
        PositionCounter::default().position(),
        (Vec::new(), false),
    );
    assert_eq!(Saved::parse(&saved.text()).unwrap(), saved);
    Ok((lines, serde_json::from_str(&saved.text()).unwrap()))
}

/// A folder whose journals need no disk to be flushed to, where the system has one.
fn in_memory() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    tempfile::tempdir_in(memory).unwrap_or_else(|_| folder())
}

/// A quarter of the plans each, so that they are run beside each other.
fn plans_are_sent_as_they_are_shown(quarter: u64) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let rules = Arc::new(Rules::embedded());
    // Every run lists the jobs there are: a new emulator from time to time keeps that short.
    let start = || {
        let emulator = runtime.block_on(emulator(at_once()));
        let aws = runtime.block_on(crate::harness::connect(&emulator));
        (emulator, aws)
    };
    let world = std::cell::RefCell::new(start());
    let config = Config {
        cases: 250,
        failure_persistence: None,
        max_shrink_iters: 40,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let salt = std::cell::Cell::new(quarter << 20);
    let strategy = prop::collection::vec(restore(), 1..5);
    runner
        .run(&strategy, |restores| {
            salt.set(salt.get() + 1);
            if salt.get().is_multiple_of(20) {
                let (before, _) = world.replace(start());
                runtime.block_on(before.shutdown());
            }
            let (emulator, aws) = &*world.borrow();
            let text = plan(&restores, salt.get());
            let (lines, saved) = shown(&text, &rules).map_err(TestCaseError::fail)?;
            let state = in_memory();
            let going = Going {
                ahead: jiff::SignedDuration::ZERO,
                death: Death::Never,
                policy: fast(),
                onlooker: &mut |_| {},
                told: None,
            };
            let run = crate::harness::run_with(aws, state.path(), &text, emulator, going);
            runtime
                .block_on(run)
                .map_err(|err| TestCaseError::fail(err.to_string()))?;
            let of_plan = format!(":{:08x}-", salt.get());
            let jobs: Vec<JobSnapshot> = emulator
                .jobs()
                .into_iter()
                .filter(|job| {
                    job.request["RecoveryPointArn"]
                        .as_str()
                        .unwrap()
                        .contains(&of_plan)
                })
                .collect();
            assert_eq!(jobs.len(), restores.len(), "{text}");
            for (line, restore) in lines.iter().zip(saved["restores"].as_array().unwrap()) {
                assert_is_sent(restore, &jobs);
                // A line of `render` names what it waits for, and has the same bytes otherwise.
                let waits = |value: &Value, key: &str| -> BTreeSet<String> {
                    let all = value[key].as_array().unwrap().iter();
                    all.map(|name| name.as_str().unwrap().to_owned()).collect()
                };
                let holes = restore["holes"].as_array().unwrap();
                let waited: BTreeSet<String> = holes
                    .iter()
                    .flat_map(|hole| waits(hole, "waits_for"))
                    .collect();
                assert_eq!(waits(line, "pending"), waited);
                let mut request = line["request"].clone();
                for hole in holes {
                    request["Metadata"]
                        .as_object_mut()
                        .unwrap()
                        .remove(hole["key"].as_str().unwrap());
                }
                assert_eq!(canonical(&request), canonical(&restore["request"]));
            }
            Ok(())
        })
        .unwrap();
    runtime.block_on(world.into_inner().0.shutdown());
}

#[test]
fn a_first_quarter_of_a_thousand_plans_is_sent_as_it_is_shown() {
    plans_are_sent_as_they_are_shown(1);
}

#[test]
fn a_second_quarter_of_a_thousand_plans_is_sent_as_it_is_shown() {
    plans_are_sent_as_they_are_shown(2);
}

#[test]
fn a_third_quarter_of_a_thousand_plans_is_sent_as_it_is_shown() {
    plans_are_sent_as_they_are_shown(3);
}

#[test]
fn a_last_quarter_of_a_thousand_plans_is_sent_as_it_is_shown() {
    plans_are_sent_as_they_are_shown(4);
}
