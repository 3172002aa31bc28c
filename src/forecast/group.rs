//! Restores that take the same time but for their size: those of a type, or of a variant of one; and what is known of them
//! before anything has happened.

use crate::render::Metadata;
use crate::rules::{Estimate, TypeNotes, UNKNOWN_ESTIMATE};

/// A resource type, and the variant where its rules tell several apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DurationGroup {
    /// AWS's name of the type.
    pub resource_type: String,
    /// The variant, as the type's rules call it.
    pub variant: Option<String>,
}

impl std::fmt::Display for DurationGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.variant {
            Some(variant) => write!(f, "{} ({variant})", self.resource_type),
            None => f.write_str(&self.resource_type),
        }
    }
}

/// The variant of a request.
pub(super) fn variant(resource_type: &str, metadata: &Metadata) -> Option<String> {
    let notes = TypeNotes::of(resource_type)?;
    notes.estimate.variant(metadata).map(str::to_owned)
}

/// Knowledge of a type without any history.
#[derive(Clone, Debug, PartialEq)]
pub struct Prior {
    /// For a backup of no size, seconds.
    pub fixed: f64,
    /// Rate in MiB of the backup's size a second; none if size is not said to count.
    pub mib_per_second: Option<f64>,
    /// True if that was published; else it is an assumption.
    pub is_published: bool,
    /// Source of the numbers.
    pub source: String,
}

impl Prior {
    /// Of a resource type, as its rules say it.
    #[must_use]
    pub fn of(resource_type: &str) -> Self {
        match TypeNotes::of(resource_type) {
            Some(notes) => Self::from(&notes.estimate),
            None => Self {
                fixed: UNKNOWN_ESTIMATE.as_secs_f64(),
                mib_per_second: None,
                is_published: false,
                source: "assumption: redrill does not know the type".to_owned(),
            },
        }
    }
}

impl From<&Estimate> for Prior {
    fn from(estimate: &Estimate) -> Self {
        Self {
            fixed: estimate.fixed.as_secs_f64(),
            mib_per_second: estimate
                .mib_per_second
                .map(|rate| SMALLEST_RATE.max(rate as f64)),
            is_published: estimate.published,
            source: estimate.source.clone(),
        }
    }
}

/// MiB a second.
const SMALLEST_RATE: f64 = 0.001;
