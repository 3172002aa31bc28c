//! Recovery points and vaults, with and without an inventory.

use aws_sdk_backup::types::{RecoveryPointStatus, StorageClass};

use crate::clients::*;

#[tokio::test]
async fn described_as_in_the_inventory() {
    let emulator = listed().await;
    let client = sdk(&emulator);
    let request = client
        .describe_recovery_point()
        .backup_vault_name("primary");
    let point = request.recovery_point_arn(EFS).send().await.unwrap();
    assert_eq!(point.recovery_point_arn(), Some(EFS));
    assert_eq!(point.backup_vault_name(), Some("primary"));
    assert_eq!(point.resource_type(), Some("EFS"));
    assert_eq!(point.status(), Some(&RecoveryPointStatus::Completed));
    assert_eq!(point.storage_class(), Some(&StorageClass::Warm));
    assert_eq!(point.backup_size_in_bytes(), Some(1 << 30));
    assert!(point.is_encrypted());
    // 2026-11-20T03:00:00.250Z, to the millisecond
    assert_eq!(millis(point.creation_date()), 1_795_143_600_250);
    let expiry = point.calculated_lifecycle().unwrap().delete_at().unwrap();
    assert_eq!(expiry.secs(), 1_826_679_600);

    let request = client.get_recovery_point_restore_metadata();
    let request = request.backup_vault_name("primary").recovery_point_arn(EFS);
    let found = request.send().await.unwrap();
    assert_eq!(found.resource_type(), Some("EFS"));
    assert_eq!(
        found.restore_metadata().unwrap()["file-system-id"],
        "fs-0a1b2c3d"
    );
}

#[tokio::test]
async fn names_with_slashes() {
    let emulator = listed().await;
    let client = sdk(&emulator);
    let request = client.describe_recovery_point().recovery_point_arn(RDS);
    let request = request.backup_vault_name("aws/efs/automatic-backup-vault");
    assert_eq!(request.send().await.unwrap().resource_type(), Some("RDS"));
}

#[tokio::test]
async fn what_does_not_exist() {
    let emulator = listed().await;
    let client = sdk(&emulator);
    let describe = |vault: &str, arn: &str| {
        let request = client.describe_recovery_point().backup_vault_name(vault);
        request.recovery_point_arn(arn).send()
    };
    // A vault that is not there cannot be told from one that is not yours.
    assert_eq!(
        refusal(describe("nowhere", EFS).await),
        (
            "AccessDeniedException".into(),
            "Insufficient privileges to perform this action.".into()
        )
    );
    let (code, _) = refusal(describe("primary", RDS).await);
    assert_eq!(code, "ResourceNotFoundException", "it is in another vault");
    let unknown = "arn:aws:ec2:us-east-1::image/ami-0unknown";
    assert_eq!(
        refusal(describe("primary", unknown).await).0,
        "ResourceNotFoundException"
    );
    let malformed = describe("primary", "ami-0unknown").await;
    assert_eq!(refusal(malformed).0, "InvalidParameterValueException");
    let request = client
        .describe_recovery_point()
        .backup_vault_name("primary");
    let request = request.backup_vault_account_id("210987654321");
    let shared = request.recovery_point_arn(EFS).send().await;
    assert_eq!(refusal(shared).0, "AccessDeniedException");
    for (arn, code) in [
        (unknown, "ResourceNotFoundException"),
        ("ami-0unknown", "InvalidParameterValueException"),
        ("", "InvalidParameterValueException"),
    ] {
        let request = client.start_restore_job().recovery_point_arn(arn);
        assert_eq!(
            refusal(request.metadata("a", "b").send().await).0,
            code,
            "{arn}"
        );
    }
    assert!(emulator.jobs().is_empty());
}

#[tokio::test]
async fn without_an_inventory_every_well_formed_one_exists() {
    let emulator = start(standing()).await;
    let client = sdk_with(&emulator, "us-east-1", "210987654321", 1);
    let vaults = client.list_backup_vaults().send().await.unwrap();
    assert_eq!(vaults.backup_vault_list().len(), 1);
    let vault = &vaults.backup_vault_list()[0];
    assert_eq!(
        vault.backup_vault_arn(),
        Some("arn:aws:backup:us-east-1:210987654321:backup-vault:Default")
    );
    let request = client
        .describe_recovery_point()
        .backup_vault_name("Default");
    let point = request.recovery_point_arn(RDS).send().await.unwrap();
    assert_eq!(point.resource_type(), Some("RDS"));
    let age = emulator.clock().now().as_millisecond() - millis(point.creation_date());
    assert_eq!(age, 3_600_000);
    let malformed = client
        .start_restore_job()
        .recovery_point_arn("arn:aws:backup");
    let (code, _) = refusal(malformed.metadata("a", "b").send().await);
    assert_eq!(code, "InvalidParameterValueException");
    // The type is what the request says.
    let request = client.start_restore_job().recovery_point_arn(EFS);
    let request = request
        .resource_type("S3")
        .metadata("DestinationBucketName", "copy");
    request.send().await.unwrap();
    while advance(&emulator) {}
    let jobs = emulator.jobs();
    assert_eq!(jobs[0].resource_type, "S3");
    assert_eq!(
        jobs[0].created_resource_arn.as_deref(),
        Some("arn:aws:s3:::copy")
    );
    assert_eq!(jobs[0].account, "210987654321");
}

#[tokio::test]
async fn vaults_by_region_and_page() {
    let emulator = listed().await;
    let client = sdk(&emulator);
    let mut names = Vec::new();
    let mut pages = client
        .list_backup_vaults()
        .max_results(1)
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        for vault in page.unwrap().backup_vault_list() {
            names.push((
                vault.backup_vault_name().unwrap().to_owned(),
                vault.number_of_recovery_points(),
            ));
        }
    }
    assert_eq!(
        names,
        [
            ("aws/efs/automatic-backup-vault".to_owned(), 1),
            ("primary".to_owned(), 3)
        ]
    );
    let other = sdk_with(&emulator, "eu-west-1", "AKIDEXAMPLE", 1);
    let vaults = other.list_backup_vaults().send().await.unwrap();
    assert_eq!(
        vaults.backup_vault_list()[0].backup_vault_name(),
        Some("elsewhere")
    );
}

#[tokio::test]
async fn inferred_metadata_is_what_restore_testing_would_send() {
    let emulator = listed().await;
    let client = sdk(&emulator);
    let infer = |arn: &str| {
        let request = client.get_restore_testing_inferred_metadata();
        request
            .backup_vault_name("primary")
            .recovery_point_arn(arn)
            .send()
    };
    let files = infer(EFS).await.unwrap().inferred_metadata;
    assert_eq!(files["file-system-id"], "fs-0a1b2c3d");
    assert_eq!(files["newFileSystem"], "true");
    let instance = infer(EC2).await.unwrap().inferred_metadata;
    assert_eq!(instance["instanceType"], "t3.micro");
}
