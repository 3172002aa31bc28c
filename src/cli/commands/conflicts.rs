//! What stands between a plan and its run.

use super::Loaded;
use super::run::Execution;
use crate::cli::exit::Failure;
use crate::diff::{Action, Diff, Stage};
use crate::execute::{Clock, History, SystemClock};
use crate::plan::Plan;
use crate::report::{self, dry_run_human, minute};

pub(super) fn check_opened(history: &History, plan: &str, run: &str) -> Result<(), Failure> {
    match &history.opened {
        None => Ok(()),
        Some(opened) if opened.plan == plan && opened.run == run => Ok(()),
        // A file system that does not tell `Main` from `main`.
        Some(_) => Err(Failure::Conflict(format!(
            "the journal of {plan} run {run} belongs to another plan or run; give another --run-id or --state"
        ))),
    }
}

/// What would happen, without what differs from anything.
pub(super) fn brief(
    loaded: &Loaded,
    plan: &Plan,
    diff: &Diff,
    execution: &Execution<'_>,
) -> String {
    dry_run_human(&report::DryRun {
        file: &execution.file.to_string_lossy(),
        plan,
        diff,
        compared: None,
        sources: &std::collections::BTreeMap::new(),
        secrets: loaded.planner.secrets(),
        now: SystemClock.now(),
        full: false,
        endpoint: Some(&execution.endpoint),
        notice: None,
    })
}

pub(super) fn refuse_conflicts(
    loaded: &Loaded,
    plan: &Plan,
    diff: &Diff,
    execution: &Execution<'_>,
) -> Result<(), Failure> {
    if !diff.has_conflict() {
        return Ok(());
    }
    Err(Failure::Conflict(format!(
        "the plan asks for something else than what this run has started; nothing was sent\n\n{}",
        brief(loaded, plan, diff, execution)
    )))
}

/// What was made is gone: nothing more can be built on it, and nothing of it is reported as if it were there. A job that still
/// runs is followed, so that what it makes can be deleted as well.
pub(super) fn refuse_cleaned_up(
    before: &History,
    diff: &Diff,
    execution: &Execution<'_>,
) -> Result<(), Failure> {
    let starts = diff.count(Action::Start) > 0;
    let follows = diff.count(Action::Resume) > 0;
    let mut pasts = before.observed.restores.values();
    let is_begun = pasts.any(|past| past.deletion.is_some());
    let deleted = before.deleted();
    let is_over = deleted > 0 && !follows;
    let Some(opened) = before
        .opened
        .as_ref()
        .filter(|_| is_over || is_begun && starts)
    else {
        return Ok(());
    };
    let ended = before
        .ended
        .map_or_else(String::new, |at| format!("ended {} and ", minute(at)));
    let cleaned = before
        .cleaned_up
        .map_or_else(String::new, |at| format!(", last {}", minute(at)));
    let of = (before.observed.restores.values())
        .filter(|past| matches!(past.stage, Stage::Completed { .. }))
        .count();
    Err(Failure::Conflict(format!(
        "run {} of {} {ended}was cleaned up{cleaned}: {deleted} of the {of} resources that it made are deleted. Nothing was \
         started.\nA new restore needs a new run id: {}",
        opened.run,
        opened.plan,
        execution.again_anew(&opened.plan)
    )))
}
