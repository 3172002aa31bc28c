//! Whoever looks at what surrounds a restore: AWS, by calls that only read.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::backup::{ApiError, PointStatus, Reader, Sources};
use crate::render::VaultName;

/// Questions of preflight to one account and Region, besides vaults and recovery points.
pub trait Looks: Sources + Reader {
    /// Returns the end of the caller's session; none where it does not end.
    fn session_ends(&self) -> impl Future<Output = Option<Timestamp>> + Send;

    /// A role of the caller's account, by its name (IAM GetRole); none where it does not exist.
    fn role(&self, name: &str) -> impl Future<Output = Result<Option<RoleSeen>, ApiError>> + Send;

    /// Returns what IAM decides about some actions (SimulatePrincipalPolicy).
    fn simulated(
        &self,
        simulation: &Simulation,
    ) -> impl Future<Output = Result<Vec<Decision>, ApiError>> + Send;

    /// The properties of a resource, as Cloud Control API tells them; none where it does not exist.
    fn resource(
        &self,
        type_name: &str,
        identifier: &str,
    ) -> impl Future<Output = Result<Option<Value>, ApiError>> + Send;

    /// The grants of a KMS key: whom they are for, and what they allow.
    fn grants(&self, key: &str) -> impl Future<Output = Result<Vec<GrantSeen>, ApiError>> + Send;

    /// Counts the resources of a type.
    fn count(&self, type_name: &str) -> impl Future<Output = Result<u64, ApiError>> + Send;

    /// Returns the quota that Service Quotas applies to the account; none where there is no such quota.
    fn quota(
        &self,
        service: &str,
        code: &str,
    ) -> impl Future<Output = Result<Option<QuotaSeen>, ApiError>> + Send;

    /// A recovery point with what was found in it. A refusal is handed on: it may mean that there is none.
    fn scanned_point(
        &self,
        vault: &VaultName,
        recovery_point_arn: &str,
    ) -> impl Future<Output = Result<PointSeen, ApiError>> + Send;
}

/// A role.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoleSeen {
    /// Its ARN.
    pub arn: String,
    /// Trust policy: who may assume the role.
    pub trust: Value,
}

/// Question that IAM is asked to decide.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Simulation {
    /// The ARN of the user or role.
    pub of: String,
    /// Actions to simulate.
    pub actions: Vec<String>,
    /// To what; `*` where this is empty.
    pub resources: Vec<String>,
    /// Condition keys, and what they would be.
    pub context: BTreeMap<String, String>,
}

/// Answer of IAM about an action on a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The action.
    pub action: String,
    /// The resource.
    pub resource: String,
    /// `allowed`, `implicitDeny` or `explicitDeny`.
    pub says: String,
    /// Source of the denial, where that is not a policy of the principal's own.
    pub by: Option<&'static str>,
    /// Condition keys that policies ask about and the simulation did not have.
    pub missing: Vec<String>,
}

impl Decision {
    /// Returns true if the action is allowed.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.says == "allowed"
    }
}

/// A grant of a KMS key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrantSeen {
    /// Principal that the grant is for.
    pub grantee: String,
    /// `CreateGrant`, `Decrypt`, …
    pub operations: Vec<String>,
}

/// A quota.
#[derive(Clone, Debug, PartialEq)]
pub struct QuotaSeen {
    /// AWS's name for the quota.
    pub name: String,
    /// Value that is applied.
    pub value: f64,
}

/// A recovery point, as far as it decides whether a restore can be made of it.
#[derive(Clone, Debug, PartialEq)]
pub struct PointSeen {
    /// The vault that it lies in.
    pub vault: String,
    /// Status that tells whether it can be restored.
    pub status: PointStatus,
    /// AWS's words about that.
    pub status_message: Option<String>,
    /// WARM, COLD or DELETED.
    pub storage_class: Option<String>,
    /// Time at which AWS Backup deletes it.
    pub expires_at: Option<Timestamp>,
    /// Time at which it moves to cold storage.
    pub cold_at: Option<Timestamp>,
    /// The key that encrypts it.
    pub encryption_key_arn: Option<String>,
    /// Results of the scans for malware, in AWS's words.
    pub scans: Vec<ScanSeen>,
}

/// Result of a scan for malware.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanSeen {
    /// `GUARDDUTY`.
    pub scanner: String,
    /// `COMPLETED`, `FAILED`, …
    pub state: String,
    /// When.
    pub at: Option<Timestamp>,
    /// `MALWARE`; empty where nothing was found.
    pub findings: Vec<String>,
}
