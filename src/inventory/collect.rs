//! An account's vaults and recovery points, read from AWS into an inventory.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::backup::{
    ApiError, PointQuery, PointStatus, RecoveryPoint, Sources, Vault, all_points, all_vaults,
    ask_all,
};
use crate::ids::{AccountId, RegionName};
use crate::render::{VaultName, without_secrets};
use crate::rules::is_point;
use redrill_inventory::{
    AccountInventory, RecoveryPoint as Written, RecoveryPointStatus, StorageClass,
    Vault as WrittenVault, VaultType,
};

/// Filter of what is recorded.
#[derive(Clone, Debug, Default)]
pub struct InventoryFilter {
    /// These vaults; all where there is none.
    pub vaults: Vec<String>,
    /// These types; all where there is none.
    pub types: Vec<String>,
    /// Recovery points of these resources, or these recovery points; all where there is none.
    pub resources: Vec<String>,
    /// Values that look like secrets as well.
    pub secrets: bool,
    /// Owner of the vaults, which are named then, if another account shares them; and the account that it shares them
    /// with.
    pub shared: Option<(AccountId, AccountId)>,
}

/// Progress of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CollectionStage {
    /// A vault's recovery points are listed.
    Listed {
        /// Its name.
        vault: String,
        /// Number of them that are wanted.
        points: usize,
    },
    /// So many recovery points will be asked about.
    Total(usize),
    /// One of them has been.
    One,
}

/// An account and Region as it was read.
#[derive(Debug)]
pub struct Collected {
    /// Contents of an inventory file.
    pub inventory: AccountInventory,
    /// Omissions from the file, and why; in the order of the file.
    pub notes: Vec<String>,
    /// Vaults, types and resources that were asked for and are not there.
    pub missing: Vec<String>,
}

impl InventoryFilter {
    fn takes(&self, point: &RecoveryPoint) -> bool {
        let among = |list: &[String], text: &str| list.is_empty() || list.iter().any(|l| l == text);
        let of_type = point.resource_type.as_deref().unwrap_or_default();
        let is_type = self.types.is_empty()
            || self
                .types
                .iter()
                .any(|name| name.eq_ignore_ascii_case(of_type));
        is_type
            && (among(&self.resources, &point.resource_arn) || among(&self.resources, &point.arn))
    }

    /// The narrowest question that has everything wanted in its answer.
    fn query(&self, vault: &str) -> PointQuery {
        // A recovery point is no resource, and AWS does not take it for one.
        let resource = match self.resources.as_slice() {
            [one] if !is_point(one) => Some(one.clone()),
            _ => None,
        };
        PointQuery::InVault {
            vault: VaultName {
                name: vault.to_owned(),
                account: self.shared.as_ref().map(|(owner, _)| owner.clone()),
            },
            resource_arn: resource,
            resource_type: None,
        }
    }
}

/// Vaults and recovery points as they are listed.
#[derive(Debug, Default)]
pub struct InventoryListing {
    /// Recovery points that are wanted, each in one vault alone, by vault, resource and age.
    pub points: Vec<RecoveryPoint>,
    /// Parts that could not be listed, and why.
    pub notes: Vec<String>,
    /// Vaults, types and resources that were asked for and are not there.
    pub missing: Vec<String>,
    vaults: BTreeMap<String, WrittenVault>,
}

/// Lists the vaults and recovery points that are wanted.
///
/// # Errors
///
/// Where AWS does not answer. What it refuses of a single vault is a note.
pub async fn list<R: Sources>(
    reader: &R,
    wanted: &InventoryFilter,
    step: &mut impl FnMut(CollectionStage),
) -> Result<InventoryListing, ApiError> {
    let mut listed = InventoryListing::default();
    let mut seen = HashSet::new();
    let vaults = match &wanted.shared {
        None => all_vaults(reader).await?,
        // The caller's listing does not have them, and the owner's is not the caller's to read.
        Some(_) => wanted
            .vaults
            .iter()
            .map(|name| shared_vault(name))
            .collect(),
    };
    let is_wanted = |vault: &Vault| wanted.vaults.is_empty() || wanted.vaults.contains(&vault.name);
    let vaults = vaults.into_iter().filter(is_wanted);
    let questions =
        vaults.map(
            async |vault| match all_points(reader, &wanted.query(&vault.name)).await {
                Ok(found) => Ok((vault, Ok(found))),
                Err(err) if err.may_mean_absence() => Ok((vault, Err(err.message))),
                Err(err) => Err(err),
            },
        );
    let take = |(vault, found): (Vault, Result<Vec<RecoveryPoint>, String>)| {
        let found = found.unwrap_or_else(|why| {
            let note = format!("vault {}: not listed: {why}", vault.name);
            listed.notes.push(note);
            Vec::new()
        });
        let before = listed.points.len();
        for point in found.into_iter().filter(|point| wanted.takes(point)) {
            // A file has each recovery point in one place.
            if seen.insert(point.arn.clone()) {
                listed.points.push(point);
            } else {
                let note = format!("{}: in a second vault, {}", point.arn, vault.name);
                listed.notes.push(note);
            }
        }
        step(CollectionStage::Listed {
            vault: vault.name.clone(),
            points: listed.points.len() - before,
        });
        let mut written = written_vault(&vault);
        written
            .shared_with
            .extend(wanted.shared.iter().map(|(_, caller)| caller.to_string()));
        listed.vaults.insert(vault.name, written);
    };
    ask_all(questions, take).await?;
    listed.missing = missing(wanted, &listed.vaults, &listed.points);
    listed.points.sort_by(|a, b| {
        (&a.vault, &a.resource_arn, a.created_at, &a.arn).cmp(&(
            &b.vault,
            &b.resource_arn,
            b.created_at,
            &b.arn,
        ))
    });
    Ok(listed)
}

