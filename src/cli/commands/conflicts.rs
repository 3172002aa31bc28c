//! What stands between a plan and its run.

use super::Loaded;
use super::run::Execution;
use crate::cli::exit::Failure;
use crate::diff::{Diff, Observed};
use crate::execute::{Clock, History, SystemClock};
use crate::plan::Plan;
use crate::report::{self, dry_run_human};

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

/// What was made is gone: nothing more can be built on it.
pub(super) fn refuse_cleaned(observed: &Observed, starts: usize) -> Result<(), Failure> {
    let is_cleaned = observed
        .restores
        .values()
        .any(|past| past.deletion.is_some());
    if is_cleaned && starts > 0 {
        return Err(Failure::Conflict(
            "this run has been cleaned up, and it is over; start a new one with another --run-id"
                .to_owned(),
        ));
    }
    Ok(())
}
