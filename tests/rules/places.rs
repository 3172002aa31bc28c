//! Faults of the same kind as `field.rs` has: what belongs to another Region, account or partition than the restore.

use serde_json::json;

use super::field::{KEY_EAST, KEY_SHARED, KEY_WEST, WEST, of, refusals, said};
use super::{check, recovery_point};
use redrill::ids::RestoreName;

#[test]
fn field_e_keys_and_zones_of_another_region_are_errors_of_every_type() {
    let zone = "error[place/zone]";
    let key = "error[place/key-region]";
    for (resource_type, metadata, expected) in [
        (
            "EBS",
            json!({ "availabilityZone": "us-east-1a", "encrypted": true, "kmsKeyId": KEY_EAST }),
            vec![zone, key],
        ),
        (
            "Aurora",
            json!({ "DBClusterIdentifier": "a", "Engine": "aurora-mysql", "AvailabilityZones": ["us-east-1a", "us-west-2b", "us-east-1b"], "KmsKeyId": KEY_EAST }),
            vec![zone, zone, key],
        ),
        (
            "Aurora",
            json!({ "DBClusterIdentifier": "a", "Engine": "aurora-mysql", "AvailabilityZones": r#"["us-east-1a"]"# }),
            vec![zone],
        ),
        (
            "RDS",
            json!({ "DBInstanceIdentifier": "a", "AvailabilityZone": "us-east-1a" }),
            vec![zone],
        ),
        (
            "DocumentDB",
            json!({ "dbClusterIdentifier": "a", "engine": "docdb", "availabilityZones": ["us-east-1a"], "kmsKeyId": KEY_EAST }),
            vec![zone, key],
        ),
        (
            "Neptune",
            json!({ "dbClusterIdentifier": "a", "engine": "neptune", "availabilityZones": ["us-east-1a"], "kmsKeyId": KEY_EAST }),
            vec![zone, key],
        ),
        (
            "Redshift",
            json!({ "RestoreType": "CLUSTER_RESTORE", "ClusterIdentifier": "a", "AvailabilityZone": "us-east-1a", "KmsKeyId": KEY_EAST, "MasterPasswordSecretKmsKeyId": KEY_EAST, "ManageMasterPassword": true }),
            vec![zone, key, key],
        ),
        (
            "Redshift Serverless",
            json!({ "RestoreType": "NAMESPACE_RESTORE", "NamespaceIdentifier": "abc", "manageAdminPassword": true, "adminPasswordSecretKmsKeyId": KEY_EAST }),
            vec![key],
        ),
        (
            "EFS",
            json!({ "newFileSystem": true, "file-system-id": "fs-0a1b2c3d", "CreationToken": "a", "Encrypted": true, "KmsKeyId": KEY_EAST, "singleAzFilesystem": true, "availabilityZoneName": "us-east-1a" }),
            vec![key, zone],
        ),
        (
            "DynamoDB",
            json!({ "targetTableName": "orders", "encryptionType": "KMS", "kmsMasterKeyArn": KEY_EAST }),
            vec![key],
        ),
        (
            "S3",
            json!({ "DestinationBucketName": "orders", "EncryptionType": "SSE-KMS", "KMSKey": KEY_EAST }),
            vec![key],
        ),
        (
            "FSx",
            json!({ "SubnetIds": ["subnet-0a1b2c3d"], "KmsKeyId": KEY_EAST, "LustreConfiguration": { "DeploymentType": "PERSISTENT_2" } }),
            vec![key],
        ),
        (
            "EC2",
            json!({ "Placement": { "AvailabilityZone": "us-east-1c" }, "BlockDeviceMappings": [{ "DeviceName": "/dev/xvda", "Ebs": { "Encrypted": true, "KmsKeyId": KEY_EAST } }] }),
            vec![key, zone],
        ),
        (
            "EC2",
            json!({ "BlockDeviceMappings": { "BlockDeviceMappings": [{ "Ebs": { "Encrypted": true, "KmsKeyId": KEY_EAST } }] } }),
            vec![key],
        ),
        (
            "EC2",
            json!({ "BlockDeviceMappings": format!(r#"[{{"Ebs":{{"Encrypted":true,"KmsKeyId":"{KEY_EAST}"}}}}]"#) }),
            vec![key],
        ),
        (
            "EKS",
            json!({ "clusterName": "a", "newCluster": true, "clusterRole": "arn:aws:iam::123456789012:role/a", "clusterVpcConfig": { "subnetIds": ["subnet-1", "subnet-2"], "securityGroupIds": [] }, "encryptionConfigProviderKeyArn": KEY_EAST }),
            vec![key],
        ),
        (
            "EKS",
            json!({ "clusterName": "a", "nestedRestoreJobs": { "arn:aws:ec2:us-west-2::snapshot/snap-0a1b2c3d": { "AvailabilityZone": "us-east-1a" } } }),
            vec![zone],
        ),
        (
            "EKS",
            json!({ "clusterName": "a", "nestedRestoreJobs": r#"{"arn:aws:ec2:us-west-2::snapshot/snap-0a1b2c3d":"{\"AvailabilityZone\":\"us-east-1a\"}"}"# }),
            vec![zone],
        ),
        (
            "Storage Gateway",
            json!({ "availabilityZone": "us-east-1a", "encrypted": true, "kmsKeyId": KEY_EAST }),
            vec![zone, key],
        ),
        (
            "VirtualMachine",
            json!({ "RestoreTo": "EBSVolume", "AvailabilityZone": "us-east-1a", "EbsVolumeType": "gp3", "ItemsToRestore": [{ "DiskId": "1" }], "IsEncrypted": true, "KmsKeyId": KEY_EAST }),
            vec![key, zone],
        ),
        (
            "Timestream",
            json!({ "TableName": "abc", "DatabaseName": "abc", "MemoryStoreRetentionPeriodInHours": 1, "MagneticStoreRetentionPeriodInDays": 1, "MagneticStoreWriteProperties": { "EnableMagneticStoreWrites": true, "MagneticStoreRejectedDataLocation": { "S3Configuration": { "BucketName": "abc", "KmsKeyId": KEY_EAST } } } }),
            vec![key],
        ),
        (
            "Aurora DSQL",
            json!({ "useMultiRegionOrchestration": false, "regionalConfig": [{ "region": "us-west-2", "kmsKeyId": KEY_EAST }] }),
            vec![key],
        ),
    ] {
        let said = of(resource_type, metadata);
        let heads: Vec<&str> = refusals(&said)
            .into_iter()
            .map(|line| line.split(' ').next().unwrap())
            .collect();
        let sorted = |mut all: Vec<&'static str>| {
            all.sort_unstable();
            all
        };
        let found: Vec<&'static str> = heads
            .iter()
            .map(|head| {
                if *head == zone {
                    zone
                } else if *head == key {
                    key
                } else {
                    "other"
                }
            })
            .collect();
        assert_eq!(
            sorted(found),
            sorted(expected),
            "{resource_type}: {said:#?}"
        );
    }
}

#[test]
fn field_e_what_belongs_to_the_place_is_left_alone() {
    for (resource_type, metadata) in [
        (
            "EBS",
            json!({ "availabilityZone": "us-west-2-lax-1a", "encrypted": true, "kmsKeyId": KEY_WEST }),
        ),
        (
            "EBS",
            json!({ "availabilityZone": "us-west-2a", "encrypted": true, "kmsKeyId": "alias/dr" }),
        ),
        // Each Region of two has a key of its own.
        (
            "Aurora DSQL",
            json!({
                "useMultiRegionOrchestration": true, "witnessRegion": "us-east-2", "peerRegion": ["us-east-1"],
                "regionalConfig": [
                    { "region": "us-west-2", "kmsKeyId": KEY_WEST },
                    { "region": "us-east-1", "kmsKeyId": KEY_EAST.replace("111122223333", "123456789012") },
                ],
            }),
        ),
        // It has no effect there.
        ("RDS", json!({ "DBInstanceIdentifier": "a" })),
    ] {
        assert_eq!(of(resource_type, metadata), [""; 0], "{resource_type}");
    }
    let no_effect = of(
        "RDS",
        json!({ "DBInstanceIdentifier": "a", "KmsKeyId": KEY_EAST }),
    );
    assert_eq!(no_effect, ["warning[RDS/no-effect] KmsKeyId"]);
}

#[test]
fn field_e_another_account_is_a_note_of_a_key_and_a_warning_of_a_role() {
    let said = of(
        "EBS",
        json!({ "availabilityZone": "us-west-2a", "encrypted": true, "kmsKeyId": KEY_SHARED }),
    );
    assert_eq!(said, ["note[place/key-account] kmsKeyId"]);
    let role = "arn:aws:iam::111122223333:role/warehouse";
    let said = of(
        "Redshift",
        json!({ "RestoreType": "CLUSTER_RESTORE", "ClusterIdentifier": "a", "IamRoles": [role], "DefaultIamRoleArn": role }),
    );
    assert_eq!(
        said,
        [
            "warning[place/role-account] IamRoles",
            "warning[place/role-account] DefaultIamRoleArn"
        ]
    );
}

#[test]
fn field_e_every_instance_and_every_target_is_compared() {
    let plan = format!(
        r#"
plan: two
targets:
  west: {WEST}
  east: {{ region: us-east-1, account: "111122223333", iam_role_arn: "arn:aws:iam::111122223333:role/restore" }}
restores:
  each:
    target: west
    type: EBS
    for_each: {{ a: us-west-2a, b: us-east-1a }}
    recovery_point: arn:aws:ec2:us-west-2::snapshot/snap-0a1b2c3d
    metadata: {{ availabilityZone: "{{{{ each.value }}}}" }}
  templated:
    target: west
    type: EBS
    recovery_point: arn:aws:ec2:us-west-2::snapshot/snap-0a1b2c3d
    metadata: {{ availabilityZone: "{{{{ target.region }}}}a", encrypted: true, kmsKeyId: "{KEY_EAST}" }}
  there:
    target: east
    type: EBS
    recovery_point: arn:aws:ec2:us-east-1::snapshot/snap-0a1b2c3d
    metadata: {{ availabilityZone: us-east-1a, encrypted: true, kmsKeyId: "{KEY_EAST}" }}
  late:
    target: west
    needs: [templated]
    type: EBS
    recovery_point: arn:aws:ec2:us-west-2::snapshot/snap-0a1b2c3d
    metadata: {{ availabilityZone: us-west-2a, encrypted: true, kmsKeyId: "{{{{ restores.templated.created.resource_arn }}}}" }}
"#
    );
    let findings = check("two", &plan);
    let said: Vec<(RestoreName, String)> = findings
        .iter()
        .map(|f| (f.restore.clone().unwrap_or_default(), f.rule.clone()))
        .collect();
    let expected = [("each[b]", "place/zone"), ("templated", "place/key-region")];
    assert_eq!(
        said,
        expected.map(|(restore, rule)| (RestoreName::new(restore), rule.to_owned())),
        "{findings:#?}"
    );
}

#[test]
fn field_i_sap_hana_has_no_role() {
    let hana = json!({ "hana": {
        "type": "SAP HANA on Amazon EC2",
        "recovery_point": recovery_point("SAP HANA on Amazon EC2"),
        "metadata": { "aws:backup:TargetDatabaseArn": "arn:aws:ssm-sap:us-west-2:123456789012:HANA/a/DB/HDB" },
    } });
    let bare = r#"{ region: us-west-2, account: "123456789012" }"#;
    assert_eq!(said(bare, &hana), [""; 0]);
    assert_eq!(said(WEST, &hana), ["note[target/role-not-used]"]);
    let volume = json!({ "volume": {
        "type": "EBS",
        "recovery_point": recovery_point("EBS"),
        "metadata": { "availabilityZone": "us-west-2a" },
    } });
    assert_eq!(said(bare, &volume), ["warning[target/no-role]"]);
    assert_eq!(said(WEST, &volume), [""; 0]);
}

#[test]
fn field_k_zones_and_regions_of_every_partition() {
    for (region, partition) in [
        ("eusc-de-east-1", "aws-eusc"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
        ("eu-isoe-west-1", "aws-iso-e"),
        ("us-isof-south-1", "aws-iso-f"),
        ("mx-central-1", "aws"),
    ] {
        let target = format!(
            r#"{{ region: {region}, account: "123456789012", iam_role_arn: "arn:{partition}:iam::123456789012:role/restore" }}"#
        );
        let restore = |zone: String| {
            json!({ "a": {
                "type": "EBS",
                "recovery_point": format!("arn:{partition}:ec2:{region}::snapshot/snap-0123456789abcdef0"),
                "metadata": {
                    "availabilityZone": zone,
                    "encrypted": true,
                    "kmsKeyId": format!("arn:{partition}:kms:{region}:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"),
                },
            } })
        };
        assert_eq!(
            said(&target, &restore(format!("{region}a"))),
            [""; 0],
            "{region}"
        );
        assert_eq!(
            said(&target, &restore(region.to_owned()))
                .first()
                .map(String::as_str),
            Some("warning[EBS/zone-is-region] availabilityZone"),
            "{region}"
        );
    }
}

#[test]
fn field_l_a_role_of_another_partition_is_an_error() {
    let gov = r#"{ region: us-gov-west-1, account: "123456789012", iam_role_arn: "arn:aws:iam::123456789012:role/restore" }"#;
    let restore = |partition: &str| {
        json!({ "a": {
            "type": "EBS",
            "recovery_point": format!("arn:{partition}:ec2:us-gov-west-1::snapshot/snap-0123456789abcdef0"),
            "metadata": {
                "availabilityZone": "us-gov-west-1a",
                "encrypted": true,
                "kmsKeyId": format!("arn:{partition}:kms:us-gov-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"),
            },
        } })
    };
    assert_eq!(
        said(gov, &restore("aws-us-gov")),
        ["error[target/role-partition]"]
    );
    let all = said(gov, &restore("aws"));
    for rule in [
        "error[target/role-partition]",
        "error[arn/other-partition]",
        "error[place/partition] kmsKeyId",
    ] {
        assert!(all.iter().any(|line| line == rule), "{rule}: {all:#?}");
    }
}
