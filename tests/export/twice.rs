//! What a script must not start twice, nor take for its own, where AWS and the network do their worst.

use redrill_emulator::{Emulator, Fault, FaultKind, Faults, Operation, Options};

use super::{ended, exported, script, script_with_aws};
use crate::support::{HEAD, at_once, emulator, folder, many, point, ran};

/// File systems whose request is the same in every run; `more` is another line of each.
fn same_in_every_run(count: usize, more: &str) -> String {
    let restores = (0..count).map(|at| {
        format!(
            "  r{at}:\n    type: EFS\n{more}    recovery_point: {}\n    metadata: {{ file-system-id: fs-0a1b2c3d, newFileSystem: true, Encrypted: true, CreationToken: same }}\n",
            point(at)
        )
    });
    format!("{HEAD}{}", restores.collect::<String>())
}

const UNMARKED: &str = "    mark: false\n";

fn faults(of: &[&str]) -> Options {
    let faults = of.iter().map(|text| text.parse::<Fault>().unwrap());
    Options {
        faults: Faults(faults.collect()),
        ..at_once()
    }
}

/// Runs a script with these words, and environment; its exit code and what it said.
async fn runs(
    kit: &std::path::Path,
    emulator: &Emulator,
    words: &[&str],
    env: &[(&str, &str)],
) -> (Option<i32>, String) {
    let mut command = script(kit, &emulator.url());
    command.arg("--yes").args(words).envs(env.iter().copied());
    ended(command).await
}

fn ids(emulator: &Emulator) -> Vec<String> {
    emulator.jobs().into_iter().map(|job| job.id).collect()
}

const NOT_SENT: (&str, &str) = (
    "STUB_FAILS",
    "start-restore-job:1:Read timeout on endpoint URL",
);
const ANSWER_LOST: (&str, &str) = (
    "STUB_FAILS",
    "start-restore-job:+1:Read timeout on endpoint URL",
);

/// Somebody else's job of the same request, younger than a day, is not the answer to a request that was lost.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_twin_is_not_taken_for_the_answer_that_was_lost() {
    for lost in [NOT_SENT, ANSWER_LOST] {
        let emulator = emulator(at_once()).await;
        let (one, other) = (folder(), folder());
        let plan = same_in_every_run(1, UNMARKED);
        let first = exported(one.path(), &plan, &["--run-id", "one"]);
        let second = exported(other.path(), &plan, &["--run-id", "two"]);
        let (code, said) = runs(&first, &emulator, &[], &[]).await;
        assert_eq!(code, Some(0), "{said}");
        let twin = ids(&emulator).remove(0);
        let (code, said) = runs(&second, &emulator, &[], &[]).await;
        assert_eq!(code, Some(5), "{said}");
        assert!(
            said.contains(&format!("./restore.sh --adopt 'r0={twin}'")),
            "{said}"
        );
        assert_eq!(said.matches("--adopt").count(), 1, "{said}");
        let (code, said) = runs(&second, &emulator, &["--start-anyway", "r0"], &[lost]).await;
        assert_eq!(code, Some(0), "{lost:?}: {said}");
        assert!(said.contains("no answer"), "{said}");
        assert_eq!(ids(&emulator).len(), 2, "{lost:?}: {said}");
        let job = std::fs::read_to_string(second.join("state/r0.1.job")).unwrap();
        assert_ne!(job.trim(), twin, "{said}");
        // Nothing but its request tells what was found: the summary says so, also later.
        let (_, said) = runs(&second, &emulator, &["--status"], &[]).await;
        assert_eq!(said.contains("is not known"), lost == ANSWER_LOST, "{said}");
        emulator.shutdown().await;
    }
}

/// The state of a kit of an earlier version does not say what was there before: it is asked about.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_not_taken_where_nobody_looked_before_the_request_left() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let kit = exported(folder.path(), &same_in_every_run(1, UNMARKED), &[]);
    let (code, said) = runs(&kit, &emulator, &[], &[("STUB_DIES", "4:after")]).await;
    assert_eq!((code, ids(&emulator).len()), (None, 1), "{said}");
    let intent = kit.join("state/r0.1.intent");
    let text = std::fs::read_to_string(&intent).unwrap();
    assert!(text.contains("\ntwins "), "{text}");
    std::fs::write(&intent, text.lines().next().unwrap()).unwrap();
    let (code, said) = runs(&kit, &emulator, &[], &[]).await;
    assert_eq!(code, Some(5), "{said}");
    let job = format!("r0={}", ids(&emulator)[0]);
    let (code, said) = runs(&kit, &emulator, &["--adopt", &job], &[]).await;
    assert_eq!((code, ids(&emulator).len()), (Some(0), 1), "{said}");
    emulator.shutdown().await;
}

