//! What a runner says before it does anything: the plan as it was given, and who runs it.

use super::Context;
use super::run::Execution;
use crate::cli::exit::Failure;
use crate::diff::Observed;
use crate::execute::{Event, Outline, Recorded};
use crate::plan::{Plan, Planner};

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
