//! `status` asks AWS how far the jobs are that nobody follows, with few calls.

use std::path::Path;

use jiff::SignedDuration;
use redrill::backup::JobStatus;
use redrill::execute::describe_jobs;
use redrill::state::Event;
use redrill_emulator::{Emulator, Fault, FaultKind, Operation, TokenSemantics};
use serde_json::Value;

use crate::harness::{connect, events, journal_bytes, logged, run, set_journal};
use crate::support::{folder, many, operations, ran};

/// Runs a plan to its end, and takes the journal back to where the last job was started.
async fn started(restores: usize, state: &Path, emulator: &Emulator) {
    run(state, &many(restores, 0), emulator).await.unwrap();
    let events = events(state);
    let is_start = |event: &Event| matches!(event, Event::Accepted { .. });
    let last = events
        .iter()
        .rposition(|recorded| is_start(&recorded.event));
    let bytes = journal_bytes(state);
    let length: usize = bytes
        .split_inclusive(|byte| *byte == b'\n')
        .take(last.unwrap() + 1)
        .map(<[u8]>::len)
        .sum();
    assert!(!String::from_utf8_lossy(&bytes[..length]).contains("\"completed\""));
    set_journal(state, &bytes[..length]);
}

/// What `status` says of each restore, and on the side; and what it asks AWS.
struct Look {
    statuses: Vec<String>,
    said: String,
    calls: Vec<String>,
}

/// A run whose runner has died, and whose jobs have ended since.
async fn look(restores: usize, meanwhile: impl Fn(&Emulator)) -> Look {
    let state = folder();
    let (emulator, log) = logged(state.path(), TokenSemantics::default()).await;
    started(restores, state.path(), &emulator).await;
    meanwhile(&emulator);
    let before = operations(&log).len();
    let status = ["status", "--format", "json", "--state", "."];
    let (code, stdout, said) = ran(state.path(), &emulator, &status).await;
    assert_eq!(code, 0, "{said}");
    let shown: Value = serde_json::from_str(&stdout).unwrap();
    let shown = shown["runs"][0]["restores"].as_object().unwrap();
    assert_eq!(shown.len(), restores);
    let status = |of: &Value| of["status"].as_str().unwrap().to_owned();
    let look = Look {
        statuses: shown.values().map(status).collect(),
        said,
        calls: operations(&log).split_off(before),
    };
    emulator.shutdown().await;
    look
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handful_is_described_and_more_are_listed() {
    let few = look(3, |_| {}).await;
    assert_eq!(few.statuses, vec!["COMPLETED"; 3]);
    assert_eq!(few.calls, vec!["DescribeRestoreJob"; 3]);
    let many = look(40, |_| {}).await;
    assert_eq!(many.statuses, vec!["COMPLETED"; 40]);
    assert_eq!(many.calls, ["ListRestoreJobs"]);
    assert_eq!(few.said + &many.said, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_list_describes() {
    let look = look(6, |emulator| {
        let denied = FaultKind::Error {
            status: 403,
            code: "AccessDeniedException".to_owned(),
            message: "not authorized to perform backup:ListRestoreJobs".to_owned(),
        };
        emulator.inject(Fault::new(Operation::ListRestoreJobs, denied));
    })
    .await;
    assert_eq!(look.statuses, vec!["COMPLETED"; 6]);
    assert_eq!(look.calls[0], "ListRestoreJobs");
    assert_eq!(look.calls[1..], vec!["DescribeRestoreJob"; 6]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_aws_does_not_answer_the_journal_does() {
    let look = look(6, |emulator| {
        emulator.inject(Fault::new(Operation::ListRestoreJobs, FaultKind::Bare(503)));
    })
    .await;
    assert_eq!(look.statuses, vec!["RUNNING"; 6]);
    assert!(look.said.contains("as of the journal"), "{}", look.said);
}

/// Adopted jobs are older than what the journal knows of them, and some jobs are not there at all.
#[tokio::test(flavor = "multi_thread")]
async fn older_jobs_are_listed_and_absent_ones_are_not_made_up() {
    let state = folder();
    let (emulator, log) = logged(state.path(), TokenSemantics::default()).await;
    run(state.path(), &many(20, 0), &emulator).await.unwrap();
    let aws = connect(&emulator).await;
    let before = operations(&log).len();
    let now = emulator.clock().now();
    let tomorrow = now + SignedDuration::from_hours(24);
    let mut jobs: Vec<String> = emulator.jobs().into_iter().map(|job| job.id).collect();
    jobs.push("3E4B6E2F-0000-0000-0000-000000000000".to_owned());
    let asked = jobs.into_iter().map(|id| (id, tomorrow)).collect();
    let found = describe_jobs(&*aws, "123456789012", asked, tomorrow)
        .await
        .unwrap();
    assert_eq!(found.len(), 20);
    assert!(found.iter().all(|job| job.status == JobStatus::Completed));
    let calls = operations(&log).split_off(before);
    assert_eq!(
        calls,
        ["ListRestoreJobs", "ListRestoreJobs", "DescribeRestoreJob"]
    );
    emulator.shutdown().await;
}
