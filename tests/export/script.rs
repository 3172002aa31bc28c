//! The script of a kit, run.

use serde_json::Value;

use super::{ACCOUNT, ended, exported, script, script_with_aws, sent};
use crate::support::{at_once, emulator, files, folder, many, ran, repository_file};

/// Fifty restores with the AWS CLI itself; redrill finds them all afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_restores_with_the_aws_cli() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let kit = exported(folder.path(), &many(50, 5), &[]);
    let Some(mut command) = script_with_aws(&kit, &emulator.url()) else {
        return;
    };
    command.arg("--yes");
    let (code, said) = ended(command).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("50 completed; 50 in all"), "{said}");
    assert_eq!(emulator.jobs().len(), 50);
    let run = ["run", "plan.yaml", "--yes", "-q"];
    let (code, _, stderr) = ran(folder.path(), &emulator, &run).await;
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(emulator.jobs().len(), 50, "redrill started something again");
    emulator.shutdown().await;
}

/// Late values at every depth of JSON, and a secret that has to be escaped.
const HARD: &str = r#"plan: hard
vars: { pin: { secret: true } }
target:
  region: us-west-2
  account: "123456789012"
  iam_role_arn: arn:aws:iam::123456789012:role/restore
restores:
  first:
    type: EFS
    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:first
    metadata: { file-system-id: fs-0a1b2c3d, newFileSystem: true, Encrypted: true, CreationToken: first }
  each:
    for_each: ["o'clock", 'say "ä"']
    type: EFS
    needs: [first]
    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:each
    copy_source_tags_to_restored_resource: true
    metadata:
      file-system-id: fs-0a1b2c3d
      newFileSystem: true
      Encrypted: true
      CreationToken: "{{ restores.first.created.resource_arn | split('/') | last }}-{{ each.value }}"
  nested:
    type: CloudFormation
    needs: [first, each]
    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:nested
    metadata:
      ChangeSetName: nested
      StackName: nested
      StackParameters: { Arn: "{{ restores.first.created.resource_arn }}", Job: "{{ restores.first.created.job_id }}" }
  secret:
    type: EFS
    needs: [first]
    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:secret
    copy_source_tags_to_restored_resource: false
    metadata:
      file-system-id: fs-0a1b2c3d
      newFileSystem: true
      Encrypted: true
      CreationToken: "{{ vars.pin }}-of-{{ restores.first.created.resource_arn | split(':') | last }}"
"#;

const SECRET: &str = "kANARY \"q\" \\ ü=7";

/// The script and `run` send the same, byte for byte, and the secret is in no file.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_filled_in_is_what_run_sends() {
    let (by_kit, by_run) = (emulator(at_once()).await, emulator(at_once()).await);
    let folder = folder();
    let kit = exported(folder.path(), HARD, &[]);
    for posix in [false, true] {
        let mut command = script(&kit, &by_kit.url());
        if posix {
            command.env("POSIXLY_CORRECT", "1");
        }
        command.arg("--yes").env("REDRILL_VAR_PIN", SECRET);
        let (code, said) = ended(command).await;
        assert_eq!(code, Some(0), "{said}");
        assert!(!said.contains("kANARY"), "{said}");
    }
    let pin = format!("pin={SECRET}");
    let run = ["run", "plan.yaml", "--yes", "-q", "--var", pin.as_str()];
    let (code, _, stderr) = ran(folder.path(), &by_run, &run).await;
    assert_eq!(code, 0, "{stderr}");
    // What was created has ids that an emulator derives from the token, so all of it is the same.
    let (kit_sent, run_sent) = (sent(&by_kit), sent(&by_run));
    assert_eq!(kit_sent.len(), 5);
    assert_eq!(kit_sent, run_sent);
    for (path, bytes) in files(&kit) {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("kANARY"), "{}", path.display());
    }
    let jobs = by_kit.jobs().len();
    let (code, _, stderr) = ran(
        folder.path(),
        &by_kit,
        &[
            "run",
            "plan.yaml",
            "--yes",
            "-q",
            "--var",
            pin.as_str(),
            "--state",
            "other",
        ],
    )
    .await;
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(by_kit.jobs().len(), jobs);
    by_kit.shutdown().await;
    by_run.shutdown().await;
}

