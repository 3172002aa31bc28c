//! The calls that redrill makes.

use std::fmt;

/// A call to AWS, in the order of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the APIs' own names")]
pub enum Operation {
    /// None yet: the SDK reads what is configured for it.
    Configuration,
    DeleteResource,
    DescribeExecution,
    DescribeRecoveryPoint,
    DescribeRestoreJob,
    DescribeStateMachine,
    GetBucketEncryption,
    GetBucketVersioning,
    GetCallerIdentity,
    GetObject,
    GetPublicAccessBlock,
    GetRecoveryPointRestoreMetadata,
    GetResource,
    GetResourceRequestStatus,
    GetRestoreJobMetadata,
    GetRole,
    GetServiceQuota,
    ListBackupVaults,
    ListGrants,
    ListObjectsV2,
    ListProtectedResources,
    ListRecoveryPointsByBackupVault,
    ListRecoveryPointsByResource,
    ListResources,
    ListRestoreJobs,
    ListTags,
    PutObject,
    PutRestoreValidationResult,
    SimulatePrincipalPolicy,
    StartExecution,
    StartRestoreJob,
}

impl Operation {
    /// AWS's name of it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "AWS configuration",
            Self::DeleteResource => "DeleteResource",
            Self::DescribeExecution => "DescribeExecution",
            Self::DescribeRecoveryPoint => "DescribeRecoveryPoint",
            Self::DescribeRestoreJob => "DescribeRestoreJob",
            Self::DescribeStateMachine => "DescribeStateMachine",
            Self::GetBucketEncryption => "GetBucketEncryption",
            Self::GetBucketVersioning => "GetBucketVersioning",
            Self::GetCallerIdentity => "GetCallerIdentity",
            Self::GetObject => "GetObject",
            Self::GetPublicAccessBlock => "GetPublicAccessBlock",
            Self::GetRecoveryPointRestoreMetadata => "GetRecoveryPointRestoreMetadata",
            Self::GetResource => "GetResource",
            Self::GetResourceRequestStatus => "GetResourceRequestStatus",
            Self::GetRestoreJobMetadata => "GetRestoreJobMetadata",
            Self::GetRole => "GetRole",
            Self::GetServiceQuota => "GetServiceQuota",
            Self::ListBackupVaults => "ListBackupVaults",
            Self::ListGrants => "ListGrants",
            Self::ListObjectsV2 => "ListObjectsV2",
            Self::ListProtectedResources => "ListProtectedResources",
            Self::ListRecoveryPointsByBackupVault => "ListRecoveryPointsByBackupVault",
            Self::ListRecoveryPointsByResource => "ListRecoveryPointsByResource",
            Self::ListResources => "ListResources",
            Self::ListRestoreJobs => "ListRestoreJobs",
            Self::ListTags => "ListTags",
            Self::PutObject => "PutObject",
            Self::PutRestoreValidationResult => "PutRestoreValidationResult",
            Self::SimulatePrincipalPolicy => "SimulatePrincipalPolicy",
            Self::StartExecution => "StartExecution",
            Self::StartRestoreJob => "StartRestoreJob",
        }
    }
}

impl Operation {
    /// Returns the action that a policy has to allow for it. Cloud Control API's calls are CloudFormation's
    /// (<https://docs.aws.amazon.com/cloudcontrolapi/latest/userguide/security.html>); those of S3 have names of their
    /// own (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>).
    #[must_use]
    pub fn iam_action(self) -> String {
        match self {
            Self::ListObjectsV2 => "s3:ListBucket".to_owned(),
            Self::GetBucketEncryption => "s3:GetEncryptionConfiguration".to_owned(),
            Self::GetPublicAccessBlock => "s3:GetBucketPublicAccessBlock".to_owned(),
            Self::GetBucketVersioning | Self::GetObject | Self::PutObject => format!("s3:{self}"),
            Self::DescribeExecution | Self::DescribeStateMachine | Self::StartExecution => {
                format!("states:{self}")
            }
            Self::Configuration | Self::GetCallerIdentity => format!("sts:{self}"),
            _ => match self.service() {
                Some(Service::CloudControl) => format!("cloudformation:{self}"),
                Some(Service::Iam) => format!("iam:{self}"),
                Some(Service::Kms) => format!("kms:{self}"),
                Some(Service::ServiceQuotas) => format!("servicequotas:{self}"),
                Some(Service::Backup) | None => format!("backup:{self}"),
            },
        }
    }

