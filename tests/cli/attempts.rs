//! A restore was retried from one machine, and another machine without that record goes on: the latest attempt is the
//! restore's, and nothing is started again. A request that has changed since is no attempt.

use std::path::Path;

use redrill::backup::Writer as _;
use redrill_emulator::{Emulator, Fault, FaultKind, JobFault, Operation};

use crate::dry_run::outputs::assert_valid;
use crate::engine::others::request_of;
use crate::harness::{Death, connect, observed, run_until};
use crate::support::{at_once, emulator, folder, many, ran, repository_file, write};

const NAME: &str = "plan.yaml";

async fn run(path: &Path, emulator: &Emulator, state: &str, more: &[&str]) -> (i32, String) {
    let words = [&["run", NAME, "--yes", "--state", state], more].concat();
    let (code, stdout, stderr) = ran(path, emulator, &words).await;
    (code, stdout + &stderr)
}

fn refused() -> FaultKind {
    FaultKind::Error {
        status: 400,
        code: "InvalidParameterValueException".to_owned(),
        message: "Invalid restore metadata. Please retry.".to_owned(),
    }
}

/// The first attempt was refused, so that there is no job of it to be found; the second one has the restore.
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_after_a_refusal_is_found_from_another_machine() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let path = folder.path();
    write(path, NAME, &many(2, 0));
    emulator.inject(Fault::new(Operation::StartRestoreJob, refused()).times(1));
    let (code, said) = run(path, &emulator, "here", &[]).await;
    assert_eq!(code, 6, "{said}");
    let (code, said) = run(path, &emulator, "here", &["--retry-failed"]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(emulator.jobs().len(), 2);
    for more in [&[][..], &["--retry-failed"]] {
        let (code, said) = run(path, &emulator, "there", more).await;
        assert_eq!(code, 0, "{said}");
        assert_eq!(emulator.jobs().len(), 2, "{said}");
    }
    // Said as it is, and recorded with the token that its job has.
    let (code, said) = run(path, &emulator, "elsewhere", &["--format", "json"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains(": the idempotency mark of its attempt 2; it had ended "),
        "{said}"
    );
    let report = |state: &str| {
        let words = ["report", NAME, "--state", state, "--format", "json"];
        let (code, report, stderr) = crate::drill::run(path, &words);
        assert_eq!(code, 0, "{stderr}");
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        assert_valid("run", &report);
        let restores = report["restores"].as_array().unwrap();
        let told = restores.iter().map(|of| {
            ["restore", "attempts", "token", "job_id", "status"].map(|key| of[key].clone())
        });
        told.collect::<Vec<_>>()
    };
    assert_eq!(report("elsewhere"), report("here"));
    emulator.shutdown().await;
}

/// The first attempt's job has failed, and so has the second one's: a third follows from wherever it is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn each_machine_goes_on_with_the_latest_attempt() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let path = folder.path();
    write(path, NAME, &many(1, 0));
    let fails = FaultKind::Job(JobFault::Fails("no room".to_owned()));
    emulator.inject(Fault::new(Operation::StartRestoreJob, fails).times(2));
    for (state, code, more, jobs) in [
        ("a", 6, &[][..], 1),
        ("a", 6, &["--retry-failed"], 2),
        ("b", 6, &[], 2),
        ("b", 0, &["--retry-failed"], 3),
        ("c", 0, &[], 3),
        ("a", 0, &["--retry-failed"], 3),
    ] {
        let (ended, said) = run(path, &emulator, state, more).await;
        assert_eq!(ended, code, "{state} {more:?}: {said}");
        assert_eq!(emulator.jobs().len(), jobs, "{state} {more:?}: {said}");
    }
    emulator.shutdown().await;
}

/// The job of the first attempt has not failed: there are two, and a person has to say which it is.
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_beside_a_job_that_has_not_failed_is_asked_about() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let path = folder.path();
    write(path, NAME, &many(1, 0));
    // AWS takes the request and answers as if it had refused it.
    emulator.inject(Fault::new(Operation::StartRestoreJob, refused()).times(1));
    assert_eq!(run(path, &emulator, "a", &[]).await.0, 6);
    assert_eq!(run(path, &emulator, "a", &["--retry-failed"]).await.0, 0);
    let second = emulator.jobs()[0].id.clone();
    // Somebody sends the first one all the same, by hand.
    let request = request_of(&many(1, 0), 0);
    let first = connect(&emulator).await.start(&request).await;
    let first = first.unwrap().job_id;
    let (code, said) = run(path, &emulator, "b", &[]).await;
    assert_eq!(code, 5, "{said}");
    assert!(
        said.contains(first.as_str()) && said.contains(&second),
        "{said}"
    );
    assert_eq!(emulator.jobs().len(), 2);
    let (code, said) = run(path, &emulator, "b", &[&*format!("--adopt={second}")]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(emulator.jobs().len(), 2);
    emulator.shutdown().await;
}

/// The plan has changed, the record is not there, and the request holds a value that is known late only: what is known
/// already tells, before anything starts.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_request_with_a_late_value_is_a_conflict_without_the_journal() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let path = folder.path();
    let plan = repository_file("plans/quickstart.yaml");
    write(path, NAME, &plan);
    assert_eq!(run(path, &emulator, "here", &[]).await.0, 0);
    // As it was, everything is found again.
    let (code, said) = run(path, &emulator, "there", &[]).await;
    assert_eq!(code, 0, "{said}");
    for (state, from, to) in [
        ("a", "app-{{ run.id }}", "app2-{{ run.id }}"),
        ("b", "        SubnetId: \"{{ vars.subnet }}\"\n", ""),
        ("c", "ChangeSetName: \"restore-", "ChangeSetName: \"other-"),
    ] {
        assert!(plan.contains(from));
        write(path, NAME, &plan.replace(from, to));
        let (code, said) = run(path, &emulator, state, &[]).await;
        assert_eq!(code, 4, "{from}: {said}");
        assert!(said.contains("app"), "{said}");
        assert_eq!(emulator.jobs().len(), 3, "{from}: {said}");
    }
    emulator.shutdown().await;
}

/// A runner died before its request left, and the restore was refused and retried from another machine: its record takes up
/// the second attempt, and sends nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_was_about_to_leave_is_not_sent_beside_a_later_attempt() {
    let emulator = emulator(at_once()).await;
    let (died, plan) = (folder(), many(1, 0));
    run_until(died.path(), &plan, &emulator, Death::After(1))
        .await
        .unwrap_err();
    assert!(emulator.jobs().is_empty());
    let path = died.path();
    write(path, NAME, &plan);
    emulator.inject(Fault::new(Operation::StartRestoreJob, refused()).times(1));
    assert_eq!(run(path, &emulator, "other", &[]).await.0, 6);
    assert_eq!(
        run(path, &emulator, "other", &["--retry-failed"]).await.0,
        0
    );
    let (code, said) = run(path, &emulator, ".", &[]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(emulator.jobs().len(), 1, "{said}");
    let observed = &observed(path).restores["r0"];
    assert_eq!(observed.attempt, 2);
    assert_eq!(*observed.stage.job_id().unwrap(), *emulator.jobs()[0].id);
    emulator.shutdown().await;
}
