//! Recovery points: described, listed, and what their restores may be given.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::super::answer::Answer;
use super::super::caller::Caller;
use super::super::catalog::Located;
use super::super::deletion::deletable;
use super::super::error::ApiError;
use super::super::files::Record;
use super::super::job::Epoch;
use super::super::json::{flag, number, text, time};
use super::{Backend, Call, SMALL};
use redrill_inventory::Arn;
use redrill_inventory::{RecoveryPointStatus, VaultType};

/// DescribeRecoveryPoint, and the items of ListRecoveryPointsByBackupVault, which lack `StorageClass`.
fn show(out: &mut Vec<u8>, located: &Located, last_restore: Option<Timestamp>, listed: bool) {
    let point = &located.point;
    let member = |out: &mut Vec<u8>, name: &[u8]| out.extend_from_slice(name);
    member(out, b"{\"RecoveryPointArn\":");
    text(out, Some(&point.arn));
    member(out, b",\"BackupVaultName\":");
    text(out, Some(&located.vault));
    member(out, b",\"BackupVaultArn\":");
    text(out, Some(&located.vault_arn));
    member(out, b",\"SourceBackupVaultArn\":null,\"ResourceArn\":");
    text(out, Some(&point.resource_arn));
    member(out, b",\"ResourceType\":");
    text(out, Some(&point.resource_type));
    member(out, b",\"CreatedBy\":null,\"IamRoleArn\":null,\"Status\":");
    text(out, Some(point.status.name()));
    member(out, b",\"StatusMessage\":null,\"CreationDate\":");
    time(out, Some(point.created_at));
    member(out, b",\"InitiationDate\":");
    time(out, Some(point.created_at));
    member(out, b",\"CompletionDate\":");
    let made = point.status != RecoveryPointStatus::Creating;
    time(out, made.then_some(point.created_at));
    member(out, b",\"BackupSizeInBytes\":");
    number(out, point.size_bytes);
    member(out, b",\"CalculatedLifecycle\":");
    match point.expires_at {
        None => member(out, b"null"),
        Some(at) => {
            member(out, b"{\"MoveToColdStorageAt\":null,\"DeleteAt\":");
            time(out, Some(at));
            member(out, b"}");
        }
    }
    member(out, b",\"Lifecycle\":null,\"EncryptionKeyArn\":");
    text(out, point.encryption_key_arn.as_deref());
    member(out, b",\"IsEncrypted\":");
    flag(out, point.encryption_key_arn.is_some());
    if !listed {
        member(out, b",\"StorageClass\":");
        text(out, Some(point.storage_class.name()));
    }
    member(out, b",\"LastRestoreTime\":");
    time(out, last_restore);
    member(out, b",\"ParentRecoveryPointArn\":");
    text(out, point.parent.as_deref());
    member(out, b",\"CompositeMemberIdentifier\":null,\"IsParent\":");
    flag(out, point.is_composite());
    member(out, b",\"VaultType\":");
    text(out, Some(located.vault_type.name()));
    out.push(b'}');
}

/// About as long as that is.
const USUAL_LENGTH: usize = 900;

impl Backend {
    pub(super) fn describe_recovery_point(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        let located = self.recovery_point(call)?;
        let last = self.last_restore(&located);
        let mut body = Vec::with_capacity(USUAL_LENGTH);
        show(&mut body, &located, last, false);
        self.show_scans(&mut body, call, &located);
        Ok(Answer::written(body))
    }

    /// Writes what the surroundings say of malware in it, as `ScanResults`
    /// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ScanResult.html>).
    fn show_scans(&self, out: &mut Vec<u8>, call: &Call<'_>, located: &Located) {
        let thing = format!("malware {}", located.point.arn);
        let Some(said) = self.catalog.surrounding(call.caller, &thing) else {
            return;
        };
        let findings: &[u8] = match said {
            "none" => b"[]",
            _ => b"[\"MALWARE\"]",
        };
        out.pop();
        out.extend_from_slice(b",\"ScanResults\":[{\"MalwareScanner\":\"GUARDDUTY\",\"ScanJobState\":\"COMPLETED\",\"LastScanTimestamp\":");
        time(out, Some(self.started));
        out.extend_from_slice(b",\"Findings\":");
        out.extend_from_slice(findings);
        out.extend_from_slice(b"}]}");
    }

