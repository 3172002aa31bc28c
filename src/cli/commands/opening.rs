//! What a runner says before it does anything, the plan as it was given and who runs it; and what it refuses.

use super::run::Execution;
use super::{Context, Loaded};
use crate::cli::exit::Failure;
use crate::diff::{Diff, Observed};
use crate::execute::{Clock, Event, Outline, Recorded, SystemClock};
use crate::plan::{Plan, Planner};
use crate::report::{DryRun, dry_run_human};

/// The plan as a report needs it.
pub(super) fn outline(
    planner: &Planner,
    plan: &Plan,
    execution: &Execution<'_>,
    context: &Context<'_>,
) -> Outline {
    let source = &planner.document().source;
    let origin = super::origin::origin(execution.file, source, execution.rehearsal, context);
    Outline::of(plan, origin, execution.policy.cutover)
}

/// Says what the plan is, unless the journal has it already.
pub(super) fn planned(events: &[Recorded], outline: Outline) -> Option<Event> {
    let last = events
        .iter()
        .rev()
        .find_map(|recorded| match &recorded.event {
            Event::Planned { outline } => Some(&**outline),
            _ => None,
        });
    (last != Some(&outline)).then(|| Event::Planned {
        outline: Box::new(outline),
    })
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

/// The journal is of this plan and this run.
pub(super) fn check_opened(events: &[Recorded], plan: &str, run: &str) -> Result<(), Failure> {
    match events.first().map(|recorded| &recorded.event) {
        None => Ok(()),
        Some(Event::RunOpened {
            plan: p, run: r, ..
        }) if p == plan && r == run => Ok(()),
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
    dry_run_human(&DryRun {
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

/// Where the plan asks for something else than what was started, nothing is sent.
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
