//! What others do meanwhile, and what is known of before.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use redrill::diff::Wanted;
use redrill::execute::{DuplicatePolicy, Ended, Policy, Stopped};
use redrill::ids::{JobId, RestoreName, RunId};
use redrill::render::{Inputs, Known};
use redrill::session;
use redrill::state::{Event, Recorded, RunState};
use redrill_emulator::{Fault, FaultKind, Inventory, Operation, Options, TokenSemantics};

use super::{SAME, stranger};
use crate::harness::{
    Death, completed, driven, fast, jobs_are_there, logged, run, run_as, run_until, run_watched,
    sleep,
};
use crate::support::{at_once, emulator, folder, many, operations, redrill, write};

/// Thousands of intents without an answer cost a listing, not a listing each.
#[tokio::test]
async fn what_an_earlier_runner_left_unanswered_is_found_by_one_listing() {
    let state = folder();
    let (emulator, log) = logged(state.path(), TokenSemantics::default()).await;
    // Dies with all intents on disk and nothing sent.
    run_until(state.path(), &many(20, 0), &emulator, Death::After(1))
        .await
        .unwrap_err();
    assert_eq!(emulator.jobs().len(), 0);
    let before = operations(&log).len();
    run(state.path(), &many(20, 0), &emulator).await.unwrap();
    let asked = operations(&log).split_off(before);
    let first = asked.iter().position(|name| name == "StartRestoreJob");
    assert_eq!(first, Some(1), "{asked:?}");
    assert_eq!(asked[0], "ListRestoreJobs");
    let started = asked.iter().filter(|name| *name == "StartRestoreJob");
    assert_eq!(started.count(), 20);
    assert_eq!((emulator.jobs().len(), completed(state.path())), (20, 20));
    emulator.shutdown().await;
}

/// Without its journal a run finds jobs that have ended long ago, and with it those whose answer was lost. A listing of
/// what has ended lately does not show them, and nobody waits until the rest has ended.
#[tokio::test]
async fn jobs_that_ended_before_they_were_found_are_known_to_have_ended() {
    let state = folder();
    let log = state.path().join("requests.jsonl");
    for (tokens, lost) in [
        (TokenSemantics::default(), 0),
        (TokenSemantics::default(), 20),
        (TokenSemantics::recorded(), 20),
    ] {
        let emulator = emulator(Options {
            log: Some(log.clone()),
            ..driven(tokens)
        })
        .await;
        let clock = emulator.clock();
        let plan = many(20, 0);
        if lost == 0 {
            run(folder().path(), &plan, &emulator).await.unwrap();
            sleep(&emulator, SignedDuration::from_hours(24));
        }
        let before = operations(&log).len();
        emulator.inject(Fault::new(Operation::StartRestoreJob, FaultKind::NoAnswer).times(lost));
        let sleep = async {
            jobs_are_there(&emulator, 20).await;
            if lost > 0 {
                sleep(&emulator, SignedDuration::from_mins(40));
                emulator.drop_connections();
            }
            clock.now()
        };
        let again = folder();
        let (ended, woken) = tokio::join!(run(again.path(), &plan, &emulator), sleep);
        assert_eq!(ended.unwrap(), Ended::Finished);
        assert_eq!((emulator.jobs().len(), completed(again.path())), (20, 20));
        let asked = operations(&log).split_off(before);
        let count = |name: &str| asked.iter().filter(|asked| *asked == name).count();
        // What is never answered is not logged, and what was found is not sent again.
        assert_eq!(count("StartRestoreJob"), 0, "{asked:?}");
        assert_eq!(count("DescribeRestoreJob"), lost as usize, "{asked:?}");
        let took = clock.now().duration_since(woken);
        assert!(took < SignedDuration::from_secs(10), "{took:?}: {asked:?}");
        emulator.shutdown().await;
    }
}

/// Credentials run out in the middle: what runs is not lost, what waits is not failed.
#[tokio::test]
async fn credentials_that_run_out_are_waited_for() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    for operation in [
        Operation::StartRestoreJob,
        Operation::DescribeRestoreJob,
        Operation::ListRestoreJobs,
    ] {
        emulator.inject(Fault::new(operation, FaultKind::expired_token()).times(6));
    }
    let state = folder();
    let mut said = Vec::new();
    let mut onlooker = |recorded: &Recorded| {
        if let Event::AwsUnavailable { message } = &recorded.event {
            said.push(message.clone());
        }
    };
    let ended = run_watched(state.path(), &many(3, 0), &emulator, &mut onlooker).await;
    assert_eq!(ended.unwrap(), Ended::Finished);
    assert_eq!((emulator.jobs().len(), completed(state.path())), (3, 3));
    assert!(said.len() <= 3, "said once an operation: {said:?}");
    assert!(said[0].contains("log in again"), "{said:?}");
    emulator.shutdown().await;
}

