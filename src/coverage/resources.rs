//! Recovery points to the resources that they protect.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::backup::RecoveryPoint;

/// A resource that somebody claims is protected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProtectedResource {
    /// Its ARN.
    pub arn: String,
    /// AWS's name of its type; empty where nobody says.
    pub resource_type: String,
    /// Tags of its latest recovery point, where they were asked for.
    pub tags: BTreeMap<String, String>,
    /// The size of its latest recovery point, bytes.
    pub bytes: u64,
    /// Its latest recovery point.
    pub latest: Option<String>,
    /// Until when it has a recovery point that can be restored: the end of time where one is never deleted; none where there is
    /// none now.
    pub usable_until: Option<Timestamp>,
}

impl ProtectedResource {
    /// A resource that AWS calls protected, whatever it has.
    #[must_use]
    pub fn claimed(arn: &str, resource_type: &str) -> Self {
        Self {
            arn: arn.to_owned(),
            resource_type: resource_type.to_owned(),
            ..Self::default()
        }
    }

    /// Returns true if it can be restored at a time.
    #[must_use]
    pub fn is_usable(&self, at: Timestamp) -> bool {
        self.usable_until.is_some_and(|until| at < until)
    }
}

/// The resources of some recovery points, and others that AWS calls protected, by ARN.
#[must_use]
pub fn protected(
    points: &[RecoveryPoint],
    claimed: impl IntoIterator<Item = ProtectedResource>,
) -> Vec<ProtectedResource> {
    let mut all: BTreeMap<String, ProtectedResource> = BTreeMap::new();
    for resource in claimed {
        all.entry(resource.arn.clone()).or_insert(resource);
    }
    let mut made: BTreeMap<&str, Option<Timestamp>> = BTreeMap::new();
    for point in points.iter().filter(|point| !point.resource_arn.is_empty()) {
        let of = all
            .entry(point.resource_arn.clone())
            .or_insert_with(|| ProtectedResource::claimed(&point.resource_arn, ""));
        if let Some(name) = &point.resource_type {
            of.resource_type.clone_from(name);
        }
        let is_there =
            point.storage_class.as_deref() != Some("DELETED") && !point.deleted_after_copy;
        if point.status.is_restorable() && is_there {
            let until = point.expires_at.unwrap_or(Timestamp::MAX);
            of.usable_until = of.usable_until.max(Some(until));
        }
        let newest = made.entry(&point.resource_arn).or_default();
        if of.latest.is_none() || point.created_at > *newest {
            *newest = point.created_at;
            of.latest = Some(point.arn.clone());
            of.bytes = u64::try_from(point.size_bytes.unwrap_or_default()).unwrap_or_default();
        }
    }
    all.into_values().collect()
}
