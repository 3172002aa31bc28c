//! Action and resource of each operation of AWS Backup, and whether the policies allow it.

use super::super::caller::Caller;
use super::super::catalog::vault_arn;
use super::super::error::ApiError;
use super::super::operation::{Api, Operation};
use super::super::permissions::{self, Ask};
use super::super::policy::ResourceSide;
use super::{Backend, Call};

impl Backend {
    /// The policies of the inventory. Whatever names its recovery point in the body is judged where that is read.
    pub(super) fn allowed(&self, call: &Call<'_>) -> Result<(), ApiError> {
        let Caller {
            account, region, ..
        } = call.caller;
        let operation = call.route.operation;
        if matches!(
            operation,
            Operation::StartRestoreJob | Operation::CreateBackupAccessPoint
        ) {
            return Ok(());
        }
        let silent = self.catalog.directory().is_silent(call.caller);
        if silent && self.catalog.denials(call.caller).next().is_none() {
            return Ok(());
        }
        let asked = call.query.text("backupVaultAccountId");
        let owner = asked.unwrap_or(account);
        let arn = call.route.labels.iter().find(|l| l.starts_with("arn:"));
        let vault = call.route.labels.first().filter(|_| call.route.in_vault());
        let resource = match (arn, vault) {
            (Some(arn), _) if operation.is_about_its_arn() => arn.clone(),
            (_, Some(vault)) => {
                let region = region.as_deref().unwrap_or(&self.default_region);
                vault_arn(region, owner, vault)
            }
            _ => "*".to_owned(),
        };
        // In the inventory's own `deny` lines any ARN of the request may stand.
        let action = format!("{}:{operation}", Api::Backup.prefix());
        if let (Some(arn), "*") = (arn, resource.as_str()) {
            permissions::not_denied(&self.catalog, call.caller, &action, arn)?;
        }
        let vault = vault.or_else(|| {
            let first = call.route.labels.first();
            first.filter(|_| call.route.labels.len() == 2 && operation.is_about_its_arn())
        });
        self.may(
            call.caller,
            &action,
            &resource,
            vault.map(|vault| (owner, vault.as_str())),
            &[],
        )
    }

    /// Checks that the policies allow an action of AWS Backup; `vault` is the owner and name of the vault concerned.
    pub(super) fn may(
        &self,
        caller: &Caller,
        action: &str,
        resource: &str,
        vault: Option<(&str, &str)>,
        keys: &[(&str, &str)],
    ) -> Result<(), ApiError> {
        let region = caller.region.as_deref().unwrap_or(&self.default_region);
        let side = vault.map(|(owner, name)| {
            let owned = Caller {
                account: owner.to_owned(),
                region: caller.region.clone(),
                ..Caller::default()
            };
            ResourceSide {
                policy: self.catalog.vault_policy(&owned, name),
                // Sharing is checked where the vault is looked for.
                shared: true,
                ..ResourceSide::plain(owner)
            }
        });
        let ask = Ask {
            action,
            resource,
            side,
            region,
            keys,
            now: self.clock.now(),
        };
        Ok(permissions::authorize(&self.catalog, caller, &ask)?)
    }

    /// StartRestoreJob is about its recovery point, whatever vault it lies in, and passes its role on
    /// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/access-control.html>).
    pub(super) fn may_restore(
        &self,
        caller: &Caller,
        arn: &str,
        role: Option<&str>,
    ) -> Result<(), ApiError> {
        let silent = self.catalog.directory().is_silent(caller);
        if silent && self.catalog.denials(caller).next().is_none() {
            return Ok(());
        }
        let vault = self.catalog.vault_of(caller, arn);
        let vault = vault
            .as_ref()
            .map(|(owner, name)| (owner.as_str(), &**name));
        self.may(caller, "backup:StartRestoreJob", arn, vault, &[])?;
        if let Some(role) = role {
            let to = [("iam:PassedToService", "backup.amazonaws.com")];
            self.may(caller, "iam:PassRole", role, None, &to)?;
        }
        Ok(())
    }
}
