//! A git repository with a branch to merge into and one to be merged.

use std::path::Path;
use std::process::Command;

/// git without this machine's configuration.
pub(crate) fn git(folder: &Path, words: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .args(words)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .envs([
            ("GIT_AUTHOR_NAME", "a"),
            ("GIT_AUTHOR_EMAIL", "a@example.com"),
            ("GIT_COMMITTER_NAME", "a"),
            ("GIT_COMMITTER_EMAIL", "a@example.com"),
        ])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Everything in the folder as one commit.
pub(crate) fn commit(folder: &Path, message: &str) {
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "--quiet", "--message", message]);
}

/// An empty repository on the branch `main`.
pub(crate) fn repository() -> tempfile::TempDir {
    let folder = crate::support::folder();
    git(folder.path(), &["init", "--quiet", "--initial-branch=main"]);
    folder
}

/// A plan of four restores.
pub(crate) const BEFORE: &str = r#"plan: orders
target: { region: us-west-2, account: "123456789012", iam_role_arn: "arn:aws:iam::123456789012:role/restore" }
restores:
  web:
    type: EC2
    recovery_point: arn:aws:ec2:us-west-2::image/ami-0a1b2c3d4e5f60718
    metadata:
      InstanceType: t3.large
      NetworkInterfaces: [{ DeviceIndex: 0, SubnetId: subnet-0a1b2c3d4e5f60718, Groups: [sg-0a1b2c3d] }]
  files:
    type: EFS
    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45
    metadata: { file-system-id: fs-0a1b2c3d, newFileSystem: true, Encrypted: true, CreationToken: "{{ plan }}-{{ restore }}-{{ run.id }}" }
  orders:
    type: DynamoDB
    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:8C3F1A52-6F0B-4D0E-9B53-2A8C1D7E4F90
    metadata: { targetTableName: orders-drill, encryptionType: Default }
  same:
    type: DynamoDB
    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:8C3F1A52-6F0B-4D0E-9B53-2A8C1D7E4F91
    metadata: { targetTableName: same-drill, encryptionType: Default }
"#;

/// The same with one key changed inside JSON, one restore added, one removed, one renamed.
pub(crate) fn after() -> String {
    let mut plan = BEFORE
        .replace(
            "subnet-0a1b2c3d4e5f60718, Groups",
            "subnet-0ffffffff, Groups",
        )
        .replace("  files:", "  share:");
    let (from, to) = (
        plan.find("  orders:").unwrap(),
        plan.find("  same:").unwrap(),
    );
    plan.replace_range(from..to, "");
    plan.push_str(
        r"  bucket:
    type: S3
    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:orders-20261120030000-0a1b2c3d
    metadata: { DestinationBucketName: orders-live, NewBucket: false, Encrypted: true, EncryptionType: SSE-S3, RestoreACLs: false }
",
    );
    plan
}
