//! `status` asks AWS how far the jobs are that nobody follows, with few calls.

use std::path::Path;

use jiff::SignedDuration;
use redrill::backup::JobStatus;
use redrill::execute::describe_jobs;
use redrill::ids::{AccountId, JobId};
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
    assert!(
        look.said.contains("this is what the journal says"),
        "{}",
        look.said
    );
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
    let asked = jobs
        .into_iter()
        .map(|id| (JobId::new(id), tomorrow))
        .collect();
    let found = describe_jobs(&*aws, &AccountId::new("123456789012"), asked, tomorrow)
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

/// First contact C3: all restores in the plan's order, why the rest has not started, who works on it, and what to type.
#[tokio::test(flavor = "multi_thread")]
async fn first_contact_c3_status_says_all_that_is_asked_in_an_incident() {
    let emulator = crate::support::emulator(crate::support::at_once()).await;
    let folder = folder();
    let path = folder.path();
    let plan = many(3, 1).replace("plan: many", "plan: many\nlimits: { concurrent: 1 }");
    crate::support::write(path, "plan.yaml", &plan);
    let (code, stdout, _) = ran(path, &emulator, &["status", "many"]).await;
    assert_eq!(code, 1, "{stdout}");
    let run = ["run", "plan.yaml", "--yes", "-q", "--only", "r0"];
    let (code, stdout, _) = ran(path, &emulator, &run).await;
    assert_eq!(code, 0, "{stdout}");
    for name in ["many", "plan.yaml"] {
        let (code, stdout, stderr) = ran(path, &emulator, &["status", name]).await;
        assert_eq!(code, 0, "{stderr}");
        let lines: Vec<&str> = stdout.lines().collect();
        assert!(
            lines[0].starts_with("many run main, at http://"),
            "{stdout}"
        );
        assert!(
            lines[1].starts_with("not finished: 1 of 3 completed, 2 not started; last recorded "),
            "{stdout}"
        );
        let names: Vec<&str> = lines[2..5]
            .iter()
            .map(|line| line.split_whitespace().nth(1).unwrap())
            .collect();
        assert_eq!(names, ["r0", "r1", "r2"]);
        let next = lines[5].strip_prefix("no process is working on it; continue with: redrill ");
        let next: Vec<&str> = next
            .unwrap_or_else(|| panic!("{stdout}"))
            .split(' ')
            .collect();
        assert_eq!(
            next,
            ["run", "plan.yaml", "--endpoint-url", &emulator.url()]
        );
    }
    // As it is printed, and then to the next thing that it says.
    let (code, _, stderr) = ran(path, &emulator, &["run", "plan.yaml", "--yes", "-q"]).await;
    assert_eq!(code, 0, "{stderr}");
    let (_, stdout, _) = ran(path, &emulator, &["status", "many"]).await;
    assert!(stdout.contains("passed: 3 of 3 completed"), "{stdout}");
    assert!(
        stdout.contains("delete what it created with: redrill cleanup plan.yaml"),
        "{stdout}"
    );
    // A second run: the first is a line, the latest is shown in full.
    let second = ["run", "plan.yaml", "--yes", "-q", "--run-id", "2026-Q4"];
    let (code, _, stderr) = ran(path, &emulator, &second).await;
    assert_eq!(code, 0, "{stderr}");
    let (_, stdout, _) = ran(path, &emulator, &["status", "many"]).await;
    assert!(stdout.starts_with("PLAN  RUN   OPENED"), "{stdout}");
    assert!(stdout.contains("many run 2026-Q4, at"), "{stdout}");
    let (_, stdout, _) = ran(path, &emulator, &["status", "many", "--run-id", "main"]).await;
    assert!(stdout.starts_with("many run main, at"), "{stdout}");
    let output = crate::support::redrill(path)
        .env("TZ", "America/New_York")
        .arg("runs")
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(stdout.lines().count(), 3, "{stdout}");
    assert!(
        stdout.contains(" EST") || stdout.contains(" EDT"),
        "{stdout}"
    );
    emulator.shutdown().await;
}
