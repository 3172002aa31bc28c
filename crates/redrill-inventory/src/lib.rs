//! The format of recorded inventories: which vaults and recovery points exist, in which accounts and Regions.
//!
//! One YAML document for each account and Region. redrill writes such files from AWS and plans against them without
//! credentials; its emulator serves them.

mod account;
#[cfg(test)]
mod account_tests;
mod arn;
mod policy;
mod text;
mod together;
mod vault;

pub use account::{DeclaredQuota, DeclaredResource, IamRole, IamUser, KeyGrant};
pub use arn::{Arn, is_account_id};
pub use policy::{
    Comparison, ConditionOperator, ManyValues, PolicyCondition, PolicyDocument, PolicyEffect,
    PolicyPatterns, PolicyPrincipal, PolicyStatement,
};
pub use vault::{Vault, VaultType};

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use text::{
    account_id, arn, duration, duration_text, located, optional_keys, second_place, unique_keys,
};

/// Data that the emulator serves: one entry for each account and region.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inventory {
    /// In the order of the file.
    pub accounts: Vec<AccountInventory>,
}

/// One account in one region; one document of the file. Users, roles, service control policies and the caller are of the account
/// as a whole: one of its documents has them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountInventory {
    /// Twelve digits.
    #[serde(deserialize_with = "account_id")]
    pub account: String,
    /// Region, as in `us-east-1`.
    pub region: String,
    /// By name.
    #[serde(default, deserialize_with = "unique_keys")]
    pub vaults: BTreeMap<String, Vault>,
    /// Calls that are refused, for the emulator alone: stands for policies. No fact about AWS.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<Deny>,
    /// Things around the backups that decide about restores, for the emulator alone: `default_vpc: none`,
    /// `key alias/x: denied`, … docs/emulator.md lists them. No fact about AWS.
    #[serde(
        default,
        deserialize_with = "unique_keys",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub surroundings: BTreeMap<String, String>,
    /// Default caller if the access key names nobody else: the ARN of one of the users or roles. Left out, an
    /// administrator that no policy of its own limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// By name. For the emulator alone, as all that follows.
    #[serde(
        default,
        deserialize_with = "unique_keys",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub users: BTreeMap<String, IamUser>,
    /// By name. Where the key is there, the account has no other roles.
    #[serde(
        default,
        deserialize_with = "optional_keys",
        skip_serializing_if = "Option::is_none"
    )]
    pub roles: Option<BTreeMap<String, IamRole>>,
    /// Service control policies, from the root of the organization to the account: by name, what is attached at each level.
    #[serde(
        default,
        deserialize_with = "policy::service_control_policies",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub scps: Vec<BTreeMap<String, PolicyDocument>>,
    /// Resources that exist in this account and Region. If the key is there, nothing else exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Vec<DeclaredResource>>,
    /// Applied quotas that are not AWS's default, and how much of a quota is used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_quotas: Vec<DeclaredQuota>,
}

/// Calls that are refused with AccessDeniedException.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deny {
    /// `backup:StartRestoreJob`, `backup:List*`, `iam:PassRole`.
    pub action: String,
    /// An ARN; `*` at its end stands for the rest. All, if left out.
    #[serde(default = "any_resource")]
    pub resource: String,
    /// Policy that refuses: it decides the words.
    #[serde(default)]
    pub by: DeniedBy,
}

fn any_resource() -> String {
    "*".to_owned()
}

/// Policy that refuses, and so the words of the refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeniedBy {
    /// `… because no identity-based policy allows the … action`
    #[default]
    Identity,
    /// `… with an explicit deny in an identity-based policy`
    Explicit,
    /// `… with an explicit deny in a service control policy`
    Organization,
    /// `Insufficient privileges to perform this action.`, as the access policy of a vault answers.
    Vault,
}

/// A recovery point. Names and meanings are those of
/// <https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DescribeRecoveryPoint.html>.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryPoint {
    /// Its own ARN; the form depends on the resource type.
    #[serde(deserialize_with = "arn")]
    pub arn: String,
    /// The ARN of what was backed up.
    #[serde(deserialize_with = "arn")]
    pub resource_arn: String,
    /// `EFS`, `RDS`, …
    pub resource_type: String,
    /// Time at which the backup began.
    pub created_at: Timestamp,
    /// Size of the backup.
    #[serde(default)]
    pub size_bytes: u64,
    /// Answer of GetRecoveryPointRestoreMetadata.
    #[serde(default, deserialize_with = "unique_keys")]
    pub restore_metadata: BTreeMap<String, String>,
    /// Readiness of the recovery point.
    #[serde(default)]
    pub status: RecoveryPointStatus,
    /// Storage class in which it lies.
    #[serde(default)]
    pub storage_class: StorageClass,
    /// The composite recovery point that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The key that encrypts it; absent for an unencrypted one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption_key_arn: Option<String>,
    /// Time at which AWS Backup will delete it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Its tags.
    #[serde(
        default,
        deserialize_with = "unique_keys",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub tags: BTreeMap<String, String>,
    /// Behaviour of the emulator's restores of it; no fact about AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<RestoreBehaviour>,
}

