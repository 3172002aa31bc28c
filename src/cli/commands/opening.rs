//! What a runner says before it does anything: the plan as it was given, and who runs it.

use std::sync::Arc;

use super::Context;
use super::run::Execution;
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
        outline: Arc::new(outline),
    })
}
