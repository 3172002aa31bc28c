//! Operations, and the request lines that ask for them.

use hyper::Method;
use percent_encoding::percent_decode_str;

use super::error::{ApiError, ErrorCode};

/// Operations once, for the enumeration, the list of all and their names.
macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// The operations that the emulator serves, named as in the API.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "the API's own names")]
        pub enum Operation {
            $($(#[$doc])* $name,)*
        }

        impl Operation {
            /// All of them.
            pub const ALL: &[Operation] = &[$(Operation::$name,)*];

            /// Returns the name in the API.
            pub fn name(self) -> &'static str {
                match self {
                    $(Operation::$name => stringify!($name),)*
                }
            }
        }
    };
}

operations! {
    StartRestoreJob,
    DescribeRestoreJob,
    ListRestoreJobs,
    ListRestoreJobsByProtectedResource,
    ListRestoreJobSummaries,
    GetRestoreJobMetadata,
    PutRestoreValidationResult,
    DescribeRecoveryPoint,
    GetRecoveryPointRestoreMetadata,
    ListRecoveryPointsByBackupVault,
    ListRecoveryPointsByResource,
    DescribeBackupVault,
    ListBackupVaults,
    DescribeProtectedResource,
    ListProtectedResources,
    ListProtectedResourcesByBackupVault,
    GetRestoreTestingInferredMetadata,
    ListRestoreTestingPlans,
    GetRestoreTestingPlan,
    ListRestoreTestingSelections,
    GetRestoreTestingSelection,
    GetSupportedResourceTypes,
    ListTags,
    CreateBackupAccessPoint,
    DeleteBackupAccessPoint,
    DescribeBackupAccessPoint,
    ListBackupAccessPoints,
    ListBackupAccessPointsByRecoveryPoint,
    ListBackupAccessPointsByResource,
    GetPITRMalwareScanResults,
    DeleteRecoveryPoint,
    /// Of AWS STS, on the same port.
    GetCallerIdentity,
    /// Of AWS STS.
    AssumeRole,
    /// Of AWS Cloud Control API, as the three that follow.
    DeleteResource,
    GetResource,
    GetResourceRequestStatus,
    ListResources,
    /// Of AWS IAM, as the two that follow.
    GetRole,
    ListAttachedRolePolicies,
    SimulatePrincipalPolicy,
    /// Of Service Quotas, as the two that follow.
    GetServiceQuota,
    ListServiceQuotas,
    GetAWSDefaultServiceQuota,
    /// Of AWS KMS.
    ListGrants,
}

/// The services that the emulator plays, on one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "AWS's own names")]
pub enum Api {
    Backup,
    Sts,
    CloudControl,
    Iam,
    ServiceQuotas,
    Kms,
}

impl Api {
    /// The header `X-Amz-Target` of the JSON protocols, and what stands behind the dot; none where it is of none of these.
    pub(super) fn of_target(header: &str) -> Option<(Api, &str)> {
        let (prefix, name) = header.split_once('.')?;
        match prefix {
            "CloudApiService" => Some((Api::CloudControl, name)),
            "TrentService" => Some((Api::Kms, name)),
            "ServiceQuotasV20190624" => Some((Api::ServiceQuotas, name)),
            _ => None,
        }
    }

    /// The prefix of its actions in policies.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Api::Backup => "backup",
            Api::Sts => "sts",
            Api::CloudControl => "cloudformation",
            Api::Iam => "iam",
            Api::ServiceQuotas => "servicequotas",
            Api::Kms => "kms",
        }
    }
}

impl Operation {
    /// The operation of that name, as in the API.
    pub fn parse(name: &str) -> Option<Operation> {
        let mut all = Operation::ALL.iter().copied();
        all.find(|operation| operation.name() == name)
    }

    /// Returns true if policies name the ARN in its path as the resource: of the others they name a vault, or nothing
    /// (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsbackup.html>).
    pub(super) fn is_about_its_arn(self) -> bool {
        use Operation::*;
        matches!(
            self,
            DescribeRecoveryPoint
                | GetRecoveryPointRestoreMetadata
                | DeleteRecoveryPoint
                | ListTags
                | DescribeBackupAccessPoint
                | DeleteBackupAccessPoint
                | ListBackupAccessPointsByRecoveryPoint
        )
    }

