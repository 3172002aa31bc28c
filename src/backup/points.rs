//! Vaults and recovery points as AWS lists them, and every page of a listing.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::ops::ControlFlow;

use jiff::Timestamp;

use super::{ApiError, Listed, Operation, Sources, each_page};
use crate::ids::AccountId;
use crate::render::VaultName;

/// A backup vault, as ListBackupVaults has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vault {
    /// Its name; not part of the ARN of what lies in it.
    pub name: String,
    /// AWS's word: BACKUP_VAULT, LOGICALLY_AIR_GAPPED_BACKUP_VAULT or RESTORE_ACCESS_BACKUP_VAULT.
    pub kind: Option<String>,
    /// The key that encrypts it.
    pub encryption_key_arn: Option<String>,
    /// True if AWS Backup Vault Lock protects it; that hinders no restore.
    pub locked: bool,
    /// Number of recovery points that AWS counts in it.
    pub recovery_points: Option<u64>,
}

/// A recovery point. What a listing does not say is absent: `storage_class` is in no listing, and ListRecoveryPointsByResource
/// says nothing of type and lifecycle either
/// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_RecoveryPointByResource.html>).
#[derive(Clone, Debug, PartialEq)]
pub struct RecoveryPoint {
    /// Its own ARN.
    pub arn: String,
    /// The vault that it lies in.
    pub vault: String,
    /// The account that owns the vault, where another one shares it with the caller.
    pub vault_account: Option<AccountId>,
    /// ARN of the backed-up resource.
    pub resource_arn: String,
    /// AWS's name of the type.
    pub resource_type: Option<String>,
    /// Status, which decides if it can be restored.
    pub status: PointStatus,
    /// Start of the backup.
    pub created_at: Option<Timestamp>,
    /// The size of the backup, bytes.
    pub size_bytes: Option<i64>,
    /// WARM, COLD or DELETED.
    pub storage_class: Option<String>,
    /// The composite recovery point that it belongs to.
    pub parent: Option<String>,
    /// True if others belong to it.
    pub is_parent: bool,
    /// Time when AWS Backup will delete it.
    pub expires_at: Option<Timestamp>,
    /// True if it is temporary: it is deleted as soon as it has been copied (`DELETE_AFTER_COPY`).
    pub deleted_after_copy: bool,
    /// The key that encrypts it.
    pub encryption_key_arn: Option<String>,
}

impl RecoveryPoint {
    /// The vault that it lies in.
    #[must_use]
    pub fn vault_name(&self) -> VaultName {
        VaultName {
            name: self.vault.clone(),
            account: self.vault_account.clone(),
        }
    }
}

impl Listed for Vault {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Listed for RecoveryPoint {
    fn name(&self) -> &str {
        &self.arn
    }
}

/// Tags.
impl Listed for (String, String) {
    fn name(&self) -> &str {
        &self.0
    }
}

/// `RecoveryPointStatus` of AWS Backup.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the API's own names")]
pub enum PointStatus {
    Completed,
    Partial,
    Deleting,
    Expired,
    Available,
    Stopped,
    Creating,
    /// A status that AWS has added since.
    Unknown(String),
}

impl PointStatus {
    /// Returns true if a restore can be started from it. Which of the two words a type shows is not documented.
    #[must_use]
    pub fn is_restorable(&self) -> bool {
        matches!(self, Self::Completed | Self::Available)
    }
}

impl From<&str> for PointStatus {
    fn from(text: &str) -> Self {
        match text {
            "COMPLETED" => Self::Completed,
            "PARTIAL" => Self::Partial,
            "DELETING" => Self::Deleting,
            "EXPIRED" => Self::Expired,
            "AVAILABLE" => Self::Available,
            "STOPPED" => Self::Stopped,
            "CREATING" => Self::Creating,
            other => Self::Unknown(other.to_owned()),
        }
    }
}

impl fmt::Display for PointStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Completed => "COMPLETED",
            Self::Partial => "PARTIAL",
            Self::Deleting => "DELETING",
            Self::Expired => "EXPIRED",
            Self::Available => "AVAILABLE",
            Self::Stopped => "STOPPED",
            Self::Creating => "CREATING",
            Self::Unknown(other) => other,
        })
    }
}

/// Query for recovery points.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PointQuery {
    /// Recovery points of a vault (ListRecoveryPointsByBackupVault).
    InVault {
        /// The vault.
        vault: VaultName,
        /// Of this resource alone.
        resource_arn: Option<String>,
        /// Of this type alone.
        resource_type: Option<String>,
    },
    /// Recovery points of a resource in every vault (ListRecoveryPointsByResource): of EFS and EC2 AWS lists those that
    /// AWS Backup made.
    OfResource {
        /// ARN of the backed-up resource.
        resource_arn: String,
    },
}

impl PointQuery {
    /// AWS's name of the call that answers it.
    #[must_use]
    pub fn operation(&self) -> Operation {
        match self {
            Self::InVault { .. } => Operation::ListRecoveryPointsByBackupVault,
            Self::OfResource { .. } => Operation::ListRecoveryPointsByResource,
        }
    }
}

/// Every vault.
///
/// # Errors
///
/// Where AWS does not answer.
pub async fn all_vaults<R: Sources>(reader: &R) -> Result<Vec<Vault>, ApiError> {
    let mut vaults = Vec::new();
    let take = |page| {
        vaults.extend(page);
        ControlFlow::Continue(())
    };
    let page = |token| reader.vaults_page(token);
    each_page(Operation::ListBackupVaults, page, take).await?;
    Ok(vaults)
}

/// Every recovery point of a query, each once: what is made or deleted meanwhile moves the borders of pages.
///
/// # Errors
///
/// Where AWS does not answer.
pub async fn all_points<R: Sources>(
    reader: &R,
    query: &PointQuery,
) -> Result<Vec<RecoveryPoint>, ApiError> {
    let (mut points, mut seen) = (Vec::new(), HashSet::new());
    let take = |page: Vec<RecoveryPoint>| {
        let page = page.into_iter();
        points.extend(page.filter(|point| seen.insert((point.vault.clone(), point.arn.clone()))));
        ControlFlow::Continue(())
    };
    let page = |token| reader.points_page(query, token);
    each_page(query.operation(), page, take).await?;
    Ok(points)
}

/// Every tag of a recovery point.
///
/// # Errors
///
/// Where AWS does not answer.
pub async fn all_tags<R: Sources>(
    reader: &R,
    recovery_point_arn: &str,
) -> Result<BTreeMap<String, String>, ApiError> {
    let mut tags = BTreeMap::new();
    let take = |page| {
        tags.extend::<Vec<_>>(page);
        ControlFlow::Continue(())
    };
    let page = |token| reader.tags_page(recovery_point_arn, token);
    each_page(Operation::ListTags, page, take).await?;
    Ok(tags)
}
