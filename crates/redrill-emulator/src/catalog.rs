//! Recovery points that exist, for whom, and where: an inventory with an index, or anything that is well-formed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::{SignedDuration, Timestamp};

use super::caller::Caller;
use super::clock::add;
use super::deletion::Gone;
use super::directory::Directory;
use super::elsewhere::partition_of;
use super::error::{ApiError, ErrorCode};
use super::handle::no_vault;
use super::point::{FREE_VAULT, FreePoint, Point};
use super::resource_types;
use redrill_inventory::Arn;
use redrill_inventory::{
    DeclaredQuota, DeclaredResource, Deny, Inventory, PolicyDocument, RecoveryPoint, VaultType,
};

/// A recovery point and the vault that holds it.
#[derive(Debug)]
pub(super) struct Located {
    pub(super) point: RecoveryPoint,
    pub(super) vault: Arc<str>,
    pub(super) vault_arn: Arc<str>,
    pub(super) vault_type: VaultType,
    pub(super) vault_locked: bool,
    pub(super) deleted: AtomicBool,
}

impl Located {
    fn is_there(&self) -> bool {
        !self.deleted.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
pub(super) enum Catalog {
    /// Without an inventory: any well-formed recovery point ARN exists, in the vault `Default`, created at this time. Its
    /// type is one of AWS Backup, or one of these.
    Free(Timestamp, Vec<String>, Gone, Directory),
    /// With one: account and region to vaults.
    Listed(BTreeMap<(String, String), Site>, Directory),
}

/// One account in one region.
#[derive(Debug, Default)]
pub(super) struct Site {
    pub(super) vaults: BTreeMap<String, StoredVault>,
    by_arn: HashMap<String, Arc<Located>>,
    deny: Vec<Deny>,
    surroundings: BTreeMap<String, String>,
    /// None where nobody has said what exists.
    pub(super) resources: Option<Vec<DeclaredResource>>,
    pub(super) quotas: Vec<DeclaredQuota>,
}

#[derive(Debug, Default)]
pub(super) struct StoredVault {
    kind: VaultType,
    encryption_key_arn: Option<String>,
    locked: bool,
    shared_with: Vec<String>,
    pub(super) access_policy: Option<PolicyDocument>,
    points: Vec<Arc<Located>>,
}

impl StoredVault {
    fn entry(&self, account: &str, region: &str, name: &str) -> VaultEntry {
        VaultEntry {
            name: name.to_owned(),
            arn: vault_arn(region, account, name),
            recovery_points: Some(self.points.iter().filter(|one| one.is_there()).count()),
            kind: self.kind,
            encryption_key_arn: self.encryption_key_arn.clone(),
            locked: self.locked,
        }
    }
}

/// A vault as it is listed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct VaultEntry {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) recovery_points: Option<usize>,
    pub(super) kind: VaultType,
    pub(super) encryption_key_arn: Option<String>,
    pub(super) locked: bool,
}

impl Catalog {
    pub(super) fn new(
        inventory: Option<Inventory>,
        more_types: Vec<String>,
        now: Timestamp,
    ) -> Catalog {
        let Some(inventory) = inventory else {
            let created_at = add(now, -SignedDuration::from_hours(1));
            let (gone, directory) = (Gone::default(), Directory::default());
            return Catalog::Free(created_at, more_types, gone, directory);
        };
        let directory = Directory::new(&inventory.accounts);
        let mut sites: BTreeMap<(String, String), Site> = BTreeMap::new();
        for entry in inventory.accounts {
            let scope = (entry.account, entry.region);
            let site = sites.entry(scope.clone()).or_default();
            site.deny.extend(entry.deny);
            site.surroundings.extend(entry.surroundings);
            if let Some(resources) = entry.resources {
                site.resources.get_or_insert_default().extend(resources);
            }
            site.quotas.extend(entry.service_quotas);
            for (vault, contents) in entry.vaults {
                let vault_arn: Arc<str> = vault_arn(&scope.1, &scope.0, &vault).into();
                let name: Arc<str> = vault.as_str().into();
                let stored = site.vaults.entry(vault).or_default();
                stored.kind = contents.kind;
                stored.encryption_key_arn = contents.encryption_key_arn;
                stored.locked = contents.locked;
                stored.shared_with = contents.shared_with;
                stored.access_policy = contents.access_policy;
                for point in contents.recovery_points {
                    let located = Arc::new(Located {
                        point,
                        vault: Arc::clone(&name),
                        vault_arn: Arc::clone(&vault_arn),
                        vault_type: contents.kind,
                        vault_locked: contents.locked,
                        deleted: AtomicBool::new(false),
                    });
                    site.by_arn
                        .insert(located.point.arn.clone(), Arc::clone(&located));
                    stored.points.push(located);
                }
            }
        }
        Catalog::Listed(sites, directory)
    }

