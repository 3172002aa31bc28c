//! State of a run that is shown on the screen before the run goes on.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::Context;
use crate::backup::{Clock as _, Endpoint, SystemClock};
use crate::cli::output::Output;
use crate::diff::{Action, Diff};
use crate::execute::at_once;
use crate::ids::{Indexed, RegionName, StepIndex, TargetIndex};
use crate::plan::{Plan, Step};
use crate::state::{CheckStage, History, RestoreStage, RestoreState};
use crate::terminal::{InitialRestore, InitialState, Look, Now, Stage};

impl Context<'_> {
    /// Returns the look of progress at an endpoint.
    pub(super) fn look(&self, at: &Endpoint) -> Look {
        let is_simulated = *at == Endpoint::Rehearsal;
        Look {
            style: self.style(),
            verbose: self.display.verbose,
            clock: self.clock(),
            now: match is_simulated {
                true => Now::Simulated,
                false => Now::Clock(|| SystemClock.now()),
            },
            is_coloured: Output::is_coloured(self.display),
            speaker: self.speaker.clone(),
            is_linked: *at == Endpoint::Aws && Output::takes_links(),
        }
    }
}

/// A run as it is at `now`, when somebody begins to watch; restore by restore where that is shown.
pub(super) fn initial(
    plan: &Plan,
    diff: &Diff,
    history: &History,
    now: Timestamp,
    is_shown: bool,
) -> InitialState {
    let regions: Indexed<TargetIndex, RegionName> = (plan.targets.iter())
        .map(|target| target.region.clone())
        .collect();
    let mut initial = InitialState {
        at: now,
        at_once: plan.limits.concurrent.unwrap_or(u32::MAX),
        ..InitialState::default()
    };
    let mut of_type: BTreeMap<(TargetIndex, &str), usize> = BTreeMap::new();
    let starts = diff
        .changes
        .iter()
        .filter(|change| change.action == Action::Start);
    let starts: HashSet<StepIndex> = starts.map(|change| change.step).collect();
    for (at, step) in plan.steps.enumerated() {
        let past = history.observed.restores.get(&step.name);
        let checks = open_checks(step, past);
        let stage = stage(past, starts.contains(&at), checks > 0);
        initial.counts.add(stage);
        if !is_shown {
            continue;
        }
        let resource_type = step.draft.request.resource_type.as_str();
        let lanes = &mut initial.lanes;
        let lane = *of_type
            .entry((step.target, resource_type))
            .or_insert_with(|| {
                lanes.push(at_once(plan, resource_type));
                lanes.len() - 1
            });
        initial.restores.push(InitialRestore {
            name: step.name.clone(),
            needs: Arc::clone(&step.needs),
            checks,
            expected: step.draft.expected,
            region: regions[step.target].clone(),
            lane,
            stage,
        });
    }
    if is_shown {
        initial.order.clone_from(&plan.order);
    }
    initial
}

/// Returns the number of checks that have not ended.
fn open_checks(step: &Step, past: Option<&RestoreState>) -> usize {
    let is_open = |name: &str, definition: &str| {
        let seen = past.and_then(|past| past.checks.get(name)?.under(definition));
        !matches!(
            seen,
            Some(CheckStage::Passed | CheckStage::Failed | CheckStage::NotRun)
        )
    };
    let checks = step.checks.iter();
    checks
        .filter(|check| is_open(&check.name.value, &check.definition))
        .count()
}

fn stage(past: Option<&RestoreState>, starts: bool, is_checked: bool) -> Stage {
    match (past.map(|past| (&past.stage, past)), starts) {
        (Some((RestoreStage::Running { .. }, past)), _) => Stage::Running(past.intended_at),
        (Some((RestoreStage::Intended, _)), _) => Stage::Sent,
        (Some((RestoreStage::Completed { .. }, _)), _) if is_checked => Stage::Checking,
        (Some((RestoreStage::Completed { .. }, _)), _) => Stage::Done,
        (_, true) => Stage::Waiting,
        // The restore failed, was left out, or waits for one that did: nothing comes of it now.
        _ => Stage::Bad,
    }
}
