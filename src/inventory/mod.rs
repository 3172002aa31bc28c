//! An inventory file as a world without credentials: vaults and recovery points as they were recorded.

mod collect;

pub use collect::{
    Collected, CollectionStage, DescribedPoint, HEADER, InventoryFilter, InventoryListing, ask,
    collect, list, text,
};

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::backup::{
    ApiError, Fault, Operation, Page, PointQuery, PointStatus, RecoveryPoint, Sources, Vault,
};
use crate::ids::{AccountId, RegionName};
use crate::render::{SourceFacts, VaultName};
use redrill_inventory::{
    AccountInventory, Inventory, InventoryError, RecoveryPoint as Written, RecoveryPointStatus,
    StorageClass, Vault as WrittenVault, VaultType,
};

/// The vaults and recovery points of an inventory file.
#[derive(Clone, Debug)]
pub struct RecordedInventory {
    inventory: Arc<Inventory>,
    /// Position of each recovery point: its account, vault and number.
    places: Arc<HashMap<String, (usize, String, usize)>>,
    /// Recovery points to which others belong.
    parents: Arc<HashSet<String>>,
    /// The account and Region whose vaults are listed; all where there is none.
    target: Option<(AccountId, RegionName)>,
}

impl RecordedInventory {
    /// Reads an inventory file.
    ///
    /// # Errors
    ///
    /// Where the text is no inventory, with the place.
    pub fn parse(text: &str) -> Result<Self, InventoryError> {
        Ok(Self::new(Inventory::parse(text)?))
    }

    /// The vaults and recovery points of an inventory.
    #[must_use]
    pub fn new(inventory: Inventory) -> Self {
        let mut places = HashMap::new();
        let mut parents = HashSet::new();
        for (account, of_account) in inventory.accounts.iter().enumerate() {
            for (name, vault) in &of_account.vaults {
                for (at, point) in vault.recovery_points.iter().enumerate() {
                    places.insert(point.arn.clone(), (account, name.clone(), at));
                    parents.extend(point.parent.clone());
                }
            }
        }
        Self {
            inventory: Arc::new(inventory),
            places: Arc::new(places),
            parents: Arc::new(parents),
            target: None,
        }
    }

    /// The same, as a caller of this account sees it in this Region: a file may hold several, and a listing shows one.
    #[must_use]
    pub fn seen_from(self, account: &AccountId, region: &RegionName) -> Self {
        Self {
            target: Some((account.clone(), region.clone())),
            ..self
        }
    }

    /// The accounts and Regions that the file has, in its order.
    #[must_use]
    pub fn places(&self) -> Vec<(AccountId, RegionName)> {
        let accounts = self.inventory.accounts.iter();
        accounts
            .map(|written| {
                let account = AccountId::new(written.account.as_str());
                (account, RegionName::new(written.region.as_str()))
            })
            .collect()
    }

