//! What a run does not know of itself: a cleanup from another copy of its journal, a job of a request that has changed since,
//! jobs that were started without this journal, and the same plan under another name.

use std::path::Path;

use redrill::backup::Writer as _;
use redrill::state::RestoreStage;
use redrill_emulator::{Fault, FaultKind, JobFault, Operation, Options, Speed};

use crate::engine::others::request_of;
use crate::harness::{Death, completed, connect, observed, run_until};
use crate::support::{at_once, bytes, emulator, files, folder, many, ran, repository_file, write};

const NAME: &str = "plan.yaml";

/// Another copy of a state.
fn copy(from: &Path, to: &Path) {
    for (path, content) in files(from) {
        let to = to.join(path.strip_prefix(from).unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::write(to, content).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn issue_14_an_old_copy_of_a_journal_notices_a_cleanup() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let path = folder.path();
    write(path, NAME, &repository_file("plans/quickstart.yaml"));
    let run = async |state: &str, words: &[&str]| {
        ran(path, &emulator, &[words, &["--state", state]].concat()).await
    };
    assert_eq!(run("first", &["run", NAME, "--yes"]).await.0, 0);
    copy(&path.join("first"), &path.join("copy"));
    // As long as all is there, the copy says what the first one says.
    let (code, stdout, stderr) = run("copy", &["run", NAME, "--yes"]).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains(": passed; 3 of 3 restored"), "{stdout}");
    run("first", &["cleanup", NAME, "--yes"]).await;
    let before = emulator.jobs().len();
    for words in [
        &["run", NAME, "--yes"][..],
        &["run", NAME, "--yes", "--retry-failed"],
    ] {
        let (code, stdout, stderr) = run("copy", words).await;
        assert_eq!((code, stdout.as_str()), (4, ""), "{stderr}");
        assert!(stderr.contains(" and was cleaned up, last "), "{stderr}");
    }
    assert_eq!(emulator.jobs().len(), before);
    // The copy knows it from now on, without asking anybody.
    let (_, stdout, _) = crate::drill::run(path, &["report", NAME, "--state", "copy"]);
    assert!(
        stdout.contains("DELETED    files") && !stdout.contains("passed"),
        "{stdout}"
    );
    emulator.shutdown().await;
}

/// A check has failed; what it judges, and what waits for it, were cleaned up from another copy.
#[tokio::test(flavor = "multi_thread")]
async fn issue_14_nothing_is_judged_or_built_on_what_another_copy_has_cleaned_up() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let path = folder.path();
    let check = crate::drill::check("looks", "echo ran >> ran.txt; test -e good", "");
    let plan = crate::drill::plan(2, "", |at| match at {
        0 => check.clone(),
        _ => "    needs: [r0]\n".to_owned(),
    });
    write(path, NAME, &plan);
    let run = async |state: &str, words: &[&str]| {
        ran(path, &emulator, &[words, &["--state", state]].concat()).await
    };
    assert_eq!(run("first", &["run", NAME, "--yes"]).await.0, 6);
    copy(&path.join("first"), &path.join("copy"));
    assert_eq!(run("first", &["cleanup", NAME, "--yes"]).await.0, 0);
    write(path, "good", "");
    let (code, stdout, stderr) = run("copy", &["run", NAME, "--yes", "--retry-failed"]).await;
    assert_eq!(code, 4, "{stdout}{stderr}");
    assert!(
        stderr.contains("r0: arn:aws:elasticfilesystem:") && stderr.contains("no longer exists"),
        "{stderr}"
    );
    assert_eq!(emulator.jobs().len(), 1, "{stdout}{stderr}");
    let checked = String::from_utf8(bytes(&path.join("ran.txt"))).unwrap();
    assert_eq!(checked, "ran\n");
    emulator.shutdown().await;
}