/// The AWS CLI repeats a call by itself, also one that has arrived, and AWS may have forgotten the token.
#[tokio::test(flavor = "multi_thread")]
async fn the_aws_cli_sends_a_start_once() {
    let lost = ["reset-after", "close-after", "truncate"];
    let mut script: Vec<String> = (0..lost.len())
        .map(|at| {
            format!(
                "{},operation=StartRestoreJob,times=1,recovery_point={}",
                lost[at],
                point(at)
            )
        })
        .collect();
    script.push("forget-token,operation=StartRestoreJob".to_owned());
    let script: Vec<&str> = script.iter().map(String::as_str).collect();
    let emulator = emulator(faults(&script)).await;
    let folder = folder();
    let kit = exported(folder.path(), &many(lost.len(), 0), &[]);
    let Some(mut command) = script_with_aws(&kit, &emulator.url()) else {
        return;
    };
    command.arg("--yes");
    let (code, said) = ended(command).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.matches("no answer").count(), lost.len(), "{said}");
    assert_eq!(emulator.jobs().len(), lost.len(), "{said}");
    assert_eq!(emulator.calls()[&Operation::StartRestoreJob], 3, "{said}");
    emulator.shutdown().await;
}

/// Only the call that starts something is not repeated by the AWS CLI.
#[tokio::test(flavor = "multi_thread")]
async fn the_aws_cli_may_repeat_what_only_reads() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let kit = exported(folder.path(), &many(1, 0), &[]);
    let log = folder.path().join("calls");
    let (code, said) = runs(&kit, &emulator, &[], &[("STUB_LOG", log.to_str().unwrap())]).await;
    assert_eq!(code, Some(0), "{said}");
    for line in std::fs::read_to_string(log).unwrap().lines() {
        let is_start = line.contains("start-restore-job");
        assert_eq!(line.starts_with("1 "), is_start, "{line}");
    }
    emulator.shutdown().await;
}

/// A mark in other letters is the same mark; a job that asked for the same and has none is asked about.
#[tokio::test(flavor = "multi_thread")]
async fn marks_that_come_back_otherwise_start_no_second_job() {
    for (fault, expected) in [("metadata-upper", 0), ("metadata-unmarked", 5)] {
        // Before anything is sent, and after an answer was lost.
        for lost in [false, true] {
            let emulator = emulator(faults(&[&format!(
                "{fault},operation=GetRestoreJobMetadata"
            )]))
            .await;
            let (one, other) = (folder(), folder());
            let kit = exported(one.path(), &many(1, 0), &[]);
            let (kit, code, said) = if lost {
                let (code, said) = runs(&kit, &emulator, &[], &[ANSWER_LOST]).await;
                (kit, code, said)
            } else {
                let (code, said) = runs(&kit, &emulator, &[], &[]).await;
                assert_eq!(code, Some(0), "{said}");
                let kit = exported(other.path(), &many(1, 0), &[]);
                let (code, said) = runs(&kit, &emulator, &[], &[]).await;
                (kit, code, said)
            };
            assert_eq!(code, Some(expected), "{fault}, lost: {lost}: {said}");
            assert_eq!(ids(&emulator).len(), 1, "{fault}, lost: {lost}: {said}");
            if expected == 5 {
                let job = format!("r0={}", ids(&emulator)[0]);
                assert!(
                    said.contains(&format!("./restore.sh --adopt '{job}'")),
                    "{said}"
                );
                // What was not asked about is not answered: the same job again, and one more.
                let (code, said) = runs(&kit, &emulator, &["--adopt", &job], &[]).await;
                assert_eq!((code, ids(&emulator).len()), (Some(0), 1), "{said}");
            }
            emulator.shutdown().await;
        }
    }
}

