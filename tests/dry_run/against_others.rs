//! Against what was backed up, what a run has sent, and another file.

use redrill_emulator::Options;
use snapbox::str;

use super::repository::{BEFORE, after};
use crate::support::{at_once, emulator, folder, redrill, write};

pub(super) const INVENTORY: &str = r#"account: "123456789012"
region: us-west-2
vaults:
  dr:
    recovery_points:
      - arn: arn:aws:backup:us-west-2:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45
        resource_arn: arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-0a1b2c3d
        resource_type: EFS
        created_at: 2026-11-20T03:00:00Z
        size_bytes: 1099511627776
        expires_at: 2099-01-01T00:00:00Z
        restore_metadata: { file-system-id: fs-0a1b2c3d, encrypted: "true", KmsKeyId: alias/live, performanceMode: generalPurpose }
      - arn: arn:aws:backup:us-west-2:123456789012:recovery-point:8C3F1A52-6F0B-4D0E-9B53-2A8C1D7E4F90
        resource_arn: arn:aws:dynamodb:us-west-2:123456789012:table/orders-drill
        resource_type: DynamoDB
        created_at: 2026-11-20T03:00:00Z
        size_bytes: 4096
        restore_metadata: { originalTableName: orders-drill, targetTableName: orders-drill }
"#;

fn of(names: &[&str]) -> String {
    names.join(",")
}

