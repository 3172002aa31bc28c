//! The inventories of this repository: each is served whole, and its restores end.

use std::collections::{BTreeSet, HashMap};

use crate::clients::*;

const ALL: [(&str, &str); 5] = [
    ("compute", include_str!("../../../inventories/compute.yaml")),
    (
        "databases",
        include_str!("../../../inventories/databases.yaml"),
    ),
    ("mixed", include_str!("../../../inventories/mixed.yaml")),
    ("storage", include_str!("../../../inventories/storage.yaml")),
    ("tables", include_str!("../../../inventories/tables.yaml")),
];

#[test]
fn all_of_them_are_here() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../inventories");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    let listed = ALL.iter().map(|(name, _)| format!("{name}.yaml")).collect();
    assert_eq!(files, listed);
}

#[tokio::test]
async fn each_is_served_and_restored_from() {
    let mut types = BTreeSet::new();
    for (name, text) in ALL {
        let inventory = Inventory::parse(text).unwrap_or_else(|e| panic!("{name}:{e}"));
        let emulator = start(Options {
            inventory: Some(inventory.clone()),
            ..standing()
        })
        .await;
        let client = sdk(&emulator);
        for (_, vault, point) in inventory.recovery_points() {
            types.insert(point.resource_type.clone());
            let described = client.describe_recovery_point().backup_vault_name(vault);
            let described = described
                .recovery_point_arn(&point.arn)
                .send()
                .await
                .unwrap();
            assert_eq!(described.resource_type(), Some(&*point.resource_type));
            let request = client.start_restore_job().recovery_point_arn(&point.arn);
            let least = least(&point.resource_type, &point.resource_arn);
            let answer = request.set_metadata(Some(least)).send().await;
            let stack = point.resource_type == "CloudFormation" && point.parent.is_none();
            assert_eq!(answer.is_err(), stack, "{name}: {}: {answer:?}", point.arn);
        }
        while advance(&emulator) {}
        assert!(emulator.jobs().iter().all(|job| job.status.is_terminal()));
    }
    let served = redrill_types().await;
    let missing: Vec<_> = served.difference(&types).collect();
    assert!(missing.is_empty(), "no inventory has {missing:?}");
}

/// The least that a restore of this type asks for.
fn least(resource_type: &str, resource: &str) -> HashMap<String, String> {
    let pairs: &[(&str, &str)] = match resource_type {
        "Aurora" => &[("DBClusterIdentifier", "copy"), ("Engine", "aurora-mysql")],
        "DocumentDB" | "Neptune" => &[("DBClusterIdentifier", "copy")],
        "EFS" => &[("newFileSystem", "true"), ("CreationToken", "copy")],
        "CloudFormation" => &[("StackName", "copy"), ("ChangeSetName", "copy")],
        "DynamoDB" => &[("targetTableName", "copy")],
        "EBS" | "Storage Gateway" => &[("availabilityZone", "us-east-1a")],
        "EKS" => &[("clusterName", "copy")],
        "FSx" if resource.contains(":volume/") => &[(
            "OntapConfiguration",
            r#"{"storageVirtualMachineId":"svm-0123456789abcdef0"}"#,
        )],
        "FSx" => &[("SubnetIds", r#"["subnet-0a1b2c3d"]"#)],
        "RDS" if resource.contains(":cluster:") => &[("DBClusterIdentifier", "copy")],
        "RDS" => &[("DBInstanceIdentifier", "copy")],
        "Redshift" => &[("ClusterIdentifier", "copy")],
        "Redshift Serverless" => &[("NamespaceIdentifier", "copy")],
        "S3" => &[
            ("DestinationBucketName", "copy"),
            ("RestoreTime", "2026-11-20T02:00:00Z"),
        ],
        "SAP HANA on Amazon EC2" => &[(
            "aws:backup:TargetDatabaseArn",
            "arn:aws:ssm-sap:us-east-1:123456789012:HANA/app/DB/HDB",
        )],
        "Timestream" => &[("TableName", "copy"), ("DatabaseName", "copy")],
        "VirtualMachine" => &[("RestoreTo", "EC2Instance")],
        _ => &[("aws:backup:request-id", "1")],
    };
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

async fn redrill_types() -> BTreeSet<String> {
    let emulator = start(standing()).await;
    let types = sdk(&emulator).get_supported_resource_types().send().await;
    types.unwrap().resource_types.unwrap().into_iter().collect()
}