/// The AWS CLI reads metadata with a secret from its standard input.
#[tokio::test(flavor = "multi_thread")]
async fn the_aws_cli_takes_what_is_filled_in() {
    let (by_kit, by_run) = (emulator(at_once()).await, emulator(at_once()).await);
    let folder = folder();
    let kit = exported(folder.path(), HARD, &[]);
    let Some(mut command) = script_with_aws(&kit, &by_kit.url()) else {
        return;
    };
    command.arg("--yes").env("REDRILL_VAR_PIN", SECRET);
    let (code, said) = ended(command).await;
    assert_eq!(code, Some(0), "{said}");
    let pin = format!("pin={SECRET}");
    let run = ["run", "plan.yaml", "--yes", "-q", "--var", pin.as_str()];
    let (code, _, stderr) = ran(folder.path(), &by_run, &run).await;
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(sent(&by_kit), sent(&by_run));
    by_kit.shutdown().await;
    by_run.shutdown().await;
}

/// The requests in the kit are what `run` sends.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_the_kit_is_the_one_of_run() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let kit = exported(
        folder.path(),
        &repository_file("plans/quickstart.yaml"),
        &["--run-id", "2026-Q4"],
    );
    let run = ["run", "plan.yaml", "--yes", "-q", "--run-id", "2026-Q4"];
    let (code, _, stderr) = ran(folder.path(), &emulator, &run).await;
    assert_eq!(code, 0, "{stderr}");
    let sent = sent(&emulator);
    for name in ["files", "orders"] {
        let text = std::fs::read_to_string(kit.join(format!("requests/{name}.json"))).unwrap();
        let request: Value = serde_json::from_str(&text).unwrap();
        assert!(sent.contains(&request), "{text}");
    }
    emulator.shutdown().await;
}

/// A failure, what needs it, and the new attempt with the token that `--retry-failed` of redrill has.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_restore_is_tried_again_with_the_next_token() {
    let folder = folder();
    let inventory = |fails: &str| {
        let points: String = (0..3)
            .map(|at| {
                let fails = if at == 0 { fails } else { "" };
                format!(
                    "      - arn: {}\n        resource_arn: arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-0a1b2c3d\n        resource_type: EFS\n        created_at: 2026-11-20T03:00:00Z\n{fails}",
                    crate::support::point(at)
                )
            })
            .collect();
        format!(
            "account: \"123456789012\"\nregion: us-west-2\nvaults:\n  v:\n    recovery_points:\n{points}"
        )
    };
    let failing =
        inventory("        restore: { fails: \"IAM Role cannot be assumed by AWS Backup\" }\n");
    let options = redrill_emulator::Options {
        inventory: Some(redrill_emulator::Inventory::parse(&failing).unwrap()),
        ..at_once()
    };
    let emulator = emulator(options).await;
    let kit = exported(folder.path(), &many(3, 1), &[]);
    let mut command = script(&kit, &emulator.url());
    command.arg("--yes");
    let (code, text) = ended(command).await;
    assert_eq!(code, Some(6), "{text}");
    assert!(
        text.contains("IAM Role cannot be assumed by AWS Backup"),
        "{text}"
    );
    assert!(text.contains("r1: not started"), "{text}");
    assert_eq!(emulator.jobs().len(), 1);
    let mut command = script(&kit, &emulator.url());
    command.args(["--yes", "--retry-failed"]);
    let (code, text) = ended(command).await;
    assert_eq!(code, Some(6), "{text}");
    let tokens: Vec<Value> = emulator
        .jobs()
        .iter()
        .map(|job| job.request["IdempotencyToken"].clone())
        .collect();
    assert_eq!(tokens.len(), 2);
    // redrill finds the second attempt, and its own next one is the third.
    for (more, jobs) in [(&[][..], 2), (&["--retry-failed"], 3)] {
        let words = [&["run", "plan.yaml", "--yes", "-q"], more].concat();
        ran(folder.path(), &emulator, &words).await;
        assert_eq!(emulator.jobs().len(), jobs, "{more:?}");
    }
    emulator.shutdown().await;
}

