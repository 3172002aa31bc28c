//! What commands do of which a part is refused: the rest, and the statement that is missing.

use redrill_emulator::{Emulator, Inventory, Options};

use crate::support::{at_once, emulator, folder, ran, write};

const PLAN: &str = r#"plan: two
target: { region: us-west-2, account: "123456789012", iam_role_arn: "arn:aws:iam::123456789012:role/restore" }
restores:
  disk:
    type: EBS
    recovery_point: arn:aws:ec2:us-west-2::snapshot/snap-0a1b2c3d4e5f60718
    metadata: { availabilityZone: us-west-2a, volumeType: gp3, encrypted: false }
  table:
    type: DynamoDB
    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:2EB3B5E7-9EB0-435A-A80B-108B488B0D45
    metadata: { targetTableName: restored }
"#;
const VAULT: &str = r#"account: "123456789012"
region: us-west-2
vaults:
  dr:
    recovery_points:
      - { arn: "arn:aws:ec2:us-west-2::snapshot/snap-0a1b2c3d4e5f60718", resource_arn: "arn:aws:ec2:us-west-2:123456789012:volume/vol-0a1b2c3d4e5f60718", resource_type: EBS, created_at: 2026-11-20T03:00:00Z, size_bytes: 1 }
      - { arn: "arn:aws:backup:us-west-2:123456789012:recovery-point:2EB3B5E7-9EB0-435A-A80B-108B488B0D45", resource_arn: "arn:aws:dynamodb:us-west-2:123456789012:table/orders", resource_type: DynamoDB, created_at: 2026-11-20T03:00:00Z, size_bytes: 1 }
"#;

async fn refusing(denied: &str) -> Emulator {
    let text = format!("{VAULT}deny: [{{ action: \"{denied}\" }}]\n");
    emulator(Options {
        inventory: Some(Inventory::parse(&text).unwrap()),
        ..at_once()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cleanup_deletes_the_rest_and_lists_what_it_may_not_read_or_delete() {
    for (denied, statement) in [
        ("dynamodb:DescribeTable", "ReadDynamoDBTable"),
        ("dynamodb:DeleteTable", "DeleteDynamoDBTable"),
    ] {
        let folder = folder();
        let path = folder.path();
        write(path, "plan.yaml", PLAN);
        let emulator = refusing(denied).await;
        let (code, stdout, stderr) = ran(path, &emulator, &["run", "plan.yaml", "--yes"]).await;
        assert_eq!(code, 0, "{stdout}{stderr}");
        let cleanup = ["cleanup", "plan.yaml", "--yes", "--known-by-name"];
        let (code, stdout, stderr) = ran(path, &emulator, &cleanup).await;
        let said = stdout + &stderr;
        assert_eq!(code, 5, "{said}");
        assert!(said.contains("table/restored"), "{said}");
        assert!(
            said.contains(&format!(
                "add the statement {statement} of `redrill iam PLAN`"
            )),
            "{said}"
        );
        assert!(
            said.contains("1 deleted") || said.contains("deleted 1"),
            "{said}"
        );
        emulator.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn recovery_points_that_may_not_be_read_are_named_with_the_statement() {
    for (denied, statement) in [
        ("backup:ListBackupVaults", "FindVaults"),
        ("backup:DescribeRecoveryPoint", "ReadRecoveryPoints"),
        (
            "backup:GetRecoveryPointRestoreMetadata",
            "ReadRecoveryPoints",
        ),
    ] {
        let folder = folder();
        let path = folder.path();
        write(path, "plan.yaml", PLAN);
        let emulator = refusing(denied).await;
        let expected = format!("add the statement {statement} of `redrill iam PLAN`");
        let (code, stdout, stderr) = ran(path, &emulator, &["plan", "plan.yaml"]).await;
        assert_eq!(code, 0, "{stdout}{stderr}");
        assert!((stdout + &stderr).contains(&expected), "{denied}");
        // A template cannot do without.
        let asking = PLAN.replace("restored", "\"{{ source.size_bytes }}-gib\"");
        write(path, "asking.yaml", &asking);
        let (code, stdout, stderr) = ran(path, &emulator, &["plan", "asking.yaml"]).await;
        assert_eq!(code, 1, "{stdout}{stderr}");
        assert!(stderr.contains(&expected), "{denied}: {stderr}");
        assert!(!stderr.contains("does not have"), "{stderr}");
        emulator.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selector_whose_vault_may_not_be_listed_names_the_statement() {
    let folder = folder();
    let path = folder.path();
    let selecting = PLAN.replace(
        "recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:2EB3B5E7-9EB0-435A-A80B-108B488B0D45",
        "recovery_point: { vault: dr, resource: \"arn:aws:dynamodb:us-west-2:123456789012:table/orders\", pick: latest }",
    );
    write(path, "plan.yaml", &selecting);
    let emulator = refusing("backup:ListRecoveryPointsByBackupVault").await;
    let (code, stdout, stderr) = ran(path, &emulator, &["plan", "plan.yaml"]).await;
    let said = stdout + &stderr;
    assert_eq!(code, 4, "{said}");
    assert!(
        said.contains("add the statement ListRecoveryPoints"),
        "{said}"
    );
    assert!(!said.contains("check the name"), "{said}");
    emulator.shutdown().await;
}
