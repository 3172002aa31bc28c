//! The calls that read vaults and recovery points.

use std::collections::BTreeMap;

use aws_sdk_backup::operation::describe_recovery_point::DescribeRecoveryPointOutput;
use aws_sdk_backup::types::{
    BackupVaultListMember, CalculatedLifecycle, Lifecycle, LifecycleDeleteAfterEvent,
    RecoveryPointByBackupVault, RecoveryPointByResource, RecoveryPointStatus,
};

use super::Aws;
use super::read::{sorted, timestamp};
use crate::backup::{
    ApiError, Operation, Page, PointQuery, PointStatus, RecoveryPoint, Sources, Vault,
};
use crate::render::{SourceFacts, VaultName};

/// Items a page, the most that any listing gives.
const PAGE: i32 = 1000;

impl<H> Sources for Aws<H> {
    async fn source(
        &self,
        recovery_point_arn: &str,
        vault: Option<&VaultName>,
    ) -> Result<Option<SourceFacts>, ApiError> {
        self.vaults.source(self, recovery_point_arn, vault).await
    }

    async fn vaults_page(&self, token: Option<String>) -> Result<Page<Vault>, ApiError> {
        let operation = self.counted(Operation::ListBackupVaults);
        let page = self
            .backup
            .list_backup_vaults()
            .max_results(PAGE)
            .set_next_token(token)
            .send()
            .await
            .map_err(|err| self.failed(operation, &err))?;
        let vaults = page.backup_vault_list.unwrap_or_default();
        Ok((
            vaults.into_iter().filter_map(vault).collect(),
            page.next_token,
        ))
    }

    async fn points_page(
        &self,
        query: &PointQuery,
        token: Option<String>,
    ) -> Result<Page<RecoveryPoint>, ApiError> {
        match query {
            PointQuery::InVault {
                vault,
                resource_arn,
                resource_type,
            } => {
                let operation = self.counted(Operation::ListRecoveryPointsByBackupVault);
                let page = self
                    .backup
                    .list_recovery_points_by_backup_vault()
                    .backup_vault_name(&vault.name)
                    .set_backup_vault_account_id(vault.account.as_ref().map(ToString::to_string))
                    .set_by_resource_arn(resource_arn.clone())
                    .set_by_resource_type(resource_type.clone())
                    .max_results(PAGE)
                    .set_next_token(token)
                    .send()
                    .await
                    .map_err(|err| self.failed(operation, &err))?;
                let points = page.recovery_points.unwrap_or_default();
                let points = points.into_iter().map(|point| in_vault(vault, point));
                Ok((points.collect(), page.next_token))
            }
            PointQuery::OfResource { resource_arn } => {
                let operation = self.counted(Operation::ListRecoveryPointsByResource);
                let page = self
                    .backup
                    .list_recovery_points_by_resource()
                    .resource_arn(resource_arn)
                    .max_results(PAGE)
                    .set_next_token(token)
                    .send()
                    .await
                    .map_err(|err| self.failed(operation, &err))?;
                let points = page.recovery_points.unwrap_or_default();
                let points = points
                    .into_iter()
                    .map(|point| of_resource(resource_arn, point));
                Ok((points.collect(), page.next_token))
            }
        }
    }

    async fn point(
        &self,
        vault: &VaultName,
        recovery_point_arn: &str,
    ) -> Result<Option<RecoveryPoint>, ApiError> {
        match self.described(vault, recovery_point_arn).await {
            Ok(point) => Ok(Some(described(vault, recovery_point_arn, point))),
            Err(err) if err.may_mean_absence() && !err.lacks_permission() => Ok(None),
            Err(err) => Err(err),
        }
    }

    async fn restore_metadata(
        &self,
        vault: &VaultName,
        recovery_point_arn: &str,
    ) -> Result<BTreeMap<String, String>, ApiError> {
        let operation = self.counted(Operation::GetRecoveryPointRestoreMetadata);
        let answer = self
            .backup
            .get_recovery_point_restore_metadata()
            .backup_vault_name(&vault.name)
            .set_backup_vault_account_id(vault.account.as_ref().map(ToString::to_string))
            .recovery_point_arn(recovery_point_arn)
            .send()
            .await
            .map_err(|err| self.failed(operation, &err))?;
        Ok(sorted(answer.restore_metadata))
    }

