//! The recovery point behind a job: one of the inventory, or made up from its ARN.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::caller::Caller;
use super::catalog::{Located, malformed, unknown, vault_arn};
use super::elsewhere::partition_of;
use super::error::ApiError;
use super::resource_types::{self, Place};
use redrill_inventory::Arn;
use redrill_inventory::{
    RecoveryPoint, RecoveryPointStatus, RestoreBehaviour, StorageClass, VaultType, is_composite,
};

/// The vault of every recovery point that no inventory knows.
pub(super) const FREE_VAULT: &str = "Default";

/// The size of every recovery point that no inventory knows: that of the recorded restore of an instance in a minute.
const FREE_SIZE: u64 = 8 << 30;

/// Recovery point that a job is made from, and keeps.
#[derive(Clone, Debug)]
pub(super) enum Point {
    /// One of the inventory's.
    Listed(Arc<Located>),
    /// One that no inventory knows.
    Free(Box<FreePoint>),
}

/// Made-up facts of a recovery point that no inventory knows. Each job may have its own, so that it is small.
#[derive(Clone, Debug)]
pub(super) struct FreePoint {
    arn: Box<str>,
    resource_arn: Box<str>,
    resource_type: Cow<'static, str>,
    created_at: Timestamp,
    /// Shared by all of an account in a region.
    pub(super) vault_arn: Arc<str>,
}

impl Point {
    pub(super) fn arn(&self) -> &str {
        match self {
            Point::Listed(located) => &located.point.arn,
            Point::Free(free) => &free.arn,
        }
    }

    pub(super) fn resource_arn(&self) -> &str {
        match self {
            Point::Listed(located) => &located.point.resource_arn,
            Point::Free(free) => &free.resource_arn,
        }
    }

    pub(super) fn resource_type(&self) -> &str {
        match self {
            Point::Listed(located) => &located.point.resource_type,
            Point::Free(free) => &free.resource_type,
        }
    }

    pub(super) fn vault_arn(&self) -> &str {
        match self {
            Point::Listed(located) => &located.vault_arn,
            Point::Free(free) => &free.vault_arn,
        }
    }

    pub(super) fn created_at(&self) -> Timestamp {
        match self {
            Point::Listed(located) => located.point.created_at,
            Point::Free(free) => free.created_at,
        }
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.listed().map_or(FREE_SIZE, |point| point.size_bytes)
    }

    /// In whole GiB, as volumes are; none of a point that no inventory has, whose size is made up.
    pub(super) fn listed_gib(&self) -> Option<u64> {
        Some(self.listed()?.size_bytes.div_ceil(1 << 30))
    }

    pub(super) fn status(&self) -> RecoveryPointStatus {
        self.listed()
            .map_or_else(Default::default, |point| point.status)
    }

    pub(super) fn storage_class(&self) -> StorageClass {
        self.listed()
            .map_or_else(Default::default, |point| point.storage_class)
    }

    /// The key that encrypts it, as far as the inventory knows it.
    pub(super) fn encryption_key_arn(&self) -> Option<&str> {
        self.listed()?.encryption_key_arn.as_deref()
    }

    /// A value of GetRecoveryPointRestoreMetadata, as far as the inventory knows it.
    pub(super) fn restore_metadata(&self, key: &str) -> Option<&str> {
        let entries = &self.listed()?.restore_metadata;
        let exact = entries.get(key);
        let any_case = || {
            entries
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(key))
        };
        exact.or_else(|| Some(any_case()?.1)).map(String::as_str)
    }

    /// Returns the behaviour that the inventory wants for its restores.
    pub(super) fn behaviour(&self) -> Option<&RestoreBehaviour> {
        self.listed()?.restore.as_ref()
    }

    /// Returns true if it stands for others, its children.
    pub(super) fn is_composite(&self) -> bool {
        is_composite(self.arn())
    }

    /// Returns true if it lies in a logically air-gapped vault.
    pub(super) fn is_air_gapped(&self) -> bool {
        match self {
            Point::Listed(located) => located.vault_type != VaultType::BackupVault,
            Point::Free(_) => false,
        }
    }

    fn listed(&self) -> Option<&RecoveryPoint> {
        match self {
            Point::Listed(located) => Some(&located.point),
            Point::Free(_) => None,
        }
    }
}

impl FreePoint {
    /// The likeliest that could lie behind an ARN.
    pub(super) fn new(
        caller: &Caller,
        parsed: &Arn<'_>,
        arn: &str,
        resource_type: Option<&str>,
        created_at: Timestamp,
    ) -> Result<FreePoint, ApiError> {
        // A Region knows its own recovery points alone.
        let asked = caller.region.as_deref().unwrap_or(parsed.region);
        if !parsed.region.is_empty()
            && (asked != parsed.region || partition_of(asked) != parsed.partition)
        {
            return Err(unknown(caller, arn));
        }
        let row = match resource_type {
            Some(name) => resource_types::find(name),
            None => Some(resource_types::guess(parsed).ok_or_else(|| malformed(arn))?),
        };
        fn or<'a>(text: &'a str, other: &'a str) -> &'a str {
            if text.is_empty() { other } else { text }
        }
        let own_region = caller.region.as_deref().unwrap_or("us-east-1");
        let region = or(parsed.region, own_region);
        let account = or(parsed.account, &caller.account);
        let place = Place {
            partition: parsed.partition,
            region,
            account,
        };
        let resource_arn = match row {
            Some(row) => resource_types::source_arn(row, place, arn),
            None => arn.to_owned(),
        };
        let resource_type = match (row, resource_type) {
            (Some(row), Some(name)) if row.name == name => Cow::from(row.name.as_str()),
            (_, Some(name)) => Cow::from(name.to_owned()),
            (Some(row), None) => Cow::from(row.name.as_str()),
            (None, None) => Cow::default(),
        };
        Ok(FreePoint {
            arn: arn.into(),
            resource_arn: resource_arn.into(),
            resource_type,
            created_at,
            vault_arn: vault_arn(region, account, FREE_VAULT).into(),
        })
    }

    /// All that can be told of it.
    pub(super) fn located(self) -> Located {
        let restore_metadata = resource_types::find(&self.resource_type)
            .map(|row| resource_types::restore_metadata(row, &self.resource_arn));
        let point = RecoveryPoint {
            arn: self.arn.into(),
            resource_arn: self.resource_arn.into(),
            resource_type: self.resource_type.into_owned(),
            created_at: self.created_at,
            size_bytes: FREE_SIZE,
            restore_metadata: restore_metadata.unwrap_or_default(),
            status: RecoveryPointStatus::Completed,
            storage_class: StorageClass::Warm,
            parent: None,
            encryption_key_arn: None,
            expires_at: None,
            tags: BTreeMap::new(),
            restore: None,
        };
        Located {
            point,
            vault: FREE_VAULT.into(),
            vault_arn: self.vault_arn,
            vault_type: VaultType::BackupVault,
            vault_locked: false,
            deleted: Default::default(),
        }
    }
}
