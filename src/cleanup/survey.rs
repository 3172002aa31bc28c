//! What AWS says, before anybody is asked, of what is to be deleted: whether a name was given again since, and which nested
//! jobs a job has that nobody has listed yet.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::record::Record;
use super::{Fate, Found, Item, Named};
use crate::diff::Job;
use crate::execute::{NestedJob, Recorded};

/// How far AWS's services may be apart about the time, and a job's end behind what it made.
const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// How long a name is taken for that of what the run made, where AWS does not tell when that was made.
const FRESH: SignedDuration = SignedDuration::from_hours(24);

/// What is known of what is to be deleted by a name that somebody can have given again.
#[derive(Debug, Default)]
pub struct Known {
    /// What exists, by place, type and identifier; names that nobody has looked for are not in it.
    pub found: BTreeMap<(usize, String, String), Option<Found>>,
    /// Jobs of AWS Backup that ended later, by place.
    pub later: BTreeMap<usize, Vec<Job>>,
}

impl Known {
    /// Where an answer about a resource is kept.
    #[must_use]
    pub fn key(named: &Named) -> (usize, String, String) {
        (
            named.place,
            named.type_name.clone(),
            named.identifier.clone(),
        )
    }
}

/// What is to be deleted by a name: what to look for, and since when somebody can have given it again.
pub fn by_name(levels: &[Vec<Item>]) -> impl Iterator<Item = (&Named, Option<Timestamp>)> {
    levels.iter().flatten().filter_map(|item| match &item.fate {
        Fate::Delete { named, .. } if named.is_name => Some((named, item.ended_at)),
        _ => None,
    })
}

/// Jobs that others may be nested in which nobody has listed, or which had not ended: the restore, the job and its target.
#[must_use]
pub fn unlisted(events: &[Recorded]) -> Vec<(String, String, usize)> {
    let mut unlisted = Vec::new();
    for (restore, attempts) in Record::of(events).attempts {
        for attempt in attempts {
            let is_known = attempt
                .nested
                .as_ref()
                .is_some_and(|jobs| jobs.iter().all(NestedJob::has_ended));
            // The only type whose composite recovery points are restored as a whole:
            // <https://docs.aws.amazon.com/aws-backup/latest/devguide/restoring-eks.html>
            let may_be_parent = attempt.nested.is_some() || attempt.resource_type == "EKS";
            if let (Some(job_id), Some(_), false, true) =
                (attempt.job_id, attempt.ended_at, is_known, may_be_parent)
            {
                unlisted.push((restore.clone(), job_id, attempt.place));
            }
        }
    }
    unlisted
}

/// Leaves out what was made again since by somebody else, and says of what that cannot be told.
pub fn survey(levels: &mut [Vec<Item>], events: &[Recorded], known: &Known, now: Timestamp) {
    let ours = Record::of(events).jobs;
    for item in levels.iter_mut().flatten() {
        let Fate::Delete { named, doubt, .. } = &mut item.fate else {
            continue;
        };
        let (true, Some(ended_at)) = (named.is_name, item.ended_at) else {
            continue;
        };
        let found = known.found.get(&Known::key(named));
        let made_at = found
            .and_then(Option::as_ref)
            .and_then(|found| found.made_at);
        let again = known
            .later
            .get(&named.place)
            .into_iter()
            .flatten()
            .find(|job| {
                job.created_resource_arn == item.arn
                    && !ours.contains(&job.id)
                    && job.created_at.is_some_and(|at| at > ended_at)
            });
        if matches!(found, Some(None)) {
            // Nothing has the name: that is found out once more, and written down.
        } else if let Some(made_at) = made_at {
            if made_at > ended_at + SKEW {
                item.fate = Fate::Stays(format!(
                    "it was made again at {made_at} by somebody else: this run's job had ended at {ended_at}"
                ));
            }
        } else if let Some(job) = again {
            item.fate = Fate::Stays(format!(
                "it was made again by restore job {}, which is not of this run",
                job.id
            ));
        } else if now.duration_since(ended_at) > FRESH {
            *doubt = Some(format!(
                "its job ended on {}, and AWS does not tell when what has this name now was made",
                ended_at.strftime("%Y-%m-%d")
            ));
        }
    }
}