    /// Returns the API that it belongs to.
    pub fn api(self) -> Api {
        use Operation::*;
        match self {
            GetCallerIdentity | AssumeRole => Api::Sts,
            DeleteResource | GetResource | GetResourceRequestStatus | ListResources => {
                Api::CloudControl
            }
            GetRole | ListAttachedRolePolicies | SimulatePrincipalPolicy => Api::Iam,
            GetServiceQuota | ListServiceQuotas | GetAWSDefaultServiceQuota => Api::ServiceQuotas,
            ListGrants => Api::Kms,
            _ => Api::Backup,
        }
    }

    /// The operation of the query protocol that `Action` names.
    pub(super) fn of_action(action: &str) -> Option<Operation> {
        let found = Operation::parse(action);
        found.filter(|operation| matches!(operation.api(), Api::Sts | Api::Iam))
    }
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// An operation and what the path says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) operation: Operation,
    /// The labels of the path, decoded, in order.
    pub(super) labels: Vec<String>,
}

impl Route {
    /// Returns true if the first label names a vault.
    pub(super) fn in_vault(&self) -> bool {
        use Operation::*;
        matches!(
            self.operation,
            DescribeBackupVault
                | ListRecoveryPointsByBackupVault
                | ListProtectedResourcesByBackupVault
        )
    }
}

