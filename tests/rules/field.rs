//! Faults that were found with what people really do, each by its letter, and others of the same kind.

use std::collections::BTreeSet;

use redrill::diagnostic::{Finding, Severity};
use redrill::rules::Rules;
use serde_json::{Value, json};

use super::{check, check_metadata, errors, files, recovery_point, told};

/// What is said of restores in a target, as `severity[rule]` with the key.
pub(super) fn said(target: &str, restores: &Value) -> Vec<String> {
    let plan = format!("{{ plan: field, target: {target}, restores: {restores} }}");
    let findings = check("field", &plan);
    findings.iter().map(short).collect()
}

pub(super) fn short(finding: &Finding) -> String {
    let said = told(finding);
    let head = said.split(':').next().unwrap_or_default().to_owned();
    match &finding.key {
        Some(key) => format!("{head} {key}"),
        None => head,
    }
}

pub(super) const WEST: &str = r#"{ region: us-west-2, account: "123456789012", iam_role_arn: "arn:aws:iam::123456789012:role/restore" }"#;
pub(super) const KEY_EAST: &str =
    "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
pub(super) const KEY_WEST: &str =
    "arn:aws:kms:us-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
pub(super) const KEY_SHARED: &str =
    "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// What is said of the metadata of one restore in us-west-2.
pub(super) fn of(resource_type: &str, metadata: Value) -> Vec<String> {
    let restore = json!({ "a": {
        "type": resource_type,
        "recovery_point": recovery_point(resource_type),
        "metadata": metadata,
    } });
    let mut said = said(WEST, &restore);
    said.retain(|line| !line.starts_with("note[target/"));
    said
}

pub(super) fn refusals(said: &[String]) -> Vec<&String> {
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
        // All variants of one restore have its names.
        let errors: Vec<String> = errors(&findings)
            .iter()
            .filter(|f| f.rule != "plan/same-name")
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
                            f.restore.unwrap_or_default().to_string(),
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
