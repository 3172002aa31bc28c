//! Record of what a run has made, by its journal: attempt by attempt, with what nested jobs have made.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use crate::ids::{ClientToken, JobId, PlaceIndex, RestoreName};
use crate::render::Metadata;
use crate::state::{Event, NestedJob, Places, Recorded};

/// One request of a restore, and what came of it.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    pub(super) resource_type: String,
    pub(super) metadata: Metadata,
    pub(super) recovery_point_arn: String,
    /// The index of the target that it was meant for.
    pub(super) place: PlaceIndex,
    pub(super) job_id: Option<JobId>,
    /// True if the run has started the job, as far as is known.
    pub(super) ours: Option<bool>,
    /// Time at which AWS created the job.
    pub(super) started_at: Option<Timestamp>,
    /// Time at which it ended, by AWS's clock or, if that was not told, by that of the run.
    pub(super) ended_at: Option<Timestamp>,
    /// Resource that it has made, as AWS says.
    pub(super) made: Option<String>,
    /// Reason why it is not what was asked for, if the run has found that.
    pub(super) mismatch: Option<String>,
    /// Its nested jobs; none where nobody has asked.
    pub(super) nested: Option<Vec<NestedJob>>,
}

/// Facts from the journal that are needed here.
pub(super) struct CleanupRecord {
    /// The plan's name and the run id.
    pub(super) run: String,
    /// Time at which the run was opened.
    pub(super) start: Timestamp,
    /// By restore, from the first attempt to the last.
    pub(super) attempts: BTreeMap<RestoreName, Vec<Attempt>>,
    /// Entries that `protect` had whenever the run was taken up.
    pub(super) protect: BTreeSet<String>,
    /// All jobs of the run.
    pub(super) jobs: BTreeSet<JobId>,
    needs: HashMap<RestoreName, Vec<RestoreName>>,
    /// Number of times that each thing was left, or was gone: a later attempt may make what has its name.
    ended: BTreeMap<(RestoreName, String), u32>,
}

impl CleanupRecord {
    pub(super) fn of(events: &[Recorded]) -> Self {
        let mut record = Self {
            run: String::new(),
            start: Timestamp::MAX,
            attempts: BTreeMap::new(),
            protect: BTreeSet::new(),
            jobs: BTreeSet::new(),
            needs: HashMap::new(),
            ended: BTreeMap::new(),
        };
        let mut places = Places::default();
        for recorded in events {
            places.take(&recorded.event);
            record.take(recorded, &places);
        }
        record
    }

    fn take(&mut self, recorded: &Recorded, places: &Places) {
        match &recorded.event {
            Event::RunOpened { plan, run, .. } => {
                self.start = recorded.at;
                self.run = format!("{plan}/{run}");
            }
            Event::Planned { outline } => {
                // Restores that a plan has lost since still need what they needed.
                let restores = outline.restores.iter();
                let needs = restores.map(|r| (r.name.clone(), r.needs.clone()));
                self.needs.extend(needs);
                self.protect.extend(outline.protect.iter().cloned());
            }
            Event::Intended {
                restore, request, ..
            } => {
                let attempts = self.attempts.entry(restore.clone()).or_default();
                // The same request again, after a refusal of the caller.
                if attempts.last().is_some_and(|last| last.job_id.is_none()) {
                    attempts.pop();
                }
                attempts.push(Attempt {
                    resource_type: request.resource_type.clone(),
                    metadata: request.metadata.clone(),
                    recovery_point_arn: request.recovery_point_arn.clone(),
                    place: places.place(restore),
                    ..Attempt::default()
                });
            }
            Event::Adopted {
                restore,
                job_id,
                ours,
                ..
            } => self.has_job(restore, job_id, *ours),
            Event::Accepted {
                restore, job_id, ..
            } => self.has_job(restore, job_id, Some(true)),
            Event::Completed {
                restore,
                created_resource_arn,
                started_at,
                ended_at,
                mismatch,
                ..
            } => {
                if let Some(last) = self.last(restore) {
                    last.started_at = *started_at;
                    last.ended_at = Some(ended_at.unwrap_or(recorded.at_aws()));
                    last.made.clone_from(created_resource_arn);
                    last.mismatch.clone_from(mismatch);
                }
            }
            Event::Failed {
                restore,
                created_resource_arn,
                started_at,
                ended_at,
                ..
            } => {
                if let Some(last) = self.last(restore) {
                    last.started_at = *started_at;
                    last.ended_at = Some(ended_at.unwrap_or(recorded.at_aws()));
                    last.made.clone_from(created_resource_arn);
                }
            }
            Event::Nested {
                restore,
                job_id,
                jobs,
            } => {
                self.jobs.extend(jobs.iter().map(|job| job.job_id.clone()));
                let attempts = self.attempts.get_mut(restore).into_iter().flatten();
                for attempt in attempts {
                    if attempt.job_id.as_ref() == Some(job_id) {
                        attempt.nested = Some(jobs.clone());
                    }
                }
            }
            Event::DeletionFailed { restore, arn, .. } | Event::Deleted { restore, arn } => {
                let of = (restore.clone(), arn.clone());
                *self.ended.entry(of).or_default() += 1;
            }
            _ => {}
        }
    }

    fn last(&mut self, restore: &RestoreName) -> Option<&mut Attempt> {
        self.attempts.get_mut(restore)?.last_mut()
    }

    fn has_job(&mut self, restore: &RestoreName, job_id: &JobId, ours: Option<bool>) {
        self.jobs.insert(job_id.to_owned());
        if let Some(last) = self.last(restore) {
            last.job_id = Some(job_id.to_owned());
            last.ours = ours;
        }
    }

    /// The client token of a deletion: the same has the same, whoever asks for it; once that has ended it is
    /// another.
    pub(super) fn token(&self, restore: &RestoreName, arn: &str) -> ClientToken {
        let of = (restore.to_owned(), arn.to_owned());
        let nth = self.ended.get(&of).copied().unwrap_or(0);
        let name = format!("urn:redrill:cleanup:{}:{arn}:{nth}", self.run);
        let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, name.as_bytes());
        ClientToken::new(id.to_string())
    }

    /// Returns the number of restores between it and one that needs nothing.
    pub(super) fn depth(&self, restore: &RestoreName) -> usize {
        let mut depth = 0;
        let mut level = BTreeSet::from([restore]);
        while depth <= self.needs.len() {
            level = level
                .into_iter()
                .filter_map(|name| self.needs.get(name))
                .flatten()
                .collect();
            if level.is_empty() {
                break;
            }
            depth += 1;
        }
        depth
    }
}
