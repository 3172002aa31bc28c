//! The journal of a run to what it has made, and that to nothing: deletes what the run created, and proves it gone.
//!
//! What is deleted was named by AWS in the journal, by a job that this run started, or one nested in it, of a restore that
//! makes something new, and is what that restore's request asked for. Nothing is looked for by its name, so nothing of
//! anybody else can be met.

mod deleting;
mod one;
mod record;
mod survey;
mod types;

pub use deleting::{Cleaned, CleanupStopped, DeleteAnswer, DeletionProgress, Deletions, Resources};
pub use survey::{Survey, by_name, survey, unlisted};
pub use types::{ExistingResource, Named};

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::diff::{misfit_of_part, writes_into_existing};
use crate::ids::{ClientToken, Indexed, PlaceIndex, RestoreName};
use crate::render::{Metadata, REDACTED, Target};
use crate::rules::{Facts, value};
use crate::state::{Deletion, NestedJob, Places, Recorded, RestoreStage, RestoreState, RunState};
use crate::validate::protects;
use record::{Attempt, CleanupRecord};
use types::ResourceKind;

/// One thing that a run has made, or written into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The restore.
    pub restore: RestoreName,
    /// AWS's name of its resource type.
    pub resource_type: String,
    /// ARN of what it made; none if AWS does not say.
    pub arn: Option<String>,
    /// The nested job or the earlier attempt that made it; none where it is that of the restore's own job.
    pub by: Option<String>,
    /// Time at which the job that made it ended.
    pub ended_at: Option<Timestamp>,
    /// Decision about it.
    pub disposition: Disposition,
}

/// Decision about a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Resource to delete.
    Delete {
        /// Name of the resource in Cloud Control API.
        named: Named,
        /// The client token of the request.
        token: ClientToken,
        /// Reason why somebody has to say that it is the run's, if so: it is known by its name alone.
        doubt: Option<String>,
    },
    /// Resource that is gone already.
    Gone,
    /// Resource that is not of this run's making, and stays: why.
    Stays(String),
    /// Resource of this run's making that is left: why.
    Left(String),
}

/// Decides what has to happen, in order: what needs something else goes before that, and what holds a nested job's
/// resource before the resource.
#[must_use]
pub fn cleanup(
    events: &[Recorded],
    observed: &RunState,
    protect: &[&str],
    places: &Places,
) -> Vec<Vec<Item>> {
    let record = CleanupRecord::of(events);
    let mut protect: BTreeMap<&str, bool> = protect.iter().map(|entry| (*entry, true)).collect();
    for entry in &record.protect {
        protect.entry(entry).or_insert(false);
    }
    let plan = Planned {
        record: &record,
        targets: &places.targets,
        protect,
    };
    let mut levels: BTreeMap<(Reverse<usize>, bool), Vec<Item>> = BTreeMap::new();
    for (restore, past) in &observed.restores {
        let depth = Reverse(record.depth(restore));
        for item in plan.of_restore(restore, past) {
            let is_nested = item.by.as_ref().is_some_and(|by| by.starts_with(NESTED));
            levels.entry((depth, is_nested)).or_default().push(item);
        }
    }
    let mut levels: Vec<Vec<Item>> = levels.into_values().collect();
    of_each_other(&mut levels);
    levels
}

/// Names what a job has made for Cloud Control API; none if the restore wrote into something, or nothing reads its
/// type.
#[must_use]
pub fn made(arn: &str, resource_type: &str, metadata: &Metadata) -> Option<Named> {
    match types::kind(arn, resource_type, Some(metadata)) {
        ResourceKind::Made(named) if !writes_into_existing(resource_type, metadata) => Some(named),
        ResourceKind::Made(_) | ResourceKind::Unsure(_) | ResourceKind::Unknown => None,
    }
}

/// Name for a nested job.
const NESTED: &str = "nested job";

/// A restore may write into what another one of the run has made.
fn of_each_other(levels: &mut [Vec<Item>]) {
    let made: BTreeMap<String, RestoreName> = levels
        .iter()
        .flatten()
        .filter(|item| {
            matches!(
                item.disposition,
                Disposition::Delete { .. } | Disposition::Gone
            )
        })
        .filter_map(|item| Some((item.arn.clone()?, item.restore.clone())))
        .collect();
    for item in levels.iter_mut().flatten() {
        if let (Disposition::Stays(why), Some(arn)) = (&mut item.disposition, &item.arn)
            && let Some(by) = made.get(arn)
        {
            *why = format!(
                "the restore wrote into it; `{by}` created it, and it is deleted with that"
            );
        }
    }
}

/// Basis of all decisions.
struct Planned<'a> {
    record: &'a CleanupRecord,
    targets: &'a Indexed<PlaceIndex, Target>,
    /// True if the plan has the entry today; else it had it when the run was taken up.
    protect: BTreeMap<&'a str, bool>,
}

/// Something that a job is said to have made.
struct MadeResource<'a> {
    arn: &'a str,
    resource_type: &'a str,
    /// Of a nested job it may not be known.
    metadata: Option<&'a Metadata>,
    recovery_point_arn: &'a str,
    attempt: &'a Attempt,
    deletion: Option<&'a Deletion>,
}

