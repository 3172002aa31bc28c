//! Faults that were found with what people really do, each by its letter, and others of the same kind.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use redrill::diagnostic::{Finding, Severity};
use redrill::validate::Rules;
use serde_json::{Value, json};

use super::{check, check_metadata, errors, files, read, recovery_point, told};

/// What is said of restores in a target, as `severity[rule]` with the key.
fn said(target: &str, restores: &Value) -> Vec<String> {
    let plan = format!("{{ plan: field, target: {target}, restores: {restores} }}");
    let findings = check("field", &plan);
    findings.iter().map(short).collect()
}

fn short(finding: &Finding) -> String {
    let said = told(finding);
    let head = said.split(':').next().unwrap_or_default().to_owned();
    match &finding.key {
        Some(key) => format!("{head} {key}"),
        None => head,
    }
}

const WEST: &str = r#"{ region: us-west-2, account: "123456789012", iam_role_arn: "arn:aws:iam::123456789012:role/restore" }"#;
const KEY_EAST: &str =
    "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const KEY_WEST: &str =
    "arn:aws:kms:us-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const KEY_SHARED: &str =
    "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// What is said of the metadata of one restore in us-west-2.
fn of(resource_type: &str, metadata: Value) -> Vec<String> {
    let restore = json!({ "a": {
        "type": resource_type,
        "recovery_point": recovery_point(resource_type),
        "metadata": metadata,
    } });
    let mut said = said(WEST, &restore);
    said.retain(|line| !line.starts_with("note[target/"));
    said
}

fn refusals(said: &[String]) -> Vec<&String> {
    said.iter()
        .filter(|line| line.starts_with("error"))
        .collect()
}

#[test]
fn field_b_small_instances_have_cpu_options() {
    let instance = |of_type: &str| {
        of(
            "EC2",
            json!({
                "InstanceType": of_type,
                "SubnetId": "subnet-0123456789abcdef0",
                "CpuOptions": { "CoreCount": 1, "ThreadsPerCore": 2 },
            }),
        )
    };
    for of_type in [
        "t3.micro",
        "t3.nano",
        "t3a.large",
        "t4g.nano",
        "m5.large",
        "t8i.small",
    ] {
        assert_eq!(instance(of_type), [""; 0], "{of_type}");
    }
    assert_eq!(
        instance("t2.micro"),
        ["warning[EC2/cpu-options] InstanceType"]
    );
}

#[test]
fn field_c_an_empty_list_of_eks_is_none() {
    let said = of(
        "EKS",
        json!({
            "clusterName": "secondary",
            "newCluster": false,
            "namespaces": [],
            "namespaceLevelRestore": false,
            "fargateProfiles": [],
            "nodeGroups": [],
            "podIdentityAssociations": "[]",
            "clusterVpcConfig": {},
            "nestedRestoreJobs": {},
            "restoreKubernetesManifestsOnly": true,
        }),
    );
    assert_eq!(said, [""; 0]);
}

/// Every key of every type that a valid restore does not have, added as nothing: `[]`, `{}` or `""`, as a value and as text.
#[test]
fn field_c_nothing_counts_as_none_in_every_rule() {
    let rules = Rules::embedded();
    for path in files("tests/rules/accepted", "yaml") {
        let text = std::fs::read_to_string(&path).unwrap();
        let fixture: Value = serde_yaml::from_str(&text).unwrap();
        let mut restores = serde_json::Map::new();
        for (name, restore) in fixture["restores"].as_object().unwrap() {
            let schema = rules.schema(restore["type"].as_str().unwrap()).unwrap();
            let metadata = restore["metadata"].as_object().unwrap();
            let has = |key: &str| metadata.keys().any(|k| k.eq_ignore_ascii_case(key));
            for (at, (key, of)) in schema["properties"].as_object().unwrap().iter().enumerate() {
                // A key that AWS refuses by its name is refused empty as well.
                if has(key) || of["x-redrill"]["send"] == false {
                    continue;
                }
                let nothing = match of["type"].as_str() {
                    Some("array") => [json!([]), json!("[]")],
                    Some("object") => [json!({}), json!("{}")],
                    _ => [json!(""), json!("")],
                };
                for (form, value) in nothing.into_iter().enumerate() {
                    let mut restore = restore.clone();
                    restore["metadata"][key.as_str()] = value;
                    restore.as_object_mut().unwrap().shift_remove("needs");
                    restores.insert(format!("{name}-{at}-{form}"), restore);
                }
            }
        }
        let mut plan = fixture.clone();
        plan["plan"] = "nothing".into();
        plan["target"] = plan.get("target").cloned().unwrap_or_else(|| {
            json!({ "region": "us-west-2", "account": "123456789012", "iam_role_arn": "arn:aws:iam::123456789012:role/restore" })
        });
        plan["restores"] = restores.into();
        let findings = check("nothing", &plan.to_string());
        let errors: Vec<String> = errors(&findings)
            .iter()
            .map(|f| format!("{}: {}", f.restore.clone().unwrap_or_default(), told(f)))
            .collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
    }
}