    /// Everything there is, by ARN.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, SourceFacts> {
        self.inventory
            .recovery_points()
            .map(|(_, _, point)| (point.arn.clone(), self.facts(point)))
            .collect()
    }

    /// Explains that the file has nothing of the account and Region that restores run in; none if it has.
    #[must_use]
    pub fn lacks_target(&self) -> Option<String> {
        let (account, region) = self.target.as_ref()?;
        if self.accounts().next().is_some() {
            return None;
        }
        let mut places: Vec<String> = Vec::new();
        for (account, region) in self.places() {
            let place = format!("{account} {region}");
            if !places.contains(&place) {
                places.push(place);
            }
        }
        Some(format!(
            "the inventory is of {}, and the target is {account} {region}",
            places.join(", ")
        ))
    }

    fn accounts(&self) -> impl Iterator<Item = &AccountInventory> {
        self.inventory
            .accounts
            .iter()
            .filter(|written| match &self.target {
                Some(target) => is_place(written, target),
                None => true,
            })
    }

    /// A vault as the caller names it: one of its own, or one that its owner shares with it.
    fn vaults_named(&self, name: &VaultName) -> impl Iterator<Item = &WrittenVault> {
        let caller = self.target.as_ref();
        let fits = move |written: &&AccountInventory| match (&name.account, caller) {
            (None, None) => true,
            (None, Some(target)) => is_place(written, target),
            (Some(owner), None) => *owner == *written.account,
            (Some(owner), Some((_, region))) => {
                *owner == *written.account && *region == *written.region
            }
        };
        let is_open = move |written: &AccountInventory, vault: &WrittenVault| match caller {
            Some((account, _)) => {
                let mut others = vault.shared_with.iter();
                *account == *written.account || others.any(|other| *account == **other)
            }
            None => true,
        };
        let accounts = self.inventory.accounts.iter().filter(fits);
        accounts.filter_map(move |written| {
            let vault = written.vaults.get(&name.name)?;
            is_open(written, vault).then_some(vault)
        })
    }

    fn find(&self, arn: &str) -> Option<(&str, &Written)> {
        let (account, vault, at) = self.places.get(arn)?;
        let point = self.inventory.accounts[*account]
            .vaults
            .get(vault)?
            .recovery_points
            .get(*at)?;
        Some((vault, point))
    }

    fn find_in(&self, vault: &VaultName, arn: &str) -> Option<&Written> {
        let (name, point) = self.find(arn)?;
        if name != vault.name {
            return None;
        }
        let mut vaults = self.vaults_named(vault);
        vaults
            .any(|vault| {
                vault
                    .recovery_points
                    .iter()
                    .any(|one| std::ptr::eq(one, point))
            })
            .then_some(point)
    }

    /// The form of the ARN is that of <https://docs.aws.amazon.com/aws-backup/latest/devguide/eks-backups.html>.
    fn is_parent(&self, point: &Written) -> bool {
        self.parents.contains(&point.arn) || point.arn.contains(":recovery-point:composite:")
    }

    fn facts(&self, point: &Written) -> SourceFacts {
        SourceFacts {
            created_at: point.created_at.to_string(),
            resource_arn: point.resource_arn.clone(),
            size_bytes: i64::try_from(point.size_bytes).unwrap_or(i64::MAX),
            metadata: point.restore_metadata.clone(),
            resource_type: Some(point.resource_type.clone()),
            expires_at: point.expires_at.map(|at| at.to_string()),
            storage_class: Some(class(point.storage_class).to_owned()),
            is_parent: self.is_parent(point),
        }
    }

    fn point_of(&self, vault: &VaultName, point: &Written) -> RecoveryPoint {
        RecoveryPoint {
            arn: point.arn.clone(),
            vault: vault.name.clone(),
            vault_account: vault.account.clone(),
            resource_arn: point.resource_arn.clone(),
            resource_type: Some(point.resource_type.clone()),
            status: status(point.status),
            created_at: Some(point.created_at),
            size_bytes: i64::try_from(point.size_bytes).ok(),
            storage_class: Some(class(point.storage_class).to_owned()),
            parent: point.parent.clone(),
            is_parent: self.is_parent(point),
            expires_at: point.expires_at,
            deleted_after_copy: false,
            encryption_key_arn: point.encryption_key_arn.clone(),
        }
    }
}

impl Sources for RecordedInventory {
    async fn source(
        &self,
        recovery_point_arn: &str,
        vault: Option<&VaultName>,
    ) -> Result<Option<SourceFacts>, ApiError> {
        let found = match vault {
            None => self.find(recovery_point_arn).map(|(_, point)| point),
            Some(vault) => self.find_in(vault, recovery_point_arn),
        };
        Ok(found.map(|point| self.facts(point)))
    }

    async fn vaults_page(&self, _token: Option<String>) -> Result<Page<Vault>, ApiError> {
        let vaults = self
            .accounts()
            .flat_map(|account| &account.vaults)
            .map(|(name, vault)| Vault {
                name: name.clone(),
                kind: Some(
                    match vault.kind {
                        VaultType::BackupVault => "BACKUP_VAULT",
                        VaultType::LogicallyAirGappedBackupVault => {
                            "LOGICALLY_AIR_GAPPED_BACKUP_VAULT"
                        }
                        VaultType::RestoreAccessBackupVault => "RESTORE_ACCESS_BACKUP_VAULT",
                    }
                    .to_owned(),
                ),
                encryption_key_arn: vault.encryption_key_arn.clone(),
                locked: vault.locked,
                recovery_points: u64::try_from(vault.recovery_points.len()).ok(),
            });
        Ok((vaults.collect(), None))
    }

