//! No network, refusals, failures: a clear message, the right exit code, nothing lost, and a run that goes on.

use redrill_emulator::{Fault, FaultKind, Inventory, Operation, Options};
use snapbox::str;

use crate::support::{at_once, emulator, folder, many, redrill, write};

/// Runs `redrill run` against an emulator and gives it back its thread.
async fn run(path: &std::path::Path, url: &str, arguments: &[&str]) -> snapbox::cmd::OutputAssert {
    let (path, url) = (path.to_owned(), url.to_owned());
    let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
    tokio::task::spawn_blocking(move || {
        redrill(&path)
            .args(["run", "plan.yaml", "--yes", "-q", "--endpoint-url", &url])
            .args(arguments)
            .assert()
    })
    .await
    .unwrap()
}

#[test]
fn nobody_listens() {
    let folder = folder();
    write(folder.path(), "plan.yaml", &many(1, 0));
    redrill(folder.path())
        .args([
            "run",
            "plan.yaml",
            "--yes",
            "--endpoint-url",
            "http://127.0.0.1:9",
        ])
        .assert()
        .code(1)
        .stdout_eq("")
        .stderr_eq(str![[r#"
error: GetCallerIdentity: cannot connect to http://127.0.0.1:9: Connection refused (os error 111)
help: nothing was sent; run the same command again

"#]]);
    assert!(!folder.path().join(".redrill").exists());
}

#[test]
fn nobody_has_credentials() {
    let folder = folder();
    write(folder.path(), "plan.yaml", &many(1, 0));
    redrill(folder.path())
        .args(["run", "plan.yaml", "--yes"])
        .assert()
        .code(1)
        .stdout_eq("")
        .stderr_eq(str![[r#"
error: GetCallerIdentity: no AWS credentials were found; set AWS_PROFILE or give --profile
help: nothing was sent; run the same command again

"#]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wrong_account() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(folder.path(), "plan.yaml", &many(1, 0));
    let (path, url) = (folder.path().to_owned(), emulator.url());
    tokio::task::spawn_blocking(move || {
        redrill(&path)
            .env("AWS_ACCESS_KEY_ID", "999999999999")
            .env("AWS_SECRET_ACCESS_KEY", "x")
            .args(["run", "plan.yaml", "--yes", "--endpoint-url", &url])
            .assert()
            .code(1)
            .stdout_eq("")
            .stderr_eq(str![[r#"
error: the credentials belong to account 999999999999, and the plan's target is 123456789012
help: nothing was sent; use credentials of the target account, or correct `target.account`

"#]]);
    })
    .await
    .unwrap();
    assert!(emulator.jobs().is_empty());
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_may_not_start() {
    let emulator = emulator(at_once()).await;
    emulator.inject(Fault::new(
        Operation::StartRestoreJob,
        FaultKind::Error {
            status: 403,
            code: "AccessDeniedException".to_owned(),
            message: "Insufficient privileges to perform this action.".to_owned(),
        },
    ));
    let folder = folder();
    write(folder.path(), "plan.yaml", &many(3, 1));
    run(folder.path(), &emulator.url(), &[])
        .await
        .code(1)
        .stdout_eq(str![[r#"
Not AWS: this run was at http://127.0.0.1:[..], which is not an AWS endpoint. Nothing was restored at AWS, and its times are by the clock of that endpoint.

NOT_STARTED  r0  -  Insufficient privileges to perform this action. (AccessDeniedException); the caller needs backup:StartRestoreJob
NOT_STARTED  r1  -
NOT_STARTED  r2  -

many run main: not finished; 0 of 3 restored
at http://127.0.0.1:[..] (not AWS), into 123456789012 us-west-2; started [..]
continue with: redrill run plan.yaml --yes -q --endpoint-url http://127.0.0.1:[..]

"#]])
        .stderr_eq(str![[r#"
error: StartRestoreJob: Insufficient privileges to perform this action. (AccessDeniedException); the caller needs backup:StartRestoreJob (request id [..])
help: no job of this run is running at AWS; run the same command again to continue

"#]]);
    assert!(emulator.jobs().is_empty());
    emulator.clear_faults();
    run(folder.path(), &emulator.url(), &[]).await.success();
    assert_eq!(emulator.jobs().len(), 3);
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_fails_and_throttles_for_a_while() {
    let emulator = emulator(at_once()).await;
    for kind in [
        FaultKind::internal_failure(),
        FaultKind::Throttle,
        FaultKind::ResetBefore,
    ] {
        emulator.inject(Fault::new(Operation::StartRestoreJob, kind.clone()).times(1));
        emulator.inject(Fault::new(Operation::DescribeRestoreJob, kind).times(1));
    }
    let folder = folder();
    write(folder.path(), "plan.yaml", &many(2, 0));
    run(folder.path(), &emulator.url(), &[]).await.success();
    assert_eq!(emulator.jobs().len(), 2);
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_fails_fails_alone_and_gets_another_attempt_on_purpose() {
    let inventory = Inventory::parse(
        r#"
account: "123456789012"
region: us-west-2
vaults:
  dr:
    recovery_points:
      - arn: arn:aws:backup:us-west-2:123456789012:recovery-point:00000000-0000-0000-0000-000000000000
        resource_arn: arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-0a1b2c3d
        resource_type: EFS
        created_at: 2026-11-20T03:00:00Z
        restore: { fails: "the KMS key is on holiday" }
      - arn: arn:aws:backup:us-west-2:123456789012:recovery-point:00000000-0000-0000-0000-000000000001
        resource_arn: arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-0a1b2c3d
        resource_type: EFS
        created_at: 2026-11-20T03:00:00Z
      - arn: arn:aws:backup:us-west-2:123456789012:recovery-point:00000000-0000-0000-0000-000000000002
        resource_arn: arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-0a1b2c3d
        resource_type: EFS
        created_at: 2026-11-20T03:00:00Z
"#,
    )
    .unwrap();
    let emulator = emulator(Options {
        inventory: Some(inventory),
        ..at_once()
    })
    .await;
    let folder = folder();
    // r0 fails; r1 hangs on it; r2 does not.
    let plan = many(3, 1).replace("    needs: [r1]\n", "");
    write(folder.path(), "plan.yaml", &plan);
    run(folder.path(), &emulator.url(), &[]).await.code(6).stdout_eq(str![[r#"
Not AWS: this run was at http://127.0.0.1:[..], which is not an AWS endpoint. Nothing was restored at AWS, and its times are by the clock of that endpoint.

FAILED     r0  [..]  the KMS key is on holiday
SKIPPED    r1  -[..]  `r0` failed
COMPLETED  r2  [..]  arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-[..]

many run main: failed; 1 of 3 restored in [..]
at http://127.0.0.1:[..] (not AWS), into 123456789012 us-west-2; started [..], ended [..]
retry what failed with: redrill run plan.yaml --yes -q --endpoint-url http://127.0.0.1:[..] --retry-failed

"#]]);
    assert_eq!(emulator.jobs().len(), 2);
    // Again without asking for another attempt: nothing is sent.
    run(folder.path(), &emulator.url(), &[]).await.code(6);
    assert_eq!(emulator.jobs().len(), 2);
    // On purpose: one more job, with another token.
    run(folder.path(), &emulator.url(), &["--retry-failed"])
        .await
        .code(6);
    let jobs = emulator.jobs();
    assert_eq!(jobs.len(), 3);
    assert_ne!(
        jobs[0].request["IdempotencyToken"],
        jobs[2].request["IdempotencyToken"]
    );
    emulator.shutdown().await;
}

#[test]
#[cfg(target_os = "linux")]
fn a_disk_that_takes_nothing() {
    let folder = folder();
    write(folder.path(), "plan.yaml", &many(1, 0));
    redrill(folder.path())
        .args(["rehearse", "plan.yaml", "-q", "--report", "json=/dev/full"])
        .assert()
        .code(1)
        .stderr_eq("error: /dev/full: No space left on device (os error 28)\nhelp: make room on the disk\n");
    write(folder.path(), "state", "a file, no directory");
    redrill(folder.path())
        .args(["status", "--state", "state"])
        .assert()
        .code(64)
        .stderr_eq("error: --state state is a file; give a directory\n");
}

/// A call that is due and held back by the rates is waited for, in time that nobody else spends.
#[test]
fn a_rehearsal_at_awss_rates_with_a_throttled_call_ends() {
    let folder = folder();
    write(folder.path(), "plan.yaml", &many(3, 0));
    for operation in ["StartRestoreJob", "DescribeRestoreJob"] {
        let fault = format!("throttle,operation={operation},times=1");
        redrill(folder.path())
            .args(["rehearse", "plan.yaml", "-q", "--quotas", "aws"])
            .args(["--fault", &fault])
            .timeout(std::time::Duration::from_secs(60))
            .assert()
            .success();
    }
}