    /// A recovery point that a vault of others holds is theirs to delete.
    pub(super) fn delete_recovery_point(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        let (vault, arn) = (call.label(0), call.label(1));
        let located = self.catalog.find_in(call.caller, vault, arn)?;
        // Under the lock: no access point is made in between.
        let service = self.service();
        let at = self.clock.now();
        deletable(&located, service.access_points.active_of(arn, at))?;
        self.catalog.delete(call.caller, arn);
        let Caller {
            account, region, ..
        } = call.caller.clone();
        let arn = arn.to_owned();
        self.record(&Record::RecoveryPointDeleted {
            at,
            account,
            region,
            arn,
        })?;
        Ok(Answer::done())
    }

    pub(super) fn get_recovery_point_restore_metadata(
        &self,
        call: &Call<'_>,
    ) -> Result<Answer, ApiError> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Found<'a> {
            backup_vault_arn: &'a str,
            recovery_point_arn: &'a str,
            restore_metadata: &'a BTreeMap<String, String>,
            resource_type: &'a str,
        }
        let located = self.recovery_point(call)?;
        Ok(Answer::json(&Found {
            backup_vault_arn: &located.vault_arn,
            recovery_point_arn: &located.point.arn,
            restore_metadata: &located.point.restore_metadata,
            resource_type: &located.point.resource_type,
        }))
    }

    pub(super) fn list_recovery_points_by_backup_vault(
        &self,
        call: &Call<'_>,
    ) -> Result<Answer, ApiError> {
        let query = call.query;
        let owner = self.vault_owner(call, call.label(0))?;
        let resource = query.text("resourceArn");
        if let Some(arn) = resource {
            source_resource(arn)?;
        }
        let resource_type = query.resource_type("resourceType")?;
        let before = query.time("createdBefore")?;
        let after = query.time("createdAfter")?;
        let parent = query.text("parentRecoveryPointArn");
        let plan = query.text("backupPlanId");
        let points = self.catalog.points_in(&owner, call.label(0))?;
        let points: Vec<&Arc<Located>> = points
            .into_iter()
            .filter(|located| {
                let point = &located.point;
                // No recovery point here was made by a backup plan.
                plan.is_none()
                    && resource.is_none_or(|arn| arn == point.resource_arn)
                    && resource_type
                        .as_ref()
                        .is_none_or(|name| *name == point.resource_type)
                    && before.is_none_or(|before| point.created_at < before)
                    && after.is_none_or(|after| point.created_at > after)
                    && parent.is_none_or(|arn| point.parent.as_deref() == Some(arn))
            })
            .collect();
        let (points, next_token) = self.page(call, SMALL, points)?;
        let mut body = Vec::with_capacity(points.len() * USUAL_LENGTH + 128);
        body.extend_from_slice(b"{\"NextToken\":");
        text(&mut body, next_token.as_deref());
        body.extend_from_slice(b",\"RecoveryPoints\":[");
        let service = self.service();
        for (index, point) in points.iter().enumerate() {
            if index > 0 {
                body.push(b',');
            }
            show(
                &mut body,
                point,
                service.last_restore(&point.point.arn),
                true,
            );
        }
        body.extend_from_slice(b"]}");
        Ok(Answer::written(body))
    }

    /// The smaller shape, in which the size has another name.
    pub(super) fn list_recovery_points_by_resource(
        &self,
        call: &Call<'_>,
    ) -> Result<Answer, ApiError> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Page<'a> {
            next_token: Option<String>,
            recovery_points: Vec<Small<'a>>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Small<'a> {
            recovery_point_arn: &'a str,
            creation_date: Epoch,
            status: RecoveryPointStatus,
            status_message: Option<&'a str>,
            encryption_key_arn: Option<&'a str>,
            backup_size_bytes: u64,
            backup_vault_name: &'a str,
            is_parent: bool,
            parent_recovery_point_arn: Option<&'a str>,
            resource_name: Option<&'a str>,
            vault_type: VaultType,
        }
        let arn = call.label(0);
        source_resource(arn)?;
        call.query
            .one_of("managedByAWSBackupOnly", |text| text.parse::<bool>().ok())?;
        let points = self.catalog.points_of(call.caller, arn);
        let (points, next_token) = self.page(call, SMALL, points)?;
        let recovery_points = points
            .iter()
            .map(|located| {
                let point = &located.point;
                Small {
                    recovery_point_arn: &point.arn,
                    creation_date: Epoch(point.created_at),
                    status: point.status,
                    status_message: None,
                    encryption_key_arn: point.encryption_key_arn.as_deref(),
                    backup_size_bytes: point.size_bytes,
                    backup_vault_name: &located.vault,
                    is_parent: point.is_composite(),
                    parent_recovery_point_arn: point.parent.as_deref(),
                    resource_name: None,
                    vault_type: located.vault_type,
                }
            })
            .collect();
        Ok(Answer::json(&Page {
            next_token,
            recovery_points,
        }))
    }

    /// ListTags: of recovery points and vaults, the two kinds of thing that the emulator has.
    pub(super) fn list_tags(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Page {
            next_token: Option<String>,
            tags: BTreeMap<String, String>,
        }
        let arn = call.label(0);
        let tags = {
            let vaults = self.catalog.vaults(call.caller, &self.default_region);
            match vaults.iter().any(|vault| vault.arn == arn) {
                true => BTreeMap::new(),
                false => self.catalog.tags(call.caller, arn)?,
            }
        };
        let (tags, next_token) = self.page(call, SMALL, tags.into_iter().collect())?;
        Ok(Answer::json(&Page {
            next_token,
            tags: tags.into_iter().collect(),
        }))
    }

    /// The recovery point that the path names.
    fn recovery_point(&self, call: &Call<'_>) -> Result<Arc<Located>, ApiError> {
        let owner = self.vault_owner(call, call.label(0))?;
        self.catalog.find_in(&owner, call.label(0), call.label(1))
    }

    fn last_restore(&self, located: &Located) -> Option<Timestamp> {
        self.service().last_restore(&located.point.arn)
    }

    /// Finds the owner of the vault that a call reads: the caller, or an account that shares the vault with it. A
    /// shared vault is read with the owner's account alone; without it AWS finds no such vault, and says so in these
    /// words (<https://docs.aws.amazon.com/aws-backup/latest/devguide/logicallyairgappedvault.html>).
    pub(super) fn vault_owner(&self, call: &Call<'_>, vault: &str) -> Result<Caller, ApiError> {
        let account = call.query.account("backupVaultAccountId", false)?;
        match account {
            Some(account) if account != call.caller.account => {
                if !self.catalog.shares(&account, vault, call.caller) {
                    return Err(ApiError::insufficient_privileges());
                }
                Ok(Caller {
                    account,
                    region: call.caller.region.clone(),
                    ..Caller::default()
                })
            }
            _ => Ok(call.caller.clone()),
        }
    }

    /// Refuses other accounts: unshared things are the caller's own.
    pub(super) fn own_vault(&self, call: &Call<'_>, parameter: &str) -> Result<(), ApiError> {
        let account = call.query.account(parameter, false)?;
        match account.is_some_and(|account| account != call.caller.account) {
            true => Err(ApiError::insufficient_privileges()),
            false => Ok(()),
        }
    }
}

/// Refuses the ARN of a snapshot where that of a backed-up resource is wanted, with these words, recorded in
/// <https://github.com/aws/aws-sdk-go-v2/issues/1904>.
pub(super) fn source_resource(arn: &str) -> Result<(), ApiError> {
    let snapshot = match Arn::parse(arn) {
        None => true,
        Some(parsed) => match parsed.service {
            "backup" => parsed.resource.starts_with("recovery-point:"),
            "ec2" => {
                parsed.resource.starts_with("snapshot/") || parsed.resource.starts_with("image/")
            }
            _ => false,
        },
    };
    match snapshot {
        true => Err(ApiError::invalid(
            "ResourceArn",
            format!("Unsupported resource type: {arn}"),
        )),
        false => Ok(()),
    }
}
