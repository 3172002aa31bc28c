//! What cleanup takes for a run's own, and where it and `status` look for it.

use std::path::Path;

use jiff::SignedDuration;
use redrill::cleanup::{Disposition, cleanup};
use redrill::execute::{DuplicatePolicy, Policy};
use redrill::state::Places;
use redrill_emulator::{
    Emulator, Fault, FaultKind, JobFault, Operation, Options, Speed, TokenSemantics,
};

use crate::engine::{SAME, stranger};
use crate::harness::{driven, events, fast, observed, run, run_as, sleep};
use crate::support::{at_once, emulator, folder, many, ran, write};

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

/// The same plan with a target in front of those that it had.
fn with_another_target(plan: &str) -> String {
    let first = "  first: { region: us-east-1, account: \"123456789012\", iam_role_arn: \"arn:aws:iam::123456789012:role/restore\" }\n";
    plan.replace("targets:\n", &format!("targets:\n{first}"))
}

/// Runs a plan; the exit code.
async fn run_plan(folder: &Path, plan: &str, emulator: &Emulator) -> i32 {
    write(folder, "plan.yaml", plan);
    let run = ["run", "plan.yaml", "--yes", "-q"];
    ran(folder, emulator, &run).await.0
}

fn disposition(state: &Path, restore: &str) -> Disposition {
    let events = events(state);
    let levels = cleanup(&events, &observed(state), &[], &Places::of(&events));
    let mut items = levels.into_iter().flatten();
    items
        .find(|item| item.restore == restore)
        .unwrap()
        .disposition
}

/// Without the journal a run adopts its own jobs by their marks. What they made is this run's, and cleanup does not pass it
/// over as somebody else's.
#[tokio::test]
async fn cleanup_of_what_was_adopted_by_its_mark() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    let plan = many(1, 0);
    run(folder().path(), &plan, &emulator).await.unwrap();
    sleep(&emulator, SignedDuration::from_hours(2));
    let again = folder();
    run(again.path(), &plan, &emulator).await.unwrap();
    assert_eq!(emulator.jobs().len(), 1);
    let disposition = disposition(again.path(), "r0");
    assert!(
        matches!(
            disposition,
            Disposition::Delete { .. } | Disposition::Left(_)
        ),
        "{disposition:?}"
    );
    emulator.shutdown().await;
}

/// The other way round: somebody else's job of ten minutes before the run, taken with `--adopt`, was not started by this run.
#[tokio::test]
async fn cleanup_of_what_somebody_else_started() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    stranger(&emulator, "x", 0, &SAME).await;
    sleep(&emulator, SignedDuration::from_mins(10));
    let state = folder();
    let policy = Policy {
        duplicates: DuplicatePolicy::Adopt,
        ..fast()
    };
    run_as(policy, state.path(), &many(1, 0), &emulator)
        .await
        .unwrap();
    assert_eq!(emulator.jobs().len(), 1);
    let disposition = disposition(state.path(), "r0");
    assert!(
        !matches!(disposition, Disposition::Delete { .. }),
        "{disposition:?}"
    );
    emulator.shutdown().await;
}

/// A listing leaves out what a job has made, a description would not: cleanup knows it all the same.
#[tokio::test]
async fn cleanup_of_what_a_listing_leaves_out() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    emulator.inject(Fault::new(Operation::ListRestoreJobs, FaultKind::Sparse));
    let state = folder();
    run(state.path(), &many(10, 0), &emulator).await.unwrap();
    let fates: Vec<Disposition> = (0..10)
        .map(|at| disposition(state.path(), &format!("r{at}")))
        .collect();
    assert!(
        fates
            .iter()
            .all(|disposition| matches!(disposition, Disposition::Delete { .. })),
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
        assert_eq!(run_plan(folder.path(), BUCKET, &emulator).await, 0);
        if changed {
            let text = with_another_target(BUCKET)
                + "  more:\n    target: west\n    type: EBS\n    recovery_point: arn:aws:ec2:us-west-2::snapshot/snap-0a1b2c3d4e5f60719\n    metadata: { availabilityZone: us-west-2a, encrypted: true }\n";
            assert_eq!(run_plan(folder.path(), &text, &emulator).await, 0);
        }
        let cleanup = ["cleanup", "plan.yaml", "--yes"];
        let (code, stdout, stderr) = ran(folder.path(), &emulator, &cleanup).await;
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
    let emulator = emulator(Options {
        speed: Speed::Times(1.0),
        ..Options::default()
    })
    .await;
    let slow = FaultKind::Job(JobFault::Slow(100));
    emulator.inject(Fault::new(Operation::StartRestoreJob, slow));
    let folder = folder();
    let plan = BUCKET
        .replace("    type: S3\n", "    type: S3\n    timeout: 1s\n")
        .replace("    type: EBS\n", "    type: EBS\n    timeout: 1s\n");
    assert_eq!(run_plan(folder.path(), &plan, &emulator).await, 5);
    if changed {
        let text = with_another_target(&plan);
        assert_eq!(run_plan(folder.path(), &text, &emulator).await, 5);
    }
    sleep(&emulator, SignedDuration::from_hours(200));
    let status = ["status", "plan.yaml"];
    let (_, stdout, _) = ran(folder.path(), &emulator, &status).await;
    emulator.shutdown().await;
    let line = stdout.lines().find(|line| line.contains("bucket")).unwrap();
    line.split_whitespace().next().unwrap().to_owned()
}