    /// The recovery point of a StartRestoreJob, which names no vault.
    pub(super) fn find(
        &self,
        caller: &Caller,
        arn: &str,
        resource_type: Option<&str>,
    ) -> Result<Point, ApiError> {
        let parsed = Arn::parse(arn).ok_or_else(|| malformed(arn))?;
        match self {
            Catalog::Free(created_at, more_types, gone, _) => {
                if let Some(name) = resource_type
                    && !more_types.iter().any(|other| other == name)
                {
                    supported(name)?;
                }
                let free = FreePoint::new(caller, &parsed, arn, resource_type, *created_at)?;
                if gone.has(&caller.account, arn) {
                    return Err(unknown(caller, arn));
                }
                Ok(Point::Free(Box::new(free)))
            }
            Catalog::Listed(..) => {
                let shared = || {
                    let mut shared = self.shared_points(caller);
                    shared.find(|one| one.point.arn == arn).cloned()
                };
                let found = self.known(caller, arn).or_else(shared);
                let found = found.ok_or_else(|| unknown(caller, arn))?;
                // An inventory may have a type that is younger than this.
                if let Some(name) = resource_type.filter(|name| *name != found.point.resource_type)
                {
                    supported(name)?;
                }
                Ok(Point::Listed(found))
            }
        }
    }

    /// A recovery point of the inventory.
    pub(super) fn known(&self, caller: &Caller, arn: &str) -> Option<Arc<Located>> {
        self.sites(caller)
            .find_map(|(_, site)| site.by_arn.get(arn).filter(|one| one.is_there()).cloned())
    }

    /// The vault that holds a recovery point that the caller sees, with its owner.
    pub(super) fn vault_of(&self, caller: &Caller, arn: &str) -> Option<(String, Arc<str>)> {
        let own = self.known(caller, arn);
        let own = own.map(|one| (caller.account.clone(), Arc::clone(&one.vault)));
        own.or_else(|| {
            let mut shared = self.shared_points(caller);
            let found = shared.find(|one| one.point.arn == arn)?;
            let owner = Arn::parse(&found.vault_arn)?.account.to_owned();
            Some((owner, Arc::clone(&found.vault)))
        })
    }

    /// The tags of a recovery point.
    pub(super) fn tags(
        &self,
        caller: &Caller,
        arn: &str,
    ) -> Result<BTreeMap<String, String>, ApiError> {
        match self.find(caller, arn, None)? {
            Point::Listed(located) => Ok(located.point.tags.clone()),
            Point::Free(_) => Ok(BTreeMap::new()),
        }
    }

    /// The recovery point of a call that names the vault.
    pub(super) fn find_in(
        &self,
        caller: &Caller,
        vault: &str,
        arn: &str,
    ) -> Result<Arc<Located>, ApiError> {
        let known = match self {
            Catalog::Free(..) => vault == FREE_VAULT,
            Catalog::Listed(..) => self
                .sites(caller)
                .any(|(_, site)| site.vaults.contains_key(vault)),
        };
        if !known {
            return Err(no_vault(vault));
        }
        if let Catalog::Free(created_at, _, gone, _) = self {
            let parsed = Arn::parse(arn).ok_or_else(|| malformed(arn))?;
            let free = FreePoint::new(caller, &parsed, arn, None, *created_at)?;
            if gone.has(&caller.account, arn) {
                return Err(unknown(caller, arn));
            }
            return Ok(Arc::new(free.located()));
        }
        if Arn::parse(arn).is_none() {
            return Err(malformed(arn));
        }
        self.known(caller, arn)
            .filter(|located| *located.vault == *vault)
            .ok_or_else(|| unknown(caller, arn))
    }