/// The answer was lost, and the plan asks for something else by now, or does not have the restore any more.
#[tokio::test(flavor = "multi_thread")]
async fn issue_14_an_unanswered_request_of_a_changed_plan_is_settled_before_the_conflict_is_said() {
    let plan = many(2, 0);
    let without_r1 = plan[..plan.find("  r1:").unwrap()].to_owned();
    for changed in [
        plan.replace("{{ restore }}-", "other-{{ restore }}-"),
        without_r1,
    ] {
        let emulator = emulator(at_once()).await;
        let state = folder();
        // Neither is answered, so that both have arrived before anything is tried again.
        let lost = Fault::new(Operation::StartRestoreJob, FaultKind::ResetAfter);
        emulator.inject(lost.times(2));
        run_until(state.path(), &plan, &emulator, Death::Before(2))
            .await
            .unwrap_err();
        assert_eq!(emulator.jobs().len(), 2);
        write(state.path(), NAME, &changed);
        let words = ["run", NAME, "--yes", "--state", "."];
        for _ in 0..2 {
            let (code, stdout, stderr) = ran(state.path(), &emulator, &words).await;
            assert_eq!((code, emulator.jobs().len()), (4, 2), "{stdout}{stderr}");
            let job = emulator
                .jobs()
                .into_iter()
                .find(|job| job.recovery_point_arn.ends_with('1'))
                .unwrap()
                .id;
            let RestoreStage::Running { job_id } = &observed(state.path()).restores["r1"].stage
            else {
                panic!("{stderr}");
            };
            assert_eq!(*job_id, *job);
            assert!(stderr.contains(&job), "{stderr}");
        }
        // The change is undone.
        write(state.path(), NAME, &plan);
        let (code, stdout, stderr) = ran(state.path(), &emulator, &words).await;
        assert_eq!((code, emulator.jobs().len()), (0, 2), "{stdout}{stderr}");
        assert_eq!(completed(state.path()), 2);
        emulator.shutdown().await;
    }
}

/// Nothing has arrived: that is said, and nothing is concluded from it.
#[tokio::test(flavor = "multi_thread")]
async fn issue_14_an_unanswered_request_without_a_job_is_said_to_have_none() {
    let emulator = emulator(at_once()).await;
    let (state, plan) = (folder(), many(1, 0));
    run_until(state.path(), &plan, &emulator, Death::After(1))
        .await
        .unwrap_err();
    write(
        state.path(),
        NAME,
        &plan.replace("{{ restore }}-", "other-{{ restore }}-"),
    );
    let words = ["run", NAME, "--yes", "--state", "."];
    let (code, _, stderr) = ran(state.path(), &emulator, &words).await;
    assert_eq!((code, emulator.jobs().len()), (4, 0), "{stderr}");
    assert!(
        stderr.contains("`r0`: AWS lists no job of the request that this run sent"),
        "{stderr}"
    );
    assert_eq!(
        observed(state.path()).restores["r0"].stage,
        RestoreStage::Intended
    );
    emulator.shutdown().await;
}

/// No journal, the same run id, and another name for what is made: the mark of the job is this run's.
#[tokio::test(flavor = "multi_thread")]
async fn issue_14_a_changed_request_of_a_run_whose_journal_is_lost_is_a_conflict() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let path = folder.path();
    let plan = many(2, 0);
    write(path, NAME, &plan);
    let run = async |state: &str, words: &[&str]| {
        let run: &[&str] = &["run", NAME, "--yes", "--state", state];
        ran(path, &emulator, &[run, words].concat()).await
    };
    assert_eq!(run("a", &[]).await.0, 0);
    write(
        path,
        NAME,
        &plan.replace("{{ restore }}-", "new-{{ restore }}-"),
    );
    let (code, stdout, stderr) = run("b", &[]).await;
    assert_eq!((code, stdout.as_str()), (4, ""), "{stderr}");
    for wanted in [
        &*emulator.jobs()[0].id,
        &*emulator.jobs()[1].id,
        "has the mark of this run and restore",
        "Undo the change in the plan and run again",
        " --run-id main-20",
    ] {
        assert!(stderr.contains(wanted), "{wanted}: {stderr}");
    }
    assert_eq!(emulator.jobs().len(), 2);
    assert!(!path.join("b").exists(), "nothing is recorded of it");
    // A run of its own, and the way on for whoever knows better.
    assert_eq!(run("b", &["--run-id", "another"]).await.0, 0);
    assert_eq!(run("c", &["--start-anyway"]).await.0, 0);
    assert_eq!(emulator.jobs().len(), 6);
    emulator.shutdown().await;
}

/// The same where the recovery point is another by now, as with a selector that means the latest, or a lock that was updated:
/// the mark is made of the point that the job was asked for.
#[tokio::test(flavor = "multi_thread")]
async fn issue_14_another_recovery_point_of_a_run_whose_journal_is_lost_is_a_conflict() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let path = folder.path();
    let run = async |state: &str, words: &[&str]| {
        let run: &[&str] = &["run", NAME, "--yes", "--state", state];
        ran(path, &emulator, &[run, words].concat()).await
    };
    write(path, NAME, &many(3, 0));
    assert_eq!(run("a", &[]).await.0, 0);
    let other = many(3, 0).replace(&crate::support::point(1), &crate::support::point(7));
    write(path, NAME, &other);
    let (code, stdout, stderr) = run("b", &[]).await;
    assert_eq!((code, stdout.as_str()), (4, ""), "{stderr}");
    let started = emulator.jobs();
    let own = started
        .iter()
        .find(|job| job.recovery_point_arn == crate::support::point(1));
    for wanted in [&*own.unwrap().id, "has the mark of this run and restore"] {
        assert!(stderr.contains(wanted), "{wanted}: {stderr}");
    }
    assert_eq!(started.len(), 3);
    // Jobs of another run are none of this one's.
    assert_eq!(run("b", &["--run-id", "another"]).await.0, 0);
    assert_eq!(emulator.jobs().len(), 6);
    emulator.shutdown().await;
}

