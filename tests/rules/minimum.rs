//! The smallest maps that AWS itself sends: what restore testing infers.
//!
//! <https://docs.aws.amazon.com/aws-backup/latest/devguide/restore-testing-inferred-metadata.html>

use serde_json::{Value, json};

use super::{check_metadata, errors, recovery_point, told};

#[test]
fn what_restore_testing_infers_is_taken() {
    let zones = json!(["us-west-2a", "us-west-2b", "us-west-2c"]);
    let cluster = |engine: &str| {
        json!({
            "availabilityZones": zones.to_string(),
            "dbClusterIdentifier": "awsbackup-restore-test-1a2b3c4d",
            "engine": engine,
        })
    };
    let cases: Vec<(&str, &str, Value)> = vec![
        (
            "DynamoDB",
            "",
            json!({
                "deletionProtection": "false",
                "encryptionType": "Default",
                "targetTableName": "awsbackup-restore-test-1a2b3c4d",
            }),
        ),
        ("Aurora", "", cluster("aurora-postgresql")),
        ("DocumentDB", "", cluster("docdb")),
        ("Neptune", "", cluster("neptune")),
        (
            "RDS",
            "arn:aws:rds:us-west-2:123456789012:cluster-snapshot:awsbackup:job-1eb3b5e7",
            cluster("postgres"),
        ),
        (
            "RDS",
            "",
            json!({
                "dbInstanceIdentifier": "awsbackup-restore-test-1a2b3c4d",
                "deletionProtection": "false",
                "multiAz": "false",
                "publiclyAccessible": "false",
            }),
        ),
        ("EBS", "", json!({ "availabilityZone": "us-west-2a" })),
        (
            "EFS",
            "",
            json!({
                "file-system-id": "fs-0a1b2c3d",
                "encrypted": "true",
                "kmsKeyId": "alias/aws/elasticfilesystem",
                "performanceMode": "generalPurpose",
                "newFileSystem": "true",
                "creationToken": "awsbackup-restore-test-1a2b3c4d",
            }),
        ),
        (
            "S3",
            "",
            json!({
                "destinationBucketName": "awsbackup-restore-test-1a2b3c4d",
                "encrypted": "true",
                "encryptionType": "SSE-S3",
                "newBucket": "true",
                "restoreACLs": "true",
            }),
        ),
    ];
    for (resource_type, arn, metadata) in cases {
        let arn = if arn.is_empty() {
            recovery_point(resource_type)
        } else {
            arn
        };
        let findings = check_metadata(resource_type, arn, &metadata);
        let errors: Vec<String> = errors(&findings).into_iter().map(told).collect();
        assert!(errors.is_empty(), "{resource_type} {metadata}: {errors:#?}");
    }
}