    /// The vaults that others share with the caller, each with its account and Region.
    fn shared_vaults(
        &self,
        caller: &Caller,
    ) -> impl Iterator<Item = (&(String, String), &String, &StoredVault)> {
        let sites = match self {
            Catalog::Free(..) => None,
            Catalog::Listed(sites, _) => Some(sites.iter()),
        };
        let account = caller.account.clone();
        let region = caller.region.clone();
        sites
            .into_iter()
            .flatten()
            .filter(move |((owner, of), _)| {
                *owner != account && region.as_ref().is_none_or(|region| region == of)
            })
            .flat_map(|(scope, site)| site.vaults.iter().map(move |(n, vault)| (scope, n, vault)))
            .filter(|(_, _, vault)| vault.shared_with.contains(&caller.account))
    }

    /// The recovery points in them.
    fn shared_points(&self, caller: &Caller) -> impl Iterator<Item = &Arc<Located>> {
        self.shared_vaults(caller)
            .flat_map(|(_, _, vault)| vault.points.iter())
            .filter(|one| one.is_there())
    }

    /// Returns true if an account shares a vault of this name with the caller.
    pub(super) fn shares(&self, owner: &str, vault: &str, caller: &Caller) -> bool {
        self.shared_vaults(caller)
            .any(|((account, _), name, _)| account == owner && name == vault)
    }

    /// The vaults that others share with the caller, as they are listed.
    pub(super) fn vaults_shared(&self, caller: &Caller) -> Vec<VaultEntry> {
        self.shared_vaults(caller)
            .map(|((account, region), name, vault)| vault.entry(account, region, name))
            .collect()
    }

    /// The vaults of the caller, by name.
    pub(super) fn vaults(&self, caller: &Caller, default_region: &str) -> Vec<VaultEntry> {
        match self {
            Catalog::Free(..) => {
                let region = caller.region.as_deref().unwrap_or(default_region);
                vec![VaultEntry {
                    name: FREE_VAULT.to_owned(),
                    arn: vault_arn(region, &caller.account, FREE_VAULT),
                    recovery_points: None,
                    kind: VaultType::BackupVault,
                    encryption_key_arn: None,
                    locked: false,
                }]
            }
            Catalog::Listed(..) => self
                .sites(caller)
                .flat_map(|((account, region), site)| {
                    let vaults = site.vaults.iter();
                    vaults.map(move |(name, vault)| vault.entry(account, region, name))
                })
                .collect(),
        }
    }

    /// Takes a recovery point away, for good.
    pub(super) fn delete(&self, caller: &Caller, arn: &str) {
        match self {
            Catalog::Free(_, _, gone, _) => gone.add(&caller.account, arn),
            Catalog::Listed(..) => {
                if let Some(found) = self.known(caller, arn) {
                    found.deleted.store(true, Ordering::Relaxed);
                }
            }
        }
    }

    /// The recovery points of the caller, by vault, in the order of the file; none without an inventory.
    pub(super) fn points(&self, caller: &Caller) -> impl Iterator<Item = &Arc<Located>> {
        self.all_points(caller).filter(|one| one.is_there())
    }

    /// With those that were deleted.
    fn all_points(&self, caller: &Caller) -> impl Iterator<Item = &Arc<Located>> {
        self.sites(caller)
            .flat_map(|(_, site)| site.vaults.values())
            .flat_map(|vault| vault.points.iter())
    }

    /// Lists the recovery points of one vault.
    pub(super) fn points_in(
        &self,
        caller: &Caller,
        vault: &str,
    ) -> Result<Vec<&Arc<Located>>, ApiError> {
        if matches!(self, Catalog::Free(..)) && vault == FREE_VAULT {
            return Ok(Vec::new());
        }
        let mut found = self
            .sites(caller)
            .filter_map(|(_, site)| site.vaults.get(vault))
            .peekable();
        match found.peek() {
            None => Err(no_vault(vault)),
            Some(_) => {
                let points = found.flat_map(|v| v.points.iter());
                Ok(points.filter(|one| one.is_there()).collect())
            }
        }
    }