/// Refusals, throttling, an answer that is lost, somebody else's credentials.
#[tokio::test(flavor = "multi_thread")]
async fn what_aws_answers_is_told_from_what_it_does_not() {
    for (fails, code, says, jobs) in [
        (
            "start-restore-job:1:\nAn error occurred (ThrottlingException) when calling the StartRestoreJob operation: Rate exceeded",
            0,
            "AWS is busy",
            2,
        ),
        (
            "start-restore-job:1:Read timeout on endpoint URL",
            0,
            "no answer",
            2,
        ),
        (
            "start-restore-job:1:\nAn error occurred (503) when calling the StartRestoreJob operation: <html>",
            0,
            "no answer",
            2,
        ),
        (
            "start-restore-job:1:\nAn error occurred (AccessDeniedException) when calling the StartRestoreJob operation: no",
            1,
            "AccessDeniedException: no",
            0,
        ),
        (
            "start-restore-job:1:\nAn error occurred (ExpiredTokenException) when calling the StartRestoreJob operation: expired",
            1,
            "sign in",
            0,
        ),
        (
            "start-restore-job:1:\nAn error occurred (ValidationError) when calling the AssumeRole operation: no",
            1,
            "nothing was sent for r0",
            0,
        ),
        (
            "start-restore-job:1:Error parsing parameter 'cli-input-json'",
            1,
            "did not send",
            0,
        ),
        (
            "get-caller-identity:1:\nAn error occurred (Throttling) when calling the GetCallerIdentity operation (reached max retries: 0): Rate exceeded",
            0,
            "(Throttling: Rate exceeded)",
            2,
        ),
        (
            "get-caller-identity:1:Could not connect to the endpoint URL",
            0,
            "(Could not connect to the endpoint URL)",
            2,
        ),
        (
            "get-caller-identity:1:Unable to locate credentials",
            1,
            "nothing was sent",
            0,
        ),
        (
            "describe-restore-job:1:Could not connect to the endpoint URL",
            0,
            "asking again",
            2,
        ),
    ] {
        let emulator = emulator(at_once()).await;
        let folder = folder();
        let kit = exported(folder.path(), &many(2, 1), &[]);
        let mut command = script(&kit, &emulator.url());
        command.arg("--yes").env("STUB_FAILS", fails);
        let (ended, said) = ended(command).await;
        assert_eq!(ended, Some(code), "{fails}: {said}");
        assert!(said.contains(says), "{fails}: {said}");
        assert_eq!(emulator.jobs().len(), jobs, "{fails}: {said}");
        emulator.shutdown().await;
    }
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let kit = exported(folder.path(), &many(2, 0), &[]);
    let mut command = script(&kit, &emulator.url());
    command.arg("--yes").env("STUB_ACCOUNT", "210987654321");
    let (code, said) = ended(command).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains(ACCOUNT) && said.contains("nothing was sent"),
        "{said}"
    );
    assert!(emulator.jobs().is_empty());
    emulator.shutdown().await;
}

/// What a request with a late value was does not show in its token: the kit of a changed plan notices all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_request_with_a_late_value_is_a_conflict() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let late = "  late:\n    type: EFS\n    needs: [r0]\n    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:late\n    metadata:\n      file-system-id: fs-0a1b2c3d\n      newFileSystem: true\n      Encrypted: true\n      CreationToken: \"{{ restores.r0.created.resource_arn | split('/') | last }}\"\n";
    let plan = format!("{}{late}", many(1, 0));
    let kit = exported(folder.path(), &plan, &[]);
    let run = || {
        let mut command = script(&kit, &emulator.url());
        command.arg("--yes");
        ended(command)
    };
    assert_eq!(run().await.0, Some(0));
    exported(
        folder.path(),
        &plan.replace(
            "Encrypted: true\n      CreationToken: \"{{ restores",
            "Encrypted: false\n      CreationToken: \"{{ restores",
        ),
        &[],
    );
    let (code, said) = run().await;
    assert_eq!(code, Some(4), "{said}");
    assert!(
        said.contains("late was started by another export"),
        "{said}"
    );
    let mut status = script(&kit, &emulator.url());
    status.arg("--status");
    let (code, said) = ended(status).await;
    assert!(
        code == Some(0) && said.contains("another request for it"),
        "{said}"
    );
    exported(folder.path(), &plan, &[]);
    assert_eq!(run().await.0, Some(0));
    assert_eq!(emulator.jobs().len(), 2);
    emulator.shutdown().await;
}

/// A job of redrill's is followed; one without a mark is asked about.
#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_exist_are_adopted_or_asked_about() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let plan = many(2, 0).replacen("    type: EFS\n", "    type: EFS\n    mark: false\n", 1);
    let kit = exported(folder.path(), &plan, &[]);
    let (code, _, stderr) = ran(
        folder.path(),
        &emulator,
        &["run", "plan.yaml", "--yes", "-q"],
    )
    .await;
    assert_eq!(code, 0, "{stderr}");
    let mut command = script(&kit, &emulator.url());
    command.arg("--yes");
    let (code, said) = ended(command).await;
    assert_eq!(code, Some(5), "{said}");
    assert!(
        said.contains("r1: found its job") && said.contains("./restore.sh --adopt 'r0="),
        "{said}"
    );
    let job = emulator
        .jobs()
        .into_iter()
        .find(|job| job.request["RecoveryPointArn"] == crate::support::point(0))
        .unwrap();
    let mut command = script(&kit, &emulator.url());
    command.args(["--yes", "--adopt", &format!("r0={}", job.id)]);
    let (code, said) = ended(command).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(emulator.jobs().len(), 2);
    emulator.shutdown().await;
}

