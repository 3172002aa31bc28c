//! What the screen is told of a run before it goes on.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::Context;
use crate::backup::{Clock as _, Endpoint, SystemClock};
use crate::cli::output::Output;
use crate::diff::{Action, Diff};
use crate::execute::at_once;
use crate::plan::{Plan, Step};
use crate::state::{Check, History, RestoreStage, RestoreState};
use crate::terminal::{InitialRestore, InitialState, Look, Now, Stage};

impl Context<'_> {
    /// How progress looks of what goes on at an endpoint.
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

/// A run as it is at `now`, when somebody begins to watch.
pub(super) fn initial(plan: &Plan, diff: &Diff, history: &History, now: Timestamp) -> InitialState {
    let regions: Vec<Arc<str>> = (plan.targets.iter())
        .map(|target| Arc::from(target.region.as_str()))
        .collect();
    let mut lanes = Vec::new();
    let mut of_type: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    let actions: BTreeMap<usize, Action> = (diff
        .changes
        .iter()
        .map(|change| (change.step, change.action)))
    .collect();
    let restores = plan.steps.iter().enumerate().map(|(at, step)| {
        let resource_type = step.draft.request.resource_type.as_str();
        let lane = *of_type
            .entry((step.target, resource_type))
            .or_insert_with(|| {
                lanes.push(at_once(plan, resource_type));
                lanes.len() - 1
            });
        let past = history.observed.restores.get(&*step.name);
        let checks = open_checks(step, past);
        InitialRestore {
            name: Arc::clone(&step.name),
            needs: Arc::clone(&step.needs),
            checks,
            expected: step.draft.expected,
            region: Arc::clone(&regions[step.target]),
            lane,
            stage: stage(past, actions.get(&at).copied(), checks > 0),
        }
    });
    InitialState {
        at: now,
        restores: restores.collect(),
        order: plan.order.clone(),
        lanes,
        at_once: plan.limits.concurrent.unwrap_or(u32::MAX),
    }
}

/// How many checks have not ended.
fn open_checks(step: &Step, past: Option<&RestoreState>) -> usize {
    let is_open = |name: &str, definition: &str| {
        let seen = past.and_then(|past| past.checks.get(name)?.under(definition));
        !matches!(seen, Some(Check::Passed | Check::Failed | Check::NotRun))
    };
    let checks = step.checks.iter();
    checks
        .filter(|check| is_open(&check.name.value, &check.definition))
        .count()
}

fn stage(past: Option<&RestoreState>, action: Option<Action>, is_checked: bool) -> Stage {
    match (past.map(|past| (&past.stage, past)), action) {
        (Some((RestoreStage::Running { .. }, past)), _) => Stage::Running(past.intended_at),
        (Some((RestoreStage::Intended, _)), _) => Stage::Sent,
        (Some((RestoreStage::Completed { .. }, _)), _) if is_checked => Stage::Checking,
        (Some((RestoreStage::Completed { .. }, _)), _) => Stage::Done,
        (_, Some(Action::Start)) => Stage::Waiting,
        // It failed, was left out, or waits for what did: nothing comes of it now.
        _ => Stage::Bad,
    }
}
