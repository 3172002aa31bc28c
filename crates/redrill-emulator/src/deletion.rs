//! DeleteRecoveryPoint: what keeps a recovery point from being deleted, and that it is gone then.
//! <https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DeleteRecoveryPoint.html>
//!
//! For how long one is DELETING is not documented: here it is gone at once. Jobs that restore from it go on, as no page says
//! that they do not, or that they keep it.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

use super::access_points::AccessPoint;
use super::catalog::Located;
use super::error::{ApiError, ErrorCode};
use redrill_inventory::{RecoveryPointStatus, VaultType};

/// Recovery points that were deleted and are in no inventory, by account and ARN.
#[derive(Debug, Default)]
pub(super) struct Gone(RwLock<HashSet<(String, String)>>);

impl Gone {
    pub(super) fn add(&self, account: &str, arn: &str) {
        let gone = (account.to_owned(), arn.to_owned());
        // A set is whole after a panic elsewhere.
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(gone);
    }

    pub(super) fn has(&self, account: &str, arn: &str) -> bool {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        // Most emulators delete nothing, and every StartRestoreJob asks.
        !all.is_empty() && all.contains(&(account.to_owned(), arn.to_owned()))
    }
}

/// Checks that nothing speaks against deleting a recovery point. The codes are those of the operation. Of the words the
/// first are documented, the second are those of a vault whose policy denies, and the others ours.
pub(super) fn deletable(located: &Located, read_by: Option<&AccessPoint>) -> Result<(), ApiError> {
    use RecoveryPointStatus::{Creating, Deleting};
    if matches!(located.point.status, Creating | Deleting) {
        return Err(ApiError::new(
            ErrorCode::InvalidResourceState,
            "AWS Backup is already performing an action on this recovery point. It can't perform the action you requested until the first action finishes. Try again later.",
        ));
    }
    // «Attempts to remove the recovery point will result in an error message that notes there are insufficient privileges»,
    // of https://docs.aws.amazon.com/aws-backup/latest/devguide/restoring-efs.html
    if *located.vault == *"aws/efs/automatic-backup-vault" {
        return Err(ApiError::insufficient_privileges());
    }
    let invalid = |words: String| Err(ApiError::new(ErrorCode::InvalidRequest, words));
    // https://docs.aws.amazon.com/aws-backup/latest/devguide/API_CreateBackupAccessPoint.html
    if let Some(one) = read_by {
        return invalid(format!(
            "The recovery point cannot be deleted because it has active backup access points: {}",
            one.arn
        ));
    }
    // https://docs.aws.amazon.com/aws-backup/latest/devguide/vault-lock.html; a logically air-gapped vault always has a lock,
    // https://docs.aws.amazon.com/aws-backup/latest/devguide/logicallyairgappedvault.html
    if located.vault_locked || located.vault_type != VaultType::BackupVault {
        let vault = &located.vault;
        return invalid(format!(
            "The recovery point cannot be deleted because the backup vault {vault} is locked."
        ));
    }
    Ok(())
}