#[test]
fn against_what_was_backed_up_keys_are_met_in_any_case() {
    let folder = folder();
    write(folder.path(), "plan.yaml", BEFORE);
    write(folder.path(), "inventory.yaml", INVENTORY);
    redrill(folder.path())
        .args([
            "plan",
            "plan.yaml",
            "--inventory",
            "inventory.yaml",
            "--only",
        ])
        .arg(of(&["files", "orders", "same"]))
        .assert()
        .success()
        .stdout_eq(str![[r#"
orders run main, into 123456789012 us-west-2
against source: 2 changed, 1 not compared
Review: 1 name collision; 3 encryption

  start  files   EFS       recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45
         [..] old, 1.0 TiB, expires 2099-01-01
         token rd1-b149b87b5003a47056174af932ac28eeac476d42
         + CreationToken: "orders-files-main"
         - KmsKeyId: "alias/live"  (encryption)
         - PerformanceMode: "generalPurpose"
         + newFileSystem: "true"
           2 keys unchanged
  start  orders  DynamoDB  recovery-point:8C3F1A52-6F0B-4D0E-9B53-2A8C1D7E4F90
         [..] old, 4.0 KiB
         token rd1-84fa0c0a4d8bd4488e6aba2ad23cb6bcfaf60ad9
         ! targetTableName orders-drill is the name of arn:aws:dynamodb:us-west-2:123456789012:table/orders-drill, which was backed up
         + encryptionType: "Default"  (encryption)
         - originalTableName: "orders-drill"
           1 key unchanged
  start  same    DynamoDB  recovery-point:8C3F1A52-6F0B-4D0E-9B53-2A8C1D7E4F91
         not compared: the recovery point is not at hand
         token rd1-61d6f8767309378403e9cc5b0d32e51b52f52227
         + encryptionType: "Default"  (encryption)
         + targetTableName: "same-drill"

3 start
forecast: half of such runs end within 3h 14m, nine in ten within 12h 31m (no history, 200 samples)
A restore job that has been started cannot be cancelled.

"#]]);
}

#[test]
fn without_credentials_and_inventory_nothing_is_compared_unless_somebody_insists() {
    let folder = folder();
    write(folder.path(), "plan.yaml", BEFORE);
    redrill(folder.path())
        .args(["plan", "plan.yaml", "--only", "files"])
        .assert()
        .success()
        .stderr_eq("...\nnot compared with what was backed up: ListBackupVaults: no AWS credentials were found; [..]give --inventory, or another base with --against\n\nwhether it would succeed: [..]\n")
        .stdout_eq(str![[r#"
orders run main, at AWS, into 123456789012 us-west-2

  start  files  EFS  recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45
         token rd1-b149b87b5003a47056174af932ac28eeac476d42

1 start
forecast: half of such runs end within 11m 04s, nine in ten within 47m 10s (no history, 200 samples)
A restore job that has been started cannot be cancelled.

"#]]);
    redrill(folder.path())
        .args(["plan", "plan.yaml", "--against", "source"])
        .assert()
        .code(1);
}

#[test]
fn against_another_file() {
    let folder = folder();
    write(folder.path(), "old plan.yaml", BEFORE);
    write(folder.path(), "plan.yaml", &after());
    redrill(folder.path())
        .args(["plan", "plan.yaml", "--against", "file:old plan.yaml"])
        .assert()
        .success()
        .stdout_eq("[..]\nagainst file:old plan.yaml: 1 added, 1 removed, 1 renamed, 1 changed, 1 unchanged\n...\n");
    redrill(folder.path())
        .args(["plan", "plan.yaml", "--against", "file:nowhere.yaml"])
        .assert()
        .code(1);
    for wrong in ["git:", "file:", "branch:main", "main", "run:a/b"] {
        redrill(folder.path())
            .args(["plan", "plan.yaml", "--against", wrong])
            .assert()
            .code(64);
    }
}

/// After a run: what is done is said to be, a changed request is a conflict, and what changed is shown.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_run() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(folder.path(), "plan.yaml", BEFORE);
    let (path, url) = (folder.path().to_owned(), emulator.url());
    tokio::task::spawn_blocking(move || {
        let plan = |rest: &[&str]| {
            redrill(&path).args(["plan", "plan.yaml", "--endpoint-url", &url]).args(rest)
        };
        plan(&["--against", "run:other"])
            .assert()
            .code(64)
            .stderr_eq("...\nerror: --against run:other: .redrill has no such run of orders; there are none\n");
        plan(&["--against", "run"])
            .assert()
            .success()
            .stderr_eq("...\nrun main has sent nothing yet, so everything is new\n\nwhether it would succeed: [..]\n");
        redrill(&path)
            .args(["run", "plan.yaml", "--yes", "-q", "--endpoint-url", &url])
            .assert()
            .success();
        plan(&["--against", "run", "--detailed-exitcode"]).assert().code(0).stdout_eq(str![[r#"
Run main ended [..] UTC. A new restore needs another --run-id.

orders run main, at http://127.0.0.1:[..] (not AWS), into 123456789012 us-west-2
against run: 4 unchanged

  4 restores did not change; --full shows them

4 done

"#]]);
        // Nothing would be sent, so nothing would be other than what was backed up.
        plan(&["--detailed-exitcode"]).assert().code(0);
        write(&path, "plan.yaml", &after());
        plan(&["--against", "run", "--detailed-exitcode"])
            .assert()
            .code(4)
            .stdout_eq(str![[r#"
orders run main, at http://127.0.0.1:[..] (not AWS), into 123456789012 us-west-2
against run: 1 added, 1 removed, 1 renamed, 1 changed, 1 unchanged
Review: 1 writes into an existing resource; 1 network; 1 encryption

  conflict  web     EC2  image/ami-0a1b2c3d4e5f60718
            the request has changed since this run sent it: undo the change, or give the new request a run of its own with `--run-id`
            token rd1-c669f745c45e509291778c66187a259897ebe706
            ~ NetworkInterfaces[0].SubnetId: "subnet-0a1b2c3d4e5f60718" → "subnet-0ffffffff"  (network)
              6 keys unchanged
  start     share   EFS  recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45
            renamed from `files`
            token rd1-8a0f9a5c68876f86ef66356e5fb280d3344c8aa4
            ~ CreationToken: "orders-files-main" → "orders-share-main"
              8 keys unchanged
  start     bucket  S3   recovery-point:orders-20261120030000-0a1b2c3d
            added
            token rd1-f5e76fe57bdd854e29a0a45937af0376b1c338b0
            ! writes into bucket orders-live; say so with `into_existing: true`
            + DestinationBucketName: "orders-live"
            + Encrypted: "true"  (encryption)
            + EncryptionType: "SSE-S3"  (encryption)
            + NewBucket: "false"
            + RestoreACLs: "false"
  - orders  DynamoDB  arn:aws:backup:us-west-2:123456789012:recovery-point:8C3F1A52-6F0B-4D0E-9B53-2A8C1D7E4F90  removed
  1 restore did not change; --full shows it

2 start, 1 done, 1 conflict
A restore job that has been started cannot be cancelled.

"#]]);
        redrill(&path)
            .args(["run", "plan.yaml", "--yes", "--endpoint-url", &url])
            .assert()
            .code(4)
            .stderr_eq(str![[r#"
error: the plan differs from what this run has already started; nothing was sent

orders run main, at http://127.0.0.1:[..] (not AWS), into 123456789012 us-west-2

  conflict  web     EC2       image/ami-0a1b2c3d4e5f60718
            the request has changed since this run sent it: undo the change, or give the new request a run of its own with `--run-id`
            token rd1-c669f745c45e509291778c66187a259897ebe706
  start     share   EFS       recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45
            token rd1-8a0f9a5c68876f86ef66356e5fb280d3344c8aa4
  done      same    DynamoDB  recovery-point:8C3F1A52-6F0B-4D0E-9B53-2A8C1D7E4F91
            token rd1-61d6f8767309378403e9cc5b0d32e51b52f52227
  start     bucket  S3        recovery-point:orders-20261120030000-0a1b2c3d
            token rd1-f5e76fe57bdd854e29a0a45937af0376b1c338b0

2 start, 1 done, 1 conflict
A restore job that has been started cannot be cancelled.

`web`: the request that this run sent has made job 59970868-878d-599f-a332-3d54f6ea99e4

"#]]);
        plan(&["--against", "run:manin"])
            .assert()
            .code(64)
            .stderr_eq("...\nerror: [..]; did you mean `main`?\n");
        // A run of its own is the way on.
        plan(&["--against", "run:main", "--run-id", "second"]).assert().success();
    })
    .await
    .unwrap();
    emulator.shutdown().await;
}

/// A failed restore has two ways on, and both are told.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_failure() {
    let options = Options {
        inventory: Some(
            redrill_emulator::Inventory::parse(&INVENTORY.replace(
                "resource_type: EFS",
                "resource_type: EFS\n        restore: { fails: no more room }",
            ))
            .unwrap(),
        ),
        ..at_once()
    };
    let emulator = emulator(options).await;
    let folder = folder();
    write(folder.path(), "plan.yaml", BEFORE);
    let (path, url) = (folder.path().to_owned(), emulator.url());
    tokio::task::spawn_blocking(move || {
        let only = |words: &[&str]| {
            redrill(&path)
                .args(words)
                .args(["--only", "files", "--endpoint-url", &url])
        };
        only(&["run", "plan.yaml", "--yes", "-q"]).assert().code(6);
        write(
            &path,
            "plan.yaml",
            &BEFORE.replace(
                "newFileSystem: true, ",
                "newFileSystem: true, PerformanceMode: maxIO, ",
            ),
        );
        only(&["run", "plan.yaml", "--yes"])
            .assert()
            .code(4)
            .stderr_eq(str![[r#"
note: EC2: skipped the rules that need the recovery point itself; add --inventory FILE to check them

error: the plan differs from what this run has already started; nothing was sent

orders run main, at http://127.0.0.1:[..] (not AWS), into 123456789012 us-west-2

  conflict  files  EFS  recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45
            attempt 1 has failed (no more room), and the request has changed since: `--retry-failed` sends the new one as attempt 2, `--run-id` gives it a run of its own
            token rd1-b149b87b5003a47056174af932ac28eeac476d42

1 conflict

`files`: the request that this run sent has made job c7bad25d-2645-5ff0-aaab-9e1827883278

"#]]);
        only(&["plan", "plan.yaml", "--against", "run"])
            .assert()
            .code(4);
        only(&["plan", "plan.yaml", "--retry-failed"])
            .assert()
            .success();
    })
    .await
    .unwrap();
    emulator.shutdown().await;
}

/// A secret that has changed is told to have, and neither value shows.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_has_changed() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let plan = BEFORE
        .replace(
            "restores:",
            "vars: { password: { secret: true } }\nrestores:",
        )
        .replace(
            "encryptionType: Default }\n  same",
            "kmsMasterKeyArn: \"{{ vars.password }}\", encryptionType: KMS }\n  same",
        );
    write(folder.path(), "plan.yaml", &plan);
    write(
        folder.path(),
        "old.yaml",
        "password: arn:aws:kms:us-west-2:123456789012:key/cnry-old\n",
    );
    write(
        folder.path(),
        "new.yaml",
        "password: arn:aws:kms:us-west-2:123456789012:key/cnry-new\n",
    );
    let (path, url) = (folder.path().to_owned(), emulator.url());
    tokio::task::spawn_blocking(move || {
        redrill(&path)
            .args([
                "run",
                "plan.yaml",
                "--yes",
                "-q",
                "--only",
                "orders",
                "--var-file",
                "old.yaml",
                "--endpoint-url",
                &url,
            ])
            .assert()
            .success();
        for format in ["human", "json", "markdown", "github"] {
            let output = redrill(&path)
                .args([
                    "plan",
                    "plan.yaml",
                    "--only",
                    "orders",
                    "--var-file",
                    "new.yaml",
                ])
                .args(["--against", "run", "--format", format])
                .output()
                .unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            assert_eq!(output.status.code(), Some(4), "{text}");
            assert!(!text.contains("cnry"), "{text}");
            assert!(text.contains("kmsMasterKeyArn"), "{text}");
        }
    })
    .await
    .unwrap();
    emulator.shutdown().await;
}