impl RecoveryPoint {
    /// Returns true if it stands for others, its children.
    pub fn is_composite(&self) -> bool {
        is_composite(&self.arn)
    }
}

/// Returns true for the ARN of a composite recovery point; the form is that of
/// <https://docs.aws.amazon.com/aws-backup/latest/devguide/eks-backups.html>.
pub fn is_composite(arn: &str) -> bool {
    arn.contains(":recovery-point:composite:")
}

/// Behaviour of restores of one recovery point, in place of what the duration table and the failure rules say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoreBehaviour {
    /// From RUNNING to the end: `45m`, `1h 30m`.
    #[serde(
        default,
        deserialize_with = "duration",
        serialize_with = "duration_text",
        skip_serializing_if = "Option::is_none"
    )]
    pub duration: Option<SignedDuration>,
    /// The job ends FAILED with this StatusMessage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fails: Option<String>,
    /// The job ends ABORTED with this StatusMessage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aborts: Option<String>,
    /// The job never ends, in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hangs: Option<Hang>,
    /// The job ends COMPLETED with this StatusMessage: AWS's console calls that "completed with issues".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issues: Option<String>,
}

/// State in which a job stops for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hang {
    /// Never runs.
    Pending,
    /// Runs and never ends.
    Running,
}

/// `RecoveryPointStatus` of the API model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the API's own names")]
pub enum RecoveryPointStatus {
    #[default]
    Completed,
    Partial,
    Deleting,
    Expired,
    Available,
    Stopped,
    Creating,
}

/// `StorageClass` of the API model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the API's own names")]
pub enum StorageClass {
    #[default]
    Warm,
    Cold,
    Deleted,
}

impl RecoveryPointStatus {
    /// The API's name.
    pub fn name(self) -> &'static str {
        match self {
            RecoveryPointStatus::Completed => "COMPLETED",
            RecoveryPointStatus::Partial => "PARTIAL",
            RecoveryPointStatus::Deleting => "DELETING",
            RecoveryPointStatus::Expired => "EXPIRED",
            RecoveryPointStatus::Available => "AVAILABLE",
            RecoveryPointStatus::Stopped => "STOPPED",
            RecoveryPointStatus::Creating => "CREATING",
        }
    }
}

impl StorageClass {
    /// The API's name.
    pub fn name(self) -> &'static str {
        match self {
            StorageClass::Warm => "WARM",
            StorageClass::Cold => "COLD",
            StorageClass::Deleted => "DELETED",
        }
    }
}

/// Error in an inventory, with its position. The writer of the file has to fix it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {message}")]
pub struct InventoryError {
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// Description of the error.
    pub message: String,
}

impl Inventory {
    /// Reads the YAML text of an inventory file: one document for each account and region.
    pub fn parse(text: &str) -> Result<Inventory, InventoryError> {
        let mut inventory = Inventory::default();
        let mut seen = std::collections::BTreeSet::new();
        for document in serde_yaml::Deserializer::from_str(text) {
            let entry = match Option::<AccountInventory>::deserialize(document) {
                Ok(Some(entry)) => entry,
                Ok(None) => continue, // an empty document: a stray `---`
                Err(error) => return Err(located(&error)),
            };
            let scope = (entry.account.clone(), entry.region.clone());
            for point in entry.vaults.values().flat_map(|v| &v.recovery_points) {
                if !seen.insert((scope.clone(), point.arn.clone())) {
                    return Err(second_place(text, &point.arn));
                }
            }
            inventory.accounts.push(entry);
        }
        if inventory.accounts.is_empty() {
            return Err(InventoryError {
                line: 1,
                column: 1,
                message: "the inventory is empty: write `account:`, `region:` and `vaults:`".into(),
            });
        }
        together::check(&inventory.accounts).map_err(|clash| clash.place(text))?;
        Ok(inventory)
    }

