//! State of one target in a run.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::duplicate_watch::DuplicateSearch;
use super::flight::Retries;
use super::outage::Outage;
use super::poller::Poller;
use crate::backup::{Job, Operation};

/// One target of a run.
#[derive(Debug, Default)]
pub(super) struct TargetState {
    /// The jobs that are followed there.
    pub(super) poller: Poller,
    /// Progress of the search for what others start.
    pub(super) look: DuplicateSearch,
    /// Jobs of the plan's recovery points that were there before, by recovery point.
    pub(super) existing: HashMap<String, Vec<Job>>,
    /// Recovery points of more than one restore.
    pub(super) shared: HashSet<String>,
    /// Operations that fail.
    pub(super) outages: BTreeMap<Operation, Outage>,
    /// Listings that got no good answer.
    pub(super) retries: Retries,
}

impl TargetState {
    /// Returns true if no job is followed there.
    pub(super) fn follows_none(&self) -> bool {
        self.poller.is_empty()
    }

    /// The jobs of a recovery point that were there already.
    pub(super) fn existing_jobs(&self, recovery_point_arn: &str) -> &[Job] {
        let jobs = self.existing.get(recovery_point_arn);
        jobs.map_or(&[], Vec::as_slice)
    }
}
