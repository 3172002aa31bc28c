//! The calls that redrill makes.

use std::fmt;

/// A call to AWS, in the order of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the APIs' own names")]
pub enum Operation {
    /// None yet: the SDK reads what is configured for it.
    Configuration,
    DeleteResource,
    DescribeRecoveryPoint,
    DescribeRestoreJob,
    GetCallerIdentity,
    GetRecoveryPointRestoreMetadata,
    GetResource,
    GetResourceRequestStatus,
    GetRestoreJobMetadata,
    ListBackupVaults,
    ListRecoveryPointsByBackupVault,
    ListRecoveryPointsByResource,
    ListResources,
    ListRestoreJobs,
    ListTags,
    PutRestoreValidationResult,
    StartRestoreJob,
}

impl Operation {
    /// AWS's name of it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "AWS configuration",
            Self::DeleteResource => "DeleteResource",
            Self::DescribeRecoveryPoint => "DescribeRecoveryPoint",
            Self::DescribeRestoreJob => "DescribeRestoreJob",
            Self::GetCallerIdentity => "GetCallerIdentity",
            Self::GetRecoveryPointRestoreMetadata => "GetRecoveryPointRestoreMetadata",
            Self::GetResource => "GetResource",
            Self::GetResourceRequestStatus => "GetResourceRequestStatus",
            Self::GetRestoreJobMetadata => "GetRestoreJobMetadata",
            Self::ListBackupVaults => "ListBackupVaults",
            Self::ListRecoveryPointsByBackupVault => "ListRecoveryPointsByBackupVault",
            Self::ListRecoveryPointsByResource => "ListRecoveryPointsByResource",
            Self::ListResources => "ListResources",
            Self::ListRestoreJobs => "ListRestoreJobs",
            Self::ListTags => "ListTags",
            Self::PutRestoreValidationResult => "PutRestoreValidationResult",
            Self::StartRestoreJob => "StartRestoreJob",
        }
    }
}

impl Operation {
    /// How many there are.
    pub(super) const COUNT: usize = Self::StartRestoreJob as usize + 1;

    /// Whose it is; none of what nobody counts.
    pub(super) fn service(self) -> Option<Service> {
        match self {
            Self::Configuration | Self::GetCallerIdentity => None,
            Self::DeleteResource
            | Self::GetResource
            | Self::GetResourceRequestStatus
            | Self::ListResources => Some(Service::CloudControl),
            Self::DescribeRecoveryPoint
            | Self::DescribeRestoreJob
            | Self::GetRecoveryPointRestoreMetadata
            | Self::GetRestoreJobMetadata
            | Self::ListBackupVaults
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
pub(super) enum Service {
    Backup,
    CloudControl,
}

impl Service {
    /// How many there are.
    pub(super) const COUNT: usize = Self::CloudControl as usize + 1;
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of several is told in the order of their names.
    #[test]
    fn operations_are_in_the_order_of_their_names() {
        use Operation as Of;
        let all = [
            Of::Configuration,
            Of::DeleteResource,
            Of::DescribeRecoveryPoint,
            Of::DescribeRestoreJob,
            Of::GetCallerIdentity,
            Of::GetRecoveryPointRestoreMetadata,
            Of::GetResource,
            Of::GetResourceRequestStatus,
            Of::GetRestoreJobMetadata,
            Of::ListBackupVaults,
            Of::ListRecoveryPointsByBackupVault,
            Of::ListRecoveryPointsByResource,
            Of::ListResources,
            Of::ListRestoreJobs,
            Of::ListTags,
            Of::PutRestoreValidationResult,
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
