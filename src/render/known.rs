//! Facts that are known besides the inputs: recovery points, and what restores have made.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Resolved;
use crate::ids::{JobId, RestoreName};

/// Facts that a template may ask of the recovery point.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceFacts {
    /// Creation time of the recovery point, RFC 3339.
    pub created_at: String,
    /// The resource that was backed up.
    pub resource_arn: String,
    /// The size of the backup, bytes.
    pub size_bytes: i64,
    /// Metadata that GetRecoveryPointRestoreMetadata returns.
    pub metadata: BTreeMap<String, String>,
    /// AWS's name of the type; absent where whoever recorded it did not say.
    pub resource_type: Option<String>,
    /// Time at which AWS Backup deletes it, RFC 3339; absent where it keeps it.
    pub expires_at: Option<String>,
    /// WARM, COLD or DELETED; AWS does not say it of every point.
    pub storage_class: Option<String>,
    /// True if other recovery points belong to it.
    pub is_parent: bool,
}

/// Result of a completed restore, for the templates of those that need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// The restore job.
    pub job_id: JobId,
    /// The resource it made.
    pub resource_arn: String,
}

/// Recovery points by ARN and finished restores by name: what is known besides the inputs.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// By the ARN of the recovery point.
    pub sources: BTreeMap<String, SourceFacts>,
    /// By the name of the restore; shared with every template that is being evaluated.
    pub created: Arc<BTreeMap<RestoreName, Created>>,
    /// Results of selectors, by the name of the restore.
    pub resolved: BTreeMap<RestoreName, Arc<Resolved>>,
}
