//! The journal of a run to what it has made, and that to nothing: deletes what the run created, and proves it gone.
//!
//! What is deleted was named by AWS in the journal, by a job that this run started, of a restore that makes something new.
//! Nothing is looked for by its name, so nothing of anybody else can be met.

mod deleting;
mod types;

pub use deleting::{Cleaned, Deletions, Progress, Resources, Stopped};
pub use types::Named;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use crate::diff::{Deletion, Observed, Stage};
use crate::execute::{Event, Places, Recorded};
use crate::render::{Metadata, Target};
use crate::validate::protects;
use types::{Kind, Types};

/// One thing that a run has made, or written into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The restore.
    pub restore: String,
    /// AWS's name of its resource type.
    pub resource_type: String,
    /// What it made; none where AWS does not say.
    pub arn: Option<String>,
    /// What is to become of it.
    pub fate: Fate,
}

/// What is to become of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is deleted.
    Delete {
        /// How Cloud Control API names it.
        named: Named,
        /// The client token of the request.
        token: String,
    },
    /// It is gone already.
    Gone,
    /// It is not of this run's making, and stays: why.
    Stays(String),
    /// It is of this run's making, and is left: why.
    Left(String),
}

/// What has to happen, in the order in which it has to: what needs something else goes before that.
#[must_use]
pub fn cleanup<'a>(
    events: &[Recorded],
    observed: &Observed,
    protect: &'a [&'a str],
    places: &Places,
) -> Vec<Vec<Item>> {
    let types = Types::embedded();
    let record = Record::of(events);
    let targets = &places.targets;
    let mut items: BTreeMap<usize, Vec<Item>> = BTreeMap::new();
    for (restore, past) in &observed.restores {
        let (resource_type, metadata) = record.requests.get(restore).cloned().unwrap_or_default();
        let item = |arn: Option<&str>, fate| Item {
            restore: restore.clone(),
            resource_type: resource_type.clone(),
            arn: arn.map(str::to_owned),
            fate,
        };
        let item = match &past.stage {
            Stage::Completed {
                created_resource_arn: Some(arn),
                ..
            } => {
                let kind = types.kind(arn, &resource_type, &metadata);
                let place = place(places, restore, arn);
                let target = place.and_then(|place| targets.get(place));
                let by = target.and_then(|target| {
                    protects(protect.iter().copied(), arn, &resource_type, target)
                });
                let fate = record.fate(restore, arn, past.deletion.as_ref(), kind, by);
                let fate = match (fate, place) {
                    (Fate::Delete { mut named, token }, Some(place)) => {
                        named.place = place;
                        Fate::Delete { named, token }
                    }
                    (Fate::Delete { .. }, None) => {
                        Fate::Left("it is in no target of the run: delete it yourself".to_owned())
                    }
                    (fate, _) => fate,
                };
                item(Some(arn), fate)
            }
            Stage::Completed { job_id, .. } => {
                let why = format!("AWS does not say what job {job_id} has made");
                item(None, Fate::Left(why))
            }
            Stage::Running { job_id } => {
                let why = format!(
                    "job {job_id} has not ended, as far as this run knows; run the plan again to follow it"
                );
                item(None, Fate::Left(why))
            }
            Stage::Intended => {
                let why = "a job may exist; run the plan again to find out".to_owned();
                item(None, Fate::Left(why))
            }
            Stage::Failed { .. } | Stage::Withdrawn | Stage::Skipped => continue,
        };
        items.entry(record.depth(restore)).or_default().push(item);
    }
    items.into_values().rev().collect()
}

/// What the journal says that is needed here.
struct Record {
    run: String,
    start: Timestamp,
    needs: HashMap<String, Vec<String>>,
    /// Type and metadata of the last request of each restore.
    requests: BTreeMap<String, (String, Metadata)>,
    /// Whether the run has started each job, as far as is known.
    ours: HashMap<String, Option<bool>>,
    /// When each job was created.
    jobs: BTreeMap<String, Option<Timestamp>>,
    /// How often each thing was left.
    left: BTreeMap<String, u32>,
}

