//! Declarations of the inventory decide how restores end.

use redrill_emulator::JobStatus;

use super::permissions::PEOPLE;
use crate::clients::*;

const RESTORE: &str = "arn:aws:iam::123456789012:role/restore";

async fn world(text: &str) -> Emulator {
    start(Options {
        inventory: Some(Inventory::parse(text).unwrap_or_else(|e| panic!("{e}"))),
        ..standing()
    })
    .await
}

/// Returns the end of the restore of a database under a name.
async fn ends(emulator: &Emulator, name: &str) -> (JobStatus, Option<String>) {
    let client = sdk(emulator);
    let request = client.start_restore_job().recovery_point_arn(RDS);
    let request = request.metadata("DBInstanceIdentifier", name);
    let id = request.iam_role_arn(RESTORE).send().await.unwrap();
    let id = id.restore_job_id().unwrap().to_owned();
    while advance(emulator) {}
    let job = emulator
        .jobs()
        .into_iter()
        .find(|job| job.id == id)
        .unwrap();
    (job.status, job.status_message)
}

#[tokio::test]
async fn a_quota_fills_and_a_deletion_makes_room() {
    let emulator = world(PEOPLE).await;
    let full = (
        JobStatus::Failed,
        Some("DB Instance quota exceeded".to_owned()),
    );
    let fine = (JobStatus::Completed, None);
    // 40 of 42 are in use.
    assert_eq!(ends(&emulator, "one").await, fine);
    assert_eq!(ends(&emulator, "two").await, fine);
    assert_eq!(ends(&emulator, "three").await, full);
    let body = r#"{"TypeName":"AWS::RDS::DBInstance","Identifier":"two"}"#;
    let length = body.len();
    let delete = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Amz-Target: CloudApiService.DeleteResource\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let answer = crate::raw::exchange(&emulator, delete.as_bytes())
        .await
        .unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    let done = emulator.clock().now() + jiff::SignedDuration::from_mins(1);
    emulator.clock().advance_to(done);
    assert_eq!(ends(&emulator, "four").await, fine);
}

#[tokio::test]
async fn a_declared_name_is_taken_until_it_is_deleted() {
    let emulator = world(PEOPLE).await;
    let taken = (
        JobStatus::Failed,
        Some("A resource of that name already exists.".to_owned()),
    );
    assert_eq!(ends(&emulator, "orders-copy").await, taken);
    let arn = "arn:aws:rds:us-east-1:123456789012:db:one";
    assert_eq!(ends(&emulator, "one").await.0, JobStatus::Completed);
    assert!(emulator.resources("123456789012").contains(&arn.to_owned()));
}

/// The role of a restore is a principal as others are: its boundary and the organization limit it.
#[tokio::test]
async fn what_limits_the_role_fails_the_job() {
    for (from, to, words) in [
        (
            "AWSBackupServiceRolePolicyForRestores: { Statement: [{ Effect: Allow, Action: \"*\", Resource: \"*\" }] }",
            "x: { Statement: [] }",
            "because no identity based policy allows the action.",
        ),
        (
            "    trust_policy: { Statement: [{ Effect: Allow, Principal: { Service: backup",
            "    permissions_boundary: { Statement: [{ Effect: Allow, Action: \"s3:*\", Resource: \"*\" }] }\n    trust_policy: { Statement: [{ Effect: Allow, Principal: { Service: backup",
            "because no permissions boundary allows the rds:RestoreDBInstanceFromDBSnapshot action.",
        ),
        (
            "Deny, NotAction: [\"iam:*\", \"sts:*\"], Resource: \"*\", Condition: { StringNotEquals: { aws:RequestedRegion: us-east-1 } } }",
            "Deny, Action: \"rds:*\", Resource: \"*\" }",
            "with an explicit deny in a service control policy.",
        ),
        (
            "Principal: { Service: backup",
            "Principal: { Service: rds",
            "IAM Role cannot be assumed by AWS Backup",
        ),
    ] {
        assert!(PEOPLE.contains(from), "{from}");
        let emulator = world(&PEOPLE.replacen(from, to, 1)).await;
        let (status, message) = ends(&emulator, "copy").await;
        let message = message.unwrap_or_default();
        assert_eq!(status, JobStatus::Failed, "{to}");
        assert!(message.ends_with(words), "{message}");
    }
}