    async fn points_page(
        &self,
        query: &PointQuery,
        _token: Option<String>,
    ) -> Result<Page<RecoveryPoint>, ApiError> {
        let same = |wanted: &Option<String>, text: &str| wanted.as_ref().is_none_or(|w| w == text);
        let points: Vec<RecoveryPoint> = match query {
            PointQuery::InVault {
                vault,
                resource_arn,
                resource_type,
            } => {
                let mut vaults = self.vaults_named(vault).peekable();
                if vaults.peek().is_none() {
                    let message = match &vault.account {
                        None => self.lacks_target().unwrap_or_else(|| {
                            format!("the inventory has no vault `{}`", vault.name)
                        }),
                        Some(owner) => format!(
                            "the inventory has no vault `{}` that {owner} shares with this account",
                            vault.name
                        ),
                    };
                    return Err(absent(Operation::ListRecoveryPointsByBackupVault, message));
                }
                vaults
                    .flat_map(|vault| &vault.recovery_points)
                    .filter(|point| {
                        same(resource_arn, &point.resource_arn)
                            && same(resource_type, &point.resource_type)
                    })
                    .map(|point| self.point_of(vault, point))
                    .collect()
            }
            PointQuery::OfResource { resource_arn } => {
                if let Some(lacks) = self.lacks_target() {
                    return Err(absent(Operation::ListRecoveryPointsByResource, lacks));
                }
                self.accounts()
                    .flat_map(|account| &account.vaults)
                    .flat_map(|(name, vault)| vault.recovery_points.iter().map(move |p| (name, p)))
                    .filter(|(_, point)| *resource_arn == point.resource_arn)
                    .map(|(name, point)| self.point_of(&VaultName::own(name), point))
                    .collect()
            }
        };
        Ok((points, None))
    }

    async fn point(
        &self,
        vault: &VaultName,
        recovery_point_arn: &str,
    ) -> Result<Option<RecoveryPoint>, ApiError> {
        Ok(self
            .find_in(vault, recovery_point_arn)
            .map(|point| self.point_of(vault, point)))
    }

    async fn restore_metadata(
        &self,
        vault: &VaultName,
        recovery_point_arn: &str,
    ) -> Result<BTreeMap<String, String>, ApiError> {
        self.find_in(vault, recovery_point_arn)
            .map(|point| point.restore_metadata.clone())
            .ok_or_else(|| {
                absent(
                    Operation::GetRecoveryPointRestoreMetadata,
                    format!(
                        "the inventory has no {recovery_point_arn} in `{}`",
                        vault.name
                    ),
                )
            })
    }

    async fn tags_page(
        &self,
        recovery_point_arn: &str,
        _: Option<String>,
    ) -> Result<Page<(String, String)>, ApiError> {
        self.find(recovery_point_arn)
            .map(|(_, point)| (point.tags.clone().into_iter().collect(), None))
            .ok_or_else(|| {
                absent(
                    Operation::ListTags,
                    format!("the inventory has no {recovery_point_arn}"),
                )
            })
    }
}

/// Returns true if it is of this account and Region.
fn is_place(written: &AccountInventory, (account, region): &(AccountId, RegionName)) -> bool {
    *account == *written.account && *region == *written.region
}

/// Returns the refusal of AWS if there is no such thing.
fn absent(operation: Operation, message: String) -> ApiError {
    ApiError {
        operation,
        fault: Fault::Refused,
        code: None,
        request_id: None,
        message,
    }
}

fn class(class: StorageClass) -> &'static str {
    match class {
        StorageClass::Warm => "WARM",
        StorageClass::Cold => "COLD",
        StorageClass::Deleted => "DELETED",
    }
}

fn status(status: RecoveryPointStatus) -> PointStatus {
    match status {
        RecoveryPointStatus::Completed => PointStatus::Completed,
        RecoveryPointStatus::Partial => PointStatus::Partial,
        RecoveryPointStatus::Deleting => PointStatus::Deleting,
        RecoveryPointStatus::Expired => PointStatus::Expired,
        RecoveryPointStatus::Available => PointStatus::Available,
        RecoveryPointStatus::Stopped => PointStatus::Stopped,
        RecoveryPointStatus::Creating => PointStatus::Creating,
    }
}
