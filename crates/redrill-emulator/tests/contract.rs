//! The contract: botocore's own model of AWS Backup, the AWS CLI, and the Rust SDK, operation by operation.

use redrill_emulator::{Api, Operation};

use crate::clients::*;
use crate::python::{AWS_TOOLS, venv};

fn of_backup() -> impl Iterator<Item = &'static Operation> {
    let all = Operation::ALL.iter();
    all.filter(|operation| operation.api() == Api::Backup)
}

/// Acceptance of the API by its model: see `contract.py`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn botocore_and_the_aws_cli() {
    let made = tokio::task::spawn_blocking(|| venv("aws", AWS_TOOLS));
    let Some(venv) = made.await.unwrap() else {
        return;
    };
    let mut both = Inventory::parse(&format!("{INVENTORY}---\n{BUCKETS}")).unwrap();
    // Recovery points to delete have to be there.
    let points = &mut both.accounts[0]
        .vaults
        .get_mut("primary")
        .unwrap()
        .recovery_points;
    let doomed = (1..=32).map(|n| redrill_inventory::RecoveryPoint {
        arn: format!("arn:aws:backup:us-east-1:123456789012:recovery-point:DOOMED{n}"),
        ..points[0].clone()
    });
    let doomed: Vec<_> = doomed.collect();
    points.extend(doomed);
    let emulator = start(Options {
        inventory: Some(both),
        ..standing()
    })
    .await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract.py");
    let mut command = std::process::Command::new(venv.join("bin/python"));
    command.arg(script).arg(emulator.url());
    let all: Vec<&Operation> = of_backup().collect();
    command.args(all.iter().map(|operation| operation.name()));
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["operations"], all.len());
    assert!(said["checks"].as_u64().unwrap() > 2000, "{said}");
    for operation in all {
        assert!(emulator.calls()[operation] >= 2, "{operation}");
    }
}