/// Keys by id, ARN and alias; grants; those of AWS and those of others.
#[tokio::test]
async fn keys() {
    const KEY: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";
    let resources = r#"
roles: { restore: { policies: { all: { Statement: [{ Effect: Allow, Action: "*", Resource: "*" }] } } } }
resources:
  - { type: "AWS::KMS::Key", identifier: 1234abcd-12ab-34cd-56ef-1234567890ab, properties: { Enabled: true } }
  - { type: "AWS::KMS::Alias", identifier: alias/dr, properties: { TargetKeyId: 1234abcd-12ab-34cd-56ef-1234567890ab } }
  - { type: "AWS::KMS::Alias", identifier: alias/broken, properties: { TargetKeyId: 00000000-12ab-34cd-56ef-1234567890ab } }
  - type: AWS::KMS::Key
    identifier: 2234abcd-12ab-34cd-56ef-1234567890ab
    properties: { KeyPolicy: &admin { Statement: [{ Effect: Allow, Principal: { AWS: "arn:aws:iam::123456789012:role/admin" }, Action: "kms:*", Resource: "*" }] } }
  - type: AWS::KMS::Key
    identifier: 3234abcd-12ab-34cd-56ef-1234567890ab
    properties: { KeyPolicy: *admin }
    grants: [{ grantee_principal: "arn:aws:iam::123456789012:role/restore", operations: [CreateGrant] }]
  - type: AWS::KMS::Key
    identifier: 4234abcd-12ab-34cd-56ef-1234567890ab
    properties:
      KeyPolicy: { Statement: [{ Effect: Allow, Principal: { AWS: "arn:aws:iam::123456789012:root" }, Action: "kms:*", Resource: "*", Condition: { StringEquals: { kms:ViaService: elasticfilesystem.us-east-1.amazonaws.com } } }] }
vaults:
  primary:"#;
    let text = INVENTORY.replacen("vaults:\n  primary:", resources.trim_start(), 1);
    let emulator = world(&text).await;
    let client = sdk(&emulator);
    let missing = "The specified AWS KMS key ARN does not exist, is not enabled or you do not have permissions to access it.";
    let here = "arn:aws:kms:us-east-1:123456789012";
    for (key, message) in [
        (KEY.to_owned(), None),
        (format!("{here}:key/{KEY}"), None),
        ("alias/dr".to_owned(), None),
        (format!("{here}:alias/dr"), None),
        ("alias/aws/elasticfilesystem".to_owned(), None),
        ("alias/gone".to_owned(), Some(missing)),
        ("alias/broken".to_owned(), Some(missing)),
        (KEY.replace("1234abcd", "9999abcd"), Some(missing)),
        (
            format!("{here}:key/{}", KEY.replace("1234abcd", "9999abcd")),
            Some(missing),
        ),
        (
            KEY.replace("1234abcd", "2234abcd"),
            Some("Access denied to KMS key."),
        ),
        (KEY.replace("1234abcd", "3234abcd"), None),
        (KEY.replace("1234abcd", "4234abcd"), None),
        // Of other accounts nothing is told.
        (
            format!("arn:aws:kms:us-east-1:210987654321:key/{KEY}"),
            None,
        ),
        (
            format!("arn:aws:kms:eu-west-1:123456789012:key/{KEY}"),
            Some(missing),
        ),
    ] {
        let request = client
            .start_restore_job()
            .recovery_point_arn(EFS)
            .metadata("file-system-id", "fs-0a1b2c3d")
            .metadata("newFileSystem", "true")
            .metadata("Encrypted", "true")
            .metadata("CreationToken", "drill")
            .metadata("KmsKeyId", &key)
            .iam_role_arn(RESTORE);
        let id = request
            .send()
            .await
            .unwrap_or_else(|e| panic!("{key}: {e:?}"));
        let id = id.restore_job_id().unwrap().to_owned();
        while advance(&emulator) {}
        let job = emulator
            .jobs()
            .into_iter()
            .find(|job| job.id == id)
            .unwrap();
        assert_eq!(job.status_message.as_deref(), message, "{key}");
    }
}

/// Nothing is missed if the inventory says nothing of what exists.
#[tokio::test]
async fn an_inventory_of_before_fails_nothing() {
    let emulator = listed().await;
    let client = sdk(&emulator);
    let request = client
        .start_restore_job()
        .recovery_point_arn(EC2)
        .metadata("InstanceType", "t3.micro")
        .metadata("SubnetId", "subnet-0f0f0f0f")
        .iam_role_arn("arn:aws:iam::123456789012:role/whatever");
    request.send().await.unwrap();
    while advance(&emulator) {}
    assert_eq!(emulator.jobs()[0].status, JobStatus::Completed);
}