#[test]
fn field_c_nothing_does_not_count_as_given_either() {
    for (resource_type, metadata, rule) in [
        (
            "DynamoDB",
            json!({ "targetTableName": "" }),
            "error[DynamoDB/targetTableName] targetTableName",
        ),
        (
            "S3",
            json!({ "DestinationBucketName": "" }),
            "error[S3/DestinationBucketName] DestinationBucketName",
        ),
        (
            "RDS",
            json!({ "DBInstanceIdentifier": "" }),
            "error[RDS/identifier] DBInstanceIdentifier",
        ),
        (
            "EFS",
            json!({ "file-system-id": "", "newFileSystem": false }),
            "error[EFS/existing-needs-id] file-system-id",
        ),
        (
            "EBS",
            json!({ "availabilityZone": "" }),
            "error[EBS/zone] availabilityZone",
        ),
        (
            "Aurora DSQL",
            json!({ "cluster_id": "" }),
            "error[Aurora DSQL/returned-not-taken] cluster_id",
        ),
    ] {
        let said = of(resource_type, metadata);
        assert!(
            said.iter().any(|line| line == rule),
            "{resource_type}: {said:#?}"
        );
    }
}

#[test]
fn field_d_the_substitute_key_of_s3_is_taken() {
    let said = of(
        "S3",
        json!({
            "DestinationBucketName": "restored-objects-1",
            "EncryptionType": "original",
            "KMSKey": KEY_WEST,
            "RestoreACLs": false,
        }),
    );
    assert_eq!(said, [""; 0]);
}