/// `--start-anyway` answers what was asked: a job that came since is asked about.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_one_to_the_jobs_that_were_shown() {
    let unmarked = "metadata-unmarked,operation=GetRestoreJobMetadata";
    let forgets = "forget-token,operation=StartRestoreJob";
    let emulator = emulator(faults(&[unmarked, forgets])).await;
    let folder = folder();
    let kit = exported(folder.path(), &many(1, 0), &[]);
    // It was lost, and nobody has been asked yet.
    let (code, said) = runs(&kit, &emulator, &["--start-anyway", "r0"], &[ANSWER_LOST]).await;
    assert_eq!((code, ids(&emulator).len()), (Some(5), 1), "{said}");
    let (code, said) = runs(&kit, &emulator, &["--start-anyway", "r0"], &[]).await;
    assert_eq!((code, ids(&emulator).len()), (Some(0), 2), "{said}");
    emulator.shutdown().await;
}

/// A refused request has no job; its second attempt has, and another token. Whoever comes from elsewhere takes that one.
#[tokio::test(flavor = "multi_thread")]
async fn a_later_attempt_of_somebody_else_is_found() {
    for by_run in [false, true] {
        let emulator = emulator(faults(&["validation,operation=StartRestoreJob,times=1"])).await;
        let (one, other) = (folder(), folder());
        let plan = many(2, 1);
        let kit = exported(one.path(), &plan, &[]);
        for (more, expected) in [(&[][..], 6), (&["--retry-failed"], 0)] {
            let (code, said) = if by_run {
                let words = [&["run", "plan.yaml", "--yes", "-q"], more].concat();
                let (code, _, said) = ran(one.path(), &emulator, &words).await;
                (Some(code), said)
            } else {
                runs(&kit, &emulator, more, &[]).await
            };
            assert_eq!(code, Some(expected), "{said}");
        }
        assert_eq!(ids(&emulator).len(), 2);
        let kit = exported(other.path(), &plan, &[]);
        for _ in 0..2 {
            let (code, said) = runs(&kit, &emulator, &[], &[]).await;
            assert_eq!((code, ids(&emulator).len()), (Some(0), 2), "{said}");
        }
        assert!(kit.join("state/r0.2.job").exists());
        emulator.shutdown().await;
    }
}

/// Failed attempts are history, whoever made them; the latest is taken up.
#[tokio::test(flavor = "multi_thread")]
async fn earlier_attempts_that_failed_are_history() {
    let emulator = emulator(faults(&["job-fails,operation=StartRestoreJob,times=2"])).await;
    let (one, other) = (folder(), folder());
    let kit = exported(one.path(), &many(1, 0), &[]);
    for expected in [6, 6, 0] {
        let (code, said) = runs(&kit, &emulator, &["--retry-failed"], &[]).await;
        assert_eq!(code, Some(expected), "{said}");
    }
    let kit = exported(other.path(), &many(1, 0), &[]);
    let (code, said) = runs(&kit, &emulator, &[], &[]).await;
    assert_eq!((code, ids(&emulator).len()), (Some(0), 3), "{said}");
    emulator.shutdown().await;
}

/// Two attempts of which neither has failed: somebody has to say which one counts.
#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_attempt_that_did_not_fail_is_asked_about() {
    let emulator = emulator(faults(&["validation,operation=StartRestoreJob,times=1"])).await;
    let (one, other, third) = (folder(), folder(), folder());
    let kit = exported(one.path(), &many(1, 0), &[]);
    for expected in [6, 0] {
        let (code, said) = runs(&kit, &emulator, &["--retry-failed"], &[]).await;
        assert_eq!(code, Some(expected), "{said}");
    }
    // Somebody who does not see it starts the first attempt.
    emulator.inject("list-lag,delay=1000h".parse().unwrap());
    let blind = exported(other.path(), &many(1, 0), &[]);
    let (code, said) = runs(&blind, &emulator, &[], &[]).await;
    assert_eq!((code, ids(&emulator).len()), (Some(0), 2), "{said}");
    emulator.clear_faults();
    let kit = exported(third.path(), &many(1, 0), &[]);
    let (code, said) = runs(&kit, &emulator, &[], &[]).await;
    assert_eq!((code, ids(&emulator).len()), (Some(5), 2), "{said}");
    for id in ids(&emulator) {
        assert!(
            said.contains(&format!("./restore.sh --adopt 'r0={id}'")),
            "{said}"
        );
    }
    let job = std::fs::read_to_string(one.path().join("kit/state/r0.2.job")).unwrap();
    let (code, said) = runs(
        &kit,
        &emulator,
        &["--adopt", &format!("r0={}", job.trim())],
        &[],
    )
    .await;
    assert_eq!((code, ids(&emulator).len()), (Some(0), 2), "{said}");
    assert!(kit.join("state/r0.2.job").exists(), "{said}");
    emulator.shutdown().await;
}