/// Another attempt of the same request is no other request.
#[tokio::test(flavor = "multi_thread")]
async fn issue_14_an_attempt_of_a_run_whose_journal_is_lost_is_no_conflict() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(folder.path(), NAME, &many(1, 0));
    let fails = FaultKind::Job(JobFault::Fails("no room".to_owned()));
    emulator.inject(Fault::new(Operation::StartRestoreJob, fails).times(1));
    for (state, code, more) in [
        ("a", 6, None),
        ("a", 0, Some("--retry-failed")),
        // The latest attempt is what has become of the restore.
        ("b", 0, None),
        ("b", 0, Some("--retry-failed")),
    ] {
        let words = ["run", NAME, "--yes", "--state", state];
        let words: Vec<&str> = words.into_iter().chain(more).collect();
        let (ended, stdout, stderr) = ran(folder.path(), &emulator, &words).await;
        assert_eq!(ended, code, "{state}: {stdout}{stderr}");
    }
    assert_eq!(emulator.jobs().len(), 2);
    emulator.shutdown().await;
}

/// Without a mark nobody can tell; a job that is not over yet is named before anything starts.
#[tokio::test(flavor = "multi_thread")]
async fn issue_14_a_job_of_the_same_recovery_point_that_is_not_over_is_named() {
    let emulator = emulator(Options {
        speed: Speed::Times(1.0),
        ..Options::default()
    })
    .await;
    let folder = folder();
    let plan = many(1, 0).replace("restores:", "mark: false\nrestores:");
    let request = request_of(&plan, 0);
    let started = connect(&emulator).await.start(&request).await;
    let job = started.unwrap().job_id;
    write(
        folder.path(),
        NAME,
        &plan.replace("{{ restore }}-", "new-{{ restore }}-"),
    );
    // The request is refused: nothing is waited for.
    let refused = FaultKind::Error {
        status: 400,
        code: "InvalidParameterValueException".to_owned(),
        message: "No.".to_owned(),
    };
    emulator.inject(Fault::new(Operation::StartRestoreJob, refused));
    let (code, _, stderr) = ran(folder.path(), &emulator, &["run", NAME, "--yes"]).await;
    assert_eq!(code, 6, "{stderr}");
    let named = stderr
        .find(&format!(
            "r0: its recovery point is being restored already, by job {job}"
        ))
        .unwrap_or_else(|| panic!("{stderr}"));
    assert!(named < stderr.find("refused by AWS").unwrap(), "{stderr}");
    emulator.shutdown().await;
}

/// `plan:` has another name, and the run id is the same.
#[tokio::test(flavor = "multi_thread")]
async fn issue_14_a_plan_under_another_name_is_told_of_its_run() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let path = folder.path();
    let plan = many(2, 0);
    write(path, NAME, &plan);
    let run = ["run", NAME, "--yes"];
    assert_eq!(ran(path, &emulator, &run).await.0, 0);
    write(
        path,
        NAME,
        &plan
            .replace("plan: many", "plan: orders")
            .replace("{{ restore }}-", "new-{{ restore }}-"),
    );
    let (code, stdout, stderr) = ran(path, &emulator, &run).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let job = &emulator.jobs()[0].id;
    let said = format!(
        "r0: run main of the plan `many` has restored its recovery point, with job {job}, and 1 more"
    );
    assert!(stderr.contains(&said), "{stderr}");
    // A plan of other recovery points has nothing to do with it.
    let other = plan
        .replace("plan: many", "plan: billing")
        .replace("-0000-0000-0000-", "-0000-0000-0001-");
    write(path, NAME, &other);
    let (code, _, stderr) = ran(path, &emulator, &run).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(!stderr.contains("of the plan `"), "{stderr}");
    emulator.shutdown().await;
}

/// Said once, also where only a few lines are shown; the job is followed.
#[tokio::test(flavor = "multi_thread")]
async fn issue_14_a_status_that_nobody_knows_is_named_once() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(folder.path(), NAME, &many(1, 0));
    emulator.inject(Fault::new(Operation::DescribeRestoreJob, FaultKind::UnknownStatus).times(2));
    let (code, stdout, stderr) = ran(folder.path(), &emulator, &["run", NAME, "--yes"]).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let said = "r0: AWS reports the status `SUSPENDED`, which redrill does not know";
    assert_eq!(stderr.matches(said).count(), 1, "{stderr}");
    emulator.shutdown().await;
}