/// Paths are cut before they are decoded: an ARN is one label, with `%2F` in it. botocore ends some paths with a slash
/// where the Rust SDK does not, so that one slash at the end says nothing.
pub(super) fn route(method: &Method, path: &str) -> Result<Route, ApiError> {
    use Operation::*;
    let unknown = || {
        ApiError::new(
            ErrorCode::UnknownOperation,
            format!("The emulator does not serve {method} {path}."),
        )
    };
    let trimmed = path.strip_prefix('/').ok_or_else(unknown)?;
    let trimmed = trimmed.strip_suffix('/').unwrap_or(trimmed);
    let segments: Vec<&str> = match trimmed {
        "" => Vec::new(),
        trimmed => trimmed.split('/').collect(),
    };
    let (operation, labels): (Operation, &[&str]) = match (method.as_str(), &segments[..]) {
        ("PUT", ["restore-jobs"]) => (StartRestoreJob, &[]),
        ("GET", ["restore-jobs"]) => (ListRestoreJobs, &[]),
        ("GET", ["restore-jobs", id]) => (DescribeRestoreJob, &[*id]),
        ("GET", ["restore-jobs", id, "metadata"]) => (GetRestoreJobMetadata, &[*id]),
        ("PUT", ["restore-jobs", id, "validations"]) => (PutRestoreValidationResult, &[*id]),
        ("GET", ["audit", "restore-job-summaries"]) => (ListRestoreJobSummaries, &[]),
        ("GET", ["backup-vaults"]) => (ListBackupVaults, &[]),
        ("GET", ["backup-vaults", vault]) => (DescribeBackupVault, &[*vault]),
        ("GET", ["backup-vaults", vault, "resources"]) => {
            (ListProtectedResourcesByBackupVault, &[*vault])
        }
        ("GET", ["backup-vaults", vault, "recovery-points"]) => {
            (ListRecoveryPointsByBackupVault, &[*vault])
        }
        ("GET", ["backup-vaults", vault, "recovery-points", arn]) => {
            (DescribeRecoveryPoint, &[*vault, *arn])
        }
        (
            "GET",
            [
                "backup-vaults",
                vault,
                "recovery-points",
                arn,
                "restore-metadata",
            ],
        ) => (GetRecoveryPointRestoreMetadata, &[*vault, *arn]),
        ("GET", ["resources"]) => (ListProtectedResources, &[]),
        ("GET", ["resources", arn]) => (DescribeProtectedResource, &[*arn]),
        ("GET", ["resources", arn, "restore-jobs"]) => {
            (ListRestoreJobsByProtectedResource, &[*arn])
        }
        ("GET", ["resources", arn, "recovery-points"]) => (ListRecoveryPointsByResource, &[*arn]),
        ("GET", ["restore-testing", "inferred-metadata"]) => {
            (GetRestoreTestingInferredMetadata, &[])
        }
        ("GET", ["restore-testing", "plans"]) => (ListRestoreTestingPlans, &[]),
        ("GET", ["restore-testing", "plans", plan]) => (GetRestoreTestingPlan, &[*plan]),
        ("GET", ["restore-testing", "plans", plan, "selections"]) => {
            (ListRestoreTestingSelections, &[*plan])
        }
        ("GET", ["restore-testing", "plans", plan, "selections", name]) => {
            (GetRestoreTestingSelection, &[*plan, *name])
        }
        ("GET", ["supported-resource-types"]) => (GetSupportedResourceTypes, &[]),
        ("GET", ["tags", arn]) => (ListTags, &[*arn]),
        ("PUT", ["backup-access-point", "create"]) => (CreateBackupAccessPoint, &[]),
        ("DELETE", ["backup-access-point", "delete", arn]) => (DeleteBackupAccessPoint, &[*arn]),
        ("GET", ["backup-access-point"]) => (ListBackupAccessPoints, &[]),
        ("GET", ["backup-access-point", arn]) => (DescribeBackupAccessPoint, &[*arn]),
        ("POST", ["backup-access-point", "recovery-point", arn]) => {
            (ListBackupAccessPointsByRecoveryPoint, &[*arn])
        }
        ("POST", ["backup-access-point", "resource", arn]) => {
            (ListBackupAccessPointsByResource, &[*arn])
        }
        ("DELETE", ["backup-vaults", vault, "recovery-points", arn]) => {
            (DeleteRecoveryPoint, &[*vault, *arn])
        }
        ("GET", ["scan", "pitr-malware-scan-results"]) => (GetPITRMalwareScanResults, &[]),
        // The query protocol: the operation stands in the body, or in the query.
        ("POST" | "GET", []) => (GetCallerIdentity, &[]),
        _ => return Err(unknown()),
    };
    let labels = labels
        .iter()
        .map(|label| match percent_decode_str(label).decode_utf8() {
            Ok(text) if text.is_empty() => Err(unknown()),
            Ok(text) => Ok(text.into_owned()),
            Err(_) => Err(ApiError::new(
                ErrorCode::Serialization,
                "The path is not UTF-8.",
            )),
        })
        .collect::<Result<_, _>>()?;
    Ok(Route { operation, labels })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str) -> Option<(Operation, Vec<String>)> {
        let route = route(&Method::GET, path).ok()?;
        Some((route.operation, route.labels))
    }

    #[test]
    fn lists_and_single_ones_with_and_without_the_last_slash() {
        for slash in ["", "/"] {
            assert_eq!(
                get(&format!("/restore-jobs{slash}")),
                Some((Operation::ListRestoreJobs, vec![]))
            );
            assert_eq!(
                get(&format!("/restore-jobs/ID{slash}")),
                Some((Operation::DescribeRestoreJob, vec!["ID".into()]))
            );
            assert_eq!(
                get(&format!(
                    "/backup-vaults/aws%2Fefs%2Fautomatic-backup-vault/recovery-points/arn%3Aaws%3Aec2%3Aus-east-1%3A%3Aimage%2Fami-0abc{slash}"
                )),
                Some((
                    Operation::DescribeRecoveryPoint,
                    vec![
                        "aws/efs/automatic-backup-vault".into(),
                        "arn:aws:ec2:us-east-1::image/ami-0abc".into()
                    ]
                ))
            );
        }
    }

    #[test]
    fn nothing_else_is_served() {
        for path in [
            "",
            "restore-jobs",
            "/restore-jobs//",
            "/restore-jobs//metadata",
            "/restore-jobs/a/b",
            "/backup-vaults/v/recovery-points/arn:aws:ec2:us-east-1::image/ami-0abc/x",
            "/%72estore-jobs/..",
            "/restore-jobs/%ff",
        ] {
            assert_eq!(get(path), None, "{path}");
        }
        route(&Method::DELETE, "/restore-jobs/ID").unwrap_err();
    }
}