/// Reads the vaults and recovery points that are wanted, with their restore metadata.
///
/// # Errors
///
/// Where AWS does not answer. What it refuses of a single vault or recovery point is a note.
pub async fn collect<R: Sources>(
    reader: &R,
    account: &AccountId,
    region: &RegionName,
    wanted: &InventoryFilter,
    step: &mut impl FnMut(CollectionStage),
) -> Result<Collected, ApiError> {
    let InventoryListing {
        points,
        mut notes,
        missing,
        mut vaults,
    } = list(reader, wanted, step).await?;
    for (point, metadata) in ask(reader, points, step).await? {
        let arn = point.arn.clone();
        let metadata = match metadata {
            Ok(metadata) => metadata,
            Err(reason) => {
                notes.push(format!("{arn}: without restore metadata: {reason}"));
                BTreeMap::new()
            }
        };
        let metadata = match wanted.secrets {
            true => metadata,
            false => without(metadata, &arn, &mut notes),
        };
        let vault = point.vault.clone();
        match written(point, metadata) {
            Ok(point) => {
                let vault: &mut WrittenVault = vaults.entry(vault).or_default();
                vault.recovery_points.push(point);
            }
            Err(reason) => notes.push(format!("{arn}: not recorded: {reason}")),
        }
    }
    Ok(Collected {
        inventory: AccountInventory {
            account: account.to_string(),
            region: region.to_string(),
            vaults,
            ..AccountInventory::default()
        },
        notes,
        missing,
    })
}

/// A recovery point with what no listing says, and its restore metadata or why there is none.
pub type DescribedPoint = (RecoveryPoint, Result<BTreeMap<String, String>, String>);

/// Asks about every recovery point, several at once; the answers come in the order of the questions.
///
/// # Errors
///
/// Where AWS does not answer.
pub async fn ask<R: Sources>(
    reader: &R,
    points: Vec<RecoveryPoint>,
    step: &mut impl FnMut(CollectionStage),
) -> Result<Vec<DescribedPoint>, ApiError> {
    step(CollectionStage::Total(points.len()));
    let mut all = Vec::with_capacity(points.len());
    let questions = points.into_iter().map(|point| one(reader, point));
    let take = |asked| {
        all.push(asked);
        step(CollectionStage::One);
    };
    ask_all(questions, take).await?;
    Ok(all)
}

async fn one<R: Sources>(reader: &R, point: RecoveryPoint) -> Result<DescribedPoint, ApiError> {
    let vault = point.vault_name();
    let (described, metadata) = tokio::join!(
        reader.point(&vault, &point.arn),
        reader.restore_metadata(&vault, &point.arn),
    );
    let described = match described {
        Ok(Some(described)) => RecoveryPoint {
            // Values that only one of the two gives are kept.
            resource_type: described.resource_type.or(point.resource_type),
            parent: described.parent.or(point.parent),
            ..described
        },
        Ok(None) => point,
        Err(err) if err.may_mean_absence() => point,
        Err(err) => return Err(err),
    };
    let metadata = match metadata {
        Ok(metadata) => Ok(metadata),
        Err(err) if err.may_mean_absence() => Err(err.message),
        Err(err) => return Err(err),
    };
    Ok((described, metadata))
}

fn without(
    metadata: BTreeMap<String, String>,
    arn: &str,
    notes: &mut Vec<String>,
) -> BTreeMap<String, String> {
    let mut kept = BTreeMap::new();
    let mut left_out = Vec::new();
    for (key, value) in metadata {
        let (value, names) = without_secrets(&key, &value);
        left_out.extend(names);
        if let Some(value) = value {
            kept.insert(key, value);
        }
    }
    if !left_out.is_empty() {
        notes.push(format!(
            "{arn}: left out, as it looks like a secret: {}",
            left_out.join(", ")
        ));
    }
    kept
}

