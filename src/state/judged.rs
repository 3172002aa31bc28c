//! Outcome of the checks of a restore, or of the whole plan.

use std::collections::BTreeMap;

use super::{CheckProgress, CheckStage, RestoreStage, RunState};
use crate::parse::Check;
use crate::plan::Plan;

/// Outcome of a list of checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// All have passed, or there are none.
    Good,
    /// One has not been run to its end.
    Open,
    /// All have ended, and this one has failed.
    Failed(String),
}

/// Holds what a plan wants checked against what has been.
#[must_use]
pub fn judged(wanted: &[Check], seen: &BTreeMap<String, CheckProgress>) -> Judged {
    let mut failed = None;
    for check in wanted {
        let seen = seen.get(&check.name.value);
        match seen.and_then(|seen| seen.under(&check.definition)) {
            Some(CheckStage::Passed) => {}
            Some(CheckStage::Failed | CheckStage::NotRun) => {
                failed.get_or_insert_with(|| check.name.value.clone());
            }
            None | Some(CheckStage::Started | CheckStage::Again) => return Judged::Open,
        }
    }
    failed.map_or(Judged::Good, Judged::Failed)
}

/// The first check that has passed, and that the plan has otherwise since.
#[must_use]
pub fn outdated<'a>(
    wanted: &'a [Check],
    seen: &BTreeMap<String, CheckProgress>,
) -> Option<&'a str> {
    let mut names = wanted.iter().filter(|check| {
        let seen = seen.get(&check.name.value);
        seen.is_some_and(|seen| seen.under(&check.definition).is_none())
    });
    names.next().map(|check| check.name.value.as_str())
}

/// Returns true if a command of the plan as a whole is due: everything is back and good, and something is left to run.
#[must_use]
pub fn due_after(plan: &Plan, observed: &RunState, retry_failed: bool, cutover: bool) -> bool {
    let is_good = |name: &str, checks: &[Check]| {
        observed.restores.get(name).is_some_and(|past| {
            matches!(past.stage, RestoreStage::Completed { .. })
                && !past.is_incomplete
                && past.deletion.is_none()
                && judged(checks, &past.checks) == Judged::Good
        })
    };
    if !plan
        .steps
        .iter()
        .all(|step| is_good(step.name.as_str(), &step.checks))
    {
        return false;
    }
    let is_due = |judged: Judged| match judged {
        Judged::Good => false,
        Judged::Open => true,
        Judged::Failed(_) => retry_failed,
    };
    match judged(&plan.checks, &observed.checks) {
        Judged::Good => cutover && is_due(cutover_judged(&plan.cutover, &observed.cutover)),
        judged => is_due(judged),
    }
}

/// The steps of a cutover follow one another: one that failed ends it. What was switched over is not switched again, whatever
/// has become of its step in the plan.
fn cutover_judged(wanted: &[Check], seen: &BTreeMap<String, CheckProgress>) -> Judged {
    for step in wanted {
        match seen.get(&step.name.value).map(|seen| seen.is) {
            Some(CheckStage::Passed) => {}
            Some(CheckStage::Failed | CheckStage::NotRun) => {
                return Judged::Failed(step.name.value.clone());
            }
            None | Some(CheckStage::Started | CheckStage::Again) => return Judged::Open,
        }
    }
    Judged::Good
}
