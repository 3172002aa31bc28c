//! DeleteRecoveryPoint, and what keeps it from deleting.

use jiff::SignedDuration;

use crate::clients::*;

/// The code of the refusal, and its words; none where it is deleted.
async fn delete(emulator: &Emulator, vault: &str, arn: &str) -> Option<(String, String)> {
    let request = sdk(emulator).delete_recovery_point();
    let request = request.backup_vault_name(vault).recovery_point_arn(arn);
    let answer = request.send().await;
    answer.is_err().then(|| refusal(answer))
}

async fn with(inventory: &str, options: Options) -> Emulator {
    start(Options {
        inventory: Some(Inventory::parse(inventory).unwrap()),
        ..options
    })
    .await
}

#[tokio::test]
async fn issue_14_f_what_is_deleted_is_gone() {
    let emulator = with(INVENTORY, standing()).await;
    let client = sdk(&emulator);
    assert_eq!(delete(&emulator, "primary", EFS).await, None);
    let missing = "ResourceNotFoundException";
    assert_eq!(delete(&emulator, "primary", EFS).await.unwrap().0, missing);
    let describe = client.describe_recovery_point().recovery_point_arn(EFS);
    let describe = describe.backup_vault_name("primary").send().await;
    assert_eq!(refusal(describe).0, missing);
    let restore = client.start_restore_job().recovery_point_arn(EFS);
    let restore = restore.metadata("newFileSystem", "true").send().await;
    assert_eq!(refusal(restore).0, missing);
    let list = client.list_recovery_points_by_backup_vault();
    let list = list.backup_vault_name("primary").send().await.unwrap();
    assert_eq!(list.recovery_points().len(), 2);
    let vault = client.describe_backup_vault().backup_vault_name("primary");
    let vault = vault.send().await.unwrap();
    assert_eq!(vault.number_of_recovery_points(), 2);
    assert_eq!(
        delete(&emulator, "elsewhere", EC2).await.unwrap().0,
        "AccessDeniedException"
    );
    assert_eq!(
        delete(&emulator, "primary", "nope").await.unwrap().0,
        "InvalidParameterValueException"
    );
}

#[tokio::test]
async fn issue_14_f_also_without_an_inventory() {
    let emulator = start(standing()).await;
    let client = sdk(&emulator);
    assert_eq!(delete(&emulator, "Default", EC2).await, None);
    let restore = client.start_restore_job().recovery_point_arn(EC2);
    let restore = restore.metadata("InstanceType", "t3.micro").send().await;
    assert_eq!(refusal(restore).0, "ResourceNotFoundException");
}

#[tokio::test]
async fn issue_14_f_an_active_access_point_blocks_deletion() {
    let emulator = with(BUCKETS, standing()).await;
    let client = sdk(&emulator);
    let made = client.create_backup_access_point().name("orders");
    let made = made.recovery_point_arn(BUCKET).send().await.unwrap();
    let later = || {
        let clock = emulator.clock();
        clock.advance_to(clock.now() + SignedDuration::from_mins(1));
    };
    for status in ["CREATING", "AVAILABLE", "DELETING"] {
        let one = client.describe_backup_access_point();
        let one = one
            .access_point_arn(made.access_point_arn())
            .send()
            .await
            .unwrap();
        assert_eq!(one.status().as_str(), status);
        let (code, words) = delete(&emulator, "buckets", BUCKET).await.unwrap();
        assert_eq!(code, "InvalidRequestException");
        assert!(words.contains("active backup access points"), "{words}");
        match status {
            "AVAILABLE" => {
                let gone = client.delete_backup_access_point();
                let gone = gone.access_point_arn(made.access_point_arn());
                gone.send().await.unwrap();
            }
            _ => later(),
        }
    }
    assert_eq!(delete(&emulator, "buckets", BUCKET).await, None);
}

#[tokio::test]
async fn issue_14_f_one_that_has_failed_blocks_nothing() {
    let emulator = with(BUCKETS, standing()).await;
    let made = sdk(&emulator).create_backup_access_point().name("broken");
    made.recovery_point_arn(BUCKET).send().await.unwrap();
    let clock = emulator.clock();
    clock.advance_to(clock.now() + SignedDuration::from_mins(1));
    assert_eq!(delete(&emulator, "buckets", BUCKET).await, None);
}

#[tokio::test]
async fn issue_14_f_states_and_vaults_that_keep_a_recovery_point() {
    let of = |id: &str| format!("arn:aws:backup:us-east-1:123456789012:recovery-point:{id}");
    let point = |id: &str, status: &str| {
        format!(
            "{{ arn: \"{}\", resource_arn: \"arn:aws:elasticfilesystem:us-east-1:123456789012:file-system/fs-0a1b2c3d\", \
             resource_type: EFS, created_at: 2026-11-20T03:00:00Z, status: {status} }}",
            of(id)
        )
    };
    let inventory = format!(
        "account: \"123456789012\"\nregion: us-east-1\nvaults:\n  \
         open: {{ recovery_points: [{}, {}, {}] }}\n  \
         locked: {{ locked: true, recovery_points: [{}] }}\n  \
         gapped: {{ type: LOGICALLY_AIR_GAPPED_BACKUP_VAULT, recovery_points: [{}] }}\n  \
         aws/efs/automatic-backup-vault: {{ recovery_points: [{}] }}\n",
        point("A", "CREATING"),
        point("B", "DELETING"),
        point("C", "EXPIRED"),
        point("D", "COMPLETED"),
        point("E", "COMPLETED"),
        point("F", "COMPLETED"),
    );
    let emulator = with(&inventory, standing()).await;
    for (vault, id, code) in [
        ("open", "A", Some("InvalidResourceStateException")),
        ("open", "B", Some("InvalidResourceStateException")),
        ("open", "C", None),
        ("locked", "D", Some("InvalidRequestException")),
        ("gapped", "E", Some("InvalidRequestException")),
        (
            "aws/efs/automatic-backup-vault",
            "F",
            Some("AccessDeniedException"),
        ),
    ] {
        let found = delete(&emulator, vault, &of(id))
            .await
            .map(|(code, _)| code);
        assert_eq!(found.as_deref(), code, "{id} in {vault}");
    }
}

#[tokio::test]
async fn issue_14_f_it_stays_deleted_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let options = || Options {
        state: Some(folder.path().join("state")),
        ..standing()
    };
    let emulator = with(INVENTORY, options()).await;
    // The job that restores from it is started again.
    start_ec2(&sdk(&emulator), "t1").await;
    assert_eq!(delete(&emulator, "primary", EC2).await, None);
    emulator.shutdown().await;
    let emulator = with(INVENTORY, options()).await;
    assert_eq!(emulator.jobs().len(), 1);
    let (code, _) = delete(&emulator, "primary", EC2).await.unwrap();
    assert_eq!(code, "ResourceNotFoundException");
}