impl Record {
    fn of(events: &[Recorded]) -> Self {
        let mut record = Self {
            run: String::new(),
            start: Timestamp::MAX,
            needs: HashMap::new(),
            requests: BTreeMap::new(),
            jobs: BTreeMap::new(),
            ours: HashMap::new(),
            left: BTreeMap::new(),
        };
        for recorded in events {
            match &recorded.event {
                Event::RunOpened { plan, run, .. } => {
                    record.start = recorded.at;
                    record.run = format!("{plan}/{run}");
                }
                Event::Planned { outline } => {
                    // What a plan has lost since still needs what it needed.
                    let restores = outline.restores.iter();
                    let needs = restores.map(|r| (r.name.clone(), r.needs.clone()));
                    record.needs.extend(needs);
                }
                Event::Intended {
                    restore, request, ..
                } => {
                    let of = (request.resource_type.clone(), request.metadata.clone());
                    record.requests.insert(restore.clone(), of);
                }
                Event::Adopted { restore, ours, .. } => {
                    record.ours.insert(restore.clone(), *ours);
                }
                Event::Accepted { restore, .. } => {
                    record.ours.insert(restore.clone(), Some(true));
                }
                Event::Completed {
                    restore,
                    started_at,
                    ..
                } => {
                    record.jobs.insert(restore.clone(), *started_at);
                }
                Event::Left { restore, .. } => {
                    *record.left.entry(restore.clone()).or_default() += 1;
                }
                _ => {}
            }
        }
        record
    }

    fn fate(
        &self,
        restore: &str,
        arn: &str,
        deletion: Option<&Deletion>,
        kind: Kind,
        protected_by: Option<&str>,
    ) -> Fate {
        if deletion == Some(&Deletion::Gone) {
            return Fate::Gone;
        }
        let named = match kind {
            Kind::Existing => {
                return Fate::Stays("it was there before: the restore wrote into it".to_owned());
            }
            Kind::Unknown => {
                return Fate::Left(
                    "it is of no type that redrill deletes: delete it yourself".to_owned(),
                );
            }
            Kind::Made(named) => named,
        };
        let made = self.jobs.get(restore).copied().flatten();
        let is_ours = match self.ours.get(restore).copied().flatten() {
            Some(is_ours) => is_ours,
            None => made.is_none_or(|at| at >= earliest(self.start)),
        };
        if !is_ours {
            return Fate::Stays("its job was not started by this run".to_owned());
        }
        if let Some(by) = protected_by {
            return Fate::Left(format!("it is protected: `protect` has `{by}`"));
        }
        let nth = self.left.get(restore).copied().unwrap_or(0);
        Fate::Delete {
            named,
            token: token(&self.run, arn, nth),
        }
    }

    /// How many restores stand between it and one that needs nothing.
    fn depth(&self, restore: &str) -> usize {
        let mut depth = 0;
        let mut level = BTreeSet::from([restore]);
        while depth <= self.needs.len() {
            level = level
                .into_iter()
                .filter_map(|name| self.needs.get(name))
                .flatten()
                .map(String::as_str)
                .collect();
            if level.is_empty() {
                break;
            }
            depth += 1;
        }
        depth
    }
}

/// The index of the target that a resource is in: that of its ARN, which of some types names no account or Region.
fn place(places: &Places, restore: &str, arn: &str) -> Option<usize> {
    let targets = &places.targets;
    let own = places.place(restore);
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, _, _, region, account, _] = parts.as_slice() else {
        return None;
    };
    let is_there = |target: &Target| {
        (region.is_empty() || target.region == *region)
            && (account.is_empty() || target.account == *account)
    };
    if targets.get(own).is_some_and(is_there) {
        return Some(own);
    }
    targets.iter().position(is_there)
}

/// AWS's clock and this machine's may differ a little: a job that is younger than this is taken for the run's.
fn earliest(start: Timestamp) -> Timestamp {
    let skew = jiff::SignedDuration::from_mins(15);
    start.saturating_sub(skew).unwrap_or(start)
}

/// The same deletion has the same client token, whoever asks for it; after a refusal it is another.
fn token(run: &str, arn: &str, nth: u32) -> String {
    let name = format!("urn:redrill:cleanup:{run}:{arn}:{nth}");
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, name.as_bytes()).to_string()
}