    /// Returns the statement of `redrill iam` that allows it; none if no command with a plan calls it.
    #[must_use]
    pub fn statement(self) -> Option<&'static str> {
        Some(match self {
            Self::DeleteResource | Self::GetResourceRequestStatus => "DeleteResources",
            Self::GetResource | Self::ListResources => "ReadResources",
            Self::GetRole => "ReadRestoreRoles",
            Self::GetServiceQuota => "ReadQuotas",
            Self::ListGrants => "ReadKeyGrants",
            Self::SimulatePrincipalPolicy => "SimulatePolicies",
            Self::DescribeExecution => "FollowStateMachine",
            Self::DescribeStateMachine | Self::StartExecution => "StartStateMachine",
            Self::DescribeRecoveryPoint | Self::GetRecoveryPointRestoreMetadata => {
                "ReadRecoveryPoints"
            }
            Self::DescribeRestoreJob | Self::GetRestoreJobMetadata | Self::ListRestoreJobs => {
                "FollowRestoreJobs"
            }
            Self::GetObject | Self::PutObject => "KeepRecords",
            Self::ListObjectsV2 => "FindRecords",
            Self::ListBackupVaults => "FindVaults",
            Self::ListRecoveryPointsByBackupVault | Self::ListRecoveryPointsByResource => {
                "ListRecoveryPoints"
            }
            Self::PutRestoreValidationResult => "PublishValidation",
            Self::StartRestoreJob => "StartRestoreJobs",
            Self::Configuration
            | Self::GetBucketEncryption
            | Self::GetBucketVersioning
            | Self::GetCallerIdentity
            | Self::GetPublicAccessBlock
            | Self::ListProtectedResources
            | Self::ListTags => return None,
        })
    }

    /// Number of operations.
    pub(super) const COUNT: usize = Self::StartRestoreJob as usize + 1;

    /// Returns its service; none if nobody counts it.
    #[must_use]
    pub fn service(self) -> Option<Service> {
        match self {
            Self::Configuration
            | Self::DescribeExecution
            | Self::DescribeStateMachine
            | Self::StartExecution
            | Self::GetBucketEncryption
            | Self::GetBucketVersioning
            | Self::GetCallerIdentity
            | Self::GetObject
            | Self::GetPublicAccessBlock
            | Self::ListObjectsV2
            | Self::PutObject => None,
            Self::DeleteResource
            | Self::GetResource
            | Self::GetResourceRequestStatus
            | Self::ListResources => Some(Service::CloudControl),
            Self::GetRole | Self::SimulatePrincipalPolicy => Some(Service::Iam),
            Self::GetServiceQuota => Some(Service::ServiceQuotas),
            Self::ListGrants => Some(Service::Kms),
            Self::DescribeRecoveryPoint
            | Self::DescribeRestoreJob
            | Self::GetRecoveryPointRestoreMetadata
            | Self::GetRestoreJobMetadata
            | Self::ListBackupVaults
            | Self::ListProtectedResources
            | Self::ListRecoveryPointsByBackupVault
            | Self::ListRecoveryPointsByResource
            | Self::ListRestoreJobs
            | Self::ListTags
            | Self::PutRestoreValidationResult
            | Self::StartRestoreJob => Some(Service::Backup),
        }
    }
}

/// A service that counts the calls to all of its operations together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// AWS Backup.
    Backup,
    /// Cloud Control API.
    CloudControl,
    /// AWS IAM.
    Iam,
    /// AWS KMS.
    Kms,
    /// Service Quotas.
    ServiceQuotas,
}

impl Service {
    /// Number of services.
    pub(super) const COUNT: usize = Self::ServiceQuotas as usize + 1;
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lists of several are in the order of their names.
    #[test]
    fn operations_are_in_the_order_of_their_names() {
        use Operation as Of;
        let all = [
            Of::Configuration,
            Of::DeleteResource,
            Of::DescribeExecution,
            Of::DescribeRecoveryPoint,
            Of::DescribeRestoreJob,
            Of::DescribeStateMachine,
            Of::GetBucketEncryption,
            Of::GetBucketVersioning,
            Of::GetCallerIdentity,
            Of::GetObject,
            Of::GetPublicAccessBlock,
            Of::GetRecoveryPointRestoreMetadata,
            Of::GetResource,
            Of::GetResourceRequestStatus,
            Of::GetRestoreJobMetadata,
            Of::GetRole,
            Of::GetServiceQuota,
            Of::ListBackupVaults,
            Of::ListGrants,
            Of::ListObjectsV2,
            Of::ListProtectedResources,
            Of::ListRecoveryPointsByBackupVault,
            Of::ListRecoveryPointsByResource,
            Of::ListResources,
            Of::ListRestoreJobs,
            Of::ListTags,
            Of::PutObject,
            Of::PutRestoreValidationResult,
            Of::SimulatePrincipalPolicy,
            Of::StartExecution,
            Of::StartRestoreJob,
        ];
        assert_eq!(all.len(), Operation::COUNT);
        assert!(all.is_sorted());
        assert!(all.is_sorted_by_key(|operation| operation.as_str()));
        for operation in &all[1..] {
            assert_eq!(operation.to_string(), format!("{operation:?}"));
        }
    }
}