    async fn tags_page(
        &self,
        recovery_point_arn: &str,
        token: Option<String>,
    ) -> Result<Page<(String, String)>, ApiError> {
        let operation = self.counted(Operation::ListTags);
        let page = self
            .backup
            .list_tags()
            .resource_arn(recovery_point_arn)
            .max_results(PAGE)
            .set_next_token(token)
            .send()
            .await
            .map_err(|err| self.failed(operation, &err))?;
        let tags = sorted(page.tags);
        Ok((tags.into_iter().collect(), page.next_token))
    }
}

fn vault(vault: BackupVaultListMember) -> Option<Vault> {
    Some(Vault {
        name: vault.backup_vault_name?,
        kind: vault.vault_type.map(|kind| kind.as_str().to_owned()),
        encryption_key_arn: vault.encryption_key_arn,
        locked: vault.locked.unwrap_or_default(),
        recovery_points: u64::try_from(vault.number_of_recovery_points).ok(),
    })
}

fn in_vault(vault: &VaultName, point: RecoveryPointByBackupVault) -> RecoveryPoint {
    RecoveryPoint {
        arn: point.recovery_point_arn.unwrap_or_default(),
        vault: point
            .backup_vault_name
            .unwrap_or_else(|| vault.name.clone()),
        vault_account: vault.account.clone(),
        resource_arn: point.resource_arn.unwrap_or_default(),
        resource_type: point.resource_type,
        status: status(point.status),
        created_at: timestamp(point.creation_date),
        size_bytes: point.backup_size_in_bytes,
        storage_class: None,
        parent: point.parent_recovery_point_arn,
        is_parent: point.is_parent,
        expires_at: expiry(point.calculated_lifecycle),
        deleted_after_copy: is_temporary(point.lifecycle),
        encryption_key_arn: point.encryption_key_arn,
    }
}

fn of_resource(resource_arn: &str, point: RecoveryPointByResource) -> RecoveryPoint {
    RecoveryPoint {
        arn: point.recovery_point_arn.unwrap_or_default(),
        vault: point.backup_vault_name.unwrap_or_default(),
        vault_account: None,
        resource_arn: resource_arn.to_owned(),
        resource_type: None,
        status: status(point.status),
        created_at: timestamp(point.creation_date),
        // The other listing and DescribeRecoveryPoint call it `BackupSizeInBytes`.
        size_bytes: point.backup_size_bytes,
        storage_class: None,
        parent: point.parent_recovery_point_arn,
        is_parent: point.is_parent,
        expires_at: None,
        deleted_after_copy: false,
        encryption_key_arn: point.encryption_key_arn,
    }
}

fn described(vault: &VaultName, arn: &str, point: DescribeRecoveryPointOutput) -> RecoveryPoint {
    RecoveryPoint {
        arn: point.recovery_point_arn.unwrap_or_else(|| arn.to_owned()),
        vault: point
            .backup_vault_name
            .unwrap_or_else(|| vault.name.clone()),
        vault_account: vault.account.clone(),
        resource_arn: point.resource_arn.unwrap_or_default(),
        resource_type: point.resource_type,
        status: status(point.status),
        created_at: timestamp(point.creation_date),
        size_bytes: point.backup_size_in_bytes,
        storage_class: point.storage_class.map(|class| class.as_str().to_owned()),
        parent: point.parent_recovery_point_arn,
        is_parent: point.is_parent,
        expires_at: expiry(point.calculated_lifecycle),
        deleted_after_copy: is_temporary(point.lifecycle),
        encryption_key_arn: point.encryption_key_arn,
    }
}

fn status(status: Option<RecoveryPointStatus>) -> PointStatus {
    match status {
        Some(status) => PointStatus::from(status.as_str()),
        None => PointStatus::Unknown("without a status".to_owned()),
    }
}

fn expiry(lifecycle: Option<CalculatedLifecycle>) -> Option<jiff::Timestamp> {
    timestamp(lifecycle?.delete_at)
}

fn is_temporary(lifecycle: Option<Lifecycle>) -> bool {
    lifecycle.is_some_and(|lifecycle| {
        lifecycle.delete_after_event == Some(LifecycleDeleteAfterEvent::DeleteAfterCopy)
    })
}