/// What can be asked without AWS, and what is refused before anything is sent.
#[test]
fn the_command_line_of_the_script() {
    let folder = folder();
    let kit = exported(folder.path(), &many(3, 1), &[]);
    let run = |words: &[&str]| {
        let output = script(&kit, "http://127.0.0.1:9")
            .args(words)
            .output()
            .unwrap();
        (output.status.code(), super::said(&output))
    };
    for words in [&["--help"][..], &["--list"], &["--status"]] {
        let (code, said) = run(words);
        assert_eq!(code, Some(0), "{said}");
    }
    assert!(run(&["--list"]).1.contains("r2  EFS"));
    for words in [&["--nope"][..], &["--only"], &["--only", "nope", "--yes"]] {
        let (code, said) = run(words);
        assert_eq!(code, Some(64), "{words:?}: {said}");
    }
    // Nobody is there to be asked.
    let (code, said) = run(&[]);
    assert!(code == Some(64) && said.contains("--yes"), "{said}");
    // Somebody else works on it.
    std::fs::write(
        kit.join("state/lock"),
        format!("{} elsewhere.example\n", std::process::id()),
    )
    .unwrap();
    let (code, said) = run(&["--yes"]);
    assert!(code == Some(10) && said.contains("rm '"), "{said}");
    std::fs::remove_file(kit.join("state/lock")).unwrap();
    // An edited request has the token of another.
    std::fs::write(kit.join("requests/r0.json"), "{}").unwrap();
    let (code, said) = run(&["--yes"]);
    assert!(
        code == Some(4) && said.contains("requests/r0.json"),
        "{said}"
    );
}

/// AWS says of a job that is COMPLETED that nothing was there to restore: that is no restore, and what waits for it does not start.
#[tokio::test(flavor = "multi_thread")]
async fn a_completed_job_that_lacks_something_is_incomplete() {
    let folder = folder();
    let point = "arn:aws:backup:us-west-2:123456789012:recovery-point:bucket-20261120-1a2b3c4d";
    let plan = format!(
        "plan: s3
target: {{ region: us-west-2, account: '123456789012', iam_role_arn: 'arn:aws:iam::123456789012:role/restore' }}
restores:
  b:
    type: S3
    recovery_point: '{point}'
    metadata: {{ DestinationBucketName: drill-new, NewBucket: true }}
  after:
    needs: [b]
    type: DynamoDB
    recovery_point: 'arn:aws:backup:us-west-2:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45'
    metadata: {{ targetTableName: t }}
"
    );
    let of = |arn: &str, kind: &str, resource: &str| {
        format!(
            "      - {{ arn: '{arn}', resource_type: {kind}, resource_arn: '{resource}', created_at: 2026-11-20T03:00:00Z, size_bytes: 1 }}\n"
        )
    };
    let points = [
        of(point, "S3", "arn:aws:s3:::a"),
        of(
            "arn:aws:backup:us-west-2:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45",
            "DynamoDB",
            "arn:aws:dynamodb:us-west-2:123456789012:table/a",
        ),
    ]
    .concat();
    let text = format!(
        "account: \"123456789012\"\nregion: us-west-2\nsurroundings: {{ \"objects of {point}\": none }}\nvaults:\n  v:\n    recovery_points:\n{points}"
    );
    let emulator = emulator(redrill_emulator::Options {
        inventory: Some(redrill_emulator::Inventory::parse(&text).unwrap()),
        ..at_once()
    })
    .await;
    let kit = exported(folder.path(), &plan, &[]);
    // Nothing is started again, whatever is typed.
    for more in [&[][..], &["--retry-failed"]] {
        let mut command = script(&kit, &emulator.url());
        command.arg("--yes").args(more);
        let (code, text) = ended(command).await;
        assert_eq!(code, Some(6), "{text}");
        assert!(text.contains("INCOMPLETE"), "{text}");
        assert!(text.contains("1 incomplete; 1 skipped; 2 in all"), "{text}");
        assert!(text.contains("restore it under another"), "{text}");
        assert_eq!(emulator.jobs().len(), 1, "{text}");
    }
    emulator.shutdown().await;
}

#[test]
fn the_words_of_what_is_incomplete_are_those_of_run() {
    let words = crate::support::repository_file("src/state/incomplete.yaml");
    let script = crate::support::repository_file("src/export/kit/restore.sh");
    let lines = words
        .lines()
        .filter_map(|line| line.strip_prefix("- says: "));
    let lines: Vec<&str> = lines.collect();
    assert!(lines.len() >= 4);
    for says in lines {
        assert!(script.contains(&format!("*'{says}'*")), "{says}");
    }
}
