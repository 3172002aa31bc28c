//! What cleanup takes for a run's own, and where it and `status` look for it.

use jiff::SignedDuration;
use redrill::cleanup::{Fate, cleanup};
use redrill::emulator::{Fault, FaultKind, JobFault, Operation, TokenSemantics};
use redrill::execute::{History, Places, Policy, Recorded, Twins};
use redrill::journal;

use crate::engine::{going, stranger};
use crate::harness::{driven, fast, run, run_going};
use crate::support::{at_once, emulator, folder, many, write};

const BUCKET: &str = r#"plan: everywhere
targets:
  west: { region: us-west-2, account: "123456789012", iam_role_arn: "arn:aws:iam::123456789012:role/restore" }
  other: { region: us-west-2, account: "210987654321", iam_role_arn: "arn:aws:iam::210987654321:role/restore" }
restores:
  a:
    target: west
    type: EBS
    recovery_point: arn:aws:ec2:us-west-2::snapshot/snap-0a1b2c3d4e5f60718
    metadata: { availabilityZone: "{{ target.region }}a", encrypted: true }
  bucket:
    target: other
    type: S3
    recovery_point: arn:aws:backup:us-west-2:210987654321:recovery-point:00000000-0000-0000-0000-000000000001
    metadata: { DestinationBucketName: back-main, NewBucket: true, Encrypted: true, EncryptionType: SSE-S3, CreationToken: back-main }
"#;

fn fate(state: &std::path::Path, restore: &str) -> Fate {
    let events = journal::read(&journal::directory(state, "many", "main")).unwrap();
    let history = History::of(&events).unwrap();
    let levels = cleanup(&events, &history.observed, &[], &Places::of(&events));
    levels
        .into_iter()
        .flatten()
        .find(|item| item.restore == restore)
        .unwrap()
        .fate
}

/// Without the journal a run adopts its own jobs by their marks. What they made is this run's, and cleanup does not pass it
/// over as somebody else's.
#[tokio::test]
async fn cleanup_of_what_was_adopted_by_its_mark() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    let plan = many(1, 0);
    run(folder().path(), &plan, &emulator).await.unwrap();
    let clock = emulator.clock();
    clock.advance_to(clock.now() + SignedDuration::from_hours(2));
    let again = folder();
    run(again.path(), &plan, &emulator).await.unwrap();
    assert_eq!(emulator.jobs().len(), 1);
    let fate = fate(again.path(), "r0");
    assert!(
        matches!(fate, Fate::Delete { .. } | Fate::Left(_)),
        "{fate:?}"
    );
    emulator.shutdown().await;
}

/// The other way round: somebody else's job of ten minutes before the run, taken with `--adopt`, was not started by this run.
#[tokio::test]
async fn cleanup_of_what_somebody_else_started() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    stranger(
        &emulator,
        "x",
        "EFS",
        &[
            ("file-system-id", "fs-0a1b2c3d"),
            ("newFileSystem", "true"),
            ("Encrypted", "true"),
            ("CreationToken", "r0-main"),
        ],
    )
    .await;
    let clock = emulator.clock();
    clock.advance_to(clock.now() + SignedDuration::from_mins(10));
    let state = folder();
    let policy = Policy {
        twins: Twins::Adopt,
        ..fast()
    };
    let mut nothing = |_: &Recorded| {};
    run_going(
        state.path(),
        &many(1, 0),
        &emulator,
        going(policy, &mut nothing),
    )
    .await
    .unwrap();
    assert_eq!(emulator.jobs().len(), 1);
    let fate = fate(state.path(), "r0");
    assert!(!matches!(fate, Fate::Delete { .. }), "{fate:?}");
    emulator.shutdown().await;
}

/// A listing leaves out what a job has made, a description would not: cleanup knows it all the same.
#[tokio::test]
async fn cleanup_of_what_a_listing_leaves_out() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    emulator.inject(Fault::new(Operation::ListRestoreJobs, FaultKind::Sparse));
    let state = folder();
    run(state.path(), &many(10, 0), &emulator).await.unwrap();
    let fates: Vec<Fate> = (0..10)
        .map(|at| fate(state.path(), &format!("r{at}")))
        .collect();
    assert!(
        fates.iter().all(|fate| matches!(fate, Fate::Delete { .. })),
        "{fates:?}"
    );
    emulator.shutdown().await;
}

