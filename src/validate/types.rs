//! The resource types that AWS Backup restores.

/// As AWS writes them: the `ResourceType` of StartRestoreJob
/// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_StartRestoreJob.html>) and, for the last three, the
/// restore pages of Redshift Serverless, SAP HANA and Aurora DSQL.
pub(super) const KNOWN: [&str; 19] = [
    "Aurora",
    "CloudFormation",
    "DocumentDB",
    "DynamoDB",
    "EBS",
    "EC2",
    "EFS",
    "EKS",
    "FSx",
    "Neptune",
    "RDS",
    "Redshift",
    "S3",
    "Storage Gateway",
    "Timestream",
    "VirtualMachine",
    "Redshift Serverless",
    "SAP HANA on Amazon EC2",
    "Aurora DSQL",
];
