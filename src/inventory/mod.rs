//! An inventory file as a world without credentials: recovery points as they were recorded.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::diff::{ApiError, Sources};
use crate::emulator::{Inventory, InventoryError, StorageClass};
use crate::render::SourceFacts;

/// The recovery points of an inventory file, by ARN.
#[derive(Debug)]
pub struct Recorded {
    points: HashMap<String, SourceFacts>,
}

impl Recorded {
    /// Reads an inventory file.
    ///
    /// # Errors
    ///
    /// Where the text is no inventory, with the place.
    pub fn parse(text: &str) -> Result<Self, InventoryError> {
        Ok(Self::new(&Inventory::parse(text)?))
    }

    /// The recovery points of an inventory.
    #[must_use]
    pub fn new(inventory: &Inventory) -> Self {
        let parents: HashSet<&str> = inventory
            .recovery_points()
            .filter_map(|(_, _, point)| point.parent.as_deref())
            .collect();
        let points = inventory
            .recovery_points()
            .map(|(_, _, point)| {
                let facts = SourceFacts {
                    created_at: point.created_at.to_string(),
                    resource_arn: point.resource_arn.clone(),
                    size_bytes: i64::try_from(point.size_bytes).unwrap_or(i64::MAX),
                    metadata: point.restore_metadata.clone(),
                    storage_class: Some(
                        match point.storage_class {
                            StorageClass::Warm => "WARM",
                            StorageClass::Cold => "COLD",
                            StorageClass::Deleted => "DELETED",
                        }
                        .to_owned(),
                    ),
                    is_parent: parents.contains(point.arn.as_str()),
                };
                (point.arn.clone(), facts)
            })
            .collect();
        Self { points }
    }
}

impl Recorded {
    /// Everything there is, by ARN.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, SourceFacts> {
        self.points
            .iter()
            .map(|(arn, facts)| (arn.clone(), facts.clone()))
            .collect()
    }
}

impl Sources for Recorded {
    async fn source(&self, recovery_point_arn: &str) -> Result<Option<SourceFacts>, ApiError> {
        Ok(self.points.get(recovery_point_arn).cloned())
    }
}
