//! Vaults.

use serde::{Deserialize, Serialize};

use super::RecoveryPoint;
use super::policy::{self, PolicyDocument};

/// A backup vault.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vault {
    /// An ordinary one, if left out.
    #[serde(default, rename = "type")]
    pub kind: VaultType,
    /// The key that encrypts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption_key_arn: Option<String>,
    /// True if AWS Backup Vault Lock protects it; that does not hinder restores.
    #[serde(default)]
    pub locked: bool,
    /// The accounts that its owner shares it with, through AWS RAM or multi-party approval: only a logically air-gapped one
    /// can be shared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_with: Vec<String>,
    /// Its vault access policy.
    #[serde(
        default,
        deserialize_with = "policy::optional_resource",
        skip_serializing_if = "Option::is_none"
    )]
    pub access_policy: Option<PolicyDocument>,
    /// In the order of the file.
    #[serde(default)]
    pub recovery_points: Vec<RecoveryPoint>,
}

/// `VaultType` of the API model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the API's own names")]
pub enum VaultType {
    #[default]
    BackupVault,
    LogicallyAirGappedBackupVault,
    RestoreAccessBackupVault,
}

impl VaultType {
    /// The API's name.
    pub fn name(self) -> &'static str {
        match self {
            VaultType::BackupVault => "BACKUP_VAULT",
            VaultType::LogicallyAirGappedBackupVault => "LOGICALLY_AIR_GAPPED_BACKUP_VAULT",
            VaultType::RestoreAccessBackupVault => "RESTORE_ACCESS_BACKUP_VAULT",
        }
    }

    /// By the API's name.
    pub fn parse(text: &str) -> Option<VaultType> {
        Some(match text {
            "BACKUP_VAULT" => VaultType::BackupVault,
            "LOGICALLY_AIR_GAPPED_BACKUP_VAULT" => VaultType::LogicallyAirGappedBackupVault,
            "RESTORE_ACCESS_BACKUP_VAULT" => VaultType::RestoreAccessBackupVault,
            _ => return None,
        })
    }
}