impl Planned<'_> {
    fn of_restore(&self, restore: &RestoreName, past: &RestoreState) -> Vec<Item> {
        let attempts = self.record.attempts.get(restore);
        let attempts = attempts.map(Vec::as_slice).unwrap_or_default();
        let Some((last, earlier)) = attempts.split_last() else {
            return Vec::new();
        };
        let mut items = self.of_last(restore, past, last);
        let mut seen: BTreeSet<String> = items.iter().filter_map(|item| item.arn.clone()).collect();
        let is_open = matches!(
            past.stage,
            RestoreStage::Running { .. } | RestoreStage::Intended
        );
        for (nth, attempt) in earlier.iter().enumerate().rev() {
            for mut item in self.of_attempt(restore, past, attempt) {
                if item
                    .arn
                    .as_ref()
                    .is_some_and(|arn| !seen.insert(arn.clone()))
                {
                    continue;
                }
                if is_open && matches!(item.disposition, Disposition::Delete { .. }) {
                    let why =
                        "a later attempt has not ended, and may be creating the same resource";
                    item.disposition = Disposition::Left(why.to_owned());
                }
                item.by
                    .get_or_insert_with(|| format!("attempt {}", nth + 1));
                items.push(item);
            }
        }
        items
    }

    /// Lists what the last attempt has made, or may have.
    fn of_last(&self, restore: &RestoreName, past: &RestoreState, last: &Attempt) -> Vec<Item> {
        let unknown = |why: String| {
            vec![Item {
                restore: restore.to_owned(),
                resource_type: last.resource_type.clone(),
                arn: None,
                by: None,
                ended_at: last.ended_at,
                disposition: Disposition::Left(why),
            }]
        };
        match &past.stage {
            RestoreStage::Completed { .. } | RestoreStage::Failed { .. } => {
                let mut items = self.of_attempt(restore, past, last);
                if let (RestoreStage::Completed { job_id, .. }, None) = (&past.stage, &last.made) {
                    let mut item = unknown(format!("AWS does not say what job {job_id} created"));
                    if writes_into_existing(&last.resource_type, &last.metadata) {
                        item[0].disposition = Disposition::Stays(EXISTING.to_owned());
                    }
                    items.splice(0..0, item);
                }
                items
            }
            RestoreStage::Running { job_id } => unknown(format!(
                "job {job_id} has not ended, as far as this run knows; run the plan again to follow it"
            )),
            RestoreStage::Intended => {
                unknown("a job may exist; run the plan again to find out".to_owned())
            }
            RestoreStage::Withdrawn | RestoreStage::Skipped => Vec::new(),
        }
    }

    /// Lists what the jobs of an attempt have made, if AWS names it.
    fn of_attempt(
        &self,
        restore: &RestoreName,
        past: &RestoreState,
        attempt: &Attempt,
    ) -> Vec<Item> {
        let item = |made: &MadeResource<'_>, by: Option<String>| Item {
            restore: restore.to_owned(),
            resource_type: made.resource_type.to_owned(),
            arn: Some(made.arn.to_owned()),
            by,
            ended_at: attempt.ended_at,
            disposition: self.disposition(restore, made),
        };
        let mut items = Vec::new();
        if let Some(arn) = &attempt.made {
            let is_own = matches!(&past.stage, RestoreStage::Completed { created_resource_arn: Some(own), .. } if own == arn);
            let made = MadeResource {
                arn,
                resource_type: &attempt.resource_type,
                metadata: Some(&attempt.metadata),
                recovery_point_arn: &attempt.recovery_point_arn,
                attempt,
                deletion: if is_own {
                    past.deletion.as_ref()
                } else {
                    past.others.get(arn).and_then(Option::as_ref)
                },
            };
            items.push(item(&made, None));
        }
        let of_parts = nested_metadata(&attempt.resource_type, &attempt.metadata);
        for job in attempt.nested.iter().flatten() {
            let by = format!("{NESTED} {}", job.job_id);
            let resource_type = job.resource_type.as_deref().unwrap_or_default();
            let point = job
                .recovery_point_arn
                .as_deref()
                .unwrap_or(&attempt.recovery_point_arn);
            let Some(arn) = &job.created_resource_arn else {
                items.extend(unnamed(restore, attempt, job, by));
                continue;
            };
            // The part with a cluster's own state comes back as the cluster.
            if attempt.made.as_ref() == Some(arn) {
                continue;
            }
            let made = MadeResource {
                arn,
                resource_type,
                metadata: of_parts.get(point),
                recovery_point_arn: point,
                attempt,
                deletion: past.others.get(arn).and_then(Option::as_ref),
            };
            let mut item = item(&made, Some(by));
            if !job.has_ended() && matches!(item.disposition, Disposition::Delete { .. }) {
                item.disposition =
                    Disposition::Left(format!("nested job {} has not ended", job.job_id));
            }
            items.push(item);
        }
        items
    }

    fn disposition(&self, restore: &RestoreName, made: &MadeResource<'_>) -> Disposition {
        if made.deletion == Some(&Deletion::Gone) {
            return Disposition::Gone;
        }
        let attempt = made.attempt;
        if made
            .metadata
            .is_some_and(|metadata| writes_into_existing(made.resource_type, metadata))
        {
            return Disposition::Stays(EXISTING.to_owned());
        }
        let is_ours = match attempt.ours {
            Some(is_ours) => is_ours,
            None => {
                let started = attempt.started_at;
                started.is_none_or(|at| at >= earliest(self.record.start))
            }
        };
        if !is_ours {
            return Disposition::Stays("its job was not started by this run".to_owned());
        }
        let Some(target) = self.targets.get(attempt.place) else {
            return Disposition::Left(
                "it is not in any target of the run; delete it manually".to_owned(),
            );
        };
        if made.arn.contains(REDACTED) {
            return Disposition::Left(
                "its name contains a secret, which the journal does not keep; delete it manually"
                    .to_owned(),
            );
        }
        let known = attempt.mismatch.as_ref();
        let known = known.filter(|_| attempt.made.as_deref() == Some(made.arn));
        let misfit = misfit_of_part(
            made.arn,
            made.resource_type,
            made.metadata,
            made.recovery_point_arn,
            target,
        );
        if let Some(why) = misfit.or_else(|| known.cloned()) {
            return Disposition::Left(format!(
                "it is not what was asked for, so it is not deleted: {why}"
            ));
        }
        let mut named = match types::kind(made.arn, made.resource_type, made.metadata) {
            ResourceKind::Unknown => {
                return Disposition::Left(
                    "redrill cannot delete this type; delete it manually".to_owned(),
                );
            }
            ResourceKind::Unsure(why) => {
                return Disposition::Left(format!(
                    "it may have existed before: {why}; check it, and delete it manually"
                ));
            }
            ResourceKind::Made(named) => named,
        };
        let entries = self.protect.keys().copied();
        if let Some(by) = protects(entries, made.arn, made.resource_type, target) {
            return Disposition::Left(if self.protect.get(by) == Some(&true) {
                format!("it is protected: `protect` has `{by}`")
            } else {
                format!("it is protected: `protect` had `{by}` when the plan ran")
            });
        }
        named.place = attempt.place;
        Disposition::Delete {
            named,
            token: self.record.token(restore, made.arn),
            doubt: None,
        }
    }
}