    /// Lists the recovery points of one resource.
    pub(super) fn points_of(&self, caller: &Caller, resource_arn: &str) -> Vec<&Arc<Located>> {
        let points = self.points(caller);
        points
            .filter(|located| located.point.resource_arn == resource_arn)
            .collect()
    }

    /// The children of a composite recovery point.
    pub(super) fn children_of(&self, caller: &Caller, arn: &str) -> Vec<&Arc<Located>> {
        let points = self.points(caller).chain(self.shared_points(caller));
        points
            .filter(|located| located.point.parent.as_deref() == Some(arn))
            .collect()
    }

    /// The policies that the inventory stands for.
    pub(super) fn denials(&self, caller: &Caller) -> impl Iterator<Item = &Deny> {
        self.sites(caller).flat_map(|(_, site)| site.deny.iter())
    }

    /// Returns true if the inventory says anything of what lies around the backups.
    pub(super) fn is_surrounded(&self, caller: &Caller) -> bool {
        self.sites(caller)
            .any(|(_, site)| !site.surroundings.is_empty())
    }

    /// Returns what the inventory says of a thing around the backups.
    pub(super) fn surrounding(&self, caller: &Caller, thing: &str) -> Option<&str> {
        self.sites(caller)
            .find_map(|(_, site)| site.surroundings.get(thing))
            .map(String::as_str)
    }

    /// The resources that the inventory says exist, with their types as AWS Backup names them: what was backed up, and
    /// what lies around the backups.
    pub(super) fn resources(&self, caller: &Caller) -> Vec<(String, String)> {
        let backed_up = self.all_points(caller).map(|located| {
            let point = &located.point;
            (point.resource_arn.clone(), point.resource_type.clone())
        });
        let around = self.sites(caller).flat_map(|(_, site)| {
            site.surroundings.iter().filter_map(|(thing, is)| {
                let arn = thing.strip_prefix("resource ")?;
                (is == "exists").then(|| (arn.to_owned(), String::new()))
            })
        });
        backed_up.chain(around).collect()
    }

    /// The accounts and regions that the caller sees: its own; every region of it when the request is not signed.
    pub(super) fn sites(
        &self,
        caller: &Caller,
    ) -> impl Iterator<Item = (&(String, String), &Site)> {
        let sites = match self {
            Catalog::Free(..) => None,
            Catalog::Listed(sites, _) => Some(sites.iter()),
        };
        sites
            .into_iter()
            .flatten()
            .filter(move |((account, region), _)| {
                *account == caller.account && caller.region.as_ref().is_none_or(|r| r == region)
            })
    }
}

/// <https://docs.aws.amazon.com/aws-backup/latest/devguide/access-control.html>
pub(super) fn vault_arn(region: &str, account: &str, name: &str) -> String {
    let partition = partition_of(region);
    let mut arn = String::with_capacity(48 + region.len() + name.len());
    for part in [
        "arn:",
        partition,
        ":backup:",
        region,
        ":",
        account,
        ":backup-vault:",
        name,
    ] {
        arn.push_str(part);
    }
    arn
}

pub(super) fn malformed(arn: &str) -> ApiError {
    ApiError::invalid(
        "RecoveryPointArn",
        format!("Invalid recovery point ARN: {arn}"),
    )
}

/// Refuses what is no resource type of AWS Backup, in the words that AWS has for an ARN of such a one,
/// <https://github.com/aws/aws-sdk-go-v2/issues/1904>; that StartRestoreJob has the same is an assumption.
fn supported(resource_type: &str) -> Result<(), ApiError> {
    match resource_types::find(resource_type) {
        Some(_) => Ok(()),
        None => Err(ApiError::invalid(
            "ResourceType",
            format!("Unsupported resource type: {resource_type}"),
        )),
    }
}

pub(super) fn unknown(caller: &Caller, arn: &str) -> ApiError {
    let region = caller.region.as_deref().unwrap_or("any region");
    let account = &caller.account;
    ApiError::new(
        ErrorCode::ResourceNotFound,
        format!("Recovery point {arn} does not exist in account {account}, {region}."),
    )
}
