//! Recovery points by their ARN alone, which does not say in which vault they are.

use std::collections::BTreeMap;

use tokio::sync::OnceCell;

use super::{ApiError, RecoveryPoint, Sources, all_vaults};
use crate::render::{SourceFacts, VaultName};

/// The vaults of a caller, listed when they are first needed.
#[derive(Debug, Default)]
pub struct Vaults(OnceCell<Vec<VaultName>>);

impl Vaults {
    /// A recovery point and its restore metadata, out of the vault that is named, or the first that has it; each call is the
    /// reader's own.
    ///
    /// # Errors
    ///
    /// Where AWS does not answer, or the caller may not ask.
    pub async fn source<R: Sources>(
        &self,
        reader: &R,
        recovery_point_arn: &str,
        vault: Option<&VaultName>,
    ) -> Result<Option<SourceFacts>, ApiError> {
        // Every call that describes a recovery point wants its vault.
        let vaults = match vault {
            Some(vault) => std::slice::from_ref(vault),
            None => self.0.get_or_try_init(|| listed(reader)).await?,
        };
        for vault in vaults {
            let Some(point) = reader.point(vault, recovery_point_arn).await? else {
                continue;
            };
            match reader.restore_metadata(vault, recovery_point_arn).await {
                Ok(metadata) => return Ok(Some(facts(point, metadata))),
                Err(err) if err.may_mean_absence() && !err.lacks_permission() => {}
                Err(err) => return Err(err),
            }
        }
        Ok(None)
    }
}

async fn listed<R: Sources>(reader: &R) -> Result<Vec<VaultName>, ApiError> {
    let vaults = all_vaults(reader).await?;
    let names = vaults.iter().map(|vault| VaultName::own(&vault.name));
    Ok(names.collect())
}

fn facts(point: RecoveryPoint, metadata: BTreeMap<String, String>) -> SourceFacts {
    SourceFacts {
        created_at: point
            .created_at
            .map(|at| at.to_string())
            .unwrap_or_default(),
        resource_arn: point.resource_arn,
        size_bytes: point.size_bytes.unwrap_or_default(),
        metadata,
        resource_type: point.resource_type,
        expires_at: point.expires_at.map(|at| at.to_string()),
        storage_class: point.storage_class,
        is_parent: point.is_parent,
    }
}