const EXISTING: &str = "it existed before; the restore wrote into it";

/// A nested job of which AWS names nothing, where that says that something may be there.
fn unnamed(restore: &RestoreName, attempt: &Attempt, job: &NestedJob, by: String) -> Option<Item> {
    let resource_type = job.resource_type.clone().unwrap_or_default();
    let why = if !job.has_ended() {
        format!("nested job {} has not ended", job.job_id)
    } else if job.status == "COMPLETED" && resource_type != attempt.resource_type {
        format!("AWS does not say what nested job {} created", job.job_id)
    } else {
        return None;
    };
    Some(Item {
        restore: restore.to_owned(),
        resource_type,
        arn: None,
        by: Some(by),
        ended_at: attempt.ended_at,
        disposition: Disposition::Left(why),
    })
}

/// The metadata that a request has for the parts of a composite recovery point, by their ARNs: a map, whose values are JSON
/// in strings.
fn nested_metadata(resource_type: &str, metadata: &Metadata) -> BTreeMap<String, Metadata> {
    let key = Facts::of(resource_type).and_then(|facts| facts.parts.as_ref());
    let text = key.and_then(|key| value(metadata, key));
    let parts: BTreeMap<String, serde_json::Value> = text
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let of_part = |value: serde_json::Value| {
        let value = match &value {
            serde_json::Value::String(text) => serde_json::from_str(text).ok()?,
            _ => value,
        };
        let entries = value.as_object()?.iter().map(|(key, value)| {
            let text = value.as_str().map(str::to_owned);
            (key.clone(), text.unwrap_or_else(|| value.to_string()))
        });
        Some(entries.collect())
    };
    let parts = parts.into_iter();
    parts
        .filter_map(|(arn, value)| Some((arn, of_part(value)?)))
        .collect()
}

/// Lists what stays behind at AWS, or stands in the way, when these things are deleted, as AWS documents each type.
#[must_use]
pub fn leaves(levels: &[Vec<Item>]) -> Vec<String> {
    let types: BTreeSet<&str> = levels
        .iter()
        .flatten()
        .filter_map(|item| match &item.disposition {
            Disposition::Delete { named, .. } => Some(named.type_name.as_str()),
            _ => None,
        })
        .collect();
    let leaves = |name: &str| {
        let (what, documented) = types::leaves(name)?;
        Some(format!("{name}: {what} ({documented})"))
    };
    types.into_iter().filter_map(leaves).collect()
}

/// AWS's clock and this machine's may differ a little: a job that is younger than this is taken for the run's.
fn earliest(start: Timestamp) -> Timestamp {
    let skew = jiff::SignedDuration::from_mins(15);
    start.saturating_sub(skew).unwrap_or(start)
}