/// An attempt that somebody else has made of what was refused here: who starts another one all the same is asked once.
#[tokio::test(flavor = "multi_thread")]
async fn another_attempt_than_the_one_that_runs_is_asked_about_once() {
    let emulator = emulator(faults(&["validation,operation=StartRestoreJob,times=1"])).await;
    let (one, other) = (folder(), folder());
    let kit = exported(one.path(), &many(1, 0), &[]);
    let (code, said) = runs(&kit, &emulator, &[], &[]).await;
    assert_eq!(code, Some(6), "{said}");
    let elsewhere = exported(other.path(), &many(1, 0), &[]);
    let (code, said) = runs(&elsewhere, &emulator, &[], &[]).await;
    assert_eq!((code, ids(&emulator).len()), (Some(0), 1), "{said}");
    let (code, said) = runs(&kit, &emulator, &["--retry-failed"], &[]).await;
    assert_eq!((code, ids(&emulator).len()), (Some(5), 1), "{said}");
    let first = ids(&emulator).remove(0);
    assert!(
        said.contains(&format!("./restore.sh --adopt 'r0={first}'")),
        "{said}"
    );
    let (code, said) = runs(&kit, &emulator, &["--start-anyway", "r0"], &[ANSWER_LOST]).await;
    assert_eq!((code, ids(&emulator).len()), (Some(0), 2), "{said}");
    let job = std::fs::read_to_string(kit.join("state/r0.2.job")).unwrap();
    assert_ne!(job.trim(), first);
    emulator.shutdown().await;
}

/// A caller who may not start it is no failure of the restore.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_caller_may_not_start_has_not_failed() {
    let denied = "access-denied,operation=StartRestoreJob,times=1";
    let emulator = emulator(faults(&[denied])).await;
    let folder = folder();
    let kit = exported(folder.path(), &many(2, 1), &[]);
    let (code, said) = runs(&kit, &emulator, &[], &[]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("AccessDeniedException"), "{said}");
    assert!(
        !said.contains("FAILED") && !kit.join("state/r0.1.intent").exists(),
        "{said}"
    );
    let (code, said) = runs(&kit, &emulator, &[], &[]).await;
    assert_eq!((code, ids(&emulator).len()), (Some(0), 2), "{said}");
    // A copy may be there already: what was meant stays written down.
    emulator.inject(Fault::new(Operation::StartRestoreJob, FaultKind::ResetAfter).times(1));
    emulator.inject(denied.parse().unwrap());
    emulator.inject("list-lag,delay=1000h,times=2".parse().unwrap());
    let other = crate::support::folder();
    let kit = exported(other.path(), &many(1, 0), &["--run-id", "other"]);
    let (code, said) = runs(&kit, &emulator, &[], &[]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(kit.join("state/r0.1.intent").exists(), "{said}");
    let (code, said) = runs(&kit, &emulator, &[], &[]).await;
    assert_eq!((code, ids(&emulator).len()), (Some(0), 3), "{said}");
    emulator.shutdown().await;
}

/// A new job may not be listed yet, and AWS forgets tokens.
#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_lags_is_waited_for() {
    let lags = "list-lag,delay=5s";
    let forgets = "forget-token,operation=StartRestoreJob";
    let emulator = emulator(faults(&[lags, forgets])).await;
    let folder = folder();
    let kit = exported(folder.path(), &many(1, 0), &[]);
    let (code, said) = runs(
        &kit,
        &emulator,
        &[],
        &[ANSWER_LOST, ("KIT_VISIBLE_SECONDS", "60")],
    )
    .await;
    assert_eq!((code, ids(&emulator).len()), (Some(0), 1), "{said}");
    emulator.shutdown().await;
}

/// A new job may be listed and not be known everywhere yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_not_known_everywhere_yet_is_asked_for_again() {
    let not_yet = ["DescribeRestoreJob", "GetRestoreJobMetadata"]
        .map(|of| format!("not-yet,operation={of},times=2"));
    let not_yet: Vec<&str> = not_yet.iter().map(String::as_str).collect();
    let emulator = emulator(faults(&not_yet)).await;
    let folder = folder();
    let kit = exported(folder.path(), &many(1, 0), &[]);
    let lasting = ("KIT_VISIBLE_SECONDS", "600");
    let (code, said) = runs(&kit, &emulator, &[], &[ANSWER_LOST, lasting]).await;
    assert_eq!((code, ids(&emulator).len()), (Some(0), 1), "{said}");
    emulator.shutdown().await;
}