/// Two jobs fit a request: they are listed, and one of them can be chosen.
#[tokio::test]
async fn several_jobs_that_fit_are_chosen_from_by_a_person() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    let plan = many(1, 0);
    // Two strangers have asked for the same.
    for token in ["one", "two"] {
        stranger(&emulator, token, 0, &SAME).await;
    }
    sleep(&emulator, SignedDuration::from_hours(2));
    let strangers: Vec<String> = emulator.jobs().iter().map(|job| job.id.clone()).collect();
    assert_eq!(strangers.len(), 2);
    let ask = |policy: Policy| {
        let (emulator, plan) = (&emulator, &plan);
        async move {
            let state = folder();
            let ended = run_as(policy, state.path(), plan, emulator).await;
            (ended, completed(state.path()))
        }
    };
    let (asked, _) = ask(fast()).await;
    assert!(
        matches!(&asked, Err(Stopped::Duplicate { jobs, .. }) if jobs.len() == 2),
        "{asked:?}"
    );
    let (ambiguous, _) = ask(Policy {
        duplicates: DuplicatePolicy::Adopt,
        ..fast()
    })
    .await;
    assert!(
        matches!(ambiguous, Err(Stopped::Duplicate { .. })),
        "{ambiguous:?}"
    );
    // Whoever names a job takes that one, and no other.
    let (named, _) = ask(Policy {
        duplicates: DuplicatePolicy::Adopt,
        chosen: BTreeSet::from([JobId::new("deadbeef-0000-4000-8000-000000000000")]),
        ..fast()
    })
    .await;
    assert!(
        matches!(&named, Err(Stopped::Duplicate { .. })),
        "{named:?}"
    );
    let (chosen, completed) = ask(Policy {
        duplicates: DuplicatePolicy::Adopt,
        chosen: BTreeSet::from([JobId::new(strangers[1].as_str())]),
        ..fast()
    })
    .await;
    assert_eq!((chosen.unwrap(), completed), (Ended::Finished, 1));
    assert_eq!(emulator.jobs().len(), 2, "nothing was started");
    emulator.shutdown().await;
}

/// A job that takes longer than the plan wants: following ends, the job does not, and the next run follows it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_ends_following_and_nothing_else() {
    let point =
        "arn:aws:backup:us-west-2:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45";
    let inventory = format!(
        "account: \"123456789012\"\nregion: us-west-2\nvaults:\n  v:\n    recovery_points:\n      - {{ arn: \"{point}\", resource_arn: \"arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-1\", resource_type: EFS, created_at: 2026-01-01T00:00:00Z, restore: {{ hangs: running }} }}\n"
    );
    let emulator = emulator(Options {
        inventory: Some(Inventory::parse(&inventory).unwrap()),
        ..at_once()
    })
    .await;
    let folder = folder();
    write(
        folder.path(),
        "plan.yaml",
        &format!(
            "plan: slow\ntarget: {{ region: us-west-2, account: \"123456789012\", iam_role_arn: \"arn:aws:iam::123456789012:role/restore\" }}\nrestores:\n  files:\n    type: EFS\n    recovery_point: {point}\n    timeout: 1s\n    into_existing: true\n    metadata: {{ file-system-id: fs-0a1b2c3d, newFileSystem: false, Encrypted: false }}\n  next:\n    type: EFS\n    needs: [files]\n    recovery_point: {point}\n    into_existing: true\n    metadata: {{ file-system-id: fs-0a1b2c3d, newFileSystem: false, Encrypted: false }}\n"
        ),
    );
    let url = emulator.url();
    let path = folder.path().to_owned();
    tokio::task::spawn_blocking(move || {
        for _ in 0..2 {
            redrill(&path)
                .args(["run", "plan.yaml", "--yes", "--into-existing"])
                .args(["--endpoint-url", &url])
                .assert()
                .code(5)
                .stderr_eq(snapbox::str![[r#"
...
[..]files: not finished within its timeout; its job continues at AWS and is no longer followed
[..]next: skipped, because `files` was not back within its timeout
...
"#]]);
        }
    })
    .await
    .unwrap();
    assert_eq!(emulator.jobs().len(), 1);
    emulator.shutdown().await;
}

/// What a restore took in an earlier run says more than its type and size.
#[test]
fn an_earlier_run_is_learned_from() {
    let source = redrill::diagnostic::Source::new("plan.yaml", many(2, 0));
    let rules = std::sync::Arc::new(redrill::rules::Rules::embedded());
    let loaded = session::read(&source, &RunId::new("main"), &Inputs::default(), &rules).unwrap();
    let mut plan = loaded.draft(&Known::default()).plan.unwrap();
    let by_type = plan.steps.as_slice()[0].draft.expected;
    let start: jiff::Timestamp = "2026-11-20T03:00:00Z".parse().unwrap();
    let took = SignedDuration::from_hours(3);
    let earlier = Recorded {
        aws_ahead: None,
        at: start,
        event: Event::Completed {
            restore: RestoreName::new("r1"),
            created_resource_arn: None,
            started_at: Some(start),
            ended_at: Some(start + took),
            recovery_point_created_at: None,
            message: None,
            mismatch: None,
            size_bytes: None,
            source_resource_arn: None,
        },
    };
    session::learn(&mut plan, &session::took(&earlier).into_iter().collect());
    let expected: Vec<SignedDuration> = plan.steps.iter().map(|s| s.draft.expected).collect();
    assert_eq!(expected, [by_type, took]);
    let diff = redrill::diff::diff(&plan, &RunState::default(), &Wanted::default());
    // Its end is seen at the next look.
    let late = redrill::execute::expected(&plan, &diff) - took;
    assert!(
        late > SignedDuration::ZERO && late < SignedDuration::from_secs(31),
        "{late:?}"
    );
}
