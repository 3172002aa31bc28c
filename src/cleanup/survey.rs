//! Answers of AWS, before anybody is asked, about what is to be deleted: whether a name was given again since, and
//! which nested jobs a job has that nobody has listed yet.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::record::CleanupRecord;
use super::{Disposition, ExistingResource, Item, Named};
use crate::backup::Job;
use crate::ids::{JobId, PlaceIndex, RestoreName};
use crate::rules::{Composite, TypeNotes};
use crate::state::{NestedJob, Recorded};

/// Largest difference of AWS's services about the time, and lag of a job's end behind what it made.
const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// Time for which a name is taken for that of what the run made, if AWS does not tell when that was made.
const FRESH: SignedDuration = SignedDuration::from_hours(24);

/// Knowledge of what is to be deleted by a name that somebody can have given again.
#[derive(Debug, Default)]
pub struct Survey {
    /// Resources that exist, by place, type and identifier; names that nobody has looked for are not in it.
    pub found: BTreeMap<(PlaceIndex, String, String), Option<ExistingResource>>,
    /// Jobs of AWS Backup that ended later, by place.
    pub later: BTreeMap<PlaceIndex, Vec<Job>>,
}

impl Survey {
    /// Returns the key of an answer about a resource.
    #[must_use]
    pub fn key(named: &Named) -> (PlaceIndex, String, String) {
        (
            named.place,
            named.type_name.clone(),
            named.identifier.clone(),
        )
    }
}

/// Lists what is to be deleted by a name: what to look for, and since when somebody can have given it again.
pub fn by_name(levels: &[Vec<Item>]) -> impl Iterator<Item = (&Named, Option<Timestamp>)> {
    levels
        .iter()
        .flatten()
        .filter_map(|item| match &item.disposition {
            Disposition::Delete { named, .. } if named.is_name => Some((named, item.ended_at)),
            _ => None,
        })
}

/// Jobs that others may be nested in which nobody has listed, or which had not ended: the restore, the job and its target.
#[must_use]
pub fn unlisted(events: &[Recorded]) -> Vec<(RestoreName, JobId, PlaceIndex)> {
    let mut unlisted = Vec::new();
    for (restore, attempts) in CleanupRecord::of(events).attempts {
        for attempt in attempts {
            let is_known = attempt
                .nested
                .as_ref()
                .is_some_and(|jobs| jobs.iter().all(NestedJob::has_ended));
            let notes = TypeNotes::of(&attempt.resource_type);
            let is_whole = notes.is_some_and(|notes| notes.composite == Some(Composite::Whole));
            let may_be_parent = attempt.nested.is_some() || is_whole;
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
pub fn survey(levels: &mut [Vec<Item>], events: &[Recorded], known: &Survey, now: Timestamp) {
    let ours = CleanupRecord::of(events).jobs;
    for item in levels.iter_mut().flatten() {
        let Disposition::Delete { named, doubt, .. } = &mut item.disposition else {
            continue;
        };
        let (true, Some(ended_at)) = (named.is_name, item.ended_at) else {
            continue;
        };
        let found = known.found.get(&Survey::key(named));
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
                item.disposition = Disposition::Stays(format!(
                    "somebody else created it again at {made_at}, after this run's job had ended at {ended_at}"
                ));
            }
        } else if let Some(job) = again {
            item.disposition = Disposition::Stays(format!(
                "restore job {}, which is not part of this run, created it again",
                job.id
            ));
        } else if now.duration_since(ended_at) > FRESH {
            *doubt = Some(format!(
                "its job ended on {}, and AWS does not say when the resource that has this name now was created",
                ended_at.strftime("%Y-%m-%d")
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:rds:us-west-2:123456789012:db:orders";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Decides about an instance whose job ended at 04:00, of which Cloud Control API says this a little later.
    fn disposition(found: Option<ExistingResource>, is_name: bool) -> Disposition {
        let named = Named {
            type_name: "AWS::RDS::DBInstance".to_owned(),
            identifier: "orders".to_owned(),
            is_name,
            place: crate::ids::PlaceIndex::FIRST,
        };
        let mut known = Survey::default();
        known.found.insert(Survey::key(&named), found);
        let mut levels = vec![vec![Item {
            restore: RestoreName::new("db"),
            resource_type: "RDS".to_owned(),
            arn: Some(ARN.to_owned()),
            by: None,
            ended_at: Some(at("2026-11-29T04:00:00Z")),
            disposition: Disposition::Delete {
                named,
                token: crate::ids::ClientToken::new(""),
                doubt: None,
            },
        }]];
        survey(&mut levels, &[], &known, at("2026-12-24T00:00:00Z"));
        levels.remove(0).remove(0).disposition
    }

    #[test]
    fn reliability_r3_12_what_was_made_after_the_job_had_ended_is_somebody_elses() {
        let made = |text: &str| {
            Some(ExistingResource {
                made_at: Some(at(text)),
            })
        };
        for (found, is_name, expected) in [
            (made("2026-11-29T03:50:00Z"), true, "deleted"),
            // AWS's services are not of one mind about the second.
            (made("2026-11-29T04:01:00Z"), true, "deleted"),
            (made("2026-11-29T05:00:00Z"), true, "stays"),
            // AWS never gives an id twice.
            (made("2026-11-29T05:00:00Z"), false, "deleted"),
            (Some(ExistingResource::default()), false, "deleted"),
            // A person has to decide if nothing tells.
            (Some(ExistingResource::default()), true, "asked"),
            // The deletion finds out once more that the resource is gone.
            (None, true, "deleted"),
        ] {
            let is = match disposition(found.clone(), is_name) {
                Disposition::Delete { doubt: None, .. } => "deleted",
                Disposition::Delete { doubt: Some(_), .. } => "asked",
                Disposition::Stays(_) => "stays",
                other => panic!("{other:?}"),
            };
            assert_eq!(is, expected, "{found:?}");
        }
    }
}