    /// Reads several files as one inventory: the name and the text of each.
    ///
    /// # Errors
    ///
    /// The errors of the first file that cannot be read, each line with the file's name.
    pub fn of_files<'f>(
        files: impl IntoIterator<Item = (&'f str, &'f str)>,
    ) -> Result<Inventory, String> {
        let mut all = Inventory::default();
        let mut seen = BTreeMap::new();
        for (name, text) in files {
            let inventory = Inventory::parse(text).map_err(|err| {
                let err = err.to_string();
                let lines: Vec<String> = err.lines().map(|line| format!("{name}:{line}")).collect();
                lines.join("\n")
            })?;
            for (account, _, point) in inventory.recovery_points() {
                let key = (
                    account.account.clone(),
                    account.region.clone(),
                    point.arn.clone(),
                );
                if let Some(first) = seen.insert(key, name) {
                    return Err(format!(
                        "{name}: recovery point {} is in {first} already; give only one of the two files",
                        point.arn
                    ));
                }
            }
            all.accounts.extend(inventory.accounts);
        }
        together::check(&all.accounts).map_err(|clash| clash.message)?;
        Ok(all)
    }

    /// Every recovery point, with the account and the vault that hold it.
    pub fn recovery_points(
        &self,
    ) -> impl Iterator<Item = (&AccountInventory, &str, &RecoveryPoint)> {
        self.accounts.iter().flat_map(|account| {
            account.vaults.iter().flat_map(move |(name, vault)| {
                let points = vault.recovery_points.iter();
                points.map(move |point| (account, name.as_str(), point))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = r#"
account: "123456789012"
region: us-east-1
vaults:
  primary:
    recovery_points:
      - arn: arn:aws:backup:us-east-1:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45
        resource_arn: arn:aws:elasticfilesystem:us-east-1:123456789012:file-system/fs-0a1b2c3d
        resource_type: EFS
        created_at: 2026-11-20T03:00:00Z
        size_bytes: 1099511627776
        restore_metadata: { file-system-id: fs-0a1b2c3d }
        restore: { duration: 45m, fails: "Access denied to KMS key." }
  empty: {}
---
account: "210987654321"
region: eu-central-1
"#;

    #[test]
    fn several_accounts_in_one_file() {
        let inventory = Inventory::parse(TWO).unwrap();
        assert_eq!(inventory.accounts.len(), 2);
        assert_eq!(inventory.accounts[0].vaults.len(), 2);
        let (account, vault, point) = inventory.recovery_points().next().unwrap();
        assert_eq!((account.region.as_str(), vault), ("us-east-1", "primary"));
        assert_eq!(point.size_bytes, 1 << 40);
        assert_eq!(point.status, RecoveryPointStatus::Completed);
        let restore = point.restore.as_ref().unwrap();
        assert_eq!(restore.duration, Some(SignedDuration::from_mins(45)));
        assert_eq!(restore.fails.as_deref(), Some("Access denied to KMS key."));
        assert_eq!(inventory.recovery_points().count(), 1);
    }

    #[test]
    fn what_is_written_reads_back() {
        let inventory = Inventory::parse(TWO).unwrap();
        let text = serde_yaml::to_string(&inventory.accounts[0]).unwrap();
        assert_eq!(
            Inventory::parse(&text).unwrap().accounts,
            inventory.accounts[..1]
        );
    }

    #[test]
    fn several_files_are_one_inventory() {
        let (one, other) = TWO.split_once("---\n").unwrap();
        let all = Inventory::of_files([("a.yaml", one), ("b.yaml", other)]).unwrap();
        assert_eq!(all, Inventory::parse(TWO).unwrap());
        let twice = Inventory::of_files([("a.yaml", one), ("b.yaml", TWO)]).unwrap_err();
        assert!(twice.starts_with("b.yaml: recovery point"), "{twice}");
        assert!(twice.contains("is in a.yaml already"), "{twice}");
        let broken = Inventory::of_files([("a.yaml", one), ("b.yaml", "[")]).unwrap_err();
        assert!(broken.starts_with("b.yaml:1:"), "{broken}");
    }

    fn mistake(from: &str, to: &str) -> (usize, String) {
        assert!(TWO.contains(from), "{from}");
        let error = Inventory::parse(&TWO.replacen(from, to, 1)).unwrap_err();
        (error.line, error.message)
    }

    #[test]
    fn mistakes_have_a_place() {
        let point = "      - arn: arn:aws:backup:us-east-1:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45\n";
        let (line, message) = mistake("size_bytes", "size");
        assert_eq!(line, 11);
        assert!(message.contains("unknown field `size`"), "{message}");
        let (line, message) = mistake("\"123456789012\"", "\"12345\"");
        assert_eq!(line, 2);
        assert!(message.contains("is not an account id"), "{message}");
        let (line, message) = mistake("arn:aws:elastic", "arm:aws:elastic");
        assert_eq!(line, 8, "{message}");
        assert!(message.contains("is not an ARN"), "{message}");
        let (line, message) = mistake("45m", "soon");
        assert_eq!(line, 13, "{message}");
        let (line, message) = mistake("  empty:", "  primary:");
        assert_eq!(line, 14, "{message}");
        assert!(message.contains("duplicate key \"primary\""), "{message}");
        let (line, message) = mistake("eu-central-1", "[");
        assert_eq!(line, 17, "{message}");
        let again = format!(
            "{point}        resource_arn: arn:aws:s3:::b\n        resource_type: S3\n        created_at: 2026-11-20T03:00:00Z\n{point}"
        );
        let (line, message) = mistake(point, &again);
        assert_eq!(line, 11);
        assert!(message.contains("twice"), "{message}");
        for empty in ["", "---\n", "# nothing\n"] {
            Inventory::parse(empty).unwrap_err();
        }
    }
}