/// Targets are added to a plan in the middle of its run; what was made in the second is looked for where it is.
#[tokio::test(flavor = "multi_thread")]
async fn cleanup_after_the_targets_have_changed() {
    for changed in [false, true] {
        let emulator = emulator(at_once()).await;
        let folder = folder();
        let (path, url) = (folder.path().to_owned(), emulator.url());
        let (code, stdout, stderr) = tokio::task::spawn_blocking(move || {
            let on = |arguments: &[&str]| {
                let mut all = arguments.to_vec();
                all.extend(["--endpoint-url", &url]);
                crate::drill::run(&path, &all)
            };
            write(&path, "plan.yaml", BUCKET);
            let (code, stdout, stderr) = on(&["run", "plan.yaml", "--yes", "-q"]);
            assert_eq!(code, 0, "{stdout}{stderr}");
            if changed {
                let text = BUCKET.replace(
                    "targets:\n",
                    "targets:\n  first: { region: us-east-1, account: \"123456789012\", iam_role_arn: \"arn:aws:iam::123456789012:role/restore\" }\n",
                ) + "  more:\n    target: west\n    type: EBS\n    recovery_point: arn:aws:ec2:us-west-2::snapshot/snap-0a1b2c3d4e5f60719\n    metadata: { availabilityZone: us-west-2a, encrypted: true }\n";
                write(&path, "plan.yaml", &text);
                let (code, stdout, stderr) = on(&["run", "plan.yaml", "--yes", "-q"]);
                assert_eq!(code, 0, "{stdout}{stderr}");
            }
            on(&["cleanup", "plan.yaml", "--yes"])
        })
        .await
        .unwrap();
        let there = emulator.resources("210987654321");
        assert!(
            there.iter().all(|arn| !arn.contains("back-main")),
            "changed: {changed}; cleanup ended with {code}, and it is there: {there:?} {stdout}{stderr}"
        );
        emulator.shutdown().await;
    }
}

/// `status` after targets were added in front: jobs are asked for where they are.
#[tokio::test(flavor = "multi_thread")]
async fn status_after_the_targets_have_changed() {
    let (same, changed) = (
        status_of_the_bucket(false).await,
        status_of_the_bucket(true).await,
    );
    assert_eq!(same, changed);
}

async fn status_of_the_bucket(changed: bool) -> String {
    let emulator = emulator(redrill::emulator::Options {
        speed: redrill::emulator::Speed::Times(1.0),
        ..Default::default()
    })
    .await;
    emulator.inject(Fault::new(
        Operation::StartRestoreJob,
        FaultKind::Job(JobFault::Slow(100)),
    ));
    let folder = folder();
    let (path, url) = (folder.path().to_owned(), emulator.url());
    let clock = emulator.clock();
    let stdout = tokio::task::spawn_blocking(move || {
        let on = |arguments: &[&str]| {
            let mut all = arguments.to_vec();
            all.extend(["--endpoint-url", &url]);
            crate::drill::run(&path, &all)
        };
        let plan = BUCKET
            .replace("    type: S3\n", "    type: S3\n    timeout: 1s\n")
            .replace("    type: EBS\n", "    type: EBS\n    timeout: 1s\n");
        write(&path, "plan.yaml", &plan);
        assert_eq!(on(&["run", "plan.yaml", "--yes", "-q"]).0, 5);
        let text = plan.replace(
            "targets:\n",
            "targets:\n  first: { region: us-east-1, account: \"123456789012\", iam_role_arn: \"arn:aws:iam::123456789012:role/restore\" }\n",
        );
        if changed {
            write(&path, "plan.yaml", &text);
            assert_eq!(on(&["run", "plan.yaml", "--yes", "-q"]).0, 5);
        }
        clock.advance_to(clock.now() + SignedDuration::from_hours(200));
        let (_, stdout, stderr) = on(&["status", "plan.yaml"]);
        format!("{stdout}{stderr}")
    })
    .await
    .unwrap();
    emulator.shutdown().await;
    let line = stdout.lines().find(|line| line.contains("bucket")).unwrap();
    line.split_whitespace().next().unwrap().to_owned()
}