/// Each operation once with the Rust SDK: what it sends is understood, and what is answered it can read.
#[tokio::test]
async fn the_rust_sdk() {
    const RESOURCE: &str =
        "arn:aws:elasticfilesystem:us-east-1:123456789012:file-system/fs-0a1b2c3d";
    let both = format!("{INVENTORY}---\n{BUCKETS}");
    let emulator = start(Options {
        inventory: Some(Inventory::parse(&both).unwrap()),
        ..standing()
    })
    .await;
    let client = sdk(&emulator);
    let id = start_ec2(&client, "t1").await;
    let job = client
        .describe_restore_job()
        .restore_job_id(&id)
        .send()
        .await
        .unwrap();
    assert_eq!(job.recovery_point_arn(), Some(EC2));
    let jobs = client
        .list_restore_jobs()
        .by_status("PENDING".into())
        .max_results(1);
    assert_eq!(jobs.send().await.unwrap().restore_jobs().len(), 1);
    let jobs = client
        .list_restore_jobs_by_protected_resource()
        .resource_arn(RESOURCE);
    assert!(jobs.send().await.unwrap().restore_jobs().is_empty());
    let summaries = client.list_restore_job_summaries().send().await.unwrap();
    assert_eq!(summaries.restore_job_summaries()[0].count(), 1);
    let metadata = client
        .get_restore_job_metadata()
        .restore_job_id(&id)
        .send()
        .await
        .unwrap();
    assert_eq!(metadata.metadata().unwrap()["InstanceType"], "t3.micro");
    let result = client.put_restore_validation_result().restore_job_id(&id);
    result
        .validation_status("SUCCESSFUL".into())
        .send()
        .await
        .unwrap();

    let point = client
        .describe_recovery_point()
        .backup_vault_name("primary");
    let point = point.recovery_point_arn(EFS).send().await.unwrap();
    assert_eq!(point.backup_size_in_bytes(), Some(1 << 30));
    let of = client
        .get_recovery_point_restore_metadata()
        .backup_vault_name("primary");
    let of = of.recovery_point_arn(EFS).send().await.unwrap();
    assert_eq!(
        of.restore_metadata().unwrap()["file-system-id"],
        "fs-0a1b2c3d"
    );
    let inferred = client
        .get_restore_testing_inferred_metadata()
        .backup_vault_name("primary");
    let inferred = inferred.recovery_point_arn(EFS).send().await.unwrap();
    assert_eq!(inferred.inferred_metadata()["newFileSystem"], "true");
    let points = client
        .list_recovery_points_by_backup_vault()
        .backup_vault_name("primary");
    assert_eq!(points.send().await.unwrap().recovery_points().len(), 3);
    let points = client
        .list_recovery_points_by_resource()
        .resource_arn(RESOURCE);
    assert_eq!(points.send().await.unwrap().recovery_points().len(), 1);
    let vault = client
        .describe_backup_vault()
        .backup_vault_name("primary")
        .send();
    assert_eq!(vault.await.unwrap().number_of_recovery_points(), 3);
    let vaults = client.list_backup_vaults().send().await.unwrap();
    assert_eq!(vaults.backup_vault_list().len(), 3);
    let resource = client
        .describe_protected_resource()
        .resource_arn(RESOURCE)
        .send();
    assert_eq!(resource.await.unwrap().resource_type(), Some("EFS"));
    let resources = client.list_protected_resources().send().await.unwrap();
    assert_eq!(resources.results().len(), 6);
    let resources = client.list_protected_resources_by_backup_vault();
    let resources = resources.backup_vault_name("primary").send().await.unwrap();
    assert_eq!(resources.results().len(), 3);
    let tags = client.list_tags().resource_arn(EFS).send().await.unwrap();
    assert!(tags.tags().unwrap().is_empty());
    let types = client.get_supported_resource_types().send().await.unwrap();
    assert!(types.resource_types().iter().any(|name| name == "EKS"));

    let made = client.create_backup_access_point().name("orders");
    let made = made.recovery_point_arn(BUCKET).send().await.unwrap();
    let arn = made.access_point_arn();
    let one = client.describe_backup_access_point().access_point_arn(arn);
    assert_eq!(one.send().await.unwrap().status().as_str(), "CREATING");
    let all = client.list_backup_access_points().send().await.unwrap();
    assert_eq!(all.backup_access_points().len(), 1);
    let of_point = client.list_backup_access_points_by_recovery_point();
    let of_point = of_point.recovery_point_arn(BUCKET).send().await.unwrap();
    assert_eq!(of_point.backup_access_points()[0].name(), "orders");
    let of_resource = client.list_backup_access_points_by_resource();
    let of_resource = of_resource.resource_arn("arn:aws:s3:::other").send();
    assert!(of_resource.await.unwrap().backup_access_points().is_empty());
    let gone = client.delete_backup_access_point().access_point_arn(arn);
    gone.send().await.unwrap();
    let scans = client.get_pitr_malware_scan_results();
    let scans = scans
        .recovery_point_arn(BUCKET)
        .backup_vault_name("buckets");
    let scans = scans.scan_end_time(aws_sdk_backup::primitives::DateTime::from_secs(
        1_800_000_000,
    ));
    let scans = scans
        .malware_scanner("GUARDDUTY".into())
        .send()
        .await
        .unwrap();
    let result = scans.scan_result().unwrap().scan_result_status();
    assert_eq!(result.as_str(), "UNKNOWN");

    let plans = client.list_restore_testing_plans().send().await.unwrap();
    assert!(plans.restore_testing_plans().is_empty());
    let missing = "ResourceNotFoundException";
    let plan = client
        .get_restore_testing_plan()
        .restore_testing_plan_name("p");
    assert_eq!(refusal(plan.send().await).0, missing);
    let selections = client
        .list_restore_testing_selections()
        .restore_testing_plan_name("p");
    assert_eq!(refusal(selections.send().await).0, missing);
    let selection = client
        .get_restore_testing_selection()
        .restore_testing_plan_name("p");
    let selection = selection.restore_testing_selection_name("s").send().await;
    assert_eq!(refusal(selection).0, missing);
    let delete = client.delete_recovery_point().backup_vault_name("primary");
    delete.recovery_point_arn(EC2).send().await.unwrap();

    for operation in of_backup() {
        assert!(emulator.calls().contains_key(operation), "{operation}");
    }
}