/// «Only needed with» is not «forbidden without»: what AWS's pages say belongs to something is no error beside something else.
#[test]
fn field_d_needed_with_is_not_forbidden_without() {
    for (resource_type, metadata) in [
        (
            "DynamoDB",
            json!({ "targetTableName": "orders-2", "kmsMasterKeyArn": KEY_WEST }),
        ),
        (
            "EKS",
            json!({ "clusterName": "a", "newCluster": false, "eksClusterVersion": "1.33" }),
        ),
        (
            "EKS",
            json!({ "clusterName": "a", "newCluster": false, "namespaces": ["b"] }),
        ),
        (
            "SAP HANA on Amazon EC2",
            json!({
                "aws:backup:TargetDatabaseArn": "arn:aws:ssm-sap:us-west-2:123456789012:HANA/orders/DB/HDB",
                "CatalogRestoreOption": "NO_CATALOG",
                "LocalCatalogPath": "/usr/sap",
            }),
        ),
        (
            "EBS",
            json!({ "gatewayArn": "arn:aws:storagegateway:us-west-2:123456789012:gateway/sgw-12A3456B", "targetName": "a", "temporaryRestoreDays": 1 }),
        ),
        (
            "EBS",
            json!({ "availabilityZone": "us-west-2a", "encryptionType": "SSE-S3" }),
        ),
        (
            "Aurora",
            json!({ "DBClusterIdentifier": "a", "Engine": "aurora-mysql", "RestoreTime": "2026-11-20T03:00:00Z" }),
        ),
    ] {
        let said = of(resource_type, metadata);
        assert_eq!(refusals(&said), [""; 0], "{resource_type}");
    }
}

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
    let said: Vec<(String, String)> = findings
        .iter()
        .map(|f| (f.restore.clone().unwrap_or_default(), f.rule.clone()))
        .collect();
    let expected = [("each[b]", "place/zone"), ("templated", "place/key-region")];
    assert_eq!(
        said,
        expected.map(|(restore, rule)| (restore.to_owned(), rule.to_owned())),
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

/// Every form that a page, or AWS's own samples, write a list of volumes in.
#[test]
fn field_j_a_rule_sees_every_form_of_its_key() {
    for (volume, expected) in [
        (
            json!({ "SnapshotId": "snap-1" }),
            "error[EC2/device-unsupported] BlockDeviceMappings",
        ),
        (
            json!({ "KmsKeyId": "alias/dr" }),
            "warning[EC2/device-key-needs-encrypted] BlockDeviceMappings",
        ),
        (
            json!({ "KmsKeyId": "alias/dr", "Encrypted": "false" }),
            "warning[EC2/device-key-needs-encrypted] BlockDeviceMappings",
        ),
        (
            json!({ "kmsKeyId": KEY_EAST, "encrypted": true }),
            "error[place/key-region] BlockDeviceMappings",
        ),
    ] {
        let list = json!([{ "DeviceName": "/dev/xvda", "Ebs": volume }]);
        let map = json!({ "BlockDeviceMappings": list });
        let forms = [
            list.clone(),
            map.clone(),
            json!(list.to_string()),
            json!(map.to_string()),
            json!({ "blockDeviceMappings": list.to_string() }),
            json!([{ "Ebs": volume.to_string() }]),
        ];
        for form in forms {
            let said = of(
                "EC2",
                json!({ "InstanceType": "t3.medium", "BlockDeviceMappings": form }),
            );
            assert_eq!(said, [expected], "{form}");
        }
    }
}

/// A valid restore, its lists and maps written as JSON text, is judged the same; so is one that breaks a rule.
#[test]
fn field_j_every_rule_judges_json_text_as_it_judges_yaml() {
    for folder in ["accepted", "rejected"] {
        for path in files(&format!("tests/rules/{folder}"), "yaml") {
            let (name, text) = super::files::fixture(&path);
            let as_written: Value = serde_yaml::from_str(&text).unwrap();
            let mut as_text = as_written.clone();
            for restore in as_text["restores"].as_object_mut().unwrap().values_mut() {
                let Some(metadata) = restore["metadata"].as_object_mut() else {
                    continue;
                };
                for value in metadata.values_mut() {
                    if value.is_array() || value.is_object() {
                        *value = Value::from(value.to_string());
                    }
                }
            }
            // Two findings at one place are one, and a text is one place: errors count.
            let rules = |plan: &Value| -> BTreeSet<(String, String, String)> {
                check(&name, &plan.to_string())
                    .into_iter()
                    .filter(|f| f.severity == Severity::Error)
                    .map(|f| {
                        (
                            f.restore.unwrap_or_default(),
                            f.rule,
                            f.key.unwrap_or_default(),
                        )
                    })
                    .collect()
            };
            assert_eq!(rules(&as_text), rules(&as_written), "{name}");
        }
    }
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

#[test]
fn field_m_a_type_one_word_off_has_a_suggestion() {
    let rules = Rules::embedded();
    for (written, meant) in [
        ("DSQL", "Aurora DSQL"),
        ("SAP HANA", "SAP HANA on Amazon EC2"),
        ("Amazon EFS", "EFS"),
        ("DocDB", "DocumentDB"),
        ("docdb", "DocumentDB"),
        ("StorageGateway", "Storage Gateway"),
        ("VMware", "VirtualMachine"),
        ("Amazon S3", "S3"),
        ("CFN", "CloudFormation"),
    ] {
        assert_eq!(rules.meant(written), Some(meant));
        let plan = format!(
            "{{ plan: m, target: {WEST}, restores: {{ a: {{ type: \"{written}\", recovery_point: \"{}\" }} }} }}",
            recovery_point(meant)
        );
        let findings = check("m", &plan);
        assert_eq!(findings[0].help, format!("did you mean `{meant}`?"));
        assert_eq!(findings[0].severity, Severity::Warning);
    }
    // No other name is one of a type, nor two types' at once.
    let mut names = BTreeSet::new();
    for of_type in rules.types() {
        for name in rules.schema(of_type).unwrap()["x-redrill"]["mistaken"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let name = name.as_str().unwrap();
            assert!(!rules.knows(name), "{name}");
            assert_eq!(rules.meant(name), Some(of_type), "{name}");
            assert!(names.insert(name.to_lowercase()), "{name}");
        }
    }
}

/// redrill with a plan on the disk.
fn redrill(plan: &str, command: &str, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.yaml");
    std::fs::File::create(&path)
        .unwrap()
        .write_all(plan.as_bytes())
        .unwrap();
    std::fs::write(folder.path().join("inventory.yaml"), INVENTORY).unwrap();
    Command::new(env!("CARGO_BIN_EXE_redrill"))
        .current_dir(folder.path())
        .args([command, "plan.yaml", "--color", "never"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

const INVENTORY: &str = r#"
account: "123456789012"
region: us-west-2
vaults:
  dr:
    recovery_points:
      - arn: arn:aws:backup:us-west-2:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45
        resource_arn: arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-0123456789abcdef0
        resource_type: EFS
        created_at: 2026-11-20T03:00:00Z
        restore_metadata: { file-system-id: fs-0123456789abcdef0, "aws:backup:request-id": e9908485-bb92-496e-b349-ade6e1fd2c4b }
"#;

#[test]
fn field_m_a_type_that_is_not_known_does_not_pass_a_rehearsal() {
    for (of_type, hint) in [("DSQL", "did you mean `Aurora DSQL`?"), ("ECS", "--only")] {
        let plan = format!(
            r#"
plan: m
target: {WEST}
restores:
  other:
    type: {of_type}
    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45
  files:
    type: EFS
    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45
    metadata: {{ file-system-id: fs-0123456789abcdef0, newFileSystem: false }}
"#
        );
        let whole = redrill(&plan, "rehearse", &["--progress", "none"]);
        let errors = String::from_utf8_lossy(&whole.stderr).into_owned();
        assert_eq!(whole.status.code(), Some(4), "{errors}");
        assert!(
            errors.contains("type/not-rehearsed") && errors.contains(hint),
            "{errors}"
        );
        let part = redrill(
            &plan,
            "rehearse",
            &["--progress", "none", "--only", "files"],
        );
        assert_eq!(
            part.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&part.stderr)
        );
        // AWS adds types faster than redrill learns of them.
        assert_eq!(redrill(&plan, "validate", &[]).status.code(), Some(0));
    }
}

#[test]
fn field_n_evidence_that_conflicts_is_no_error() {
    for (resource_type, metadata) in [
        (
            "Aurora",
            json!({ "DBClusterIdentifier": "a", "Engine": "aurora-mysql", "Port": "0" }),
        ),
        ("RDS", json!({ "DBInstanceIdentifier": "a", "Port": 0 })),
        (
            "EFS",
            json!({ "file-system-id": "fs-0a1b2c3d", "newFileSystem": true, "CreationToken": "a", "KmsKeyId": "alias/dr" }),
        ),
        (
            "EFS",
            json!({ "file-system-id": "fs-0a1b2c3d", "newFileSystem": false, "ItemsToRestore": ["/1", "/2", "/3", "/4", "/5", "/6"] }),
        ),
    ] {
        let said = of(resource_type, metadata);
        assert_eq!(refusals(&said), [""; 0], "{resource_type}");
        assert!(
            said.iter().any(|line| line.starts_with("warning")),
            "{resource_type}"
        );
    }
}

#[test]
fn field_n3_a_released_tools_map_of_efs_has_no_warning() {
    let said = of(
        "EFS",
        json!({
            "file-system-id": "fs-0a1b2c3d4e5f60718",
            "newfilesystem": "true",
            "creationtoken": "a",
            "encrypted": "true",
            "performancemode": "generalPurpose",
        }),
    );
    assert!(
        said.iter()
            .all(|line| line.starts_with("note[EFS/key-case]")),
        "{said:#?}"
    );
}

#[test]
fn field_n4_what_the_source_has_not_is_warned_of() {
    let findings = check_metadata(
        "EC2",
        "arn:aws:ec2:us-west-2::image/ami-0a0a0a0a0a0a0a0a0",
        &json!({ "InstanceType": "t3.small", "IamInstanceProfileName": "web-profile", "KeyName": "ops-2" }),
    );
    let rules: BTreeSet<&str> = findings.iter().map(|f| f.rule.as_str()).collect();
    let expected = ["EC2/key-pair-not-of-source", "EC2/profile-not-of-source"];
    assert_eq!(rules, expected.into_iter().collect());
}

#[test]
fn field_n6_the_id_of_an_instance_is_made_by_aws() {
    let findings = check_metadata(
        "EC2",
        recovery_point("EC2"),
        &json!({ "InstanceId": "i-0a1b2c3d4e5f60718" }),
    );
    assert!(
        findings[0].help.contains("CreatedResourceArn"),
        "{findings:#?}"
    );
}

/// A plan of one restore, with a line of its own beside the type.
fn one(of_type: &str, line: &str, metadata: &str) -> String {
    format!(
        "plan: mark\ntarget: {WEST}\nrestores:\n  a:\n    type: {of_type}\n    {line}\n    recovery_point: {}\n    metadata: {metadata}\n",
        recovery_point(of_type)
    )
}

fn metadata_of(plan: &str) -> Value {
    let output = redrill(plan, "render", &[]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    line["request"]["Metadata"].clone()
}

#[test]
fn field_f_the_mark_is_sent_where_aws_documents_it() {
    const RDS: &str = "{ DBInstanceIdentifier: a }";
    const EFS: &str = "{ file-system-id: fs-0123456789abcdef0, newFileSystem: false }";
    let has = |plan: String| metadata_of(&plan).get("aws:backup:request-id").is_some();
    assert!(!has(one("RDS", "x-a: b", RDS).replace("    x-a: b\n", "")));
    assert!(has(one("EFS", "mark: true", EFS)));
    assert!(has(one(
        "EFS",
        "copy_source_tags_to_restored_resource: false",
        EFS
    )));
    assert!(!has(one("EFS", "mark: false", EFS)));
    assert!(has(one("RDS", "mark: true", RDS)));
    let of_all = one("EFS", "copy_source_tags_to_restored_resource: false", EFS);
    assert!(!has(
        of_all.replace("plan: mark\n", "plan: mark\nmark: false\n")
    ));
    let but_this = one("EFS", "mark: true", EFS);
    assert!(has(
        but_this.replace("plan: mark\n", "plan: mark\nmark: false\n")
    ));
}

/// The page, or the answer, that says so stands in the file of each type that is marked.
#[test]
fn field_f_each_type_that_is_marked_says_why() {
    let rules = Rules::embedded();
    let marked: Vec<&str> = rules
        .types()
        .filter(|name| rules.schema(name).unwrap()["x-redrill"]["mark"].is_string())
        .collect();
    assert_eq!(
        marked,
        [
            "Aurora DSQL",
            "CloudFormation",
            "DynamoDB",
            "EBS",
            "EC2",
            "EFS",
            "FSx",
            "SAP HANA on Amazon EC2",
            "Timestream"
        ]
    );
    let page = read("docs/tokens.md");
    for name in marked {
        assert!(page.contains(name), "docs/tokens.md does not name {name}");
    }
}

#[test]
fn field_f_and_n7_the_dry_run_shows_the_mark_as_no_change() {
    let plan = one(
        "EFS",
        "mark: true",
        "{ file-system-id: fs-0123456789abcdef0, newFileSystem: false }",
    );
    let arguments = ["--inventory", "inventory.yaml", "--no-color"];
    let human = redrill(&plan, "plan", &arguments[..2]);
    let text = String::from_utf8_lossy(&human.stdout).into_owned();
    assert!(!text.contains("request-id"), "{text}");
    assert!(text.contains("1 key unchanged"), "{text}");
    let json = redrill(
        &plan,
        "plan",
        &["--inventory", "inventory.yaml", "--format", "json"],
    );
    let document: Value = serde_json::from_slice(&json.stdout).unwrap();
    let restore = &document["restores"][0];
    assert!(restore["request"]["Metadata"]["aws:backup:request-id"].is_string());
    let keys: Vec<&str> = restore["diff"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["key"].as_str().unwrap())
        .collect();
    assert_eq!(keys, ["newFileSystem"]);
}