fn missing(
    wanted: &InventoryFilter,
    vaults: &BTreeMap<String, WrittenVault>,
    points: &[RecoveryPoint],
) -> Vec<String> {
    let types: BTreeSet<String> = points
        .iter()
        .filter_map(|point| Some(point.resource_type.as_ref()?.to_lowercase()))
        .collect();
    let found: HashSet<&str> = points
        .iter()
        .flat_map(|point| [point.resource_arn.as_str(), point.arn.as_str()])
        .collect();
    let no_vault = wanted
        .vaults
        .iter()
        .filter(|name| !vaults.contains_key(*name))
        .map(|name| format!("there is no vault `{name}`"));
    let no_type = wanted
        .types
        .iter()
        .filter(|name| !types.contains(&name.to_lowercase()))
        .map(|name| format!("there is no recovery point of type `{name}`"));
    let no_resource = wanted
        .resources
        .iter()
        .filter(|arn| !found.contains(arn.as_str()))
        .map(|arn| format!("there is no recovery point of {arn}"));
    no_vault.chain(no_type).chain(no_resource).collect()
}

/// Only logically air-gapped vaults can be shared
/// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/logicallyairgappedvault.html>).
fn shared_vault(name: &str) -> Vault {
    Vault {
        name: name.to_owned(),
        kind: Some("LOGICALLY_AIR_GAPPED_BACKUP_VAULT".to_owned()),
        ..Vault::default()
    }
}

fn written_vault(vault: &Vault) -> WrittenVault {
    WrittenVault {
        kind: match vault.kind.as_deref() {
            Some("LOGICALLY_AIR_GAPPED_BACKUP_VAULT") => VaultType::LogicallyAirGappedBackupVault,
            Some("RESTORE_ACCESS_BACKUP_VAULT") => VaultType::RestoreAccessBackupVault,
            _ => VaultType::BackupVault,
        },
        encryption_key_arn: vault.encryption_key_arn.clone(),
        locked: vault.locked,
        ..WrittenVault::default()
    }
}

/// A recovery point as a file has it, or why a file cannot have it.
fn written(
    point: RecoveryPoint,
    restore_metadata: BTreeMap<String, String>,
) -> Result<Written, String> {
    let status = match &point.status {
        PointStatus::Completed => RecoveryPointStatus::Completed,
        PointStatus::Partial => RecoveryPointStatus::Partial,
        PointStatus::Deleting => RecoveryPointStatus::Deleting,
        PointStatus::Expired => RecoveryPointStatus::Expired,
        PointStatus::Available => RecoveryPointStatus::Available,
        PointStatus::Stopped => RecoveryPointStatus::Stopped,
        PointStatus::Creating => RecoveryPointStatus::Creating,
        PointStatus::Unknown(status) => return Err(format!("its status is {status}")),
    };
    let lacks = |what: &str| format!("AWS says nothing of its {what}");
    if point.resource_arn.is_empty() {
        return Err(lacks("resource"));
    }
    Ok(Written {
        arn: point.arn,
        resource_arn: point.resource_arn,
        resource_type: point.resource_type.ok_or_else(|| lacks("type"))?,
        created_at: point.created_at.ok_or_else(|| lacks("creation"))?,
        size_bytes: u64::try_from(point.size_bytes.unwrap_or_default()).unwrap_or_default(),
        restore_metadata,
        status,
        storage_class: match point.storage_class.as_deref() {
            Some("COLD") => StorageClass::Cold,
            Some("DELETED") => StorageClass::Deleted,
            _ => StorageClass::Warm,
        },
        parent: point.parent,
        encryption_key_arn: point.encryption_key_arn,
        expires_at: point.expires_at,
        tags: BTreeMap::new(),
        restore: None,
    })
}

/// Beginning of every recorded inventory.
pub const HEADER: &str = "# Recorded by `redrill inventory`";

/// The text of an inventory file: a document for each account and Region.
#[must_use]
pub fn text(collected: &[Collected]) -> String {
    let mut text = String::from(HEADER);
    text.push_str(": vaults, recovery points and their restore metadata.\n");
    for (at, one) in collected.iter().enumerate() {
        if at > 0 {
            text.push_str("---\n");
        }
        for note in &one.notes {
            // A note is one line, whatever AWS says in it.
            let note: Vec<&str> = note.split_whitespace().collect();
            text.push_str(&format!("# {}\n", note.join(" ")));
        }
        // Maps of texts and numbers: there is nothing in it that YAML could not hold.
        text.push_str(&serde_yaml::to_string(&one.inventory).unwrap_or_default());
    }
    text
}
