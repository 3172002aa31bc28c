//! The program on one page: read → settle → preview → open → run → ended. Each step is a type that only the one before
//! can make; commands and tests go through them in this order.
//!
//! 1. [`read`] makes a [`Loaded`] plan of a file.
//! 2. [`Loaded::settle`] looks up what it asks about, in whatever is at hand: nothing, a lock file, an inventory or AWS.
//! 3. [`Preview::new`] compares the plan with what has happened: this is what a run would do.
//! 4. [`Preview::open`] takes the run up under its lock, where nothing has changed since.
//! 5. [`Opened::run`] carries it out, and gives its [`Outcome`]; what happened is in the journal.

mod chosen;
mod opened;
mod points;
mod preview;
mod rehearsal;
mod report;
mod settle;

// Types that the steps take and return.
#[doc(inline)]
pub use crate::backup::Endpoint;
#[doc(inline)]
pub use crate::diagnostic::{Findings, Source};
#[doc(inline)]
pub use crate::diff::{Diff, Wanted};
#[doc(inline)]
pub use crate::execute::{Ended, Policy};
#[doc(inline)]
pub use crate::journal::{Error as StoreError, Owner, RunKey};
#[doc(inline)]
pub use crate::plan::Plan;
#[doc(inline)]
pub use crate::render::{Inputs, Known};
#[doc(inline)]
pub use crate::rules::Rules;
#[doc(inline)]
pub use crate::state::{History, Origin};

pub use chosen::chosen;
pub use opened::{Opened, Outcome, Works};
pub use points::{WantedPoint, WantedPoints, look_up, resolve, unresolved, wanted_point};
pub use preview::{NotOpened, Opening, Preview};
pub use rehearsal::{not_rehearsed, rehearsed};
pub use report::report;
pub use settle::{Lookups, POINTS_FOR_RULES, Patience, Points, Settled};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::SignedDuration;

use crate::diff::{BaseRestore, RestoreKeys};
use crate::ids::{RestoreName, RunId};
use crate::parse::document;
use crate::plan::Planner;
use crate::render::{Created, Renderer};
use crate::state::{Event, Recorded, RestoreStage, RunState};

/// A plan file that was read, with its inputs.
pub struct Loaded {
    /// Turns its restores into requests.
    pub planner: Planner,
    /// Findings made on the way, in that order.
    pub findings: Findings,
}

/// Parses a plan and takes its inputs in.
///
/// # Errors
///
/// What was found where the file is no plan at all.
pub fn read(
    source: &Arc<Source>,
    run_id: &RunId,
    inputs: &Inputs,
    rules: &Arc<Rules>,
) -> Result<Loaded, Findings> {
    let mut findings = Findings::default();
    let Some(document) = document(source, &mut findings) else {
        return Err(findings);
    };
    let renderer = Renderer::new(&Arc::new(document), run_id, inputs, &mut findings);
    let planner = Planner::new(renderer, Arc::clone(rules));
    Ok(Loaded { planner, findings })
}

/// The restores of a plan that others are held against, those that are invalid without their request; and the recovery
/// points that templates ask about and that are not known.
#[must_use]
pub fn entries(
    planner: &Planner,
    known: &Known,
    findings: &mut Findings,
) -> (Vec<BaseRestore>, WantedPoints) {
    let mut asked = BTreeSet::new();
    let instances = planner.instances().all().enumerated();
    let entries = instances
        .map(|(at, instance)| {
            let draft = planner.draft(at, known, findings);
            let target = planner.target_of(instance.restore);
            if let Some(draft) = draft.as_ref().filter(|draft| points::asks_source(draft)) {
                let arn = draft.request.recovery_point_arn.clone();
                asked.insert((target, arn, draft.vault.as_deref().cloned()));
            }
            BaseRestore {
                name: instance.name.clone(),
                subject: draft
                    .map(|draft| RestoreKeys::of_draft(&draft, &planner.targets()[target])),
                digest: None,
            }
        })
        .collect();
    (entries, asked)
}

/// Collects what templates may use of what has happened.
#[must_use]
pub fn known(observed: &RunState) -> Known {
    let created: BTreeMap<RestoreName, Created> = observed
        .restores
        .iter()
        .filter_map(|(name, past)| match &past.stage {
            RestoreStage::Completed {
                job_id,
                created_resource_arn: Some(resource_arn),
            } => Some((
                name.clone(),
                Created {
                    job_id: job_id.clone(),
                    resource_arn: resource_arn.clone(),
                },
            )),
            _ => None,
        })
        .collect();
    Known {
        resolved: observed.resolved.clone(),
        created: Arc::new(created),
        ..Known::default()
    }
}

/// Returns the name of a restore and how long it took, if an event says so.
#[must_use]
pub fn took(recorded: &Recorded) -> Option<(RestoreName, SignedDuration)> {
    match &recorded.event {
        Event::Completed {
            restore,
            started_at: Some(started),
            ended_at: Some(ended),
            ..
        } if started <= ended => Some((restore.clone(), ended.duration_since(*started))),
        _ => None,
    }
}

/// Takes over how long restores took in an earlier run: a better estimate than one from type and size.
pub fn learn(plan: &mut Plan, took: &BTreeMap<RestoreName, SignedDuration>) {
    for step in &mut plan.steps {
        if let Some(took) = took.get(&step.name) {
            Arc::make_mut(&mut step.draft).expected = *took;
        }
    }
}
