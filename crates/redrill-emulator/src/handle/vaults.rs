//! Vaults: described and listed.

use serde::Serialize;

use super::super::answer::Answer;
use super::super::catalog::VaultEntry;
use super::super::error::ApiError;
use super::super::job::Epoch;
use super::{Backend, Call, SMALL};
use redrill_inventory::VaultType;

/// The items of ListBackupVaults; DescribeBackupVault has the same members and more.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    backup_vault_name: String,
    backup_vault_arn: String,
    vault_type: VaultType,
    vault_state: &'static str,
    creation_date: Epoch,
    encryption_key_arn: Option<String>,
    creator_request_id: Option<String>,
    number_of_recovery_points: Option<usize>,
    locked: bool,
    min_retention_days: Option<u64>,
    max_retention_days: Option<u64>,
    lock_date: Option<Epoch>,
}

impl Backend {
    pub(super) fn list_backup_vaults(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Page {
            backup_vault_list: Vec<Listed>,
            next_token: Option<String>,
        }
        let kind = call.query.one_of("vaultType", VaultType::parse)?;
        let shared = call
            .query
            .one_of("shared", |text| text.parse::<bool>().ok())?;
        let mut vaults = match shared {
            Some(true) => self.catalog.vaults_shared(call.caller),
            _ => self.catalog.vaults(call.caller, &self.default_region),
        };
        vaults.retain(|vault| kind.is_none_or(|kind| kind == vault.kind));
        let (vaults, next_token) = self.page(call, SMALL, vaults)?;
        Ok(Answer::json(&Page {
            backup_vault_list: vaults.into_iter().map(|v| self.vault(v)).collect(),
            next_token,
        }))
    }

    pub(super) fn describe_backup_vault(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Described {
            #[serde(flatten)]
            listed: Listed,
            source_backup_vault_arn: Option<String>,
            mpa_approval_team_arn: Option<String>,
            mpa_session_arn: Option<String>,
            latest_mpa_approval_team_update: Option<()>,
        }
        let name = call.label(0);
        let owner = self.vault_owner(call, name)?;
        let vaults = { self.catalog.vaults(&owner, &self.default_region) };
        let found = vaults.into_iter().find(|vault| vault.name == name);
        let vault = found.ok_or_else(|| no_vault(name))?;
        Ok(Answer::json(&Described {
            listed: self.vault(vault),
            source_backup_vault_arn: None,
            mpa_approval_team_arn: None,
            mpa_session_arn: None,
            latest_mpa_approval_team_update: None,
        }))
    }

    fn vault(&self, vault: VaultEntry) -> Listed {
        Listed {
            backup_vault_name: vault.name,
            backup_vault_arn: vault.arn,
            vault_type: vault.kind,
            vault_state: "AVAILABLE",
            creation_date: Epoch(self.started),
            encryption_key_arn: vault.encryption_key_arn,
            creator_request_id: None,
            number_of_recovery_points: vault.recovery_points,
            locked: vault.locked,
            min_retention_days: None,
            max_retention_days: None,
            lock_date: None,
        }
    }
}

/// The answer to the name of a vault that is not there. The model's pattern, `^[a-zA-Z0-9\-\_]{2,50}$`, is enforced on such
/// names alone: AWS's own `aws/efs/automatic-backup-vault` breaks it.
pub(crate) fn no_vault(name: &str) -> ApiError {
    let fits = (2..=50).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    match fits || name.starts_with("aws/") {
        true => ApiError::insufficient_privileges(),
        false => ApiError::invalid(
            "BackupVaultName",
            format!("Invalid backup vault name: {name}"),
        ),
    }
}
